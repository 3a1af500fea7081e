"""What every bus promises: one suite, inherited by a test class for each implementation.

A subclass gives a `buses` fixture: an object with `open()` (the same durable bus, opened anew) and `topic(name)`
(a name that no other test uses).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from schemas.errors import Code, Kind, SynopticError
from schemas.topics import RECORD_ROOM_BYTES
from workers.buses.bus import HEADER_FRAME_BYTES, MESSAGE_FRAME_BYTES, Bus, Outgoing, Subscription

WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Buses:
    """How the suite gets at the implementation under test."""

    open: Callable[[], Bus]
    topic: Callable[[str], str]


def values(subscription: Subscription, wanted: int, maximum: int = 100) -> list[bytes]:
    """Poll until `wanted` records came, without committing."""
    found: list[bytes] = []
    while len(found) < wanted:
        batch = subscription.poll(maximum, WAIT_SECONDS)
        assert batch.records, f"only {len(found)} of {wanted} records came"
        found += [record.value for record in batch.records]
    return found


class BusContract:
    """Behaviours that hold for the embedded bus and for Kafka alike."""

    @pytest.fixture
    def bus(self, buses: Buses):
        """A bus, closed after the test."""
        opened = buses.open()
        yield opened
        opened.close()

    def test_order_within_a_topic(self, buses, bus):
        """Records come in the order of publishing, with rising offsets, in batches no larger than asked."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"%d" % number, b"key") for number in range(25)])
        subscription = bus.subscribe("group", [topic])
        records = []
        while len(records) < 25:
            batch = subscription.poll(7, WAIT_SECONDS)
            assert 0 < len(batch.records) <= 7
            records += batch.records
        assert [record.value for record in records] == [b"%d" % number for number in range(25)]
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets))

    def test_groups_are_independent(self, buses, bus):
        """What one group commits, another still reads."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"a"), Outgoing(topic, b"b")])
        first = bus.subscribe("first", [topic])
        first.commit(first.poll(10, WAIT_SECONDS), [])
        second = bus.subscribe("second", [topic])
        assert sorted(values(second, 2)) == [b"a", b"b"]
        assert bus.lag("first", [topic]) == {topic: 0}
        assert bus.lag("second", [topic]) == {topic: 2}

    def test_empty_poll_ends(self, buses, bus):
        """A poll of an empty topic gives an empty batch, and a commit of it changes nothing."""
        topic = buses.topic("in")
        subscription = bus.subscribe("group", [topic])
        batch = subscription.poll(10, 0.05)
        assert batch.records == ()
        subscription.commit(batch, [])
        assert bus.lag("group", [topic]) == {topic: 0}

    def test_commit_stores_outputs_and_place_together(self, buses, bus):
        """After a commit the outputs can be read and the batch is not delivered again, a restart included."""
        source, target = buses.topic("in"), buses.topic("out")
        bus.publish([Outgoing(source, b"a"), Outgoing(source, b"b")])
        subscription = bus.subscribe("group", [source])
        subscription.commit(subscription.poll(1, WAIT_SECONDS), [Outgoing(target, b"A")])
        subscription.close()
        bus.close()
        again = buses.open()
        assert [record.value for record in again.read(target)] == [b"A"]
        assert values(again.subscribe("group", [source]), 1) == [b"b"]
        again.close()

    def test_failed_commit_leaves_nothing(self, buses, bus):
        """A commit with one impossible output publishes none of them and moves nothing."""
        source, target = buses.topic("in"), buses.topic("out")
        bus.publish([Outgoing(source, b"a")])
        subscription = bus.subscribe("group", [source])
        batch = subscription.poll(10, WAIT_SECONDS)
        with pytest.raises(SynopticError):
            subscription.commit(batch, [Outgoing(target, b"A"), Outgoing(target, bytes(33 * 1024 * 1024))])
        subscription.rewind()
        assert list(bus.read(target)) == []
        assert values(subscription, 1) == [b"a"]

    def test_batch_commits_once(self, buses, bus):
        """A second commit of the same batch is refused as something to read again, and its outputs are not doubled."""
        source, target = buses.topic("in"), buses.topic("out")
        bus.publish([Outgoing(source, b"a")])
        subscription = bus.subscribe("group", [source])
        batch = subscription.poll(10, WAIT_SECONDS)
        subscription.commit(batch, [Outgoing(target, b"A")])
        with pytest.raises(SynopticError) as caught:
            subscription.commit(batch, [Outgoing(target, b"A")])
        assert caught.value.code.kind is Kind.RETRY
        assert [record.value for record in bus.read(target)] == [b"A"]

    def test_closed_subscription_commits_nothing(self, buses, bus):
        """A consumer that gave its place up can no longer commit what it polled before."""
        source = buses.topic("in")
        bus.publish([Outgoing(source, b"a")])
        subscription = bus.subscribe("group", [source])
        batch = subscription.poll(10, WAIT_SECONDS)
        subscription.close()
        with pytest.raises(SynopticError):
            subscription.commit(batch, [])
        assert values(bus.subscribe("group", [source]), 1) == [b"a"]

    def test_uncommitted_is_read_again_after_rewind(self, buses, bus):
        """Rewind goes back to the last commit, not further."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"%d" % number, b"key") for number in range(4)])
        subscription = bus.subscribe("group", [topic])
        subscription.commit(subscription.poll(1, WAIT_SECONDS), [])
        assert values(subscription, 3) == [b"1", b"2", b"3"]
        subscription.heartbeat()
        subscription.rewind()
        assert values(subscription, 3) == [b"1", b"2", b"3"]

    def test_uncommitted_is_read_again_after_close(self, buses, bus):
        """What was polled and not committed comes again to the next member of the group."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"a")])
        subscription = bus.subscribe("group", [topic])
        assert values(subscription, 1) == [b"a"]
        subscription.close()
        assert values(bus.subscribe("group", [topic]), 1) == [b"a"]

    def test_publish_is_all_or_none(self, buses, bus):
        """One message that is too large keeps the others out as well, with a numbered error."""
        topic = buses.topic("in")
        with pytest.raises(SynopticError) as caught:
            bus.publish([Outgoing(topic, b"small"), Outgoing(topic, bytes(33 * 1024 * 1024))])
        assert caught.value.code is Code.MESSAGE_TOO_LARGE
        assert list(bus.read(topic)) == []

    def test_read_needs_no_group(self, buses, bus):
        """Read gives all records so far, again and again, and a topic that nobody wrote is empty."""
        topic = buses.topic("in")
        assert list(bus.read(topic)) == []
        bus.publish([Outgoing(topic, b"a", b"key"), Outgoing(topic, b"b", b"key")])
        assert [record.value for record in bus.read(topic)] == [b"a", b"b"]
        assert [record.value for record in bus.read(topic)] == [b"a", b"b"]

    def test_lag_counts_what_is_not_committed(self, buses, bus):
        """Polling alone does not lower the lag; committing does."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"%d" % number) for number in range(5)])
        subscription = bus.subscribe("group", [topic])
        batch = subscription.poll(3, WAIT_SECONDS)
        assert bus.lag("group", [topic]) == {topic: 5}
        subscription.commit(batch, [])
        assert bus.lag("group", [topic]) == {topic: 5 - len(batch.records)}

    def test_several_topics_in_one_subscription(self, buses, bus):
        """A subscription delivers all of its topics and commits them together."""
        one, two = buses.topic("one"), buses.topic("two")
        bus.publish([Outgoing(one, b"a"), Outgoing(two, b"b"), Outgoing(one, b"c")])
        subscription = bus.subscribe("group", [one, two])
        found = []
        while len(found) < 3:
            batch = subscription.poll(10, WAIT_SECONDS)
            found += [record.value for record in batch.records]
            subscription.commit(batch, [])
        assert sorted(found) == [b"a", b"b", b"c"]
        assert bus.lag("group", [one, two]) == {one: 0, two: 0}

    @pytest.mark.parametrize("key", [None, b"", b"\x00\xff"])
    def test_key_and_headers_round_trip(self, buses, bus, key):
        """Key, header order, repeated headers and non-ASCII text come back as they were sent."""
        topic = buses.topic("in")
        headers = (("code", "SYN-101"), ("reason", "Größe – Ärger"), ("code", "second"), ("empty", ""))
        bus.publish([Outgoing(topic, b"a", key, headers)])
        (record,) = bus.subscribe("group", [topic]).poll(1, WAIT_SECONDS).records
        assert (record.key, record.headers) == (key, headers)
        assert record.header("code") == "SYN-101"
        assert record.header("absent") is None

    def test_large_message(self, buses, bus):
        """A message of 32 MiB of arbitrary bytes comes through unchanged."""
        topic = buses.topic("in")
        value = bytes(range(256)) * (32 * 1024 * 4)
        bus.publish([Outgoing(topic, value)])
        (record,) = bus.subscribe("group", [topic]).poll(1, WAIT_SECONDS).records
        assert record.value == value

    def test_key_and_headers_have_a_room_of_their_own(self, buses, bus):
        """Beside the largest value, key and headers may fill their room to the last byte, and no more."""
        topic = buses.topic("in")
        value, key = bytes(range(256)) * (32 * 1024 * 4), bytes(RECORD_ROOM_BYTES // 2)
        left = RECORD_ROOM_BYTES - MESSAGE_FRAME_BYTES - len(key)
        many = tuple((name, "") for name in "abcdefgh" * 1000)
        text = "x" * (left - len(many) * (HEADER_FRAME_BYTES + 1) - HEADER_FRAME_BYTES - len("name"))
        with pytest.raises(SynopticError) as caught:
            bus.publish([Outgoing(topic, value, key, (*many, ("name", text + "x")))])
        assert caught.value.code is Code.MESSAGE_TOO_LARGE
        sent = Outgoing(topic, value, key, (*many, ("name", text)))
        bus.publish([sent])
        (record,) = bus.read(topic)
        assert (record.value, record.key, record.headers) == (sent.value, sent.key, sent.headers)

    def test_producers_in_other_threads(self, buses, bus):
        """Two producers publish while a consumer polls and commits: nothing lost, nothing doubled, each in order."""
        source, target = buses.topic("in"), buses.topic("out")
        bus.publish([Outgoing(source, b"start", b"start")])

        def produce(name: str) -> None:
            for number in range(40):
                bus.publish([Outgoing(source, f"{name}{number:02}".encode(), name.encode())])

        producers = [threading.Thread(target=produce, args=(name,)) for name in "ab"]
        for producer in producers:
            producer.start()
        subscription = bus.subscribe("group", [source])
        done = 0
        while done < 81:
            batch = subscription.poll(9, WAIT_SECONDS)
            assert batch.records
            subscription.commit(batch, [Outgoing(target, record.value, record.key) for record in batch.records])
            done += len(batch.records)
        for producer in producers:
            producer.join()
        found = [record.value for record in bus.read(target)]
        for name in (b"a", b"b"):
            assert [value for value in found if value[:1] == name] == [b"%s%02d" % (name, n) for n in range(40)]
        assert len(found) == 81

    def test_records_are_never_printed(self, buses, bus):
        """Neither a record nor an outgoing message shows its content when printed."""
        topic = buses.topic("in")
        sent = Outgoing(topic, b"Erika Mustermann", b"MRN-4711")
        bus.publish([sent])
        batch = bus.subscribe("group", [topic]).poll(1, WAIT_SECONDS)
        for shown in (repr(sent), repr(batch.records[0]), repr(batch)):
            assert "Erika" not in shown
            assert "4711" not in shown

    def test_a_group_may_begin_anew(self, buses, bus):
        """At an offset or an instant, forwards and back, while nobody consumes for it; others keep their place."""
        topic = buses.topic("in")
        bus.publish([Outgoing(topic, b"%d" % number) for number in range(5)])
        subscription = bus.subscribe("group", [topic])
        while bus.lag("group", [topic])[topic]:
            subscription.commit(subscription.poll(10, WAIT_SECONDS), [])
        with pytest.raises(SynopticError) as caught:
            bus.move("group", topic, offset=0)
        assert caught.value.code in (Code.BUS_IN_USE, Code.REGISTRY_RUNS)
        subscription.close()
        first = next(bus.read(topic)).offset
        bus.move("group", topic, offset=first + 2)
        subscription = bus.subscribe("group", [topic])
        assert values(subscription, 3) == [b"2", b"3", b"4"]
        subscription.close()
        for changes, waiting in (({"since": time.time() + 3600}, 0), ({"since": 0.0}, 5), ({"offset": 10**6}, 0)):
            bus.move("group", topic, **changes)
            assert bus.lag("group", [topic]) == {topic: waiting}
        assert bus.lag("other", [topic]) == {topic: 5}
