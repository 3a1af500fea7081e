"""Reading topics without a group: all records so far, and how many of them a group has not committed.

Offsets of a partition are not all records: each transaction leaves a marker, aborted and compacted records leave holes.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from kafka import TopicPartition, errors

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from schemas.topics import COMPACTED
from workers.buses.bus import Record
from workers.buses.kafka_clients import MILLISECONDS, open_reader
from workers.buses.kafka_topics import KafkaTopics

COUNTED_DISTANCE = 100
COUNTED_BYTES = 4 << 20
DECIDED_SECONDS = 0.1
POLL_MILLISECONDS = 500


def record_of(found: Any, topics: KafkaTopics) -> Record:
    """A record as the hops know it; a deleted key's empty value reads as no bytes."""
    headers = tuple((name, (value or b"").decode("utf-8", "replace")) for name, value in found.headers)
    return Record(topics.logical(found.topic), found.partition, found.offset, found.value or b"", found.key, headers)


def read(settings: BusSettings, topics: KafkaTopics, topic: str) -> Iterator[Record]:
    """Every record of a topic up to its end at the time of asking; none where the topic does not exist.

    What stands behind an open transaction is not there yet. A topic of states is waited for: its last word counts.
    """
    with open_reader(settings) as reader:
        partitions = _partitions(reader, topics.wire(topic))
        if partitions:
            if topic in COMPACTED:
                _wait_until_decided(settings, reader, partitions)
            first = reader.beginning_offsets(partitions)
            last = reader.end_offsets(partitions)
            for found in _between(reader, first, last, settings.request_timeout_seconds):
                yield record_of(found, topics)


def lag(settings: BusSettings, topics: KafkaTopics, group: str, names: Sequence[str]) -> dict[str, int]:
    """How many records of each topic the group has not committed; 0 for a topic that does not exist.

    Exact where a partition's end is at most 100 offsets away and the records are small, for only by fetching them they
    are told from markers; beyond, that distance, which counts markers too.
    """
    with open_reader(settings, group_id=topics.wire(group), fetch_max_bytes=COUNTED_BYTES // 4) as reader:
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
    return total + _count(reader, near, last, patience)


def _count(reader: Any, first: dict[TopicPartition, int], last: dict[TopicPartition, int], patience: float) -> int:
    """How many records stand between; past COUNTED_BYTES of them the rest is the distance."""
    places = dict(first)
    count = size = 0
    for record in _between(reader, first, last, patience):
        count += 1
        size += max(0, record.serialized_value_size)
        places[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if size > COUNTED_BYTES:
            count += sum(last[partition] - place for partition, place in places.items())
            break
    return count


def _wait_until_decided(settings: BusSettings, reader: Any, partitions: list[TopicPartition]) -> None:
    """Return when no transaction is open any more of those that are now; raises SYN-501 where one stays open."""
    with open_reader(settings, isolation_level="read_uncommitted") as uncommitted:
        written = uncommitted.end_offsets(partitions)
    deadline = time.monotonic() + settings.transaction_timeout_seconds
    while any(place < written[partition] for partition, place in reader.end_offsets(partitions).items()):
        if time.monotonic() > deadline:
            raise SynopticError(Code.BUS_UNAVAILABLE, "another process's transaction stays open")
        time.sleep(DECIDED_SECONDS)


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
