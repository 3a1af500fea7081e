"""The runner, with hops small enough to see through."""

import errno
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hop_contract import hop_contract
from hops_made import FAST, POISON, FailingHop, UpperHop, publish, read, run

from schemas import metrics
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REJECTED
from schemas.settings import BusSettings
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.received import RECEIVED
from workers.rejects import acknowledge, replayed
from workers.runner import Backoff, Runner, run_until_idle


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


def test_upper_hop_keeps_the_contract():
    """The contract that every hop passes is passed by a sound tiny one."""
    hop_contract(UpperHop, [b"ok", b"skip"])


def test_contract_catches_a_hop_that_remembers():
    """The contract suite can fail: a hop whose output depends on what it saw before does not pass."""

    class Remembers(UpperHop):
        seen = 0

        def process(self, records):
            self.seen += len(records)
            results = super().process(records)
            return [Result((Outgoing("out", b"%d" % self.seen),)) if r.outgoing else r for r in results]

    with pytest.raises(AssertionError, match="depends on"):
        hop_contract(Remembers, [b"ok"])


@pytest.mark.parametrize("position", range(7))
def test_poison_is_isolated_at_every_position(bus, position):
    """A record that breaks the hop is rejected alone, wherever it stands in the batch; the rest flow on in order."""
    values = [b"ok%d" % number for number in range(7)]
    publish(bus, *values[:position], POISON, *values[position:])
    assert run(bus, UpperHop()) == 8
    assert read(bus, "out") == [value.upper() for value in values]
    assert read(bus, TOPIC_REJECTED) == [POISON]


def test_several_poisons_in_one_batch(bus):
    """Each of several breaking records is rejected, and nothing else."""
    publish(bus, POISON, b"ok1", POISON, POISON, b"ok2", POISON)
    run(bus, UpperHop())
    assert read(bus, "out") == [b"OK1", b"OK2"]
    assert read(bus, TOPIC_REJECTED) == [POISON] * 4


def test_unexpected_fault_names_type_and_place_only(bus):
    """The reason of an unexpected fault holds the exception's type and line, never its text."""
    publish(bus, POISON)
    run(bus, UpperHop())
    (record,) = bus.read(TOPIC_REJECTED)
    assert record.header("code") == "SYN-506"
    reason = record.header("reason") or ""
    assert "ValueError at hops_made:" in reason
    assert "Erika" not in reason


def test_rejected_record_is_the_input_with_its_reason(bus):
    """Bytes, key and headers of a rejected record are kept, and its headers say why and whence."""
    bus.publish([Outgoing("in", b"bad\x00\xff", b"\x01", (("trace", "1"), ("trace", "2")))])
    run(bus, UpperHop())
    (record,) = bus.read(TOPIC_REJECTED)
    assert (record.value, record.key) == (b"bad\x00\xff", b"\x01")
    wanted = {"code": "SYN-101", "hop": "extraction", "topic": "in", "partition": "0", "offset": "0"}
    assert wanted.items() <= dict(record.headers).items()
    assert "\n" not in (record.header("reason") or "\n")


def test_replay_sends_the_record_as_it_came(bus):
    """A replayed record is the original message on its original topic, and holds when it first came."""
    original = Outgoing("in", b"bad", b"key", (("trace", "1"), ("code", "of the sender")))
    bus.publish([original])
    run(bus, UpperHop())
    (record,) = bus.read(TOPIC_REJECTED)
    again = replayed(record)
    assert again.headers[-1][0] == RECEIVED
    assert replace(again, headers=again.headers[:-1]) == original


def test_ignored_record_leaves_nothing(bus):
    """What a hop ignores on purpose is neither output nor rejected, and is not read again."""
    publish(bus, b"skip")
    assert run(bus, UpperHop()) == 1
    assert read(bus, "out") == []
    assert read(bus, TOPIC_REJECTED) == []
    assert run(bus, UpperHop()) == 0


