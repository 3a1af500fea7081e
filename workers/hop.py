"""A hop: a pure function from a message to messages; the runner owns everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import SynopticError
from workers.bus import Outgoing, Record


@dataclass(frozen=True)
class Result:
    """What became of one record: outputs, an error, or neither (ignored on purpose, with the reason)."""

    outgoing: tuple[Outgoing, ...] = ()
    error: SynopticError | None = None
    ignored: str | None = None


class Hop(Protocol):
    """One step of the flow."""

    name: str
    topics: tuple[str, ...]

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record, in order. A reject is returned in its `Result`; retry and fatal errors are raised."""
        ...
