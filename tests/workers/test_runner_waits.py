"""How the runner waits: for a bus or store that is away, for what is not due, and what it tells meanwhile."""

import threading
from concurrent.futures import wait
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from hops_made import FAST, FailingHop, UpperHop, publish, read, run

from schemas import metrics
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses.embedded import EmbeddedBus
from workers.hop import HopStatus
from workers.runner import Backoff, Runner, run_until_idle


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


def test_stop_ends_the_waiting(bus):
    """A hop that waits for something that never comes still stops when asked."""
    publish(bus, b"ok")
    runner = Runner(FailingHop(*[SynopticError(Code.BUS_UNAVAILABLE)] * 99), bus, BusSettings(), Backoff(60, 60))
    thread = threading.Thread(target=runner.run)
    thread.start()
    runner.stop()
    thread.join(30)
    assert not thread.is_alive()
    runner.close()
    assert run(bus, UpperHop()) == 1


def test_place_is_kept_alive_while_the_hop_works(bus, monkeypatch):
    """During a long batch the polling thread keeps telling the bus that it lives."""
    beats = threading.Event()

    class Slow(UpperHop):
        def process(self, records):
            assert beats.wait(30)
            return super().process(records)

    publish(bus, b"ok")
    runner = Runner(Slow(), bus, BusSettings(), FAST)
    monkeypatch.setattr(runner.join(), "heartbeat", beats.set)
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.01)
    run_until_idle([runner])
    runner.close()
    assert read(bus, "out") == [b"OK"]


@pytest.mark.parametrize("call", ["poll", "rewind", "heartbeat"])
def test_a_bus_that_is_away_is_waited_for(bus, monkeypatch, call):
    """Whichever call finds the bus away, the hop waits and goes on; a lost heartbeat alone stops nothing."""
    publish(bus, b"ok1", b"ok2")
    runner = Runner(FailingHop(SynopticError(Code.STORE_UNAVAILABLE)), bus, BusSettings(), FAST)
    plain, failures = getattr(runner.join(), call), [SynopticError(Code.BUS_UNAVAILABLE)] * 3

    def fail(*arguments):
        if failures:
            raise failures.pop()
        return plain(*arguments)

    monkeypatch.setattr(runner.join(), call, fail)
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.0001)
    run_until_idle([runner])
    runner.close()
    assert failures == [] or call == "heartbeat"
    assert len(failures) < 3
    assert read(bus, "out") == [b"OK1", b"OK2"]


def test_a_bus_that_refuses_the_heartbeat_ends_the_hop(bus, monkeypatch):
    """A fatal error of the bus comes out while the hop waits for another to pass."""
    publish(bus, b"ok")
    runner = Runner(FailingHop(SynopticError(Code.STORE_UNAVAILABLE)), bus, BusSettings(), Backoff(60, 60))

    def refuse():
        raise SynopticError(Code.BUS_REFUSES)

    monkeypatch.setattr(runner.join(), "heartbeat", refuse)
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.001)
    with pytest.raises(SynopticError, match="SYN-512"):
        runner.run()
    runner.close()
    assert not runner.status.alive


def test_wait_doubles_up_to_its_limit():
    """The waits grow from the first to the most, never twice the same for all."""
    backoff = Backoff(first=1, most=8)
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (500, 8)):
        waits = {backoff.seconds(attempt) for _ in range(20)}
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(waits) > 1


@pytest.mark.parametrize(("asked", "least"), [(None, 0.5), (-5.0, 0.5), (0.0, 0.5), (20.0, 20.5), (86400.0, 300.5)])
def test_the_wait_that_the_other_side_asks_for_comes_first(asked, least):
    """A server's own time is waited at least, and jitter after it; nobody can ask for a day."""
    assert least <= Backoff(first=1).seconds(1, asked) <= least + 0.5


def test_the_error_says_how_long_to_wait(bus):
    """What the error asks for is what the runner waits for, attempt by attempt."""
    asked = []

    class Noting(Backoff):
        def seconds(self, attempt: int, seconds: float | None = None) -> float:
            asked.append((attempt, seconds))
            return 0.0

    publish(bus, b"ok")
    errors = [SynopticError(Code.STORE_UNAVAILABLE, "429", retry_after=7), SynopticError(Code.STORE_UNAVAILABLE)]
    runner = Runner(FailingHop(*errors), bus, BusSettings(), Noting())
    run_until_idle([runner])
    runner.close()
    assert asked == [(1, 7), (2, None)]


def test_place_is_kept_while_waiting(bus, monkeypatch):
    """Between two attempts the polling thread keeps telling the bus that it lives."""
    beats = threading.Semaphore(0)
    publish(bus, b"ok")
    runner = Runner(FailingHop(SynopticError(Code.STORE_UNAVAILABLE)), bus, BusSettings(), Backoff(600, 600))
    monkeypatch.setattr(runner.join(), "heartbeat", beats.release)
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.01)
    thread = threading.Thread(target=runner.run)
    thread.start()
    assert all(beats.acquire(timeout=30) for _ in range(3))
    assert (runner.status.error, runner.status.is_ready) == (Code.STORE_UNAVAILABLE, False)
    runner.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert runner.status.alive
    runner.close()


