"""Where a group begins to read: moved while none of its members is there, as Kafka's own tools do it."""

from kafka import errors
from kafka.structs import OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from workers.buses.kafka_clients import MILLISECONDS, open_reader
from workers.buses.kafka_topics import KafkaTopics

_HAS_MEMBERS = (errors.UnknownMemberIdError, errors.IllegalGenerationError, errors.CommitFailedError)


def move(
    settings: BusSettings, topics: KafkaTopics, group: str, topic: str, offset: int | None, since: float | None
) -> None:
    """Commit the place for the group; raises SYN-479 while it has members, SYN-514 where there is no such topic."""
    topics.require([topic])
    wire = topics.wire(topic)
    with open_reader(settings, group_id=topics.wire(group)) as reader:
        partitions = [TopicPartition(wire, number) for number in sorted(reader.partitions_for_topic(wire))]
        first, last = reader.beginning_offsets(partitions), reader.end_offsets(partitions)
        times = {} if since is None else dict.fromkeys(partitions, round(since * MILLISECONDS))
        found: dict[TopicPartition, OffsetAndTimestamp | None] = reader.offsets_for_times(times) if times else {}
        places = {}
        for partition in partitions:
            at = found.get(partition)
            wanted = last[partition] if at is None and offset is None else (at.offset if at else offset)
            places[partition] = OffsetAndMetadata(min(max(wanted, first[partition]), last[partition]), "", -1)
        reader.assign(partitions)
        try:
            reader.commit(places)
        except _HAS_MEMBERS:
            raise SynopticError(Code.REGISTRY_RUNS, group) from None
