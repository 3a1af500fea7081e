"""`synoptic registry`: who subscribes, whether each can be reached, and how far each has come."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Annotated

import orjson
import typer

from gateway.composition import build_bus
from gateway.display.listing import print_rows
from gateway.doctor.outcome import Outcome
from gateway.registries.ledger import Ledger
from gateway.registries.subscription import Subscription, find_subscription, read_subscriptions
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES
from schemas.settings import Settings, SmartSettings, load_settings
from workers.hop import group_of

app = typer.Typer(no_args_is_help=True, add_completion=False)
Name = Annotated[str, typer.Argument(help="the registry: its file's name without .yaml")]


@app.command("list")
def list_registries() -> None:
    """List the registries: where each is delivered, how many reports wait, were sent and set aside, and whether it is paused."""
    settings = load_settings()
    subscriptions, faults = read_subscriptions(settings)
    with closing(build_bus(settings.bus)) as bus, closing(Ledger(settings.registry.state)) as ledger:
        rows = (
            (
                one.name,
                one.definition.title,
                _target(one),
                str(bus.lag(group_of(one.hop), [TOPIC_BUNDLES])[TOPIC_BUNDLES]),
                str(ledger.count(one.name)),
                str(ledger.count_owed(one.name)),
                "paused" if ledger.is_paused(one.name) else "",
            )
            for one in subscriptions
        )
        print_rows(("name", "title", "target", "waiting", "reports sent", "set aside", "state"), rows)
    if faults:
        raise SynopticError(Code.BAD_SUBSCRIPTION, "; ".join(map(str, faults)))


@app.command()
def check() -> None:
    """Check every registry's file, and ask its FHIR server what it takes; nothing is delivered. Exit 2 on a fault."""
    from gateway.registries.checks import check_registries

    outcomes = list(check_registries(load_settings()))
    for outcome in outcomes or [Outcome("registries", "none: registry.folder holds no file")]:
        word = "fault" if outcome.is_fault else "advice" if outcome.is_advice else "ok"
        remedy = f"; {outcome.remedy}" if outcome.remedy else ""
        typer.echo(f"{word:6} {outcome.name}: {outcome.found}{remedy}")
    if any(outcome.is_fault for outcome in outcomes):
        raise typer.Exit(2)


@app.command()
def pause(name: Name) -> None:
    """Let a registry get nothing until it is resumed; what comes meanwhile waits for it."""
    with _opened(name) as (ledger, _):
        ledger.pause(name, True)
    typer.echo(f"{name} is paused", err=True)


@app.command()
def resume(name: Name) -> None:
    """Let a paused registry go on where it stopped."""
    with _opened(name) as (ledger, _):
        ledger.pause(name, False)
    typer.echo(f"{name} goes on", err=True)


@app.command("catch-up")
def catch_up(
    name: Name,
    from_offset: Annotated[int | None, typer.Option(min=0, help="of synoptic.coded-observations; 0: all of it")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="all that was published then or later; local time without a zone")
    ] = None,
) -> None:
    """Send a registry again what the topic still holds from there on; end the process that runs it first."""
    if (from_offset is None) == (since is None):
        raise typer.BadParameter("give --from-offset or --since")
    if since and since.timestamp() > time.time():
        raise typer.BadParameter("--since lies in the future, and would leave out all that waits")
    with _opened(name) as (ledger, settings), closing(build_bus(settings.bus)) as bus:
        group = group_of(find_subscription(name, settings).hop)
        before = bus.lag(group, [TOPIC_BUNDLES])[TOPIC_BUNDLES]
        bus.move(group, TOPIC_BUNDLES, from_offset, since.timestamp() if since else None)
        ledger.send_again(name)
        waiting = bus.lag(group, [TOPIC_BUNDLES])[TOPIC_BUNDLES]
    typer.echo(f"{waiting} Bundles wait for {name} at its next start", err=True)
    if waiting < before:
        typer.echo(f"{before - waiting} that waited before are left out; an earlier place brings them back", err=True)


@app.command()
def jwks(
    name: Annotated[str | None, typer.Argument(help="a registry; none: the EHR's FHIR server")] = None,
) -> None:
    """Print the public key of SMART Backend Services as a JWK set, for the server's registration of this client."""
    from gateway.fhir.smart_backend import read_key

    keys = {"keys": [read_key(_smart(name, load_settings())).public()]}
    sys.stdout.buffer.write(orjson.dumps(keys, option=orjson.OPT_INDENT_2) + b"\n")


def _smart(name: str | None, settings: Settings) -> SmartSettings:
    target = find_subscription(name, settings).definition.deliver.fhir if name else settings.fhir
    if target is None or target.smart.key_file is None:
        raise SynopticError(Code.SMART_KEY, "smart.key_file is not set there")
    return target.smart


@contextmanager
def _opened(name: str) -> Iterator[tuple[Ledger, Settings]]:
    """The ledger, for a registry that is there."""
    settings = load_settings()
    find_subscription(name, settings)
    with closing(Ledger(settings.registry.state)) as ledger:
        yield ledger, settings


def _target(subscription: Subscription) -> str:
    target = subscription.definition.deliver
    if target.fhir is not None:
        return f"{target.fhir.base_url} ({subscription.definition.form})"
    return f"topic {target.kafka.topic}" if target.kafka is not None else "folder"
