"""The embedded bus: the contract, and what only a file can promise."""

import multiprocessing
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
from bus_contract import BusContract, Buses
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REPORTS
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus


class TestEmbeddedBus(BusContract):
    """The suite that every bus passes."""

    @pytest.fixture
    def buses(self, tmp_path: Path) -> Buses:
        """One file a test, so topic names need no care."""
        return Buses(lambda: EmbeddedBus(tmp_path / "bus.sqlite"), lambda name: f"test.{name}")


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "data" / "bus.sqlite")
    yield opened
    opened.close()


def _publish_elsewhere(path: Path) -> None:
    other = EmbeddedBus(path)
    other.publish([Outgoing("topic", b"from another process")])
    other.close()


def _subscribe_elsewhere(path: Path, answer) -> None:
    other = EmbeddedBus(path)
    try:
        other.subscribe("other", ["topic"])
        answer.put("subscribed")
    except SynopticError as error:
        answer.put(error.code.label)


def test_another_process_may_publish(bus, tmp_path):
    """`synoptic publish` reaches a running consumer: the poll that waits sees the record."""
    subscription = bus.subscribe("group", ["topic"])
    child = multiprocessing.get_context("spawn").Process(
        target=_publish_elsewhere, args=(tmp_path / "data" / "bus.sqlite",)
    )
    child.start()
    batch = subscription.poll(1, 30)
    child.join()
    assert [record.value for record in batch.records] == [b"from another process"]


def test_another_process_may_not_consume(bus, tmp_path):
    """A second consuming process is refused with SYN-502 as long as the first lives."""
    bus.subscribe("group", ["topic"])
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=_subscribe_elsewhere, args=(tmp_path / "data" / "bus.sqlite", answer))
    child.start()
    assert answer.get(timeout=30) == "SYN-502"
    child.join()


def test_group_has_one_member(bus):
    """A second subscription of a group would double its work, so it is refused until the first is closed."""
    first = bus.subscribe("group", ["topic"])
    with pytest.raises(SynopticError) as caught:
        bus.subscribe("group", ["topic", "more"])
    assert caught.value.code is Code.BUS_IN_USE
    first.close()
    bus.subscribe("group", ["topic", "more"])


def test_files_belong_to_their_owner(bus, tmp_path):
    """The file, its journals and its lock hold PHI or guard it: no right for anyone else."""
    bus.subscribe("group", ["topic"])
    bus.publish([Outgoing("topic", b"a")])
    files = sorted((tmp_path / "data").iterdir())
    assert {path.name for path in files} >= {"bus.sqlite", "bus.sqlite-wal", "bus.sqlite.lock"}
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_commits_are_durable_and_erasure_is_real(bus):
    """SQLite waits for the disk at every commit, and overwrites what it deletes."""
    pragmas = {
        name: bus._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "secure_delete", "journal_mode")
    }
    assert pragmas == {"synchronous": 2, "secure_delete": 1, "journal_mode": "wal"}


def test_compacted_topic_keeps_the_last_of_each_key(bus):
    """Hop states do not grow with the number of batches."""
    for number in range(50):
        bus.publish([Outgoing(TOPIC_STATES, b"%d" % number, b"extraction/%d" % (number % 2))])
    assert [(record.key, record.value) for record in bus.read(TOPIC_STATES)] == [
        (b"extraction/0", b"48"),
        (b"extraction/1", b"49"),
    ]


def test_expiry_erases_what_is_old_and_read(bus, tmp_path):
    """A record goes once its retention is over and its groups have it; offsets are not used again."""
    bus.publish([Outgoing(TOPIC_REPORTS, b"read CANARY"), Outgoing(TOPIC_REPORTS, b"unread")])
    subscription = bus.subscribe("group", [TOPIC_REPORTS])
    subscription.commit(subscription.poll(1, 1), [])
    assert bus.expire(time.time()) == 0
    assert bus.expire(time.time() + 8 * 86_400) == 1
    assert [record.value for record in bus.read(TOPIC_REPORTS)] == [b"unread"]
    bus.publish([Outgoing(TOPIC_REPORTS, b"new")])
    assert [record.offset for record in bus.read(TOPIC_REPORTS)] == [1, 2]
    bus.close()
    assert b"CANARY" not in (tmp_path / "data" / "bus.sqlite").read_bytes()


def test_a_group_that_is_no_more_keeps_nothing(bus):
    """What only a registry that was removed has not read is erased once its place is forgotten."""
    bus.publish([Outgoing(TOPIC_REPORTS, b"old")])
    bus.move("gone", TOPIC_REPORTS, offset=0)
    bus.move("kept", TOPIC_REPORTS, offset=1)
    later = time.time() + 30 * 86_400
    assert bus.expire(later) == 0
    bus.forget(lambda group: group == "gone")
    assert bus.expire(later) == 1


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be one" * 50, b"SQLite format 3\x00" + bytes(200)]
)
def test_foreign_file_is_refused(tmp_path, content):
    """A file that is no bus gives SYN-503, and stays as it was."""
    path = tmp_path / "bus.sqlite"
    path.write_bytes(content)
    with pytest.raises(SynopticError) as caught:
        EmbeddedBus(path)
    assert caught.value.code is Code.BUS_FILE
    assert path.read_bytes() == content


