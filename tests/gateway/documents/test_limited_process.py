"""The limited subprocess: it survives what kills others, and dies with its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from gateway.documents.limited_process import LimitedProcess
from schemas.errors import Code, SynopticError

MODULE = "gateway.documents.document_process"
PAGE = b"<p>pT2</p>"


@pytest.fixture
def process() -> Iterator[LimitedProcess]:
    """A child that reads documents."""
    made = LimitedProcess(MODULE, seconds=5, memory_mib=256)
    yield made
    made.close()


def child_of(process: LimitedProcess) -> int:
    """The child's process id."""
    assert process._process is not None
    return process._process.pid


def read(process: LimitedProcess, page: bytes = PAGE) -> bytes:
    """The text of an HTML page."""
    return process.request({"operation": "html"}, page)[1]


def test_child_is_kept_between_requests_and_started_again_after_a_death(process: LimitedProcess) -> None:
    """A child that something else killed costs no document."""
    assert read(process) == b"pT2"
    first = child_of(process)
    assert read(process) == b"pT2"
    assert child_of(process) == first
    os.kill(first, signal.SIGKILL)
    assert read(process) == b"pT2"
    assert child_of(process) != first


def test_child_leaves_ending_to_its_parent(process: LimitedProcess) -> None:
    """Signals that reach the whole group, as Ctrl-C does, do not take a document away."""
    read(process)
    first = child_of(process)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(first, number)
    assert read(process) == b"pT2"
    assert child_of(process) == first


def test_large_payload_goes_through_the_pipes(process: LimitedProcess) -> None:
    """Frames larger than a pipe's buffer arrive whole, both ways."""
    words = b"breast " * 300_000
    assert read(process, b"<p>" + words + b"</p>") == words.strip()


def test_child_that_cannot_start_is_a_numbered_error() -> None:
    """Too little memory for the reader itself is said, and nothing hangs."""
    process = LimitedProcess(MODULE, seconds=5, memory_mib=1)
    with pytest.raises(SynopticError) as caught:
        read(process)
    assert caught.value.code is Code.DOCUMENT_LIMIT


def test_child_ends_when_its_parent_is_killed() -> None:
    """A gateway that dies by SIGKILL leaves no reader behind."""
    script = (
        "from gateway.documents.limited_process import LimitedProcess\n"
        f"process = LimitedProcess({MODULE!r}, 5, 256)\n"
        f"process.request({{'operation': 'html'}}, {PAGE!r})\n"
        "print(process._process.pid, flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    for _ in range(200):
        if not is_alive(child):
            break
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(process: int) -> bool:
    """True while the process runs; one that waits to be collected is over."""
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
