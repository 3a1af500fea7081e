"""Topics on the broker: their names there, and creating those of Synoptic that are missing."""

import threading
from collections.abc import Iterable
from typing import Any

from kafka import errors

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from schemas.topics import RECORD_ROOM_BYTES, SECONDS_A_DAY, SEGMENT_SECONDS, TOPICS, Topic
from workers.buses.kafka_clients import MILLISECONDS, client_arguments, connect, translated
from workers.buses.kafka_library import Administrator


class KafkaTopics:
    """Names and existence of topics; safe for several threads."""

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._seen: set[str] = set()

    def wire(self, name: str) -> str:
        """A topic's, group's or transaction's name on the broker."""
        return self._settings.topic_prefix + name

    def logical(self, wire: str) -> str:
        """A topic's name as the hops know it."""
        return wire.removeprefix(self._settings.topic_prefix)

    def require(self, names: Iterable[str]) -> None:
        """Have these topics, creating all of Synoptic's that are missing; raises SYN-514 where one stays missing.

        A producer would wait for a missing topic until its time-out, and a consumer for ever.
        """
        with self._guard:
            wanted = set(names) - self._seen
            if not wanted:
                return
            admin = connect(Administrator, **client_arguments(self._settings))
            try:
                with translated():
                    missing = self._missing(admin, wanted)
                    if missing and self._settings.create_topics:
                        self._create(admin)
                        missing = self._missing(admin, wanted)
            finally:
                admin.close()
            if missing:
                raise SynopticError(Code.NO_TOPIC, ", ".join(sorted(missing)))
            self._seen |= wanted

    def _missing(self, admin: Any, names: set[str]) -> set[str]:
        described = admin.describe_topics([self.wire(name) for name in sorted(names)])
        found = {self.logical(topic["name"]) for topic in described if not topic["error_code"]}
        refused = [topic for topic in described if topic["error_code"] == errors.TopicAuthorizationFailedError.errno]
        if refused:
            raise errors.TopicAuthorizationFailedError
        return names - found

    def _create(self, admin: Any) -> None:
        missing = self._missing(admin, {topic.name for topic in TOPICS})
        specifications = {
            self.wire(topic.name): self._specification(topic) for topic in TOPICS if topic.name in missing
        }
        for name, specification in specifications.items():
            try:
                admin.create_topics({name: specification})
            except errors.TopicAlreadyExistsError:
                # Another process was quicker.
                continue
        admin.wait_for_topics(list(specifications))

    def _specification(self, topic: Topic) -> dict[str, Any]:
        configuration = {"max.message.bytes": str(self._settings.maximum_message_bytes + RECORD_ROOM_BYTES)}
        if topic.compacted:
            configuration["cleanup.policy"] = "compact"
        else:
            configuration["cleanup.policy"] = "delete"
            configuration["retention.ms"] = str(topic.retention_days * SECONDS_A_DAY * MILLISECONDS)
            configuration["segment.ms"] = str(SEGMENT_SECONDS * MILLISECONDS)
        return {
            "num_partitions": self._settings.partitions,
            "replication_factor": self._settings.replication_factor,
            "configs": configuration,
        }
