"""What the SQLite files of the bus and of the patients' keys share: how they are written, and how a fault is named."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


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
