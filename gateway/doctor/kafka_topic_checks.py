"""What `synoptic doctor` asks about the topics: there, ours to use, and kept as deploy/topics.yaml says."""

from collections.abc import Iterator, Sequence
from typing import Any

from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType

from gateway.doctor.outcome import Outcome, advice, fault
from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from schemas.topics import RECORD_ROOM_BYTES, SECONDS_A_DAY, SEGMENT_SECONDS, TOPICS, Topic

NAME = "Kafka topics"
MILLISECONDS_A_DAY = SECONDS_A_DAY * 1000
FOR_EVER = -1


def check_topics(admin: Any, bus: BusSettings, of_registries: Sequence[str] = ()) -> Iterator[Outcome]:
    """Each topic that is not as it should be, then one line on all of them.

    A registry's own topic must be there, to be written to by messages of the bus's size; how long it keeps them is the
    registry's business.
    """
    ours = {f"{bus.topic_prefix}{topic.name}": topic for topic in TOPICS}
    wires: dict[str, Topic | None] = {**ours, **{f"{bus.topic_prefix}{name}": None for name in of_registries}}
    described = {found["name"]: found for found in admin.describe_topics(list(wires))}
    brokers = sum(not broker.get("is_fenced") for broker in admin.describe_cluster()["brokers"])
    there = [wire for wire in wires if not described[wire]["error_code"]]
    configurations = _configurations(admin, there)
    outcomes: list[Outcome] = []
    for wire, topic in wires.items():
        if wire in there:
            outcomes += _rights(wire, described[wire], ("READ", "WRITE") if topic else ("WRITE",))
            outcomes += _room(wire, configurations[wire], bus)
            outcomes += _kept(wire, topic, configurations[wire]) if topic else ()
            outcomes += _replicas(wire, described[wire], configurations[wire], brokers)
        else:
            outcomes += _absent(wire, described[wire], bus.create_topics and topic is not None)
    yield from outcomes
    if not outcomes:
        later = len(wires) - len(there)
        yield Outcome(
            NAME, f"{len(there)} there{f', {later} made at the first run' if later else ', kept as they should'}"
        )


def _configurations(admin: Any, wires: list[str]) -> dict[str, dict[str, str]]:
    if not wires:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, wire) for wire in wires]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    return {wire: {key: entry["value"] for key, entry in found[wire].items()} for wire in wires}


def _absent(wire: str, described: dict[str, Any], is_made: bool) -> Iterator[Outcome]:
    if described["error_code"] == errors.TopicAuthorizationFailedError.errno:
        yield fault(wire, SynopticError(Code.BUS_REFUSES, "no right to this topic"))
    elif described["error_code"] != errors.UnknownTopicOrPartitionError.errno:
        yield fault(wire, SynopticError(Code.NO_TOPIC, errors.for_code(described["error_code"]).__name__))
    elif not is_made:
        yield fault(wire, SynopticError(Code.NO_TOPIC, "it is missing"))
    elif "CREATE" not in (described["authorized_operations"] or ["CREATE"]):
        yield fault(wire, SynopticError(Code.BUS_REFUSES, "no right to create this topic"))


def _rights(wire: str, described: dict[str, Any], needed: Sequence[str]) -> Iterator[Outcome]:
    rights = described["authorized_operations"]
    lacking = [word for word in needed if rights is not None and word not in rights]
    if lacking:
        words = f"no right to {' and '.join(lacking).lower()} this topic"
        yield fault(wire, SynopticError(Code.BUS_REFUSES, words))


def _room(wire: str, configuration: dict[str, str], bus: BusSettings) -> Iterator[Outcome]:
    room = bus.maximum_message_bytes + RECORD_ROOM_BYTES
    if int(configuration["max.message.bytes"]) < room:
        yield Outcome(wire, f"max.message.bytes is {configuration['max.message.bytes']}", f"set it to {room}")


def _kept(wire: str, topic: Topic, configuration: dict[str, str]) -> Iterator[Outcome]:
    """How long messages stay."""
    policy = "compact" if topic.compacted else "delete"
    if configuration["cleanup.policy"] != policy:
        remedy = f"set it to {policy}: messages would be lost, or kept for ever"
        yield Outcome(wire, f"cleanup.policy is {configuration['cleanup.policy']}", remedy)
    elif not topic.compacted:
        yield from _retention(wire, topic, int(configuration["retention.ms"]))
        if int(configuration["retention.ms"]) != FOR_EVER:
            yield from _segments(wire, int(configuration["segment.ms"]))


def _retention(wire: str, topic: Topic, milliseconds: int) -> Iterator[Outcome]:
    if milliseconds == topic.retention_days * MILLISECONDS_A_DAY:
        return
    kept = "for ever" if milliseconds == FOR_EVER else f"{milliseconds / MILLISECONDS_A_DAY:g} days"
    longer = milliseconds == FOR_EVER or milliseconds > topic.retention_days * MILLISECONDS_A_DAY
    why = (
        "patient data stay longer than they are needed" if longer else "what a stopped hop has not read is lost sooner"
    )
    yield advice(wire, f"messages are kept {kept}", f"{topic.retention_days} days are meant: {why}")


def _segments(wire: str, milliseconds: int) -> Iterator[Outcome]:
    """Kafka erases whole segments, so that the first message of one stays as much longer."""
    most = SEGMENT_SECONDS * 1000
    if milliseconds > most:
        days = f"{milliseconds / MILLISECONDS_A_DAY:g} days"
        why = f"patient data stay up to {days} longer than their retention"
        yield advice(wire, f"segment.ms is {milliseconds}, {days}", f"set it to {most}: {why}")


def _replicas(wire: str, described: dict[str, Any], configuration: dict[str, str], brokers: int) -> Iterator[Outcome]:
    partitions = described["partitions"]
    copies = min(len(partition["replica_nodes"]) for partition in partitions)
    needed = int(configuration["min.insync.replicas"])
    leaderless = sum(partition["leader_id"] < 0 for partition in partitions)
    short = sum(len(partition["isr_nodes"]) < needed for partition in partitions)
    if leaderless or short:
        found = f"{leaderless} partitions without a leader, {short} with too few brokers in sync"
        yield Outcome(wire, found, "start the brokers that hold them")
    elif brokers > 1 and copies == 1:
        yield advice(wire, f"1 replica on {brokers} brokers", "use 3 replicas: a lost broker loses its messages")
    elif copies > 1 and needed == 1:
        yield advice(
            wire, f"min.insync.replicas is 1 with {copies} replicas", "set it to 2: an answered write is then on two"
        )
