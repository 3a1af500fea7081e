"""What every test of the Kafka bus needs: settings for a broker, topics, and waiting for a condition."""

import time
from collections.abc import Callable

from kafka import KafkaAdminClient

from schemas.settings import BusSettings

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
