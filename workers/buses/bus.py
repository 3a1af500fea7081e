"""The bus between hops: what every implementation promises, whether one SQLite file or Kafka.

A `Subscription` belongs to one consumer group and one thread. `commit` is the only way forward: it stores the outputs
and the batch's offsets in one transaction, so a process killed at any point loses and doubles nothing inside the bus.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import Code, SynopticError
from schemas.topics import RECORD_ROOM_BYTES

# At most what Kafka's format adds to a message, and to each of its headers: lengths, times and the batch around it.
MESSAGE_FRAME_BYTES = 200
HEADER_FRAME_BYTES = 10


@dataclass(frozen=True, repr=False)
class Outgoing:
    """A message to publish."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, repr=False)
class Record:
    """A message as read: never printed, since topics may hold PHI."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        """Its topic, partition and offset."""
        return self.topic, self.partition, self.offset

    def header(self, name: str) -> str | None:
        """The first header of that name, if any."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Batch:
    """Records read together; `position` is the implementation's own note of what a commit moves."""

    records: tuple[Record, ...]
    position: object = field(default=None, repr=False)


def check_size(message: Outgoing, maximum: int) -> None:
    """Raise SYN-504 where a message is larger than every client and broker of the bus takes.

    Its value may have `maximum` bytes, and all beside it RECORD_ROOM_BYTES.
    """
    if len(message.value) > maximum:
        raise SynopticError(Code.MESSAGE_TOO_LARGE, f"{len(message.value)} of at most {maximum} bytes")
    headers = sum(len(name.encode()) + len(text.encode()) + HEADER_FRAME_BYTES for name, text in message.headers)
    beside = MESSAGE_FRAME_BYTES + len(message.key or b"") + headers
    if beside > RECORD_ROOM_BYTES:
        raise SynopticError(Code.MESSAGE_TOO_LARGE, f"key and headers: {beside} of at most {RECORD_ROOM_BYTES} bytes")


class Subscription(Protocol):
    """One consumer group's place in its topics."""

    def poll(self, maximum: int, timeout: float) -> Batch:
        """Up to `maximum` records after the last poll; an empty batch after `timeout` seconds without any."""
        ...

    def commit(self, batch: Batch, outgoing: Sequence[Outgoing]) -> None:
        """Publish `outgoing` and move past `batch` in one transaction; raises a retry or fatal error if it cannot."""
        ...

    def heartbeat(self) -> None:
        """Keep the place while a batch is being worked on; called about once a second, by the polling thread."""
        ...

    def rewind(self) -> None:
        """Go back to the last committed place, after an error."""
        ...

    def close(self) -> None:
        """Give the place up; what was polled and not committed will be read again."""
        ...


class Bus(Protocol):
    """Durable topics."""

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish all of `outgoing`, or none."""
        ...

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Join a consumer group; its place starts at the beginning of each topic."""
        ...

    def read(self, topic: str) -> Iterator[Record]:
        """Every record of a topic so far, without a group (for `rejected list` and tests)."""
        ...

    def lag(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """How many records of each topic the group has not committed."""
        ...

    def move(self, group: str, topic: str, offset: int | None = None, since: float | None = None) -> None:
        """Let a group begin anew at that offset of each partition, or at the first record of that instant or later.

        Offsets that the topic does not hold any more, or not yet, mean its beginning or end. Raises SYN-502 or SYN-479
        while somebody consumes for the group.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
