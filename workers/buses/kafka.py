"""The Kafka bus: durable topics on a real broker, for every deployment past one machine.

Consume, process and produce are one transaction, readers see committed records only, and a worker that lost its place
commits nothing. What the broker and kafka-python need for that is in the modules kafka_*.
"""

import threading
import uuid
from collections.abc import Iterator, Sequence

from schemas.settings import BusSettings
from workers.buses import kafka_places, kafka_reading
from workers.buses.bus import Outgoing, Record
from workers.buses.kafka_subscription import KafkaSubscription
from workers.buses.kafka_topics import KafkaTopics
from workers.buses.kafka_transactions import Transactions


class KafkaBus:
    """Durable topics on a Kafka broker; safe for several threads, each subscription for one."""

    def __init__(self, settings: BusSettings) -> None:
        """Note the settings; clients connect when they are needed, and each says what keeps it from the broker."""
        self._settings = settings
        self._topics = KafkaTopics(settings)
        self._guard = threading.Lock()
        self._publisher: Transactions | None = None
        self._subscriptions: set[KafkaSubscription] = set()

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish all of `outgoing`, or none; where the broker falls silent, SYN-501 leaves open which."""
        if not outgoing:
            return
        with self._guard:
            if self._publisher is None:
                # Nobody else may have this id: two publishers would fence each other.
                name = f"synoptic-publisher-{self._settings.instance_id}-{uuid.uuid4().hex}"
                self._publisher = Transactions(self._settings, self._topics, self._topics.wire(name))
        self._publisher.run(outgoing)

    def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        """Join a consumer group; missing topics of Synoptic are created, any other raises SYN-514."""
        self._topics.require(topics)
        subscription = KafkaSubscription(self._settings, self._topics, group, topics, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def read(self, topic: str) -> Iterator[Record]:
        """Every record of a topic so far, without a group; in order within each partition."""
        return kafka_reading.read(self._settings, self._topics, topic)

    def lag(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """How many records of each topic the group has not committed; exact up to about a hundred small ones."""
        return kafka_reading.lag(self._settings, self._topics, group, topics)

    def move(self, group: str, topic: str, offset: int | None = None, since: float | None = None) -> None:
        """Let a group begin anew at that offset of each partition, or at the first record of that instant or later."""
        kafka_places.move(self._settings, self._topics, group, topic, offset, since)

    def close(self) -> None:
        """Leave all groups and close the connections."""
        for subscription in list(self._subscriptions):
            subscription.close()
        with self._guard:
            if self._publisher is not None:
                self._publisher.close()
                self._publisher = None
