"""Several hops at once, one thread each."""

import threading
from pathlib import Path

import pytest

from gateway.service import Service
from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Batch, Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Backoff, Runner

RECORDS = 200


class Pass:
    """Passes records from one topic to the next."""

    def __init__(self, name: str, source: str, target: str) -> None:
        """Name the hop and its topics."""
        self.name, self.topics, self.target = name, (source,), target

    def process(self, records):
        """One output a record."""
        return [Result((Outgoing(self.target, record.value),)) for record in records]


class Broken(Pass):
    """Cannot work at all."""

    def process(self, records):
        """Fail as a hop with a wrong configuration does."""
        raise SynopticError(Code.BAD_PACK, "here")


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


def chain(bus: EmbeddedBus, last: type[Pass] = Pass) -> list[Runner]:
    """Three hops in a row."""
    hops = [Pass("intake", "one", "two"), Pass("extraction", "two", "three"), last("emission", "three", "four")]
    return [Runner(hop, bus, BusSettings(batch_size=7), Backoff(0.01, 0.01)) for hop in hops]


def test_three_hops_work_at_once(bus):
    """Records pass through three hops in three threads while more are published: each once, in order."""
    service: Service | None = None

    def stop_when_done() -> None:
        if sum(1 for _ in bus.read("four")) == RECORDS:
            assert service is not None
            service.stop()

    def publish() -> None:
        for number in range(RECORDS // 4):
            bus.publish([Outgoing("one", b"%d" % (4 * number + step)) for step in range(4)])

    producer = threading.Thread(target=publish)
    service = Service(chain(bus), stop_when_done, period=0.1)
    producer.start()
    service.run()
    producer.join()
    assert [int(record.value) for record in bus.read("four")] == list(range(RECORDS))


def test_one_failing_hop_drains_the_others(bus):
    """When a hop cannot go on, the service ends with its error, and nothing that others committed is lost."""
    bus.publish([Outgoing("one", b"%d" % number) for number in range(RECORDS)])
    with pytest.raises(SynopticError, match="SYN-602"):
        Service(chain(bus, Broken), lambda: None).run()
    assert bus.lag("synoptic-emission", ["three"])["three"] == sum(1 for _ in bus.read("three"))
    assert list(bus.read("four")) == []


def test_failing_housekeeping_stops_nothing(bus):
    """Housekeeping is not worth a stop: it fails, is logged, and the hops go on."""
    bus.publish([Outgoing("one", b"%d" % number) for number in range(RECORDS)])
    service: Service | None = None

    def fail() -> None:
        assert service is not None
        if sum(1 for _ in bus.read("four")) == RECORDS:
            service.stop()
        raise ValueError("Erika Mustermann")

    service = Service(chain(bus), fail, period=0.1)
    service.run()
    assert sum(1 for _ in bus.read("four")) == RECORDS


def test_housekeeping_that_hangs_keeps_no_hop_from_draining(bus, monkeypatch):
    """A broker that does not answer the question for lag delays no shutdown."""
    monkeypatch.setattr("gateway.service.HOUSE_SECONDS", 0.01)
    asked, answered = threading.Event(), threading.Event()
    service: Service | None = None

    def hang() -> None:
        assert service is not None
        asked.set()
        service.stop()
        assert answered.wait(60)

    service = Service(chain(bus), hang)
    service.run()
    assert asked.is_set()
    assert not answered.is_set()
    answered.set()


def test_a_hop_that_waits_to_join_keeps_no_process_from_ending(bus, monkeypatch):
    """The one that joined is drained; the one whose broker does not answer is left waiting, and begins nothing."""
    runners = chain(bus)
    asked, answers = threading.Event(), threading.Event()
    subscribe, begun = bus.subscribe, []

    def hang(group, topics):
        if group != "synoptic-intake":
            return subscribe(group, topics)
        asked.set()
        assert answers.wait(60)
        place = subscribe(group, topics)
        monkeypatch.setattr(place, "poll", poll)
        return place

    def poll(*given):
        begun.append(given)
        return Batch(())

    def stop_once_one_waits() -> None:
        if asked.is_set() and all(status.joined for status in service.statuses()[1:]):
            service.stop()

    monkeypatch.setattr(bus, "subscribe", hang)
    bus.publish([Outgoing("one", b"1"), Outgoing("three", b"3")])
    service = Service(runners, stop_once_one_waits, period=0.01)
    service.run()
    assert not answers.is_set()
    assert [status.joined for status in service.statuses()] == [False, True, True]
    assert [record.value for record in bus.read("four")] in ([], [b"3"])
    (waiting,) = [thread for thread in threading.enumerate() if thread.name == "intake-runner"]
    answers.set()
    waiting.join(60)
    assert not waiting.is_alive()
    assert begun == []


def test_statuses_are_those_of_all_hops(bus):
    """A supervisor sees every hop: which ended by a fault, and which were asked to end."""
    bus.publish([Outgoing("one", b"1")])
    service = Service(chain(bus, Broken), lambda: None)
    assert [(status.hop, status.joined) for status in service.statuses()] == [
        ("intake", False),
        ("extraction", False),
        ("emission", False),
    ]
    with pytest.raises(SynopticError, match="SYN-602"):
        service.run()
    assert [status.joined for status in service.statuses()] == [True, True, True]
    assert [status.alive for status in service.statuses()] == [True, True, False]


def test_all_runners_are_closed_though_one_cannot_be(bus, monkeypatch):
    """A place that cannot be given up keeps no other from being given up."""
    runners = chain(bus)
    closed = []
    for runner in runners:
        monkeypatch.setattr(
            runner, "close", lambda name=runner.hop.name, close=runner.close: (close(), closed.append(name))
        )

    def fail() -> None:
        raise SynopticError(Code.BUS_REFUSES)

    monkeypatch.setattr(runners[1], "close", fail)
    service: Service | None = None
    service = Service(runners, lambda: service.stop() if service else None)
    with pytest.raises(SynopticError, match="SYN-512"):
        service.run()
    assert sorted(closed) == ["emission", "intake"]
