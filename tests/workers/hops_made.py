"""Hops small enough to see through, and how the runner's tests let them run."""

from collections.abc import Sequence

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Backoff, Runner, run_until_idle

FAST = Backoff(first=0.001, most=0.002)
POISON = b"poison of Erika Mustermann"


class UpperHop:
    """Upper-cases JSON-like values; rejects others; breaks, without naming a record, on poison."""

    name = "extraction"
    topics = ("in",)

    def process(self, records: Sequence[Record]) -> list[Result]:
        """Raise on poison anywhere in the batch, as a careless hop would."""
        if any(record.value == POISON for record in records):
            raise ValueError(f"cannot read {POISON!r}")
        return [self._one(record) for record in records]

    def _one(self, record: Record) -> Result:
        if record.value == b"skip":
            return Result(ignored="on purpose")
        if not record.value.startswith(b"ok"):
            return Result(error=SynopticError(Code.NOT_JSON, "line 1"))
        return Result((Outgoing("out", record.value.upper(), record.key),))


class FailingHop(UpperHop):
    """Raises the given errors one after another, then works."""

    def __init__(self, *errors: Exception) -> None:
        """Remember what to raise."""
        self.errors = list(errors)

    def process(self, records: Sequence[Record]) -> list[Result]:
        """Fail as long as there is a failure left."""
        if self.errors:
            raise self.errors.pop(0)
        return super().process(records)


def run(bus: EmbeddedBus, hop: UpperHop, settings: BusSettings | None = None) -> int:
    """Run a hop until it is idle."""
    runner = Runner(hop, bus, settings or BusSettings(rejected_share=1), FAST)
    try:
        return run_until_idle([runner])
    finally:
        runner.close()


def publish(bus: EmbeddedBus, *values: bytes) -> None:
    """Publish to the hop's input."""
    bus.publish([Outgoing("in", value, b"key") for value in values])


def read(bus: EmbeddedBus, topic: str) -> list[bytes]:
    """All values of a topic."""
    return [record.value for record in bus.read(topic)]