@pytest.mark.parametrize(
    "error",
    [SynopticError(Code.BUS_UNAVAILABLE), OSError(errno.ENOSPC, "disk full"), OSError(errno.EMFILE, "too many files")],
)
def test_retry_then_success(bus, error):
    """A passing trouble is waited out: nothing is rejected, nothing lost, nothing doubled."""
    publish(bus, b"ok1", b"ok2")
    before = metrics.value_of(metrics.RECORDS, hop="extraction", outcome="processed")
    run(bus, FailingHop(error, error, error))
    assert read(bus, "out") == [b"OK1", b"OK2"]
    assert read(bus, TOPIC_REJECTED) == []
    assert metrics.value_of(metrics.RECORDS, hop="extraction", outcome="processed") == before + 2


def test_retry_gives_up_where_asked_to(bus):
    """With a limit on attempts the error comes out at last, and the records stay where they were."""
    publish(bus, b"ok")
    runner = Runner(FailingHop(*[SynopticError(Code.BUS_UNAVAILABLE)] * 9), bus, BusSettings(), Backoff(0, 0, 3))
    with pytest.raises(SynopticError, match="SYN-501"):
        runner.step()
    runner.close()
    assert bus.lag("synoptic-extraction", ["in"]) == {"in": 1}


@pytest.mark.parametrize("code", [Code.STALE_BATCH, Code.FENCED, Code.BUS_UNAVAILABLE])
def test_commit_refused_by_the_bus_is_done_again(bus, monkeypatch, code):
    """When the bus refuses a commit, the batch is read and processed again, once."""
    publish(bus, b"ok1", b"ok2")
    runner = Runner(UpperHop(), bus, BusSettings(), FAST)
    commit, refusals = runner.join().commit, [SynopticError(code)] * 2

    def refuse(batch, outgoing):
        if refusals:
            raise refusals.pop()
        commit(batch, outgoing)

    monkeypatch.setattr(runner.join(), "commit", refuse)
    run_until_idle([runner])
    runner.close()
    assert read(bus, "out") == [b"OK1", b"OK2"]


def test_fatal_error_stops_and_loses_nothing(bus):
    """A fatal error comes out at once; after the correction the same records are processed."""
    publish(bus, b"ok")
    with pytest.raises(SynopticError, match="SYN-602"):
        run(bus, FailingHop(SynopticError(Code.BAD_PACK)))
    assert read(bus, TOPIC_REJECTED) == []
    run(bus, UpperHop())
    assert read(bus, "out") == [b"OK"]


def test_wrong_number_of_results_is_a_fault_of_the_hop(bus):
    """A hop that forgets a record in a batch is not trusted with the batch."""

    class Forgets(UpperHop):
        def process(self, records):
            return super().process(records)[:1]

    publish(bus, b"ok1", b"ok2", b"ok3")
    run(bus, Forgets())
    assert read(bus, "out") == [b"OK1", b"OK2", b"OK3"]


def test_output_too_large_for_the_bus_is_rejected(bus):
    """A record whose output no client would take is rejected with SYN-504 instead of blocking its topic."""

    class Inflates(UpperHop):
        def _one(self, record):
            return Result((Outgoing("out", record.value * 200),))

    publish(bus, b"a", b"bb")
    run(bus, Inflates(), BusSettings(maximum_message_bytes=300, rejected_share=1))
    assert [len(value) for value in read(bus, "out")] == [200]
    assert [record.header("code") for record in bus.read(TOPIC_REJECTED)] == ["SYN-504"]


LIMITED = BusSettings(batch_size=5, rejected_minimum=10, rejected_window=20, rejected_share=0.2)


def test_too_many_rejects_stop_the_hop(bus):
    """A bad deploy stops after the minimum instead of draining the topic into the rejects."""
    publish(bus, *[b"bad"] * 100)
    with pytest.raises(SynopticError, match="10 of the last 10"):
        run(bus, UpperHop(), LIMITED)
    assert len(read(bus, TOPIC_REJECTED)) == 10


