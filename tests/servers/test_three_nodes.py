"""Three Kafka nodes, of which the leader is killed under load: nothing is lost, doubled or put out of order."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local.kafka_cluster import KafkaCluster
from schemas.errors import Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing, Record
from workers.buses.kafka import KafkaBus
from workers.hop import Result
from workers.runner import Backoff, Runner

PARTITIONS = 6
KEYS = 20
RECORDS_A_PUBLISH = 10
# As many are confirmed at least before the kill, while the node is gone, and after it is back.
CONFIRMED_A_PHASE = 300
WAIT_SECONDS = 60.0


class CopyHop:
    """Copies each record to the output."""

    name = "extraction"
    topics = ("in",)

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One copy a record."""
        return [Result((Outgoing("out", record.value, record.key),)) for record in records]


class Load:
    """Publishes numbered records until told to end, again where it stayed open whether they were stored."""

    def __init__(self, bus: KafkaBus) -> None:
        """Take the bus to publish on."""
        self._bus = bus
        self._end = threading.Event()
        self.confirmed: list[bytes] = []

    def run(self) -> None:
        """Publish."""
        number = 0
        while not self._end.is_set():
            values = [b"%d" % (number + place) for place in range(RECORDS_A_PUBLISH)]
            outgoing = [Outgoing("in", value, b"key %d" % (int(value) % KEYS)) for value in values]
            try:
                self._bus.publish(outgoing)
            except SynopticError as error:
                if error.code.kind is not Kind.RETRY:
                    raise
                continue
            self.confirmed += values
            number += RECORDS_A_PUBLISH

    def stop(self) -> None:
        """Ask `run` to return."""
        self._end.set()


class Watch:
    """Threads that run until told to stop, and a wait that fails as soon as one of them has failed."""

    def __init__(self) -> None:
        """Start with no fault."""
        self.raised: list[BaseException] = []

    @contextmanager
    def over(self, *running: Runner | Load) -> Iterator[None]:
        """Run each in a thread of its own."""
        threads = [threading.Thread(target=self._run, args=(one,)) for one in running]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for one in running:
                one.stop()
            for thread in threads:
                thread.join()

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when the condition holds; fail with what was waited for when the time is over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert self.raised == []
            assert time.monotonic() < deadline, f"still waiting for {what}"
            time.sleep(0.1)

    def _run(self, one: Runner | Load) -> None:
        try:
            one.run()
        except BaseException as error:
            self.raised.append(error)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """Three nodes with an input and an output topic, each partition on all of them."""
    with KafkaCluster(tmp_path / "kafka", nodes=3) as started:
        admin = KafkaAdminClient(bootstrap_servers=started.bootstrap_servers)
        topic = {"num_partitions": PARTITIONS, "replication_factor": 3}
        admin.create_topics({"in": topic, "out": topic}, wait_for_metadata=True)
        admin.close()
        yield started
        # Nodes that end together in order wait in vain for a quorum.
        for node in started.pids:
            started.kill(node)


def partitions(cluster: KafkaCluster, topic: str) -> list[dict]:
    """How a topic's partitions stand: who leads each, and who has all of its records."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    try:
        return admin.describe_topics([topic])[0]["partitions"]
    finally:
        admin.close()


def quorum_leader(cluster: KafkaCluster) -> int | None:
    """The leader of the controllers; none while they elect one."""
    try:
        return cluster.leader_of_quorum()
    except KafkaError:
        return None


def holds_all(cluster: KafkaCluster, node: int) -> bool:
    """Whether a node is in sync in every partition."""
    return all(node in one["isr_nodes"] for topic in ("in", "out") for one in partitions(cluster, topic))


def number_of(bus: KafkaBus, topic: str) -> int:
    """How many records a topic has."""
    return sum(1 for _ in bus.read(topic))


def by_key(bus: KafkaBus, topic: str) -> dict[bytes, list[bytes]]:
    """The values of each key, in the order in which they stand."""
    found = defaultdict(list)
    for record in bus.read(topic):
        found[record.key].append(record.value)
    return found


@pytest.fixture
def new_bus(cluster: KafkaCluster) -> Iterator[Callable[[str], KafkaBus]]:
    """Opens buses for instances of their own; the shipped settings, but for how long who is silent is waited for."""
    opened = []

    def make(instance: str) -> KafkaBus:
        servers = cluster.bootstrap_servers
        waits = {"session_timeout_seconds": 6, "request_timeout_seconds": 10}
        opened.append(KafkaBus(BusSettings(kind="kafka", bootstrap_servers=servers, instance_id=instance, **waits)))
        return opened[-1]

    yield make
    for bus in opened:
        bus.close()


def test_a_killed_leader_loses_and_doubles_nothing(cluster, new_bus):
    """The node that leads controllers and partitions is killed while records flow; the rest go on, and it comes back."""
    bus, watch = new_bus("test"), Watch()
    backoff = Backoff(first=0.1, most=1)
    runners = [Runner(CopyHop(), new_bus(name), BusSettings(instance_id=name), backoff) for name in ("one", "two")]
    load = Load(bus)

    def confirm_more() -> None:
        before = len(load.confirmed)
        watch.wait_until(lambda: len(load.confirmed) >= before + CONFIRMED_A_PHASE, "records")

    def copy_more() -> None:
        before = number_of(bus, "out")
        watch.wait_until(lambda: number_of(bus, "out") > before, "copies")

    with watch.over(*runners):
        with watch.over(load):
            confirm_more()
            copy_more()
            leader = cluster.leader_of_quorum()
            for topic in ("in", "out"):
                assert leader in {partition["leader_id"] for partition in partitions(cluster, topic)}
            cluster.kill(leader)
            watch.wait_until(lambda: quorum_leader(cluster) not in (None, leader), "another leader")
            confirm_more()
            copy_more()
            assert leader not in cluster.pids
            cluster.start_node(leader)
            watch.wait_until(lambda: holds_all(cluster, leader), "the killed node to hold all records again")
            confirm_more()
        watch.wait_until(lambda: bus.lag(runners[0].group, ["in"])["in"] == 0, "the last copies")
    for runner in runners:
        runner.close()
    assert watch.raised == []
    inputs, outputs = by_key(bus, "in"), by_key(bus, "out")
    assert set(load.confirmed) <= {value for values in inputs.values() for value in values}
    assert outputs == inputs
