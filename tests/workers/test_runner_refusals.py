"""What the runner does with what the bus does not take: records, outputs, and whole commits."""

from hashlib import sha256
from pathlib import Path

import pytest
from hops_made import FAST, UpperHop, publish, read, run

from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REJECTED
from schemas.settings import BusSettings
from schemas.topics import RECORD_ROOM_BYTES
from workers.buses.bus import Record
from workers.buses.embedded import EmbeddedBus
from workers.rejects import HopState, acknowledge, rejected, replay, waiting
from workers.runner import Runner, run_until_idle

MAXIMUM = 300
LARGE = b"large: Erika Mustermann" * 20


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def small_bus(tmp_path: Path):
    """A bus that holds a record larger than it takes, as Kafka does whose sender compressed it."""
    generous = EmbeddedBus(tmp_path / "small.sqlite")
    publish(generous, b"ok1", LARGE, b"ok2")
    generous.close()
    opened = EmbeddedBus(tmp_path / "small.sqlite", MAXIMUM)
    yield opened
    opened.close()


def test_a_record_that_cannot_be_written_again_is_rejected_by_a_stub(small_bus):
    """The hop goes on past it, and the reject says where it stood and what it was, without holding it."""
    assert run(small_bus, UpperHop(), BusSettings(maximum_message_bytes=MAXIMUM, rejected_share=1)) == 3
    assert read(small_bus, "out") == [b"OK1", b"OK2"]
    (stub,) = small_bus.read(TOPIC_REJECTED)
    assert (stub.value, stub.key) == (b"", None)
    wanted = {"code": "SYN-101", "topic": "in", "offset": "1", "original-bytes": str(len(LARGE))}
    assert wanted.items() <= dict(stub.headers).items()
    assert stub.header("original-sha256") == sha256(LARGE).hexdigest()


def test_a_stub_is_not_replayed(small_bus):
    """Nobody is sent an empty message in place of the record; others are replayed beside it."""
    run(small_bus, UpperHop(), BusSettings(maximum_message_bytes=MAXIMUM, rejected_share=1))
    publish(small_bus, b"bad")
    run(small_bus, UpperHop(), BusSettings(maximum_message_bytes=MAXIMUM, rejected_share=1))
    assert replay(small_bus, waiting(small_bus)) == 1
    assert [record.value for record in small_bus.read("in")][-1] == b"bad"
    assert [record.value for record in waiting(small_bus)] == [b""]


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (bytes(RECORD_ROOM_BYTES), ()),
        (None, (("trace", "ä" * (RECORD_ROOM_BYTES // 2)),)),
        (None, (("", ""),) * 200_000),
    ],
    ids=["key", "header", "headers"],
)
def test_what_stands_beside_the_value_counts_too(key, headers):
    """A small value under a key or headers that no broker takes with the reason added is rejected by a stub."""
    record = Record("in", 0, 7, b"small", key, headers)
    message = rejected(record, SynopticError(Code.NOT_JSON), "intake", MAXIMUM)
    assert (message.value, message.key) == (b"", None)
    assert dict(message.headers)["original-bytes"] == "5"
    assert all(not name.startswith("input.") for name, _ in message.headers)


class Refusing:
    """Lets a runner's commits fail wherever one of the outputs is refused, and notes how much was polled at once."""

    def __init__(self, monkeypatch, runner: Runner, *values: bytes) -> None:
        subscription = runner.join()
        self._commit, self._poll, self._values = subscription.commit, subscription.poll, values
        self.asked: list[int] = []
        self.refusals = 0
        monkeypatch.setattr(subscription, "commit", self.commit)
        monkeypatch.setattr(subscription, "poll", self.poll)

    def poll(self, maximum, timeout):
        """Note how many were asked for."""
        self.asked.append(maximum)
        return self._poll(maximum, timeout)

    def commit(self, batch, outgoing):
        """Refuse as a client does that finds a message too large."""
        if any(message.value in self._values for message in outgoing):
            self.refusals += 1
            raise SynopticError(Code.MESSAGE_TOO_LARGE, "with its key and headers")
        self._commit(batch, outgoing)


def test_a_commit_that_the_bus_refuses_is_narrowed_down_to_the_record(bus, monkeypatch):
    """The one record whose outputs are refused is rejected, the others flow on in order, in large batches again."""
    values = [b"ok%d" % number for number in range(30)]
    publish(bus, *values)
    runner = Runner(UpperHop(), bus, BusSettings(batch_size=8, rejected_share=1), FAST)
    refusing = Refusing(monkeypatch, runner, b"OK3", b"OK4")
    run_until_idle([runner])
    runner.close()
    assert refusing.refusals >= 3  # a batch that held both, then each alone
    assert read(bus, "out") == [value.upper() for value in values if value not in (b"ok3", b"ok4")]
    stubs = list(bus.read(TOPIC_REJECTED))
    assert [(stub.header("offset"), stub.header("code"), stub.value) for stub in stubs] == [
        ("3", "SYN-504", b""),
        ("4", "SYN-504", b""),
    ]
    assert refusing.asked[-1] == 8


def test_a_bus_that_refuses_the_stub_too_ends_the_hop(bus, monkeypatch):
    """Where even the stub is refused nothing would ever pass: the error comes out, and the record stays."""
    publish(bus, b"ok")
    runner = Runner(UpperHop(), bus, BusSettings(), FAST)
    Refusing(monkeypatch, runner, b"OK", b"")
    with pytest.raises(SynopticError, match="SYN-504"):
        runner.run()
    runner.close()
    assert not runner.status.alive
    assert bus.lag(runner.group, ["in"]) == {"in": 1}


def test_a_stop_that_joining_brings_to_light_is_obeyed(bus, monkeypatch):
    """The state that a killed process left undecided shows once its successor has joined: only then is it read."""
    subscribe = bus.subscribe

    def decide_then_subscribe(*arguments):
        bus.publish([HopState(hop="extraction", recent="r" * 50, stopped=True).outgoing("0")])
        return subscribe(*arguments)

    monkeypatch.setattr(bus, "subscribe", decide_then_subscribe)
    publish(bus, b"ok")
    runner = Runner(UpperHop(), bus, BusSettings(), FAST)
    with pytest.raises(SynopticError, match="50 of the last 50"):
        runner.step()
    runner.close()
    assert read(bus, "out") == []


def test_a_runner_that_may_not_start_keeps_no_place(bus):
    """After the stop is acknowledged, another runner of the same process may take the place."""
    bus.publish([HopState(hop="extraction", stopped=True).outgoing("0")])
    with pytest.raises(SynopticError, match="SYN-507"):
        Runner(UpperHop(), bus, BusSettings()).join()
    assert len(acknowledge(bus)) == 1
    publish(bus, b"ok")
    assert run(bus, UpperHop()) == 1
