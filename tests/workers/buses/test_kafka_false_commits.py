"""The two ways in which kafka-python loses or doubles messages without a word, shown; and that our bus has neither.

A naive client comes first in each pair: were its fault to vanish with a later version, its test would say so.
"""

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata
from kafka_setting import (
    bus_settings,
    copy_all,
    create_topic,
    transaction_version,
    values_of,
    wait_for,
    wait_for_abort,
)

from schemas.errors import Code, Kind, SynopticError
from workers.buses import kafka_transactions
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

WAIT_SECONDS = 20.0


class NaiveClient:
    """Consume, process, produce as the library's own examples do it."""

    def __init__(self, servers: str, prefix: str, name: str, **consumer) -> None:
        """Join the group of `prefix`."""
        self.transactional_id = f"{prefix}naive-{name}"
        self.consumer = KafkaConsumer(
            f"{prefix}in",
            bootstrap_servers=servers,
            group_id=f"{prefix}group",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=6000,
            **consumer,
        )
        # An output lingers until the commit flushes it. Sent at once, its refusal could come back before the commit
        # begins, which then fails with an invalid transition: luck that a client cannot count on.
        self.producer = KafkaProducer(
            bootstrap_servers=servers,
            transactional_id=self.transactional_id,
            transaction_timeout_ms=1000,
            linger_ms=60_000,
        )
        self.producer.init_transactions()
        self.target = f"{prefix}out"

    def poll(self):
        """The next record with what a commit of it needs."""
        (records,) = self.consumer.poll(WAIT_SECONDS * 1000, max_records=1).values()
        return records[0]

    def send(self, record) -> None:
        """Send an output; whether it was taken is not asked."""
        self.producer.send(self.target, record.value)

    def add_offsets(self, record) -> None:
        """Add the place after the record to the transaction, for the group as it is known by now."""
        (partition,) = self.consumer.assignment()
        offsets = {partition: OffsetAndMetadata(record.offset + 1, "", -1)}
        self.producer.send_offsets_to_transaction(offsets, self.consumer.group_metadata())

    def close(self) -> None:
        """Leave."""
        self.producer.close(timeout=1)
        self.consumer.close()


@pytest.fixture
def site(kafka_servers, topic_prefix):
    """A bus with the topics `in`, which holds two records, and `out`."""
    for name in ("in", "out"):
        create_topic(kafka_servers, f"{topic_prefix}{name}")
    bus = KafkaBus(bus_settings(kafka_servers, topic_prefix, transaction_timeout_seconds=1))
    bus.publish([Outgoing("in", b"first"), Outgoing("in", b"second")])
    yield bus
    bus.close()


@pytest.fixture
def naive(kafka_servers, topic_prefix, site):
    """Opens naive clients, and closes them after the test."""
    opened = []

    def open_client(name, **consumer):
        opened.append(NaiveClient(kafka_servers, topic_prefix, name, **consumer))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def test_naive_client_loses_a_message_to_a_false_commit(kafka_servers, site, naive):
    """A commit after the coordinator's own abort returns, nothing is stored, and the next one moves past it."""
    assert transaction_version(kafka_servers) == 2
    client = naive("loser")
    first = client.poll()
    client.producer.begin_transaction()
    client.send(first)
    client.producer.flush()
    client.add_offsets(first)
    wait_for_abort(kafka_servers, client.transactional_id)
    client.send(first)
    client.producer.commit_transaction()
    assert values_of(site, "out") == []
    second = client.poll()
    client.producer.begin_transaction()
    client.send(second)
    client.add_offsets(second)
    client.producer.commit_transaction()
    assert values_of(site, "out") == [b"second"]
    assert site.lag("group", ["in"]) == {"in": 0}


@pytest.fixture
def slow_producers(kafka_servers, monkeypatch):
    """Makes the bus's producers pause at a step, once, until the coordinator has aborted; tells when that was done."""

    def slow_at(step: str, passing: int = 1):
        passed = []

        class SlowProducer(kafka_transactions.BoundedProducer):
            def pause(self, name: str) -> None:
                """Sit still at the chosen passing of the step."""
                passed.append(name)
                if name == step and passed.count(name) == passing:
                    self.flush()
                    wait_for_abort(kafka_servers, self.config["transactional_id"])
                    passed.append("aborted")

            def send(self, *arguments, **named):
                """Send, late."""
                self.pause("send")
                return super().send(*arguments, **named)

            def send_offsets_to_transaction(self, offsets, group_metadata):
                """Send the offsets, late."""
                self.pause("offsets")
                super().send_offsets_to_transaction(offsets, group_metadata)

            def commit_transaction(self):
                """Commit, late."""
                self.pause("commit")
                super().commit_transaction()

        monkeypatch.setattr(kafka_transactions, "BoundedProducer", SlowProducer)
        return passed

    return slow_at


