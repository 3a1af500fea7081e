"""`synoptic status`: how much waits before each hop, what was rejected, and which hops have stopped."""

import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from gateway.composition import build_bus
from gateway.display.listing import print_rows
from gateway.hop_inputs import hop_inputs
from schemas.settings import load_settings
from workers import rejects
from workers.buses.bus import Bus
from workers.hop import group_of


class Format(StrEnum):
    """How the rows are printed."""

    TABLE = "table"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Row:
    """A hop and its input; `stopped` says of which instances too large a share was rejected."""

    hop: str
    topic: str
    waiting: int
    rejected: int
    stopped: tuple[str, ...]


def status(
    form: Annotated[Format, typer.Option("--format", help="a table, or one JSON line a hop")] = Format.TABLE,
) -> None:
    """Show what waits before each hop, what it rejected, and whether it stopped; exit 1 where one did."""
    settings = load_settings()
    with closing(build_bus(settings.bus)) as bus:
        rows = hop_rows(bus, hop_inputs(settings))
    if form is Format.JSONL:
        for row in rows:
            sys.stdout.write(orjson.dumps(asdict(row)).decode() + "\n")
    else:
        cells = ((row.hop, row.topic, str(row.waiting), str(row.rejected), "; ".join(row.stopped)) for row in rows)
        print_rows(("hop", "topic", "waiting", "rejected", "stopped"), cells)
    if any(row.stopped for row in rows):
        typer.echo("`synoptic rejected list` shows why; `synoptic rejected acknowledge` starts what stopped", err=True)
        raise typer.Exit(1)


def hop_rows(bus: Bus, inputs: Mapping[str, str]) -> list[Row]:
    """One row for each hop of `inputs` (its topic, by name), in their order."""
    rejected = Counter(record.header("hop") for record in rejects.waiting(bus))
    stopped = [stored for stored in rejects.states(bus) if stored.state.stopped]
    return [
        Row(
            hop,
            topic,
            bus.lag(group_of(hop), [topic])[topic],
            rejected[hop],
            tuple(stored.summary for stored in stopped if stored.state.hop == hop),
        )
        for hop, topic in inputs.items()
    ]
