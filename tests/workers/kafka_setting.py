"""What every test of the Kafka bus needs: settings for a broker, topics, and waiting for a condition."""

import time
from collections.abc import Callable

from kafka import KafkaAdminClient

from schemas.errors import Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Bus, Outgoing
from workers.buses.kafka_subscription import KafkaSubscription

LARGEST = str(33 * 1024 * 1024)
DEADLINE_SECONDS = 60.0


def bus_settings(servers: str, prefix: str, **changes) -> BusSettings:
    """Settings for a broker of the tests, with the shortest session that it allows."""
    usual = {"kind": "kafka", "bootstrap_servers": servers, "topic_prefix": prefix, "session_timeout_seconds": 6}
    return BusSettings(**(usual | changes))


def create_topic(servers: str, name: str, partitions: int = 1) -> str:
    """Create a topic that takes the largest messages; gives its name back."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.create_topics(
            {
                name: {
                    "num_partitions": partitions,
                    "replication_factor": 1,
                    "configs": {"max.message.bytes": LARGEST},
                }
            },
            wait_for_metadata=True,
        )
    finally:
        admin.close()
    return name


def wait_for(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Return when the condition holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.05)


def transaction_state(servers: str, transactional_id: str) -> str:
    """The coordinator's word on a transaction, such as CompleteAbort."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        found = admin.describe_transactions([transactional_id])[transactional_id]
        return found.state.value
    finally:
        admin.close()


def wait_for_abort(servers: str, transactional_id: str) -> None:
    """Return when the coordinator has aborted a transaction that stayed open too long."""
    wait_for(lambda: transaction_state(servers, transactional_id) == "CompleteAbort", "the coordinator's abort")


def values_of(bus: Bus, topic: str) -> list[bytes]:
    """All committed values of a topic."""
    return [record.value for record in bus.read(topic)]


def copy_all(subscription: KafkaSubscription, target: str, wanted: int) -> int:
    """Copy records to the target, one batch a transaction, until `wanted` were committed; tries again as told to."""
    done = 0
    deadline = time.monotonic() + DEADLINE_SECONDS
    while done < wanted:
        assert time.monotonic() < deadline, f"only {done} of {wanted} records"
        try:
            batch = subscription.poll(10, 0.5)
            subscription.commit(batch, [Outgoing(target, record.value, record.key) for record in batch.records])
            done += len(batch.records)
        except SynopticError as error:
            if error.code.kind is not Kind.RETRY:
                raise
            subscription.rewind()
    return done


def transaction_version(servers: str) -> int:
    """The cluster's transaction.version; 2 where nobody chose another."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        return admin.describe_features()["transaction.version"]["finalized"][1]
    finally:
        admin.close()
