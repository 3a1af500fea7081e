"""The hop for findings that wait until the EHR's server has what they refer to: a Patient, most often."""

import time
from collections.abc import Callable, Sequence

from gateway.emission import DUE, EmissionHop
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_DELAYED
from workers.buses.bus import Outgoing, Record
from workers.hop import Result
from workers.received import moment


class DelayedHop:
    """Hands findings to emission again when they are due, and puts the others back."""

    name = "delayed"
    topics: tuple[str, ...] = (TOPIC_DELAYED,)

    def __init__(self, emission: EmissionHop, retry_seconds: float, clock: Callable[[], float] = time.time) -> None:
        """Share emission's store and threads; `retry_seconds` is what emission puts findings off by."""
        self._emission = emission
        self._retry_seconds = retry_seconds
        self._clock = clock

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record; raises SYN-462, with the seconds until the first is due, where none is."""
        now = self._clock()
        ahead = [self._seconds_ahead(record, now) for record in records]
        if records and min(ahead) > 0:
            raise SynopticError(Code.NOT_DUE, f"{len(records)} reports", retry_after=min(ahead))
        due = [record for record, seconds in zip(records, ahead, strict=True) if seconds <= 0]
        emitted = iter(self._emission.process(due))
        return [
            next(emitted) if seconds <= 0 else Result(outgoing=(_unchanged(record),))
            for record, seconds in zip(records, ahead, strict=True)
        ]

    def _seconds_ahead(self, record: Record, now: float) -> float:
        """How long until the record is due; 0 where that is further ahead than any sound clock would have put it."""
        due = moment(record, DUE)
        ahead = 0.0 if due is None else due - now
        return ahead if ahead <= 2 * self._retry_seconds else 0.0


def _unchanged(record: Record) -> Outgoing:
    return Outgoing(record.topic, record.value, record.key, record.headers)
