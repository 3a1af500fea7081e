"""Reading a topic to its end and counting what is left: markers, aborted records and open transactions mislead neither."""

import threading

import pytest
from kafka import KafkaProducer
from kafka_setting import bus_settings, create_topic, values_of

from schemas.errors import Code, SynopticError
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.buses.kafka_library import Consumer
from workers.buses.kafka_reading import COUNTED_BYTES, COUNTED_DISTANCE


@pytest.fixture
def bus(kafka_servers, topic_prefix):
    """A bus with the topic `in` of two partitions."""
    create_topic(kafka_servers, f"{topic_prefix}in", 2)
    opened = KafkaBus(bus_settings(kafka_servers, topic_prefix))
    yield opened
    opened.close()


@pytest.fixture
def producer(kafka_servers, topic_prefix):
    """A transactional producer that may leave a transaction aborted or open."""
    client = KafkaProducer(bootstrap_servers=kafka_servers, transactional_id=f"{topic_prefix}foreign")
    client.init_transactions()
    yield client
    client.close(timeout=5)


def test_markers_at_the_end_are_no_records(bus):
    """After single publications half of the offsets are markers: read ends, and the lag counts records alone."""
    for number in range(10):
        bus.publish([Outgoing("in", b"%d" % number, b"key")])
    assert values_of(bus, "in") == [b"%d" % number for number in range(10)]
    assert bus.lag("group", ["in"]) == {"in": 10}


def test_aborted_records_are_neither_read_nor_counted(bus, producer, topic_prefix):
    """An aborted transaction at the end of a partition holds neither read nor lag up."""
    bus.publish([Outgoing("in", b"a")])
    producer.begin_transaction()
    for partition in (0, 1):
        producer.send(f"{topic_prefix}in", b"aborted", partition=partition)
    producer.flush()
    producer.abort_transaction()
    assert values_of(bus, "in") == [b"a"]
    assert bus.lag("group", ["in"]) == {"in": 1}


def test_open_transaction_ends_the_reading(bus, producer, topic_prefix):
    """What stands behind an open transaction is not there yet."""
    bus.publish([Outgoing("in", b"a")])
    producer.begin_transaction()
    for partition in (0, 1):
        producer.send(f"{topic_prefix}in", b"open", partition=partition)
    producer.flush()
    bus.publish([Outgoing("in", b"b")])
    assert values_of(bus, "in") == [b"a"]
    assert bus.lag("group", ["in"]) == {"in": 1}
    producer.commit_transaction()
    assert sorted(values_of(bus, "in")) == [b"a", b"b", b"open", b"open"]
    assert bus.lag("group", ["in"]) == {"in": 4}


def test_states_behind_an_open_transaction_are_waited_for(bus, producer, kafka_servers, topic_prefix):
    """A hop that stopped is known to have stopped, though another process died with its transaction open."""
    create_topic(kafka_servers, topic_prefix + TOPIC_STATES)
    producer.begin_transaction()
    producer.send(topic_prefix + TOPIC_STATES, b"open", b"other").get(20)
    bus.publish([Outgoing(TOPIC_STATES, b"stopped", b"intake/0")])
    found = []
    reading = threading.Thread(target=lambda: found.append(values_of(bus, TOPIC_STATES)))
    reading.start()
    reading.join(2)
    assert reading.is_alive()
    producer.abort_transaction()
    reading.join(20)
    assert found == [[b"stopped"]]


def test_states_that_stay_behind_an_open_transaction(kafka_servers, topic_prefix, bus, producer):
    """Where the transaction outlasts what the bus allows, the reader says so: a state of before is not taken for it."""
    create_topic(kafka_servers, topic_prefix + TOPIC_STATES)
    producer.begin_transaction()
    producer.send(topic_prefix + TOPIC_STATES, b"open", b"other").get(20)
    impatient = KafkaBus(bus_settings(kafka_servers, topic_prefix, transaction_timeout_seconds=1))
    with pytest.raises(SynopticError) as caught:
        list(impatient.read(TOPIC_STATES))
    assert caught.value.code is Code.BUS_UNAVAILABLE
    producer.abort_transaction()
    assert list(impatient.read(TOPIC_STATES)) == []


def test_large_records_are_not_fetched_for_a_number(bus, monkeypatch):
    """Counting stops at some MiB; what is left counts by its distance, so that a large backlog costs little."""
    size, number = COUNTED_BYTES // 2 + 1, 8
    for _ in range(number):
        bus.publish([Outgoing("in", bytes(size), b"key")])
    fetched = []
    poll = Consumer.poll

    def noting(self, *arguments, **named):
        found = poll(self, *arguments, **named)
        fetched.extend(len(record.value) for records in found.values() for record in records)
        return found

    monkeypatch.setattr(Consumer, "poll", noting)
    lag = bus.lag("group", ["in"])["in"]
    assert fetched == [size, size]
    assert number <= lag < 2 * number


def test_long_lag_is_a_distance(bus):
    """Far behind, the lag is the distance of offsets, which counts the marker of each publication as well."""
    number = COUNTED_DISTANCE + 1
    bus.publish([Outgoing("in", b"%d" % place, b"key") for place in range(number)])
    assert bus.lag("group", ["in"]) == {"in": number + 1}


def test_lag_of_a_worked_topic_is_nought(bus):
    """What the group has committed is not counted, nor the markers behind it, in any partition."""
    for number in range(6):
        bus.publish([Outgoing("in", b"%d" % number, b"%d" % number)])
    subscription = bus.subscribe("group", ["in"])
    done = 0
    while done < 6:
        batch = subscription.poll(4, 20)
        subscription.commit(batch, [])
        done += len(batch.records)
    assert bus.lag("group", ["in"]) == {"in": 0}
    assert bus.lag("other", ["in", "nowhere"]) == {"in": 6, "nowhere": 0}


def test_values_and_headers_of_others(bus, kafka_servers, topic_prefix):
    """A foreign producer's deleted key and header that is no text are read without a fault."""
    foreign = KafkaProducer(bootstrap_servers=kafka_servers)
    foreign.send(f"{topic_prefix}in", None, b"key", [("raw", b"\xff"), ("text", b"plain")]).get(20)
    foreign.close()
    (record,) = bus.read("in")
    assert (record.value, record.key) == (b"", b"key")
    assert record.headers == (("raw", "�"), ("text", "plain"))


def test_reading_may_stop_early(bus):
    """A reader that has seen enough leaves the rest, and its connection is closed."""
    bus.publish([Outgoing("in", b"%d" % number) for number in range(50)])
    reading = bus.read("in")
    next(reading)
    reading.close()
    assert len(values_of(bus, "in")) == 50