def test_stop_outlives_a_restart_until_acknowledged(bus):
    """A restart does not go on by itself; acknowledging lets the hop start with an empty window."""
    publish(bus, *[b"bad"] * 10, *[b"ok"] * 10)
    for _ in range(3):
        with pytest.raises(SynopticError, match="SYN-507"):
            run(bus, UpperHop(), LIMITED)
    assert len(read(bus, TOPIC_REJECTED)) == 10
    assert acknowledge(bus, ["intake"]) == []
    (summary,) = acknowledge(bus)
    assert summary.startswith("extraction: 10 of the last 10")
    assert acknowledge(bus) == []
    run(bus, UpperHop(), LIMITED)
    assert len(read(bus, "out")) == 10


def test_window_outlives_a_restart(bus):
    """Rejects before a restart count after it: crashing in a loop does not lift the limit."""
    publish(bus, *[b"bad"] * 9)
    run(bus, UpperHop(), LIMITED)
    publish(bus, b"bad")
    with pytest.raises(SynopticError, match="SYN-507"):
        run(bus, UpperHop(), LIMITED)


def test_share_at_the_limit_goes_on(bus):
    """Exactly the allowed share is not too much, and old rejects leave the window."""
    for _ in range(3):
        publish(bus, *[b"bad"] * 4, *[b"ok"] * 16)
        run(bus, UpperHop(), BusSettings(batch_size=20, rejected_minimum=20, rejected_window=20, rejected_share=0.2))
    assert len(read(bus, "out")) == 48


def test_state_is_written_only_while_it_says_something(bus):
    """A hop without rejects writes no state; once the last reject has left the window, neither."""
    publish(bus, *[b"ok"] * 50)
    run(bus, UpperHop(), LIMITED)
    assert list(bus.read(TOPIC_STATES)) == []
    publish(bus, b"bad", *[b"ok"] * 40)
    run(bus, UpperHop(), LIMITED)
    (state,) = bus.read(TOPIC_STATES)
    assert set(orjson.loads(state.value)["recent"]) == {"."}
    publish(bus, *[b"ok"] * 40)
    run(bus, UpperHop(), LIMITED)
    assert [record.offset for record in bus.read(TOPIC_STATES)] == [state.offset]


def test_two_hops_run_until_both_are_idle(bus):
    """What the first hop puts out, the second has processed when both are idle."""

    class Second(UpperHop):
        name = "emission"
        topics = ("out",)

        def process(self, records):
            return [Result((Outgoing("end", record.value),)) for record in records]

    publish(bus, *[b"ok%d" % number for number in range(70)])
    runners = [Runner(Second(), bus, BusSettings(), FAST), Runner(UpperHop(), bus, BusSettings(), FAST)]
    assert run_until_idle(runners) == 140
    assert len(read(bus, "end")) == 70


DRAIN = """
import signal, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from hops_made import UpperHop
from schemas.settings import BusSettings
from workers.buses.embedded import EmbeddedBus
from workers.runner import Runner

class Slow(UpperHop):
    def process(self, records):
        Path({marker!r}).touch()
        while not stopping:
            time.sleep(0.01)
        return super().process(records)

stopping = []
bus = EmbeddedBus(Path({path!r}))
runner = Runner(Slow(), bus, BusSettings(batch_size=3))
signal.signal(signal.SIGTERM, lambda *_: (stopping.append(1), runner.stop()))
runner.run()
runner.close()
"""


def test_sigterm_drains(bus, tmp_path):
    """On SIGTERM the batch in work is finished and committed, nothing more is begun, and the process exits with 0."""
    publish(bus, *[b"ok%d" % number for number in range(9)])
    marker = tmp_path / "working"
    script = DRAIN.format(tests=str(Path(__file__).parent), marker=str(marker), path=str(tmp_path / "bus.sqlite"))
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        while not marker.exists():
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    assert read(bus, "out") == [b"OK0", b"OK1", b"OK2"]
    assert bus.lag("synoptic-extraction", ["in"]) == {"in": 6}
