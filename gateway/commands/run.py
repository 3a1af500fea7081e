"""`synoptic run`: one hop, or all of them, over the bus until SIGTERM or Ctrl-C."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from enum import StrEnum
from threading import Event
from typing import Annotated

import structlog
import typer

from gateway.composition import PROCESSES, build_bus, open_hops
from gateway.health import HealthServer
from gateway.registries.subscription import HOP_PREFIX, load_subscriptions
from gateway.service import Service, signals_stop
from schemas import metrics
from schemas.errors import Code, SynopticError
from schemas.logs import configure, writes_json
from schemas.messages import TOPIC_DELAYED
from schemas.settings import Settings, load_settings
from workers.buses.bus import Bus
from workers.buses.embedded import EmbeddedBus
from workers.hop import StandsAlone, group_of
from workers.runner import Backoff, Runner, run_until_idle

IDLE_ATTEMPTS = 6
IDLE_POLL_SECONDS = 0.1
logger = structlog.get_logger()


class Which(StrEnum):
    """What to run."""

    INTAKE = "intake"
    EXTRACTION = "extraction"
    EMISSION = "emission"
    REGISTRIES = "registries"
    ALL = "all"


def run(
    which: Annotated[Which, typer.Argument(help="the hop, or all in one process")] = Which.ALL,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when nothing is left to do")] = False,
) -> None:
    """Run hops over the bus until told to stop; what is in work then is finished first."""
    settings = load_settings()
    configure(settings.logging)
    processes = PROCESSES if which is Which.ALL else (which.value,)
    # The model loads before the bus is joined: a group must not wait for a member that is still loading.
    stopping = Event()
    with open_hops(processes, settings, stopping) as hops, closing(build_bus(settings.bus)) as bus:
        backoff = Backoff(attempts=IDLE_ATTEMPTS) if until_idle else Backoff()
        runners = [Runner(hop, bus, settings.bus, backoff) for hop in hops]
        _require_hops(runners, which)
        _forget_registries(bus, [subscription.hop for subscription in load_subscriptions(settings)])
        if until_idle:
            _run_until_idle(runners, bus)
        else:
            _run_until_told(runners, bus, settings, stopping)


def _require_hops(runners: Sequence[Runner], which: Which) -> None:
    if not runners:
        raise SynopticError(Code.NO_REGISTRY, f"to run as {which.value}")


def _forget_registries(bus: Bus, registries: Sequence[str]) -> None:
    """Let the embedded bus wait no longer for registries whose files are gone."""
    if isinstance(bus, EmbeddedBus):
        kept, ours = set(map(group_of, registries)), group_of(HOP_PREFIX)
        bus.forget(lambda group: group.startswith(ours) and group not in kept)


def _run_until_idle(runners: list[Runner], bus: Bus) -> None:
    alone = [runner for runner in runners if isinstance(runner.hop, StandsAlone)]
    chain = [runner for runner in runners if runner not in alone]
    with ExitStack() as stack:
        for runner in runners:
            stack.callback(runner.close)
        done = run_until_idle(chain, IDLE_POLL_SECONDS)
        done += sum(_run_alone(alone))
        waiting = sum(bus.lag(runner.group, [TOPIC_DELAYED])[TOPIC_DELAYED] for runner in chain if runner.waits)
    if writes_json():
        logger.info("nothing is left to do", records=done, waiting=waiting)
        return
    more = f"; findings that still wait for what they refer to: {waiting}" if waiting else ""
    typer.echo(f"processed {done} record{'' if done == 1 else 's'}{more}", err=True)


def _run_alone(runners: Sequence[Runner]) -> Iterator[int]:
    """How many records each did that stands alone; the first one's error is raised once all had their turn."""
    failures = []
    for runner in runners:
        try:
            yield run_until_idle([runner], IDLE_POLL_SECONDS)
        except SynopticError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _run_until_told(runners: list[Runner], bus: Bus, settings: Settings, stopping: Event) -> None:
    service = Service(runners, lambda: _keep_house(bus, runners), stopping=stopping)
    with ExitStack() as stack:
        if settings.metrics.port:
            served, limit = settings.metrics, settings.bus.batch_seconds
            stack.enter_context(HealthServer(served.address, served.port, service.statuses, limit))
        stack.enter_context(signals_stop(service))
        _say_what_runs([runner.hop.name for runner in runners])
        service.run()


def _say_what_runs(names: Sequence[str]) -> None:
    if not writes_json():
        typer.echo(f"running {', '.join(names)}; stop with Ctrl-C", err=True)
        return
    for name in names:
        logger.info("hop starts", hop=name)


def _keep_house(bus: Bus, runners: list[Runner]) -> None:
    """Publish each hop's lag, and erase what is past its retention where the bus does not do so by itself."""
    for runner in runners:
        try:
            lag = bus.lag(runner.group, runner.hop.topics)
        except SynopticError as error:
            logger.warning("lag unknown", hop=runner.hop.name, error=error)
            continue
        for topic, records in lag.items():
            metrics.LAG.set(records, hop=runner.hop.name, topic=topic)
    if isinstance(bus, EmbeddedBus):
        bus.expire(time.time())
