"""A hop: a pure function from a message to messages; the runner owns everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from schemas.errors import Code, SynopticError
from workers.buses.bus import Outgoing, Record


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


@runtime_checkable
class SealsRejects(Protocol):
    """A hop whose input may come unsealed: it seals what of it is kept among the rejected messages."""

    def kept(self, value: bytes) -> bytes:
        """The input as it is kept; opened again, it is the same bytes. Raises retry errors alone."""
        ...


@runtime_checkable
class StandsAlone(Protocol):
    """A hop that nothing comes after: when it cannot go on, it ends by itself, and the others go on."""

    stands_alone: bool


def group_of(hop: str) -> str:
    """The consumer group of a hop."""
    return f"synoptic-{hop}"


@dataclass(frozen=True)
class HopStatus:
    """How a running hop is doing, for health checks; nothing in it comes from a message.

    `joined`: it has read from the bus. `alive`: no error has ended it. `silent_seconds`: since it began the batch in
    work, or last did anything else. `idle_seconds`: since it last read or committed. `error`: what it waits for to pass.
    `stands_alone`: the process is well without it.
    """

    hop: str
    joined: bool
    alive: bool
    silent_seconds: float
    idle_seconds: float
    error: Code | None = None
    stands_alone: bool = False

    @property
    def is_ready(self) -> bool:
        """True where records flow, or would if there were any."""
        return self.joined and self.alive and self.error is None
