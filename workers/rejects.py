"""Rejected records: how one is written, read back and replayed, and when a hop has rejected too many.

A rejected record is the hop's input, bytes unchanged, with the reason in its headers; a stub stands for one that the
bus does not take. The hop's recent outcomes travel in `synoptic.hop-states`, written in the same transaction as the
offsets, so that a stop outlives a restart.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson

from schemas.errors import SynopticError
from schemas.frozen import Frozen
from schemas.messages import TOPIC_REJECTED
from schemas.settings import BusSettings
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Bus, Outgoing, Record, check_size

INPUT_HEADER = "input."
STUB_HEADER = "original-sha256"
REPLAYED_PREFIX = b"replayed/"
REPLAY_BYTES = 16 * 1024 * 1024


class HopState(Frozen):
    """A hop's last outcomes, newest last ("r" rejected, "." not), and whether it stopped."""

    hop: str
    recent: str = ""
    stopped: bool = False

    def after(self, outcomes: Sequence[bool], settings: BusSettings) -> "HopState":
        """The state once `outcomes` (True: rejected) have been added one by one."""
        recent, stopped = self.recent, self.stopped
        for rejected in outcomes:
            recent = (recent + ("r" if rejected else "."))[-settings.rejected_window :]
            share = recent.count("r") / len(recent)
            stopped |= len(recent) >= settings.rejected_minimum and share > settings.rejected_share
        return HopState(hop=self.hop, recent=recent, stopped=stopped)

    @property
    def summary(self) -> str:
        """The share in words, such as `intake: 12 of the last 50`."""
        return f"{self.hop}: {self.recent.count('r')} of the last {len(self.recent)}"

    def outgoing(self, instance: str) -> Outgoing:
        """The state as a message; the topic keeps the last of each hop and instance."""
        return Outgoing(TOPIC_STATES, orjson.dumps(self.model_dump()), f"{self.hop}/{instance}".encode())


def rejected(record: Record, error: SynopticError, hop: str, maximum: int) -> Outgoing:
    """The record as a rejected message: value and key unchanged, the reason and the origin in headers.

    A stub where that is more than the bus takes: a sender's broker may have taken it compressed.
    """
    kept = tuple((INPUT_HEADER + name, value) for name, value in record.headers)
    message = Outgoing(TOPIC_REJECTED, record.value, record.key, _reason(record, error, hop) + kept)
    try:
        check_size(message, maximum)
    except SynopticError:
        return stub(record, error, hop)
    return message


def stub(record: Record, error: SynopticError, hop: str) -> Outgoing:
    """What says that the record was rejected, without itself: where it stood, how many bytes, and their digest."""
    digest = sha256(record.value).hexdigest()
    size = ("original-bytes", str(len(record.value)))
    return Outgoing(TOPIC_REJECTED, b"", None, (*_reason(record, error, hop), size, (STUB_HEADER, digest)))


def _reason(record: Record, error: SynopticError, hop: str) -> tuple[tuple[str, str], ...]:
    headers = {
        "code": error.code.label,
        "reason": error.one_line(),
        "hop": hop,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
    }
    return tuple(headers.items())


def replayed(record: Record) -> Outgoing:
    """The message that sends a rejected record to the input of the hop that rejected it, as it first came."""
    headers = tuple(
        (name.removeprefix(INPUT_HEADER), value) for name, value in record.headers if name.startswith(INPUT_HEADER)
    )
    return Outgoing(record.header("topic") or "", record.value, record.key, headers)


def number(record: Record) -> str:
    """What `synoptic rejected` calls the record: its offset, after its partition where that is not 0."""
    return str(record.offset) if record.partition == 0 else f"{record.partition}-{record.offset}"


def replay(bus: Bus, records: Iterable[Record]) -> int:
    """Send rejected records to their hops again, each in one transaction with the note of it; returns how many.

    A transaction holds several records up to REPLAY_BYTES, so that any number of them fits into memory. A stub is
    passed over: its record can only be sent anew by who has it.
    """
    count, size = 0, 0
    outgoing: list[Outgoing] = []
    for record in records:
        if record.header(STUB_HEADER):
            continue
        if outgoing and size + len(record.value) > REPLAY_BYTES:
            bus.publish(outgoing)
            outgoing, size = [], 0
        outgoing += [replayed(record), Outgoing(TOPIC_STATES, b"{}", REPLAYED_PREFIX + number(record).encode())]
        size += len(record.value)
        count += 1
    bus.publish(outgoing)
    return count


def waiting(bus: Bus) -> Iterator[Record]:
    """The rejected records that nobody has replayed."""
    done = {
        record.key.removeprefix(REPLAYED_PREFIX).decode()
        for record in bus.read(TOPIC_STATES)
        if record.key is not None and record.key.startswith(REPLAYED_PREFIX)
    }
    return (record for record in bus.read(TOPIC_REJECTED) if number(record) not in done)


@dataclass(frozen=True)
class StoredState:
    """A hop's state as last written, with the key it is written under."""

    key: bytes
    state: HopState

    @property
    def summary(self) -> str:
        """The share in words, and of which instance."""
        return f"{self.state.summary} (instance {self.key.decode().rpartition('/')[2]})"


def states(bus: Bus) -> Iterator[StoredState]:
    """The last state of each hop and instance."""
    latest = {
        record.key: record
        for record in bus.read(TOPIC_STATES)
        if record.key is not None and not record.key.startswith(REPLAYED_PREFIX)
    }
    for key, record in latest.items():
        yield StoredState(key, HopState.model_validate(orjson.loads(record.value)))


def load_state(bus: Bus, hop: str, instance: str) -> HopState:
    """The last state of this hop and instance; empty where it never wrote one."""
    wanted = HopState(hop=hop).outgoing(instance).key
    return next((stored.state for stored in states(bus) if stored.key == wanted), HopState(hop=hop))


def acknowledge(bus: Bus, hops: Sequence[str] = ()) -> list[str]:
    """Let stopped hops (all, or those named) start afresh; returns the summaries of those that were stopped."""
    found = [stored for stored in states(bus) if stored.state.stopped and (not hops or stored.state.hop in hops)]
    bus.publish(
        [
            Outgoing(TOPIC_STATES, orjson.dumps(HopState(hop=stored.state.hop).model_dump()), stored.key)
            for stored in found
        ]
    )
    return [stored.summary for stored in found]
