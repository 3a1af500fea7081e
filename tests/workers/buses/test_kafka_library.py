"""What other producers may write, and what a broker that is not there may cost: no hop stops, nothing is left behind."""

import gc
import logging
import threading
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.record import default_records
from kafka_setting import bus_settings, create_topic, wait_for

from deploy.local.java_process import free_port
from deploy.local.kafka_cluster import KafkaCluster
from schemas.errors import Code, Kind, SynopticError
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.buses.kafka_clients import CONNECTION_LOGGER

WAIT_SECONDS = 20
FAILURES = 6


class NoText(str):
    """A header's name of bytes that are no text, as a producer in C may write it."""

    __slots__ = ()

    def encode(self, *_) -> bytes:
        """Bytes that are no UTF-8."""
        return b"a\xff\xfe"


@pytest.fixture
def bus(kafka_servers, topic_prefix):
    """A bus with the topic `in`."""
    create_topic(kafka_servers, f"{topic_prefix}in")
    opened = KafkaBus(bus_settings(kafka_servers, topic_prefix))
    yield opened
    opened.close()


def send(servers, topic, *messages, **producer):
    """Publish values with their headers in one batch, as a producer that knows nothing of Synoptic."""
    client = KafkaProducer(bootstrap_servers=servers, linger_ms=200, **producer)
    sent = [client.send(topic, value, headers=headers) for value, headers in messages]
    assert [future.get(WAIT_SECONDS).offset for future in sent] == list(range(len(messages)))
    client.close()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_every_compression_is_read(bus, kafka_servers, topic_prefix, codec):
    """Whichever way of Kafka's a producer compresses in, the hop reads what it wrote."""
    value = b"compressible " * 100_000
    send(kafka_servers, f"{topic_prefix}in", (value, []), compression_type=codec, max_request_size=8_000_000)
    batch = bus.subscribe("group", ["in"]).poll(1, WAIT_SECONDS)
    assert [record.value for record in batch.records] == [value]


def test_missing_decompressor_ends_the_program(bus, kafka_servers, topic_prefix, monkeypatch):
    """Waiting installs no library: where one is missing, the hop says so and ends."""
    send(kafka_servers, f"{topic_prefix}in", (b"value" * 100, []), compression_type="lz4")
    monkeypatch.setattr(default_records.codecs, "has_lz4", lambda: False)
    with pytest.raises(SynopticError) as caught:
        bus.subscribe("group", ["in"]).poll(1, WAIT_SECONDS)
    assert caught.value.code is Code.MISSING_EXTRA
    assert caught.value.code.kind is Kind.FATAL


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_header_name_that_is_no_text(bus, kafka_servers, topic_prefix, codec):
    """A header's name need not be UTF-8 for the broker: such a record and those beside it are read all the same."""
    odd = [("first", b"1"), (NoText("x"), b"2"), ("last", "ä".encode())]
    messages = ((b"a", []), (b"b", odd), (b"c", [("plain", b"3")]))
    send(kafka_servers, f"{topic_prefix}in", *messages, compression_type=codec)
    batch = bus.subscribe("group", ["in"]).poll(10, WAIT_SECONDS)
    assert [record.value for record in batch.records] == [b"a", b"b", b"c"]
    assert [record.headers for record in batch.records] == [
        (),
        (("first", "1"), ("a\ufffd\ufffd", "2"), ("last", "ä")),
        (("plain", "3"),),
    ]
    bus.publish([Outgoing("in", b"d", None, batch.records[1].headers)])
    assert [record.headers for record in bus.read("in")][3] == batch.records[1].headers


def test_damaged_record_is_named(tmp_path):
    """What the broker's disk has damaged ends the hop and names the place, for no later attempt reads it."""
    with KafkaCluster(tmp_path) as cluster:
        create_topic(cluster.bootstrap_servers, "in")
        bus = KafkaBus(bus_settings(cluster.bootstrap_servers, ""))
        bus.publish([Outgoing("in", b"whole")])
        bus.publish([Outgoing("in", b"damaged")])
        (segment,) = tmp_path.rglob("in-0/00000000000000000000.log")
        assert segment.read_bytes().count(b"damaged") == 1
        segment.write_bytes(segment.read_bytes().replace(b"damaged", b"changed"))
        subscription = bus.subscribe("group", ["in"])
        assert [record.value for record in subscription.poll(1, WAIT_SECONDS).records] == [b"whole"]
        for attempt in (lambda: subscription.poll(1, WAIT_SECONDS), lambda: list(bus.read("in"))):
            with pytest.raises(SynopticError) as caught:
                attempt()
            assert caught.value.code is Code.UNREADABLE_RECORD
            assert caught.value.detail == "in-0 at 2"
        bus.close()


def held() -> tuple[int, int]:
    """How many threads run and how many files are open here that are still needed."""
    gc.collect()
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def ask_in_vain(attempt) -> None:
    """Ask a broker that is not there; of the error nothing is kept, since its frames hold the client."""
    with pytest.raises(SynopticError) as caught:
        attempt()
    assert caught.value.code is Code.BUS_UNAVAILABLE


@pytest.mark.parametrize("attempt", ["publish", "lag"])
def test_absent_broker_costs_nothing(attempt, monkeypatch):
    """However often a broker is asked in vain, no thread and no file is left behind."""
    # What pytest keeps of the log holds the library's errors, and these its clients.
    monkeypatch.setattr(logging.getLogger(CONNECTION_LOGGER), "propagate", False)
    bus = KafkaBus(bus_settings(f"127.0.0.1:{free_port()}", "", request_timeout_seconds=0.6))
    attempts = {"publish": lambda: bus.publish([Outgoing("in", b"a")]), "lag": lambda: bus.lag("group", ["in"])}
    ask_in_vain(attempts[attempt])
    before = held()
    for _ in range(FAILURES):
        ask_in_vain(attempts[attempt])
    wait_for(lambda: held() <= before, "threads and files to end", 10)