def test_other_layout_is_refused(tmp_path):
    """A file of a later version is not touched."""
    connection = sqlite3.connect(tmp_path / "bus.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SynopticError, match="layout 99"):
        EmbeddedBus(tmp_path / "bus.sqlite")


def test_path_that_cannot_be_a_file(tmp_path):
    """A folder in the place of the file gives SYN-503 with the system's reason."""
    (tmp_path / "bus.sqlite").mkdir()
    with pytest.raises(SynopticError, match="SYN-503"):
        EmbeddedBus(tmp_path / "bus.sqlite")


def test_full_disk_is_something_to_wait_for(bus):
    """A commit that finds no room stores nothing and says so as a retry error; with room again it succeeds."""
    subscription = bus.subscribe("group", ["topic"])
    bus.publish([Outgoing("topic", b"a")])
    batch = subscription.poll(1, 1)
    pages = bus._connection.execute("PRAGMA page_count").fetchone()[0]
    bus._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SynopticError) as caught:
        subscription.commit(batch, [Outgoing("out", bytes(1_000_000))])
    assert caught.value.code is Code.BUS_UNAVAILABLE
    assert bus.lag("group", ["topic"]) == {"topic": 1}
    bus._connection.execute("PRAGMA max_page_count = 1000000")
    subscription.commit(batch, [Outgoing("out", bytes(1_000_000))])
    assert bus.lag("group", ["topic"]) == {"topic": 0}


def test_batch_is_bounded_in_bytes(bus):
    """Many large messages come in several batches, so memory stays bounded whatever the batch size."""
    bus.publish([Outgoing("topic", bytes(30 * 1024 * 1024)) for _ in range(4)])
    batch = bus.subscribe("group", ["topic"]).poll(100, 1)
    assert len(batch.records) == 2


class BusModel(RuleBasedStateMachine):
    """Random publishing, polling, committing, rewinding and reopening, held against plain lists."""

    def __init__(self):
        """An empty bus beside an empty model."""
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bus = EmbeddedBus(Path(self.folder.name) / "bus.sqlite")
        self.subscription = self.bus.subscribe("group", ["a", "b"])
        self.published: list[tuple[str, bytes]] = []
        self.outputs: list[bytes] = []
        self.committed = 0
        self.polled = 0
        self.batches: list[tuple[object, int]] = []

    @rule(
        messages=strategies.lists(
            strategies.tuples(strategies.sampled_from("ab"), strategies.binary(max_size=9)), max_size=4
        )
    )
    def publish(self, messages):
        """Append to the topics."""
        self.bus.publish([Outgoing(topic, value) for topic, value in messages])
        self.published += messages

    @rule(maximum=strategies.integers(1, 5))
    def poll(self, maximum):
        """Get the next records in order of publishing."""
        batch = self.subscription.poll(maximum, 0)
        expected = self.published[self.polled : self.polled + maximum]
        assert [(record.topic, record.value) for record in batch.records] == expected
        self.polled += len(expected)
        if expected:
            self.batches.append((batch, len(expected)))

    @precondition(lambda self: self.batches)
    @rule(output=strategies.binary(max_size=9))
    def commit(self, output):
        """Commit the oldest polled batch."""
        batch, size = self.batches.pop(0)
        self.subscription.commit(batch, [Outgoing("out", output)])
        self.outputs.append(output)
        self.committed += size

    @rule()
    def rewind(self):
        """Forget what was polled."""
        self.subscription.rewind()
        self.polled, self.batches = self.committed, []

    @rule()
    def reopen(self):
        """Close everything and open the file again."""
        self.bus.close()
        self.bus = EmbeddedBus(Path(self.folder.name) / "bus.sqlite")
        self.subscription = self.bus.subscribe("group", ["a", "b"])
        self.polled, self.batches = self.committed, []

    @invariant()
    def outputs_and_lag_follow_the_commits(self):
        """Outputs are exactly the committed ones, and the lag is the rest."""
        assert [record.value for record in self.bus.read("out")] == self.outputs
        assert sum(self.bus.lag("group", ["a", "b"]).values()) == len(self.published) - self.committed

    def teardown(self):
        """Leave nothing behind."""
        self.bus.close()
        self.folder.cleanup()


TestBusModel = BusModel.TestCase
TestBusModel.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_lock_ends_with_the_bus(tmp_path):
    """After close, the same file can be consumed again, by this process or another."""
    first = EmbeddedBus(tmp_path / "bus.sqlite")
    first.subscribe("group", ["topic"])
    first.close()
    second = EmbeddedBus(tmp_path / "bus.sqlite")
    second.subscribe("group", ["topic"])
    second.close()
