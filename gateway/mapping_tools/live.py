"""`synoptic mapping record | unmapped | replay`: the mapping over what has gone through the bus."""

from collections import Counter
from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from gateway.composition import build_bus
from gateway.display.listing import print_rows
from gateway.mapping_tools import affected
from gateway.mapping_tools.recorded import record as make_record
from gateway.mapping_tools.recorded import write_line
from gateway.mapping_tools.unmapped import unmapped_queue
from schemas.messages import TOPIC_UNMAPPED, Action
from schemas.settings import load_settings
from workers.privacy.sealing import load_seal


class Only(StrEnum):
    """Which reports to replay."""

    AFFECTED = "affected"
    ALL = "all"


def record() -> None:
    """Print the newest findings of each report on the bus as lines that `show` and `diff` read, without the patient."""
    settings = load_settings()
    with closing(build_bus(settings.bus)) as bus, closing(load_seal(settings)) as seal:
        found = affected.survey(bus, seal)
        count = 0
        for findings in affected.each_newest(bus, found.newest):
            if findings.action is Action.WITHDRAW:
                continue
            context = seal.open(findings.sealed, findings.report_hmac)
            line = write_line(make_record(findings, context, seal.report_hmac(context.patient_key)))
            typer.echo(line.decode())
            count += 1
    typer.echo(f"{count} reports", err=True)
    _tell("cannot be read", found.unreadable)


def unmapped() -> None:
    """List the values that were found and have no code, so that no resource was made of them: what to add to a table."""
    with closing(build_bus(load_settings().bus)) as bus:
        queue = unmapped_queue(bus.read(TOPIC_UNMAPPED))
    print_rows(
        ("reports", "pack", "resource", "table", "key", "first", "last"),
        ((str(one.reports), one.pack, one.slot, one.table, one.key, one.first, one.last) for one in queue),
    )


def replay(
    only: Annotated[
        Only,
        typer.Option(help="affected: what the store would hold otherwise under the present mapping; all: everything"),
    ] = Only.AFFECTED,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count, and publish nothing")] = False,
) -> None:
    """Send recorded findings through emission again, so that a changed mapping reaches the resources that it concerns."""
    from gateway.emission import EmissionHop
    from gateway.stores.resource_store import open_store

    settings = load_settings()
    store = open_store(settings.fhir)
    with (
        closing(build_bus(settings.bus)) as bus,
        closing(load_seal(settings)) as seal,
        closing(EmissionHop(settings, store, seal)) as emission,
    ):
        found = affected.survey(bus, seal)
        done = affected.replay(
            bus,
            found.newest,
            lambda record: only is Only.ALL or affected.changes(emission.preview(record), store),
            publish=not dry_run,
        )
    what = "would be replayed" if dry_run else "replayed"
    typer.echo(
        f"{what} {done.affected} of {len(found.newest)} reports; {done.unaffected} would stay as they are", err=True
    )
    if found.beneath:
        typer.echo(f"{found.beneath} of them have an addendum: only what the addendum says is mapped anew", err=True)
    _tell("cannot be read", found.unreadable)
    _tell("cannot be compared", done.failed)


def _tell(what: str, errors: Counter[str]) -> None:
    for label, count in errors.items():
        typer.echo(f"{count} {what}: {label}", err=True)
