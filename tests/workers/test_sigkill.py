"""A process killed by SIGKILL at any point loses and doubles nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sigkill_child import BATCH_SIZE

from schemas.messages import TOPIC_REJECTED
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDS = 23
POINTS = (
    "polled",
    "mid-processing",
    "before commit",
    "transaction: first output written",
    "transaction: outputs written",
    "transaction: all written",
    "after commit",
)


def child(path: Path, point: str, batch: int) -> subprocess.CompletedProcess[str]:
    """Run the child process to its end, whichever way it ends."""
    script = Path(__file__).with_name("sigkill_child.py")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    arguments = [sys.executable, str(script), str(path), point, str(batch)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment)


def contents(path: Path) -> tuple[list[int], list[int], int]:
    """The outputs, the rejects, and how far the group has come, as a fresh process finds them."""
    bus = EmbeddedBus(path)
    outputs = [int(record.value) for record in bus.read("out")]
    rejects = [int(record.value) for record in bus.read(TOPIC_REJECTED)]
    place = RECORDS - bus.lag("synoptic-extraction", ["in"])["in"]
    bus.close()
    return outputs, rejects, place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bus file that holds the records to copy."""
    file = tmp_path / "bus.sqlite"
    bus = EmbeddedBus(file)
    bus.publish([Outgoing("in", b"%d" % number) for number in range(RECORDS)])
    bus.close()
    return file


@pytest.mark.parametrize("point", POINTS)
def test_kill_loses_and_doubles_nothing(path, point):
    """Killed in its second batch, at a point that it proved to reach, the next process ends with exactly the rest."""
    # Outputs, rejects and the state are one INSERT each: the first batch has six, the seventh opens the second batch.
    batch = BATCH_SIZE + 2 if "first output" in point else 2
    killed = child(path, point, batch)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.splitlines()[-1] == f"{point} {batch}"
    done = 2 * BATCH_SIZE if point == "after commit" else BATCH_SIZE
    outputs, rejects, place = contents(path)
    assert place == done
    assert sorted(outputs + rejects) == list(range(done))
    assert child(path, "none", 1).returncode == 0
    outputs, rejects, place = contents(path)
    assert place == RECORDS
    assert outputs == [number for number in range(RECORDS) if number % 7]
    assert rejects == [number for number in range(RECORDS) if number % 7 == 0]


def test_killed_again_and_again(path):
    """A process killed inside the transaction of its first batch, then after each commit, still ends with all, once."""
    for point in ("transaction: all written", *["after commit"] * 5):
        killed = child(path, point, 1)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    outputs, rejects, place = contents(path)
    assert place == RECORDS
    assert sorted(outputs + rejects) == list(range(RECORDS))
