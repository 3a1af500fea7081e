"""What the SQLite files of the bus, the patients' keys and the registries share: how they are opened and written, and how
a fault is named.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import Code, SynopticError

BUSY_SECONDS = 30


def connect(
    target: Path | None, code: Code, pragmas: Sequence[str], layout: str, layout_version: int
) -> sqlite3.Connection:
    """Open or create a database of this layout, for its owner only (none: in memory); raises `code` where that cannot be."""
    with opening(code):
        if target is not None:
            # SQLite gives its journal files the rights of the database: what it holds may be PHI.
            os.close(os.open(target, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            target or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    try:
        with opening(code):
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, layout_version):
                raise SynopticError(code, f"layout {version}, expected {layout_version}")
            if version == 0:
                connection.executescript(f"BEGIN IMMEDIATE; {layout} PRAGMA user_version={layout_version}; COMMIT;")
    except SynopticError:
        connection.close()
        raise
    return connection


@contextmanager
def opening(code: Code) -> Iterator[None]:
    """Name what keeps the file from being opened by this number."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise SynopticError(code, reason(error)) from None


@contextmanager
def using(code: Code, about: str = "") -> Iterator[None]:
    """Name a fault of SQLite by this number, `about` before its name; what the caller raises passes."""
    try:
        yield
    except sqlite3.Error as error:
        raise SynopticError(code, about + reason(error)) from None


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that holds the write lock from its begin; rolled back where anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def reason(error: Exception) -> str:
    """A name for the fault without its text, which may hold a path or values."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", type(error).__name__)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
