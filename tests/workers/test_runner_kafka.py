"""The runner over a real broker: what it must never die of, and what must never stay its own."""

import threading
from contextlib import closing

import pytest
from kafka import KafkaProducer
from kafka_setting import bus_settings, create_topic, values_of, wait_for

from schemas.messages import TOPIC_REJECTED, TOPIC_REPORTS
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.hop import Result
from workers.runner import Backoff, Runner

BACKOFF = Backoff(first=0.1, most=0.5)


class CopyHop:
    """Copies small records to `out`; hangs on the first batch if told to."""

    name = "intake"

    def __init__(self, topic: str, hangs: bool = False) -> None:
        """Name the input."""
        self.topics = (topic,)
        self.begun, self.let_go = threading.Event(), threading.Event()
        if not hangs:
            self.let_go.set()

    def process(self, records):
        """One output a record."""
        self.begun.set()
        assert self.let_go.wait(300)
        return [Result((Outgoing("out", record.value),)) for record in records]


@pytest.fixture
def open_bus():
    """Opens buses and closes them."""
    opened = []

    def make(settings: BusSettings) -> KafkaBus:
        opened.append(KafkaBus(settings))
        return opened[-1]

    yield make
    for bus in opened:
        bus.close()


@pytest.fixture
def run(open_bus):
    """Runs hops in threads until the end of the test, before the buses are closed."""
    running = []

    def begin(hop: CopyHop, bus: KafkaBus, settings: BusSettings) -> Runner:
        runner = Runner(hop, bus, settings, BACKOFF)
        thread = threading.Thread(target=runner.run)
        running.append((hop, runner, thread))
        thread.start()
        return runner

    yield begin
    for hop, runner, thread in running:
        hop.let_go.set()
        runner.stop()
        thread.join(120)
        runner.close()
    assert [runner.status.alive for _, runner, _ in running] == [True] * len(running)


def test_a_record_that_grew_when_unpacked_is_passed(kafka_servers, topic_prefix, open_bus, run):
    """A broker counts what a sender compressed; read, the record is larger than any that can be written."""
    settings = bus_settings(kafka_servers, topic_prefix, rejected_share=1)
    create_topic(kafka_servers, f"{topic_prefix}out")
    bus = open_bus(settings)
    bus.publish([Outgoing(TOPIC_REPORTS, b"first", b"key")])
    large = b"QUJD" * (9 << 20)
    compressing = {"compression_type": "gzip", "max_request_size": 64 << 20}
    with closing(KafkaProducer(bootstrap_servers=kafka_servers, **compressing)) as sender:
        sender.send(f"{topic_prefix}{TOPIC_REPORTS}", large, b"key").get(60)
    bus.publish([Outgoing(TOPIC_REPORTS, b"last", b"key")])
    run(CopyHop(TOPIC_REPORTS), bus, settings)
    wait_for(lambda: values_of(bus, "out") == [b"first", b"last"], "what stands before and after it")
    (stub,) = bus.read(TOPIC_REJECTED)
    assert (stub.value, stub.header("code")) == (b"", "SYN-504")
    assert stub.header("original-bytes") == str(len(large))


def test_what_a_hanging_hop_holds_goes_to_another(kafka_servers, topic_prefix, open_bus, run):
    """Its process lives and its clients answer the broker, yet the records are worked by another, and once."""
    settings = bus_settings(kafka_servers, topic_prefix, poll_interval_seconds=2, batch_seconds=2)
    for name in ("in", "out"):
        create_topic(kafka_servers, f"{topic_prefix}{name}")
    others = settings.model_copy(update={"instance_id": "1"})
    bus = open_bus(settings)
    bus.publish([Outgoing("in", b"a"), Outgoing("in", b"b")])
    hanging = CopyHop("in", hangs=True)
    run(hanging, bus, settings)
    assert hanging.begun.wait(60)
    run(CopyHop("in"), open_bus(others), others)
    wait_for(lambda: values_of(bus, "out") == [b"a", b"b"], "another to do the work")
    assert not hanging.let_go.is_set()
    hanging.let_go.set()
    bus.publish([Outgoing("in", b"c")])
    wait_for(lambda: not bus.lag("synoptic-intake", ["in"])["in"], "nothing to be left")
    wait_for(lambda: len(values_of(bus, "out")) > 2, "the record after them")
    assert values_of(bus, "out") == [b"a", b"b", b"c"]
