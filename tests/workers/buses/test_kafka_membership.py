"""Members of a group come, go, sleep and are taken for dead: each record is worked exactly once all the same."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.structs import MemberState
from kafka_child import FIRST_BATCH
from kafka_setting import bus_settings, copy_all, create_topic, values_of, wait_for

from schemas.errors import Code, Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses import kafka_transactions
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.buses.kafka_subscription import Membership
from workers.hop import Result
from workers.runner import Backoff, Runner

REPOSITORY = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 20.0


@pytest.fixture
def site(kafka_servers, topic_prefix):
    """Makes the topics `in` and `out` with so many partitions; opens buses by instance id and closes them."""
    opened = []

    def open_bus(instance="0", **changes):
        opened.append(KafkaBus(bus_settings(kafka_servers, topic_prefix, instance_id=instance, **changes)))
        return opened[-1]

    def make(partitions):
        for name in ("in", "out"):
            create_topic(kafka_servers, f"{topic_prefix}{name}", partitions)

    yield SimpleNamespace(open=open_bus, make=make)
    for bus in opened:
        bus.close()


def generation(subscription) -> int:
    """The generation that the member has joined, its assignment included; -1 outside."""
    metadata = subscription._consumer.group_metadata()
    return metadata.generation_id if metadata.state == MemberState.STABLE else -1


def owned(subscription) -> set[int]:
    """The numbers of the partitions that the member was assigned."""
    return {partition.partition for partition in subscription._consumer.assignment()}


def outputs(batch):
    """A copy of each record."""
    return [Outgoing("out", record.value, record.key) for record in batch.records]


class Beating(threading.Thread):
    """Heartbeats from a thread, as the runner's polling thread gives them; two members join only at the same time."""

    def __init__(self, subscription) -> None:
        """Begin."""
        super().__init__(daemon=True)
        self._subscription, self._ending = subscription, threading.Event()
        self.start()

    def run(self) -> None:
        """Beat until told to end."""
        while not self._ending.wait(0.1):
            self._subscription.heartbeat()

    def end(self) -> None:
        """The subscription is the caller's again."""
        self._ending.set()
        self.join()


def test_batch_longer_than_the_poll_interval_keeps_its_place(site):
    """Heartbeats hold the place for longer than the broker waits for a silent member."""
    site.make(1)
    bus = site.open(poll_interval_seconds=1)
    bus.publish([Outgoing("in", b"a")])
    subscription = bus.subscribe("group", ["in"])
    batch = subscription.poll(10, WAIT_SECONDS)
    member = subscription._consumer.group_metadata().member_id
    began = time.monotonic()
    while time.monotonic() - began < 3:
        subscription.heartbeat()
        time.sleep(0.2)
    subscription.commit(batch, outputs(batch))
    assert values_of(bus, "out") == [b"a"]
    assert subscription._consumer.group_metadata().member_id == member


class SlowHop:
    """Works on a batch for longer than the broker waits for a silent member."""

    name = "extraction"
    topics = ("in",)

    def process(self, records):
        """Copy, late."""
        began = time.monotonic()
        while time.monotonic() - began < 4:
            time.sleep(0.1)
        return [Result((Outgoing("out", record.value),)) for record in records]


def test_runner_holds_its_place_through_a_long_batch(site):
    """The runner's heartbeats keep the member that it was, and the batch is worked once."""
    site.make(1)
    bus = site.open(poll_interval_seconds=2)
    bus.publish([Outgoing("in", b"a"), Outgoing("in", b"b")])
    runner = Runner(SlowHop(), bus, BusSettings(kind="kafka"), Backoff(attempts=1))
    assert runner.step(WAIT_SECONDS) == 2
    runner.close()
    assert values_of(bus, "out") == [b"a", b"b"]


def test_first_poll_finds_what_is_there(site):
    """Even a poll without patience finds the records when it is the first after joining, or after going back."""
    site.make(4)
    bus = site.open()
    bus.publish([Outgoing("in", b"a")])
    subscription = bus.subscribe("group", ["in"])
    assert [record.value for record in subscription.poll(1, 0).records] == [b"a"]
    subscription.rewind()
    assert [record.value for record in subscription.poll(1, 0).records] == [b"a"]


