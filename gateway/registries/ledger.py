"""What each registry was sent, and whether it is paused: one small SQLite file without patient data.

The outbox of a registry is its place on the bus: what it has not taken is read again. The ledger adds what no offset can
tell: which version of a report was sent last, so that a late older one is not, under which Bundle, so that a repeated
one is not, and which resources were ever sent, so that a withdrawal reaches whoever had them. Of a delivery that failed
it keeps what the registry may have of it all the same, and of one that was set aside what the next version owes it.
Reports, cases and resources stand in it by their derived ids. Written after a delivery and before its offset is committed.
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

LAYOUT_VERSION = 2
_LAYOUT = """
CREATE TABLE IF NOT EXISTS paused (registry TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (
  registry TEXT NOT NULL, report TEXT NOT NULL, grouping TEXT, version BLOB, bundle TEXT, names BLOB NOT NULL DEFAULT '[]',
  doubtful BLOB NOT NULL DEFAULT '[]', owed BLOB NOT NULL DEFAULT '[]', PRIMARY KEY (registry, report)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_grouping ON sent (registry, grouping);
"""


@dataclass(frozen=True)
class Sent:
    """What a registry has of one report: its version, the Bundle's identifier, the case, and every resource by name.

    `version` None: it took none; `bundle` None: it is to be sent again. `names` has what a failed delivery may have
    brought as well, and `owed` what one that was set aside should have.
    """

    case: str | None = None
    version: ReportVersion | None = None
    bundle: str | None = None
    names: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()


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

    def sent(self, registry: str, report: str) -> Sent:
        """What the registry has of the report."""
        asked = "SELECT grouping, version, bundle, names, doubtful, owed FROM sent WHERE registry = ? AND report = ?"
        for case, version, bundle, *parts in self._rows(asked, registry, report):
            names, doubtful, owed = (frozenset(orjson.loads(part)) for part in parts)
            read = ReportVersion.model_validate_json(version) if version else None
            return Sent(case, read, bundle, names | doubtful, owed)
        return Sent()

    def note(
        self, registry: str, report: str, case: str, version: ReportVersion, bundle: str, names: frozenset[str]
    ) -> None:
        """Keep what was just delivered; nothing is in doubt or owed any more."""
        self._write(
            "INSERT OR REPLACE INTO sent (registry, report, grouping, version, bundle, names) VALUES (?, ?, ?, ?, ?, ?)",
            registry,
            report,
            case,
            version.model_dump_json().encode(),
            bundle,
            orjson.dumps(sorted(names)),
        )

    def doubt(self, registry: str, report: str, names: frozenset[str]) -> None:
        """Keep what a delivery that failed may have brought all the same."""
        self._keep("doubtful", registry, report, names | self.sent(registry, report).names)

    def owe(self, registry: str, report: str, names: frozenset[str]) -> None:
        """Keep what a version that was set aside says, for the next one to bring along."""
        self._keep("owed", registry, report, names | self.sent(registry, report).owed)

    def others(self, registry: str, report: str, case: str) -> list[str]:
        """Every resource that the registry was sent of other reports of the same case."""
        found = self._rows(
            "SELECT names FROM sent WHERE registry = ? AND grouping = ? AND report <> ?", registry, case, report
        )
        return sorted({name for (names,) in found for name in orjson.loads(names)})

    def count(self, registry: str) -> int:
        """How many reports the registry took."""
        return self._count("version IS NOT NULL", registry)

    def count_owed(self, registry: str) -> int:
        """Of how many reports a version was set aside, and none taken since."""
        return self._count("owed <> '[]'", registry)

    def send_again(self, registry: str) -> None:
        """Let every Bundle that comes again be sent again; a late older version still is not."""
        self._write("UPDATE sent SET bundle = NULL WHERE registry = ?", registry)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _count(self, condition: str, registry: str) -> int:
        ((count,),) = self._rows(f"SELECT count(*) FROM sent WHERE registry = ? AND {condition}", registry)  # noqa: S608
        return int(count)

    def _keep(self, column: str, registry: str, report: str, names: frozenset[str]) -> None:
        self._write(
            f"INSERT INTO sent (registry, report, {column}) VALUES (?, ?, ?) "  # noqa: S608
            f"ON CONFLICT DO UPDATE SET {column} = excluded.{column}",
            registry,
            report,
            orjson.dumps(sorted(names)),
        )

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


def _open(path: Path) -> sqlite3.Connection:
    with opening(Code.REGISTRY_STATE):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")
    return connect(path, Code.REGISTRY_STATE, pragmas, _LAYOUT, LAYOUT_VERSION)
