"""A broker that dies in the middle of the work: once it is back, every record is there exactly once."""

import threading

import pytest
from kafka_setting import bus_settings, create_topic, values_of, wait_for

from deploy.local.kafka_cluster import KafkaCluster
from schemas.errors import Code, Kind, SynopticError
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

RECORDS = 400
PREFIX = "kill-"


@pytest.fixture
def cluster(tmp_path):
    """A broker of this test's own."""
    with KafkaCluster(tmp_path / "kafka") as started:
        yield started


def test_broker_killed_at_work(cluster):
    """The worker fails, waits, and finishes after the restart: nothing is lost or doubled, whatever was undecided."""
    servers = cluster.bootstrap_servers
    for name in ("in", "out"):
        create_topic(servers, PREFIX + name, 2)
    bus = KafkaBus(bus_settings(servers, PREFIX, request_timeout_seconds=3))
    sent = [b"%04d" % number for number in range(RECORDS)]
    bus.publish([Outgoing("in", value, value) for value in sent])
    worker = Worker(bus)
    worker.start()
    try:
        for threshold in (50, 200):
            wait_for(lambda threshold=threshold: worker.done > threshold, "work to be under way")
            failures = len(worker.failures)
            (killed,) = cluster.pids
            cluster.kill(killed)
            wait_for(lambda failures=failures: len(worker.failures) > failures, "the worker to notice")
            cluster.start_node(killed)
        wait_for(lambda: bus_is_done(bus), "the rest of the work", seconds=120)
    finally:
        worker.ending.set()
        worker.join()
    assert set(worker.failures) == {Kind.RETRY}
    assert sorted(values_of(bus, "out")) == sent
    bus.close()


def test_broker_killed_while_idle(cluster):
    """An idle member says that the broker is away rather than that there is nothing new, and goes on once it is back."""
    servers = cluster.bootstrap_servers
    create_topic(servers, PREFIX + "in", 2)
    bus = KafkaBus(bus_settings(servers, PREFIX, request_timeout_seconds=3, session_timeout_seconds=120))
    subscription = bus.subscribe("group", ["in"])
    for _ in range(8):
        assert subscription.poll(10, 0.5).records == ()
    (killed,) = cluster.pids
    cluster.kill(killed)
    wait_for(lambda: poll_fails(subscription), "the member to notice", seconds=30)
    cluster.start_node(killed)
    wait_for(lambda: publishes(bus), "the broker to take a record")
    wait_for(lambda: b"after" in polled_after_rewind(subscription), "the record")
    bus.close()


def poll_fails(subscription) -> bool:
    """Whether a poll says that the broker is away."""
    try:
        subscription.poll(10, 0.5)
    except SynopticError as error:
        return error.code is Code.BUS_UNAVAILABLE
    return False


def publishes(bus) -> bool:
    """Whether a record could be published."""
    try:
        bus.publish([Outgoing("in", b"after")])
    except SynopticError:
        return False
    return True


def polled_after_rewind(subscription) -> list[bytes]:
    """What a poll gives that begins at the committed place, as the runner polls after an error."""
    try:
        subscription.rewind()
        return [record.value for record in subscription.poll(10, 1).records]
    except SynopticError:
        return []


def bus_is_done(bus) -> bool:
    """Whether the group has committed everything; a broker that just came back may not be able to tell yet."""
    try:
        return bus.lag("group", ["in"]) == {"in": 0}
    except SynopticError:
        return False


class Worker(threading.Thread):
    """Copies in small batches and tries again after each failure, as the runner does."""

    def __init__(self, bus) -> None:
        """Not yet begun."""
        super().__init__(daemon=True)
        self.bus, self.ending, self.done, self.failures = bus, threading.Event(), 0, []

    def run(self) -> None:
        """Until told to end."""
        subscription = self.bus.subscribe("group", ["in"])
        failed = False
        while not self.ending.is_set():
            try:
                if failed:
                    subscription.rewind()
                failed = True
                batch = subscription.poll(3, 0.5)
                subscription.commit(batch, [Outgoing("out", record.value, record.key) for record in batch.records])
                failed = False
                self.done += len(batch.records)
            except SynopticError as error:
                self.failures.append(error.code.kind)
        subscription.close()
