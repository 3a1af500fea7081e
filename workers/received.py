"""When a report came in: the instant at which its first hop took it up, which goes with it through every topic.

The order of versions of a report has ties: a laboratory may send another content under the same instants. Then the one
that came later counts, and what waited, was rejected or is written by a process that slept must still know when it came.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from workers.buses.bus import Outgoing, Record

RECEIVED = "received"
_STEP = 0.001


class Receptions:
    """Gives each record that came without one an instant, no two the same and ascending."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0.0

    def stamped(self, record: Record) -> Record:
        """The record with the instant that it has, or else the present one."""
        if moment(record, RECEIVED) is not None:
            return record
        self._last = max(self._clock(), self._last + _STEP)
        others = (header for header in record.headers if header[0] != RECEIVED)
        return replace(record, headers=(*others, (RECEIVED, f"{self._last:.3f}")))


def handed_on(outgoing: Outgoing, record: Record) -> Outgoing:
    """The message with the instant of the stamped record that it was made from."""
    others = (header for header in outgoing.headers if header[0] != RECEIVED)
    return replace(outgoing, headers=(*others, (RECEIVED, record.header(RECEIVED) or "")))


def moment(record: Record, header: str) -> float | None:
    """The time that a header holds, in seconds since 1970; None where it holds none."""
    try:
        seconds = float(record.header(header) or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None
