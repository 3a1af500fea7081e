"""What each registry was sent, and whether it is paused: one small SQLite file without patient data.

The outbox of a registry is its place on the bus: what it has not taken is read again. The ledger adds what no offset can
tell: which version of a report was sent last, so that a late older one is not, under which Bundle, so that a repeated
one is not, and which resources were ever sent, so that a withdrawal reaches whoever had them. Reports, cases and
resources stand in it by their derived ids. Written after a delivery and before its offset is committed.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import Code
from schemas.messages import ReportVersion
from workers.sqlite_file import connect, opening, using, writing

LAYOUT_VERSION = 1
_LAYOUT = """
CREATE TABLE IF NOT EXISTS paused (registry TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (
  registry TEXT NOT NULL, report TEXT NOT NULL, grouping TEXT NOT NULL, version BLOB NOT NULL, bundle TEXT,
  names BLOB NOT NULL, PRIMARY KEY (registry, report)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_grouping ON sent (registry, grouping);
"""


@dataclass(frozen=True)
class Sent:
    """What a registry has of one report: its version, the Bundle's identifier, the case, and every resource ever sent.

    `bundle` None: it is to be sent again.
    """

    case: str
    version: ReportVersion
    bundle: str | None
    names: frozenset[str]


class Ledger:
    """The file; safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open or create it, for its owner only; raises SYN-478 where that cannot be."""
        self._guard = threading.Lock()
        self._connection = _open(path)

    def is_paused(self, registry: str) -> bool:
        """Whether the registry is to get nothing at present."""
        return bool(self._rows("SELECT 1 FROM paused WHERE registry = ?", registry))

    def pause(self, registry: str, paused: bool) -> None:
        """Let the registry wait, or go on."""
        words = "INSERT OR IGNORE INTO paused VALUES (?)" if paused else "DELETE FROM paused WHERE registry = ?"
        self._write(words, registry)

    def sent(self, registry: str, report: str) -> Sent | None:
        """What the registry has of the report, if anything."""
        found = self._rows(
            "SELECT grouping, version, bundle, names FROM sent WHERE registry = ? AND report = ?", registry, report
        )
        return _sent(*found[0]) if found else None

    def note(self, registry: str, report: str, sent: Sent) -> None:
        """Keep what was just delivered."""
        self._write(
            "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?)",
            registry,
            report,
            sent.case,
            sent.version.model_dump_json().encode(),
            sent.bundle,
            orjson.dumps(sorted(sent.names)),
        )

    def others(self, registry: str, report: str, case: str) -> list[str]:
        """Every resource that the registry was sent of other reports of the same case."""
        found = self._rows(
            "SELECT names FROM sent WHERE registry = ? AND grouping = ? AND report <> ?", registry, case, report
        )
        return sorted({name for (names,) in found for name in orjson.loads(names)})

    def count(self, registry: str) -> int:
        """Of how many reports the registry has something."""
        ((count,),) = self._rows("SELECT count(*) FROM sent WHERE registry = ?", registry)
        return int(count)

    def send_again(self, registry: str) -> None:
        """Let every Bundle that comes again be sent again; a late older version still is not."""
        self._write("UPDATE sent SET bundle = NULL WHERE registry = ?", registry)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with self._using():
            return self._connection.execute(statement, values).fetchall()

    def _write(self, statement: str, *values: str | bytes | None) -> None:
        with self._using(), writing(self._connection):
            self._connection.execute(statement, values)

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._guard, using(Code.BUS_UNAVAILABLE, "registry.state: "):
            yield


def _sent(case: str, version: bytes, bundle: str | None, names: bytes) -> Sent:
    return Sent(case, ReportVersion.model_validate_json(version), bundle, frozenset(orjson.loads(names)))


def _open(path: Path) -> sqlite3.Connection:
    with opening(Code.REGISTRY_STATE):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")
    return connect(path, Code.REGISTRY_STATE, pragmas, _LAYOUT, LAYOUT_VERSION)
