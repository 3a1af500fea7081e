"""The embedded bus: all topics in one SQLite file, for the demo, tests and a single small site.

Outputs and offsets go in one SQLite transaction (WAL, synchronous FULL), so power loss or SIGKILL at any point loses
and doubles nothing. One process consumes, guarded by a file lock that the system drops when the process dies; its
threads share one `EmbeddedBus`. Other processes may publish and read meanwhile: SQLite orders the writers.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from schemas.errors import Code, SynopticError
from schemas.topics import COMPACTED, TOPICS
from workers.buses.bus import Batch, Outgoing, Record, check_size
from workers.sqlite_file import connect, opening, using, writing

MAXIMUM_MESSAGE_BYTES = 32 * 1024 * 1024
BATCH_BYTES = 64 * 1024 * 1024
OTHER_PROCESS_SECONDS = 0.2
LAYOUT_VERSION = 1
_LAYOUT = """
CREATE TABLE IF NOT EXISTS topics (topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, offset INTEGER NOT NULL,
  key BLOB, headers BLOB NOT NULL, published REAL NOT NULL, value BLOB NOT NULL, UNIQUE (topic, offset));
CREATE TABLE IF NOT EXISTS offsets (
  consumer_group TEXT NOT NULL, topic TEXT NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (consumer_group, topic)) WITHOUT ROWID;
"""
SECONDS_A_DAY = 86_400
_EXPIRE = """
DELETE FROM messages WHERE topic = ? AND published < ? AND NOT EXISTS (
  SELECT 1 FROM offsets WHERE offsets.topic = messages.topic AND offsets.next_offset <= messages.offset)
"""
_AFTER = "SELECT sequence, offset, key, headers, value FROM messages WHERE topic = ? AND offset >= ? ORDER BY offset"


@dataclass(frozen=True)
class Position:
    """What a commit moves: each topic's offset before and after the batch."""

    before: dict[str, int]
    after: dict[str, int]


