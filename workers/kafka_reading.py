"""Reading topics without a group: all records so far, and how many of them a group has not committed.

Offsets of a partition are not all records: each transaction leaves a marker, aborted and compacted records leave holes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from kafka import TopicPartition, errors

from schemas.settings import BusSettings
from workers.bus import Record
from workers.kafka_clients import MILLISECONDS, open_reader
from workers.kafka_topics import KafkaTopics

COUNTED_DISTANCE = 100
POLL_MILLISECONDS = 500


def record_of(found: Any, topics: KafkaTopics) -> Record:
    """A record as the hops know it; a deleted key's empty value reads as no bytes."""
    headers = tuple((name, (value or b"").decode("utf-8", "replace")) for name, value in found.headers)
    return Record(topics.logical(found.topic), found.partition, found.offset, found.value or b"", found.key, headers)


def read(settings: BusSettings, topics: KafkaTopics, topic: str) -> Iterator[Record]:
    """Every record of a topic up to its end at the time of asking; none where the topic does not exist."""
    with open_reader(settings) as reader:
        partitions = _partitions(reader, topics.wire(topic))
        if partitions:
            first = reader.beginning_offsets(partitions)
            last = reader.end_offsets(partitions)
            for found in _between(reader, first, last, settings.request_timeout_seconds):
                yield record_of(found, topics)


def lag(settings: BusSettings, topics: KafkaTopics, group: str, names: Sequence[str]) -> dict[str, int]:
    """How many records of each topic the group has not committed; 0 for a topic that does not exist.

    Exact where a partition's end is at most 100 offsets away; beyond, that distance, which counts markers too.
    """
    with open_reader(settings, topics.wire(group)) as reader:
        return {name: _topic_lag(reader, topics.wire(name), settings.request_timeout_seconds) for name in names}


def _topic_lag(reader: Any, topic: str, patience: float) -> int:
    partitions = _partitions(reader, topic)
    if not partitions:
        return 0
    first = reader.beginning_offsets(partitions)
    last = reader.end_offsets(partitions)
    total = 0
    near: dict[TopicPartition, int] = {}
    for partition in partitions:
        committed = reader.committed(partition, timeout_ms=round(patience * MILLISECONDS))
        place = max(first[partition], committed or 0)
        distance = max(0, last[partition] - place)
        if distance > COUNTED_DISTANCE:
            total += distance
        elif distance:
            near[partition] = place
    return total + sum(1 for _ in _between(reader, near, last, patience))


def _partitions(reader: Any, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic))]


def _between(
    reader: Any, first: dict[TopicPartition, int], last: dict[TopicPartition, int], patience: float
) -> Iterator[Any]:
    """The records from `first` up to, not including, `last`, each partition in order."""
    unfinished = {partition for partition, offset in first.items() if offset < last[partition]}
    reader.assign(unfinished)
    for partition in unfinished:
        reader.seek(partition, first[partition])
    polls_left = most = round(patience * MILLISECONDS / POLL_MILLISECONDS) + 1
    places = dict(first)
    while unfinished:
        for records in reader.poll(POLL_MILLISECONDS).values():
            yield from (
                record for record in records if record.offset < last[TopicPartition(record.topic, record.partition)]
            )
        # The place moves past markers as well, which no record shows.
        moved = {partition: reader.position(partition) for partition in unfinished}
        polls_left = polls_left - 1 if all(moved[one] == places[one] for one in unfinished) else most
        if not polls_left:
            raise errors.KafkaTimeoutError("a partition gives no records up to its end")
        places |= moved
        done = {partition for partition in unfinished if moved[partition] >= last[partition]}
        reader.pause(*done)
        unfinished -= done
