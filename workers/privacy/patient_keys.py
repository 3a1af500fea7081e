"""The patients' keys: one small SQLite file; deleting a key erases what it encrypts, wherever that lies.

A row holds a key wrapped under `privacy.key` (workers/privacy/sealing.py wraps) and its patient as an HMAC. Erasing empties the
row and leaves a tombstone: what was erased can be told from what was never sealed here. Nothing is cached, so a key
that is deleted is gone for every process at once. A rollback journal instead of a WAL: it also works on a shared volume
that keeps POSIX locks, and no later file holds what a commit replaced. Keys overwritten (secure_delete) and synced.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import Code, SynopticError
from workers.sqlite_file import connect, opening, using, writing

KEY_STORE_FILE = "patient-keys.sqlite"
LAYOUT_VERSION = 1
_LAYOUT = """
CREATE TABLE IF NOT EXISTS keys (
  identity BLOB PRIMARY KEY, patient BLOB UNIQUE, wrapped BLOB, erased TEXT) WITHOUT ROWID;
"""


class PatientKeys:
    """Wrapped keys by identity and patient; safe for several threads and processes."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the file, for its owner only; none: keys that end with the process.

        Raises SYN-612 where that cannot be; its folder is never made, since it may be a volume that is not mounted.
        """
        self._guard = threading.Lock()
        self._connection = _open(path)

    def of_patients(
        self, patients: Sequence[bytes], make: Callable[[], tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Each patient's identity and wrapped key; what is not there, `make` makes, all on the disk before any is used.

        One commit for all of them: a commit waits for the disk several times. Raises SYN-610 where that fails, and then
        none of them is kept.
        """
        with self._using():
            found = self._present(patients)
            absent = [patient for patient in dict.fromkeys(patients) if patient not in found]
            if absent:
                with writing(self._connection):
                    # Another process may have been quicker: then its key counts.
                    insert = "INSERT INTO keys VALUES (?, ?, ?, NULL) ON CONFLICT (patient) DO NOTHING"
                    for patient in absent:
                        identity, wrapped = make()
                        self._connection.execute(insert, (identity, patient, wrapped))
                    found |= self._present(absent)
        return [found[patient] for patient in patients]

    def find(self, identity: bytes) -> bytes:
        """The wrapped key; raises SYN-609 where it was deleted, SYN-605 where it was never here."""
        with self._using():
            row = self._connection.execute("SELECT wrapped FROM keys WHERE identity = ?", (identity,)).fetchone()
        if row is None:
            raise SynopticError(Code.NOT_SEALED_HERE, "its key is not in this key store")
        if row[0] is None:
            raise SynopticError(Code.ERASED)
        return bytes(row[0])

    def is_erased(self, identity: bytes) -> bool:
        """True where there was such a key and it was deleted."""
        with self._using():
            found = "SELECT 1 FROM keys WHERE identity = ? AND wrapped IS NULL"
            return self._connection.execute(found, (identity,)).fetchone() is not None

    def erase(self, patient: bytes) -> bytes | None:
        """Delete the patient's key for good; its identity, or None where the patient has none."""
        with self._using():
            row = self._connection.execute("SELECT identity FROM keys WHERE patient = ?", (patient,)).fetchone()
            if row is None:
                return None
            update = "UPDATE keys SET patient = NULL, wrapped = NULL, erased = ? WHERE identity = ?"
            self._connection.execute(update, (datetime.now(UTC).isoformat(timespec="seconds"), row[0]))
        return bytes(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._connection.close()

    def _present(self, patients: Iterable[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
        find = "SELECT identity, wrapped FROM keys WHERE patient = ?"
        rows = ((patient, self._connection.execute(find, (patient,)).fetchone()) for patient in dict.fromkeys(patients))
        return {patient: (row[0], row[1]) for patient, row in rows if row is not None}

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._guard, using(Code.KEY_STORE_UNAVAILABLE):
            yield


def _open(path: Path | None) -> sqlite3.Connection:
    with opening(Code.KEY_STORE_FILE):
        if path is not None and path.exists() and path.stat().st_mode & 0o077:
            raise SynopticError(Code.KEY_STORE_FILE, "the file's rights let others read it")
    pragmas = ("secure_delete=ON", "journal_mode=DELETE", "synchronous=EXTRA")
    return connect(path, Code.KEY_STORE_FILE, pragmas, _LAYOUT, LAYOUT_VERSION)