def test_heartbeats_pass_over_nothing(site):
    """What was fetched ahead while a batch is in work comes next, in order."""
    site.make(2)
    bus = site.open()
    sent = [b"%02d" % number for number in range(40)]
    bus.publish([Outgoing("in", value, value) for value in sent])
    subscription = bus.subscribe("group", ["in"])
    found = defaultdict(list)
    while sum(map(len, found.values())) < 40:
        batch = subscription.poll(3, WAIT_SECONDS)
        for _ in range(3):
            subscription.heartbeat()
        for record in batch.records:
            found[record.partition].append(record.value)
        subscription.commit(batch, [])
    assert len(found) == 2
    assert sorted(found[0] + found[1]) == sent
    for values in found.values():
        assert values == sorted(values)


def test_rebalance_that_takes_nothing_wastes_no_batch(site):
    """Another member joins while a batch is in work and gets none of its partitions: the batch is committed."""
    site.make(1)
    first, second = site.open("first"), site.open("second")
    first.publish([Outgoing("in", b"a")])
    worker = first.subscribe("group", ["in"])
    batch = worker.poll(10, WAIT_SECONDS)
    polled_in = generation(worker)
    idle = second.subscribe("group", ["in"])

    beating = Beating(worker)

    def both_joined():
        assert idle.poll(1, 0.1).records == ()
        return generation(worker) == generation(idle) == polled_in + 1

    wait_for(both_joined, "the second member")
    beating.end()
    worker.commit(batch, outputs(batch))
    assert values_of(first, "out") == [b"a"]


def test_rebalance_that_takes_a_partition_gives_the_batch_up(site):
    """A batch with records of a partition that moved away is refused, read again by its owners, and doubled nowhere."""
    site.make(2)
    first, second = site.open("first"), site.open("second")
    sent = [b"%02d" % number for number in range(20)]
    first.publish([Outgoing("in", value, value) for value in sent])
    worker = first.subscribe("group", ["in"])
    batches = [worker.poll(20, WAIT_SECONDS)]
    while sum(len(batch.records) for batch in batches) < 20:
        batches.append(worker.poll(20, WAIT_SECONDS))
    helper = second.subscribe("group", ["in"])
    taken = []
    beating = Beating(worker)

    def shared():
        taken.append(helper.poll(20, 0.1))
        return taken[-1].records

    wait_for(shared, "records for the second member")
    beating.end()
    with pytest.raises(SynopticError) as caught:
        worker.commit(batches[0], outputs(batches[0]))
    assert caught.value.code is Code.STALE_BATCH
    assert owned(worker) | owned(helper) == {0, 1}
    helper.commit(taken[-1], outputs(taken[-1]))
    copy_all(worker, "out", 20 - len(taken[-1].records))
    assert sorted(values_of(first, "out")) == sent


def test_a_partition_may_move_only_between_generations():
    """Kept is what the same member owned in a generation and the next; one generation missed, and nothing is kept."""

    def membership(number, member, *partitions):
        metadata = SimpleNamespace(generation_id=number, member_id=member)
        return Membership(metadata, frozenset(TopicPartition("in", place) for place in partitions))

    before = membership(7, "m", 0, 1)
    assert before.kept_in(membership(8, "m", 1, 2)) == {TopicPartition("in", 1)}
    assert before.kept_in(membership(9, "m", 0, 1)) == frozenset()
    assert before.kept_in(membership(8, "other", 0, 1)) == frozenset()


def test_generation_missed_reads_its_partitions_again(site):
    """A member that slept through a generation goes back to the committed place, whatever it had polled."""
    site.make(1)
    bus = site.open()
    bus.publish([Outgoing("in", b"a"), Outgoing("in", b"b")])
    subscription = bus.subscribe("group", ["in"])
    batch = subscription.poll(1, WAIT_SECONDS)
    known = subscription._membership
    earlier = known.metadata._replace(generation_id=known.metadata.generation_id - 2)
    subscription._membership = Membership(earlier, known.partitions)
    with pytest.raises(SynopticError) as caught:
        subscription.commit(batch, outputs(batch))
    assert caught.value.code is Code.STALE_BATCH
    copy_all(subscription, "out", 2)
    assert values_of(bus, "out") == [b"a", b"b"]


