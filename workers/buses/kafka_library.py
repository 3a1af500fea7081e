"""What kafka-python lacks, added to its classes: clients that end what they began, and names that are no text.

The broker checks neither, so this concerns the library's inner parts: pyproject.toml names the versions that have them.
"""

from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


class _EndsWhatItBegan:
    """A client that ends its thread and connections where it cannot be opened; the library leaves them behind."""

    _client: Any = None

    def __init__(self, *positional: Any, **arguments: Any) -> None:
        try:
            super().__init__(*positional, **arguments)
        except BaseException:
            if self._client is not None:
                self._client.close()
            raise


class Consumer(_EndsWhatItBegan, KafkaConsumer):  # type: ignore[misc]
    """A consumer that leaves nothing behind where no broker answers."""

    def place_of_fault(self) -> str:
        """Topic, partition and offset of what could not be read just now; empty where that is not known."""
        unread = self._fetcher._next_partition_records
        if unread is None:
            return ""
        return f"{unread.topic_partition.topic}-{unread.topic_partition.partition} at {unread.next_fetch_offset}"


class Administrator(_EndsWhatItBegan, KafkaAdminClient):  # type: ignore[misc]
    """An administrator that leaves nothing behind where no broker answers."""


class ReplacingBytes(bytearray):
    """Bytes whose parts read as text even where they are none: what is no UTF-8 becomes U+FFFD."""

    def __getitem__(self, place: Any) -> Any:
        """A byte, or a part that has this kindness too."""
        found = super().__getitem__(place)
        return ReplacingBytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """The text."""
        return super().decode(encoding, errors)


class ForeignBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch of any producer's: a header's name that is no UTF-8 is read all the same, and stops nobody."""

    _buffer: bytearray

    def _read_msg(self, *arguments: Any) -> Any:
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:
            self._buffer = ReplacingBytes(self._buffer)
            return super()._read_msg(*arguments)


memory_records.DefaultRecordBatch = ForeignBatch