@pytest.mark.parametrize(("step", "passing"), [("send", 2), ("offsets", 1), ("commit", 1)])
def test_our_bus_notices_the_coordinators_abort(site, slow_producers, step, passing):
    """Wherever the transaction runs out of time, the commit fails, the batch is read again, and each comes once."""
    passed = slow_producers(step, passing)
    subscription = site.subscribe("group", ["in"])
    batch = subscription.poll(10, WAIT_SECONDS)
    assert [record.value for record in batch.records] == [b"first", b"second"]
    with pytest.raises(SynopticError) as caught:
        subscription.commit(batch, [Outgoing("out", record.value) for record in batch.records])
    assert "aborted" in passed
    assert caught.value.code.kind is Kind.RETRY
    assert values_of(site, "out") == []
    subscription.rewind()
    copy_all(subscription, "out", 2)
    assert values_of(site, "out") == [b"first", b"second"]
    assert site.lag("group", ["in"]) == {"in": 0}


@pytest.mark.parametrize(("step", "passing"), [("send", 2), ("commit", 1)])
def test_publishing_does_not_seem_to_succeed(kafka_servers, topic_prefix, site, slow_producers, step, passing):
    """A publication that runs out of time fails and leaves nothing, though no offsets are sent that would tell."""
    passed = slow_producers(step, passing)
    bus = KafkaBus(bus_settings(kafka_servers, topic_prefix, transaction_timeout_seconds=1))
    messages = [Outgoing("out", b"one"), Outgoing("out", b"two")]
    with pytest.raises(SynopticError) as caught:
        bus.publish(messages)
    assert "aborted" in passed
    assert caught.value.code.kind is Kind.RETRY
    assert values_of(bus, "out") == []
    bus.publish(messages)
    assert values_of(bus, "out") == [b"one", b"two"]
    bus.close()


def test_naive_client_commits_for_a_partition_that_is_not_its_own(site, naive):
    """Thrown out of its group, it commits under generation -1 while another owns the partition: a message is doubled."""
    thrown_out = naive("slow", max_poll_interval_ms=1000)
    record = thrown_out.poll()
    wait_for(lambda: thrown_out.consumer.group_metadata().generation_id == -1, "the group to throw the member out")
    owner = naive("owner")
    same = owner.poll()
    owner.producer.begin_transaction()
    owner.send(same)
    owner.add_offsets(same)
    owner.producer.commit_transaction()
    assert owner.consumer.assignment()
    thrown_out.producer.begin_transaction()
    thrown_out.send(record)
    thrown_out.add_offsets(record)
    thrown_out.producer.commit_transaction()
    assert values_of(site, "out") == [b"first", b"first"]


@pytest.mark.parametrize("aware", [True, False])
def test_our_bus_refuses_to_commit_what_is_no_longer_its_own(kafka_servers, topic_prefix, site, monkeypatch, aware):
    """Thrown out of its group, it commits nothing, even where it has not noticed; the owner's work stands once."""
    slow = KafkaBus(bus_settings(kafka_servers, topic_prefix, instance_id="slow", poll_interval_seconds=1))
    thrown_out = slow.subscribe("group", ["in"])
    batch = thrown_out.poll(1, WAIT_SECONDS)
    assert [record.value for record in batch.records] == [b"first"]
    wait_for(lambda: thrown_out._consumer.group_metadata().generation_id == -1, "the group to throw the member out")
    owner = site.subscribe("group", ["in"])
    owner.commit(owner.poll(1, WAIT_SECONDS), [Outgoing("out", b"first")])
    if not aware:
        monkeypatch.setattr(thrown_out, "heartbeat", lambda: None)
    with pytest.raises(SynopticError) as caught:
        thrown_out.commit(batch, [Outgoing("out", b"first")])
    assert caught.value.code is Code.STALE_BATCH
    assert values_of(site, "out") == [b"first"]
    slow.close()
    copy_all(owner, "out", 1)
    assert values_of(site, "out") == [b"first", b"second"]
