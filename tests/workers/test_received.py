"""When a report came in: noted once, by its first hop, and handed on through every later one and a replay."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hops_made import UpperHop, publish, run

from schemas.messages import TOPIC_REJECTED
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.received import RECEIVED, Receptions, handed_on, moment
from workers.rejects import replayed


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[EmbeddedBus]:
    """An embedded bus in a folder of its own."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


def taken_up(bus: EmbeddedBus, topic: str) -> list[str | None]:
    """The instants that the records of a topic hold."""
    return [record.header(RECEIVED) for record in bus.read(topic)]


def test_the_first_hop_notes_when_it_took_a_record_up(bus):
    """Its outputs hold instants in the order of the records, no two the same, with three decimals."""
    publish(bus, b"ok1", b"ok2", b"ok3")
    run(bus, UpperHop())
    instants = taken_up(bus, "out")
    assert sorted(set(instants), key=float) == instants
    assert [instant.partition(".")[2].isdecimal() and len(instant.partition(".")[2]) for instant in instants] == [3] * 3


def test_later_hops_hand_the_instant_on(bus):
    """Whatever a hop makes of a record that has an instant has the same one, a reject and its replay too."""
    headers = ((RECEIVED, "1000.000"), ("trace", "1"))
    bus.publish([Outgoing("in", value, b"key", headers) for value in (b"ok", b"bad")])
    run(bus, UpperHop())
    assert taken_up(bus, "out") == ["1000.000"]
    (rejected,) = bus.read(TOPIC_REJECTED)
    assert replayed(rejected).headers == headers


def test_what_the_first_hop_rejects_keeps_its_instant(bus):
    """Replayed after a later version was written, it is still known to have come before that one."""
    publish(bus, b"bad", b"ok")
    run(bus, UpperHop())
    (rejected,) = bus.read(TOPIC_REJECTED)
    (instant,) = taken_up(bus, "out")
    assert float(dict(replayed(rejected).headers)[RECEIVED]) < float(instant)


@pytest.mark.parametrize("foreign", ["", "yesterday", "nan", "inf"])
def test_a_senders_header_of_that_name_that_is_no_instant_is_replaced(foreign):
    """A record holds one instant at most, and one that can be compared."""
    stamped = Receptions(lambda: 5.0).stamped(Record("in", 0, 0, b"", headers=((RECEIVED, foreign), ("trace", "1"))))
    assert stamped.headers == (("trace", "1"), (RECEIVED, "5.000"))
    assert handed_on(Outgoing("out", b"", headers=((RECEIVED, "1"),)), stamped).headers == ((RECEIVED, "5.000"),)


def test_a_clock_that_stands_or_goes_back_gives_ascending_instants():
    """The order in which records were read is kept by their instants."""
    receptions = Receptions(iter([5.0, 5.0, 3.0, 6.0]).__next__)
    stamped = [receptions.stamped(Record("in", 0, number, b"")) for number in range(4)]
    assert [moment(record, RECEIVED) for record in stamped] == [5.0, 5.001, 5.002, 6.0]