class EmbeddedBus:
    """Durable topics in one SQLite file; safe for several threads."""

    def __init__(self, path: Path, maximum_message_bytes: int = MAXIMUM_MESSAGE_BYTES) -> None:
        """Open or create the file, readable by its owner only; raises SYN-503 where it cannot be one."""
        self._path = path
        self._maximum = maximum_message_bytes
        self._guard = threading.RLock()
        self._published = threading.Condition(self._guard)
        self._subscribed: set[tuple[str, str]] = set()
        self._lock_file: int | None = None
        self._journal_holds_erased = True  # another process may have erased and ended before it could empty it
        self._connection = _open(path)

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish all of `outgoing`, or none."""
        with self._transaction():
            self._insert(outgoing)

    def subscribe(self, group: str, topics: Sequence[str]) -> "EmbeddedSubscription":
        """Join a consumer group as its only member; raises SYN-502 where another process or thread is."""
        with self._guard:
            places = {(group, topic) for topic in topics}
            if places & self._subscribed:
                raise SynopticError(Code.BUS_IN_USE, f"group {group}")
            self._lock()
            self._subscribed |= places
        return EmbeddedSubscription(self, group, tuple(topics))

    def read(self, topic: str, start: int = 0) -> Iterator[Record]:
        """Every record of a topic from the offset `start` so far, one at a time, without a group."""
        offset, end = start, self._end(topic)
        while offset < end:
            found = self._fetch(topic, offset, 1, BATCH_BYTES)
            if not found:
                return
            yield found[0][1]
            offset = found[0][1].offset + 1

    def lag(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """How many records of each topic the group has not committed."""
        with self._reading():
            count = "SELECT count(*) FROM messages WHERE topic = ? AND offset >= ?"
            return {
                topic: self._connection.execute(count, (topic, self._committed(group, topic))).fetchone()[0]
                for topic in topics
            }

    def move(self, group: str, topic: str, offset: int | None = None, since: float | None = None) -> None:
        """Let a group begin anew at that offset, or at the first record of that instant or later."""
        with self._guard:
            if (group, topic) in self._subscribed:
                raise SynopticError(Code.BUS_IN_USE, f"group {group}")
            self._lock()
        first = "SELECT min(offset) FROM messages WHERE topic = ? AND published >= ?"
        end = self._end(topic)
        with self._transaction():
            if offset is None:
                (offset,) = self._connection.execute(first, (topic, since or 0.0)).fetchone()
            self._connection.execute(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
                (group, topic, end if offset is None else min(offset, end)),
            )

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Drop the places of groups that are no more: for their sake, nothing would ever be erased."""
        with self._transaction():
            groups = self._connection.execute("SELECT DISTINCT consumer_group FROM offsets").fetchall()
            for (group,) in groups:
                if gone(group):
                    self._connection.execute("DELETE FROM offsets WHERE consumer_group = ?", (group,))

    def expire(self, now: float) -> int:
        """Erase what is past its topic's retention and read by every group; returns how many records."""
        with self._transaction():
            erased = sum(
                self._connection.execute(_EXPIRE, (topic.name, now - topic.retention_days * SECONDS_A_DAY)).rowcount
                for topic in TOPICS
                if not topic.compacted
            )
        self._journal_holds_erased |= erased > 0
        self.empty_journal()
        return erased

    def erase(self, concerned: Callable[[Record], bool]) -> int:
        """Erase every record that is `concerned`, read or not; returns how many. `empty_journal` completes it."""
        erased = 0
        for topic in TOPICS:
            places = [(topic.name, record.offset) for record in self.read(topic.name) if concerned(record)]
            with self._transaction():
                self._connection.executemany("DELETE FROM messages WHERE topic = ? AND offset = ?", places)
            erased += len(places)
        self._journal_holds_erased |= erased > 0
        return erased

    def empty_journal(self) -> bool:
        """Clear erased records out of the journal beside the file; False while another process reads the file.

        SQLite overwrites what is deleted from the file itself, but the journal keeps earlier pages until it is cut.
        """
        if self._journal_holds_erased:
            with self._reading():
                (busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._journal_holds_erased = bool(busy)
        return not self._journal_holds_erased

    def close(self) -> None:
        """Close the file and drop the lock; what was not committed is read again by the next process."""
        with self._guard:
            self._connection.close()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def _lock(self) -> None:
        if self._lock_file is not None:
            return
        handle = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise SynopticError(Code.BUS_IN_USE, self._path.name) from None
        self._lock_file = handle

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._guard, using(Code.BUS_UNAVAILABLE):
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._reading():
            with writing(self._connection):
                yield
            self._published.notify_all()

    def _insert(self, outgoing: Sequence[Outgoing]) -> None:
        for message in outgoing:
            check_size(message, self._maximum)
            if message.topic in COMPACTED:
                self._connection.execute(
                    "DELETE FROM messages WHERE topic = ? AND key IS ?", (message.topic, message.key)
                )
            (after,) = self._connection.execute(
                "INSERT INTO topics VALUES (?, 1) "
                "ON CONFLICT (topic) DO UPDATE SET next_offset = next_offset + 1 RETURNING next_offset",
                (message.topic,),
            ).fetchone()
            self._connection.execute(
                "INSERT INTO messages (topic, offset, key, headers, published, value) VALUES (?, ?, ?, ?, ?, ?)",
                (message.topic, after - 1, message.key, orjson.dumps(message.headers), time.time(), message.value),
            )

    def _end(self, topic: str) -> int:
        with self._reading():
            row = self._connection.execute("SELECT next_offset FROM topics WHERE topic = ?", (topic,)).fetchone()
            return int(row[0]) if row else 0

    def _committed(self, group: str, topic: str) -> int:
        row = self._connection.execute(
            "SELECT next_offset FROM offsets WHERE consumer_group = ? AND topic = ?", (group, topic)
        ).fetchone()
        return int(row[0]) if row else 0

    def _fetch(self, topic: str, offset: int, maximum: int, size: int) -> list[tuple[int, Record]]:
        """Up to `maximum` records with their place in the file; stops after `size` bytes, but never before one."""
        found: list[tuple[int, Record]] = []
        with self._reading():
            for sequence, place, key, headers, value in self._connection.execute(_AFTER, (topic, offset)):
                pairs = tuple((name, text) for name, text in orjson.loads(headers))
                found.append((sequence, Record(topic, 0, place, value, key, pairs)))
                size -= len(value)
                if len(found) >= maximum or size <= 0:
                    break
        return found


class EmbeddedSubscription:
    """A group's place in its topics; belongs to one thread."""

    def __init__(self, bus: EmbeddedBus, group: str, topics: tuple[str, ...]) -> None:
        self._bus = bus
        self._group = group
        self._topics = topics
        self._place: dict[str, int] = {}
        self._closed = False
        self.rewind()

    def poll(self, maximum: int, timeout: float) -> Batch:
        """Up to `maximum` records in the order of publishing; an empty batch after `timeout` seconds without any."""
        deadline = time.monotonic() + timeout
        while True:
            with self._bus._guard:
                batch = self._next(maximum)
                left = deadline - time.monotonic()
                if batch.records or left <= 0:
                    return batch
                self._bus._published.wait(min(left, OTHER_PROCESS_SECONDS))

    def commit(self, batch: Batch, outgoing: Sequence[Outgoing]) -> None:
        """Publish `outgoing` and move past `batch` in one transaction; a batch commits once, in its turn."""
        position = batch.position
        if not isinstance(position, Position) or self._closed:
            raise SynopticError(Code.STALE_BATCH, "the subscription is closed or another's")
        with self._bus._transaction():
            for topic, before in position.before.items():
                if self._bus._committed(self._group, topic) != before:
                    raise SynopticError(Code.STALE_BATCH, f"topic {topic}")
            self._bus._insert(outgoing)
            for topic, after in position.after.items():
                self._bus._connection.execute(
                    "INSERT INTO offsets VALUES (?, ?, ?) "
                    "ON CONFLICT (consumer_group, topic) DO UPDATE SET next_offset = excluded.next_offset",
                    (self._group, topic, after),
                )

    def heartbeat(self) -> None:
        """Nothing to do: the file lock holds the place for as long as the process lives."""

    def rewind(self) -> None:
        """Go back to the last committed place, after an error."""
        with self._bus._reading():
            self._place = {topic: self._bus._committed(self._group, topic) for topic in self._topics}

    def close(self) -> None:
        """Give the place up; what was polled and not committed will be read again."""
        with self._bus._guard:
            self._closed = True
            self._bus._subscribed -= {(self._group, topic) for topic in self._topics}

    def _next(self, maximum: int) -> Batch:
        found = sorted(
            (
                item
                for topic in self._topics
                for item in self._bus._fetch(topic, self._place[topic], maximum, BATCH_BYTES)
            ),
            key=lambda item: item[0],
        )
        records: list[Record] = []
        size = 0
        for _, record in found[:maximum]:
            if records and size + len(record.value) > BATCH_BYTES:
                break
            records.append(record)
            size += len(record.value)
        after = {record.topic: record.offset + 1 for record in records}
        position = Position({topic: self._place[topic] for topic in after}, after)
        self._place.update(after)
        return Batch(tuple(records), position)


def _open(path: Path) -> sqlite3.Connection:
    with opening(Code.BUS_FILE):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
    return connect(path, Code.BUS_FILE, pragmas, _LAYOUT, LAYOUT_VERSION)
