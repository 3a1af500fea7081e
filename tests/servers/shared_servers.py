"""One server for all processes of a test run: the first that needs it starts it, and stops it when all are done.

Locks on files carry the agreement, so that a process that is killed counts as done; its servers die with it.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, TypeVar

import pytest

from deploy.local.java_process import accepts_connections

# The whole run takes less; a process that waits longer for the others ends its server and says so.
LONGEST_RUN_SECONDS = 1_800
POLL_SECONDS = 0.1


class Server(Protocol):
    """What can be started and stopped."""

    def start(self) -> None:
        """Start, and return when clients are served."""

    def stop(self) -> None:
        """Stop, and return when it is gone."""


AnyServer = TypeVar("AnyServer", bound=Server)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run see, and no other run."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def shared_server(
    folder: Path, name: str, make: Callable[[Path], AnyServer], address: Callable[[AnyServer], str]
) -> Iterator[str]:
    """Use the run's server of that name, `make` it where there is none; its address is the same for all users."""
    own: AnyServer | None = None
    place = folder / name
    note = folder / f"{name}.address"
    with (folder / f"{name}.users").open("a") as users, (folder / f"{name}.change").open("a") as change:
        with _held(change):
            found = note.read_text(encoding="utf-8") if note.is_file() else None
            if found is None or not _answers(found):
                shutil.rmtree(place, ignore_errors=True)
                own = make(place)
                own.start()
                found = address(own)
                note.write_text(found, encoding="utf-8")
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield found
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if own is not None:
                try:
                    _wait_for_the_others(users, change, note)
                finally:
                    own.stop()
                    shutil.rmtree(place, ignore_errors=True)


def _wait_for_the_others(users: IO[str], change: IO[str], note: Path) -> None:
    """Return when nobody uses the server; from then on nobody finds it."""
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    while True:
        with _held(change):
            if _alone(users):
                note.unlink(missing_ok=True)
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"other processes of the run still use the server after {LONGEST_RUN_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _alone(users: IO[str]) -> bool:
    """Whether no process holds the users' lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(users, fcntl.LOCK_UN)
    return True


def _answers(address: str) -> bool:
    """Whether something listens where a server was; the one of a process that was killed is gone."""
    return accepts_connections(int(address.rpartition(":")[2].partition("/")[0]))


@contextmanager
def _held(lock: IO[str]) -> Iterator[None]:
    """Hold a lock alone."""
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