def test_zombie_of_the_same_instance_is_fenced(site, monkeypatch):
    """A successor with the same instance id ends the transaction of its predecessor, which then commits nothing."""
    site.make(1)
    bus = site.open("same")
    bus.publish([Outgoing("in", b"a")])
    successors = []

    class OvertakenProducer(kafka_transactions.BoundedProducer):
        def commit_transaction(self):
            """Commit, after the successor has come."""
            if not successors:
                successors.append(None)
                successors.append(site.open("same").subscribe("group", ["in"]))
            super().commit_transaction()

    monkeypatch.setattr(kafka_transactions, "BoundedProducer", OvertakenProducer)
    zombie = bus.subscribe("group", ["in"])
    batch = zombie.poll(10, WAIT_SECONDS)
    with pytest.raises(SynopticError) as caught:
        zombie.commit(batch, outputs(batch))
    assert len(successors) == 2
    assert caught.value.code is Code.FENCED
    assert values_of(bus, "out") == []
    zombie.close()
    copy_all(successors[1], "out", 1)
    assert values_of(bus, "out") == [b"a"]


@pytest.mark.parametrize("point", ["before the commit", "inside the transaction"])
def test_sleeper_wakes_up_to_find_its_work_done(kafka_servers, topic_prefix, site, point):
    """A process stopped past its session commits nothing of its batch when it goes on; another did it, once."""
    site.make(1)
    bus = site.open("other")
    sent = [b"%02d" % number for number in range(20)]
    bus.publish([Outgoing("in", value) for value in sent])
    sleeper = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            Path(__file__).with_name("kafka_child.py"),
            kafka_servers,
            topic_prefix,
            point,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "workers")])},
    )
    try:
        assert sleeper.stdout.readline() == f"stopping {point}\n"
        _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        copy_all(bus.subscribe("group", ["in"]), "out", 20)
        assert sorted(values_of(bus, "out")) == sent
        os.kill(sleeper.pid, signal.SIGCONT)
        assert sleeper.stdout.readline().strip() in {Code.STALE_BATCH.label, Code.FENCED.label}
        sleeper.stdin.close()
        assert sleeper.wait(timeout=60) == 0
    finally:
        sleeper.kill()
        sleeper.wait()
    assert FIRST_BATCH < 20
    assert values_of(bus, "out") == sent
    assert bus.lag("group", ["in"]) == {"in": 0}


class Member(threading.Thread):
    """Copies in a thread of its own until told to leave."""

    def __init__(self, bus) -> None:
        """Join the group."""
        super().__init__(daemon=True)
        self.bus, self.leaving, self.done, self.failure = bus, threading.Event(), 0, None

    def run(self) -> None:
        """Poll and commit; begin again where told to."""
        try:
            subscription = self.bus.subscribe("group", ["in"])
            while not self.leaving.is_set():
                try:
                    batch = subscription.poll(5, 0.2)
                    subscription.commit(batch, outputs(batch))
                    self.done += len(batch.records)
                except SynopticError as error:
                    if error.code.kind is not Kind.RETRY:
                        raise
                    subscription.rewind()
            subscription.close()
        except Exception as error:
            self.failure = error


def test_members_come_and_go_under_load(site):
    """From one member to three and back: every record once, and each key's records in order."""
    site.make(6)
    publisher = site.open("publisher")
    sent = defaultdict(list)
    publishing = threading.Event()
    publishing.set()

    def publish():
        number = 0
        while publishing.is_set():
            key = b"key %d" % (number % 12)
            value = b"%s %06d" % (key, number)
            publisher.publish([Outgoing("in", value, key)])
            sent[key].append(value)
            number += 1

    load = threading.Thread(target=publish)
    load.start()
    members = [Member(site.open("first"))]
    try:
        members[0].start()
        wait_for(lambda: members[0].done > 30, "the first member's work")
        members += [Member(site.open("second")), Member(site.open("third"))]
        for member in members[1:]:
            member.start()
        wait_for(lambda: all(member.done > 30 for member in members[1:]), "the work of all three")
        for member in members[1:]:
            member.leaving.set()
            member.join()
        alone_from = members[0].done
        wait_for(lambda: members[0].done > alone_from + 30, "the last member's work")
    finally:
        publishing.clear()
        load.join()
    total = sum(map(len, sent.values()))
    wait_for(lambda: sum(member.done for member in members) >= total, "the rest")
    members[0].leaving.set()
    members[0].join()
    assert [member.failure for member in members] == [None, None, None]
    found = defaultdict(list)
    for record in publisher.read("out"):
        found[record.key].append(record.value)
    assert found == sent
