"""`synoptic run`: one hop, or all of them, over the bus until SIGTERM or Ctrl-C."""

import time
from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from gateway.composition import HOPS, build_bus, open_hops
from gateway.service import Service, signals_stop
from schemas import metrics
from schemas.logs import configure
from schemas.settings import Settings, load_settings
from workers.bus import Bus
from workers.bus_embedded import EmbeddedBus
from workers.runner import Backoff, Runner, run_until_idle

IDLE_ATTEMPTS = 6


class Which(StrEnum):
    """What to run."""

    INTAKE = "intake"
    EXTRACTION = "extraction"
    EMISSION = "emission"
    ALL = "all"


def run(
    which: Annotated[Which, typer.Argument(help="the hop, or all in one process")] = Which.ALL,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when nothing is left to do")] = False,
) -> None:
    """Run hops over the bus until told to stop; what is in work then is finished first."""
    settings = load_settings()
    configure(settings.logging)
    names = HOPS if which is Which.ALL else (which.value,)
    # The model loads before the bus is joined: a group must not wait for a member that is still loading.
    with open_hops(names, settings) as hops, closing(build_bus(settings.bus)) as bus:
        backoff = Backoff(attempts=IDLE_ATTEMPTS) if until_idle else Backoff()
        runners = [Runner(hop, bus, settings.bus, backoff) for hop in hops]
        if until_idle:
            typer.echo(f"processed {run_until_idle(runners)} records", err=True)
            for runner in runners:
                runner.close()
            return
        if settings.metrics.port:
            _serve_metrics(settings)
        service = Service(runners, lambda: _keep_house(bus, runners))
        with signals_stop(service):
            typer.echo(f"running {', '.join(names)}; stop with Ctrl-C", err=True)
            service.run()


def _serve_metrics(settings: Settings) -> None:
    from prometheus_client import start_http_server

    start_http_server(settings.metrics.port, settings.metrics.address)


def _keep_house(bus: Bus, runners: list[Runner]) -> None:
    """Publish each hop's lag, and erase what is past its retention where the bus does not do so by itself."""
    for runner in runners:
        for topic, records in bus.lag(runner.group, runner.hop.topics).items():
            metrics.LAG.set(records, hop=runner.hop.name, topic=topic)
    if isinstance(bus, EmbeddedBus):
        bus.expire(time.time())
