"""Transactions over a slow network: what one request's time does not carry goes in parts, and still all or nothing."""

import pytest
from kafka import errors
from kafka_setting import bus_settings, create_topic, values_of

from schemas.errors import Code, SynopticError
from workers.buses import kafka_transactions
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

WAIT_SECONDS = 20
MESSAGES = [Outgoing("out", b"%d" % number + bytes(1 << 20)) for number in range(20)]


@pytest.fixture
def carried(monkeypatch):
    """Makes the network carry 8 MiB in the time of a request, as a fake producer; tells what each request carried."""
    found = []

    class SlowProducer(kafka_transactions.BoundedProducer):
        waiting = 0

        def send(self, topic, value=None, *others, **named):
            """Send, and note how much waits for the network."""
            self.waiting += len(value)
            return super().send(topic, value, *others, **named)

        def flush(self, timeout=None):
            """Give up where the network would take longer than a request may."""
            size, self.waiting = self.waiting, 0
            if size > 8 << 20:
                raise errors.KafkaTimeoutError("too slow")
            found.append(size)
            super().flush(timeout)

    monkeypatch.setattr(kafka_transactions, "BoundedProducer", SlowProducer)
    return found


@pytest.fixture
def bus(kafka_servers, topic_prefix):
    """A bus with the topics `in`, which holds one record, and `out`."""
    for name in ("in", "out"):
        create_topic(kafka_servers, f"{topic_prefix}{name}")
    opened = KafkaBus(bus_settings(kafka_servers, topic_prefix))
    yield opened
    opened.close()


def test_large_publication_over_a_slow_network(bus, carried):
    """A file of many messages is published whole, though its bytes take longer than one request may."""
    bus.publish(MESSAGES)
    assert sum(carried) == sum(len(message.value) for message in MESSAGES)
    assert values_of(bus, "out") == [message.value for message in MESSAGES]


def test_large_batch_over_a_slow_network(bus, carried):
    """A batch with large outputs is committed in one transaction, though they take longer than one request may."""
    bus.publish([Outgoing("in", b"a")])
    subscription = bus.subscribe("group", ["in"])
    subscription.commit(subscription.poll(1, WAIT_SECONDS), MESSAGES)
    assert values_of(bus, "out") == [message.value for message in MESSAGES]
    assert bus.lag("group", ["in"]) == {"in": 0}


def test_parts_are_published_together_or_not_at_all(bus, carried):
    """Where the network fails behind the first parts, none of them is there for readers."""
    with pytest.raises(SynopticError) as caught:
        bus.publish([*MESSAGES, Outgoing("out", bytes(9 << 20))])
    assert caught.value.code is Code.BUS_UNAVAILABLE
    assert carried[0] > 0
    assert sum(carried) == sum(len(message.value) for message in MESSAGES)
    assert values_of(bus, "out") == []