def test_what_is_not_due_leaves_the_hop_idle(bus):
    """Records that are not due are no error: nothing is counted, logged or moved, and the hop counts as idle."""
    publish(bus, b"ok")
    before = metrics.value_of(metrics.RETRIES, hop="extraction", code="SYN-462")
    runner = Runner(FailingHop(SynopticError(Code.NOT_DUE, "1", retry_after=600)), bus, BusSettings(), FAST)
    with structlog.testing.capture_logs() as lines:
        assert run_until_idle([runner]) == 0
    assert [line for line in lines if line["log_level"] != "debug"] == []
    assert metrics.value_of(metrics.RETRIES, hop="extraction", code="SYN-462") == before
    assert bus.lag("synoptic-extraction", ["in"]) == {"in": 1}
    assert runner.waits
    assert runner.status.is_ready
    assert run_until_idle([runner]) == 1
    assert read(bus, "out") == [b"OK"]
    assert not runner.waits
    runner.close()


def test_waiting_for_what_is_not_due_ends_at_once_when_asked(bus):
    """However long nothing is due, a stop is not kept waiting."""

    class NeverDue(UpperHop):
        asked = threading.Event()

        def process(self, records):
            self.asked.set()
            raise SynopticError(Code.NOT_DUE, retry_after=600)

    publish(bus, b"ok")
    runner = Runner(NeverDue(), bus, BusSettings(), FAST)
    thread = threading.Thread(target=runner.step, args=(600,))
    thread.start()
    assert NeverDue.asked.wait(30)
    runner.stop()
    thread.join(30)
    assert not thread.is_alive()
    runner.close()


def test_nothing_is_begun_after_a_stop(bus, monkeypatch):
    """A batch that arrives while the hop is asked to stop is left for the next process."""
    publish(bus, b"ok")
    runner = Runner(UpperHop(), bus, BusSettings(), FAST)
    poll = runner.join().poll

    def stop_then_poll(*arguments):
        runner.stop()
        return poll(*arguments)

    monkeypatch.setattr(runner.join(), "poll", stop_then_poll)
    runner.run()
    runner.close()
    assert read(bus, "out") == []
    assert run(bus, UpperHop()) == 1


@pytest.mark.parametrize("code", [Code.BUS_UNAVAILABLE, Code.BUS_REFUSES])
def test_leaving_a_bus_that_is_away(bus, monkeypatch, code):
    """A bus that is away is left without a word; one that refuses is told."""
    runner = Runner(UpperHop(), bus, BusSettings(), FAST)

    def fail():
        raise SynopticError(code)

    monkeypatch.setattr(runner.join(), "close", fail)
    with pytest.raises(SynopticError) if code.kind is Kind.FATAL else structlog.testing.capture_logs() as told:
        runner.close()
    assert told


@pytest.fixture
def clock(monkeypatch):
    """The runner's time, which goes on as the test says."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("workers.runner.time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.01)
    return clock


def test_status_tells_waiting_from_a_batch_in_work(bus, monkeypatch, clock):
    """A hop that waits for the store is not silent, however long it waits; one that works on a batch is."""
    in_work, waiting = [], []

    class Slow(FailingHop):
        def process(self, records):
            clock.now += 50
            in_work.append(runner.status)
            return super().process(records)

    def beat():
        waiting.append(runner.status)
        clock.now += 20

    runner = Runner(Slow(SynopticError(Code.STORE_UNAVAILABLE)), bus, BusSettings(), Backoff(60, 60))
    assert runner.status == HopStatus("extraction", joined=False, alive=True, silent_seconds=0, idle_seconds=0)
    monkeypatch.setattr(runner.join(), "heartbeat", beat)
    publish(bus, b"ok")
    runner.step()
    assert [(status.silent_seconds, status.idle_seconds) for status in in_work] == [(50, 50), (50, 50)]
    assert any(status.silent_seconds == 0 and status.idle_seconds >= 50 for status in waiting)
    clock.now += 40
    assert runner.status == HopStatus("extraction", joined=True, alive=True, silent_seconds=40, idle_seconds=40)
    runner.close()


def test_a_hop_that_hangs_loses_its_place(bus, monkeypatch, clock):
    """Once a batch takes longer than the bus allows, nothing keeps the place any more, and the log says why."""
    beats, looks = threading.Semaphore(0), threading.Semaphore(0)
    missed = []

    class Hanging(UpperHop):
        def process(self, records):
            assert beats.acquire(timeout=30)
            clock.now += 300
            # A look that began before may still beat; none that begins from now on may.
            assert all(looks.acquire(timeout=30) for _ in range(3))
            while beats.acquire(blocking=False):
                pass
            assert all(looks.acquire(timeout=30) for _ in range(5))
            missed.append(not beats.acquire(blocking=False))
            return super().process(records)

    def look(futures, timeout):
        looks.release()
        return wait(futures, timeout)

    monkeypatch.setattr("workers.runner.wait", look)
    publish(bus, b"ok")
    runner = Runner(Hanging(), bus, BusSettings(batch_seconds=300), FAST)
    monkeypatch.setattr(runner.join(), "heartbeat", beats.release)
    with structlog.testing.capture_logs() as lines:
        runner.step()
    runner.close()
    assert missed == [True]
    assert [line["hop"] for line in lines if "batch_seconds" in line["event"]] == ["extraction"]


def test_status_of_a_hop_that_ended(bus):
    """A hop that a fatal error ended is not alive; the error itself comes out of `run`."""
    publish(bus, b"ok")
    runner = Runner(FailingHop(SynopticError(Code.BAD_PACK)), bus, BusSettings(), FAST)
    with pytest.raises(SynopticError, match="SYN-602"):
        runner.run()
    assert (runner.status.alive, runner.status.is_ready) == (False, False)
    runner.close()
