"""The topics of the bus: what each carries, its privacy zone, and how long it is kept.

deploy/topics.yaml is the same list for operators of Kafka; a test holds the two equal.
"""

from typing import Literal

from schemas.frozen import Frozen
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DECISIONS,
    TOPIC_DELAYED,
    TOPIC_FINDINGS,
    TOPIC_REJECTED,
    TOPIC_REPORTS,
    TOPIC_TEXTS,
    TOPIC_UNMAPPED,
)

TOPIC_STATES = "synoptic.hop-states"
# What a broker counts of a record besides its value: key, headers and the batch around it.
RECORD_ROOM_BYTES = 1024 * 1024
SECONDS_A_DAY = 86_400


class Topic(Frozen):
    """One topic; `compacted` keeps the last message of each key for ever instead of all for `retention_days`.

    `sealed` says what lies under the patient's key: the whole message, its context alone, what could be told to be a
    patient's (the EHR's own messages on Kafka come in clear), or nothing.
    """

    name: str
    carries: str
    zone: Literal["phi", "phi-sealed", "no-phi"]
    sealed: Literal["message", "context", "where known", "no"]
    retention_days: int
    compacted: bool = False


TOPICS = (
    Topic(
        name=TOPIC_REPORTS,
        carries="FHIR R4 reports as published by the EHR",
        zone="phi",
        sealed="where known",
        retention_days=7,
    ),
    Topic(name=TOPIC_TEXTS, carries="report texts with their context", zone="phi", sealed="message", retention_days=7),
    Topic(
        name=TOPIC_FINDINGS,
        carries="findings; their context sealed",
        zone="phi-sealed",
        sealed="context",
        retention_days=7,
    ),
    Topic(
        name=TOPIC_DELAYED,
        carries="findings that wait for a Patient",
        zone="phi-sealed",
        sealed="context",
        retention_days=7,
    ),
    Topic(
        name=TOPIC_DECISIONS,
        carries="persons' decisions on what waits for review",
        zone="phi",
        sealed="message",
        retention_days=7,
    ),
    Topic(
        name=TOPIC_BUNDLES,
        carries="coded transaction Bundles for subscribers",
        zone="phi",
        sealed="no",
        retention_days=7,
    ),
    Topic(
        name=TOPIC_REJECTED,
        carries="rejected messages, bytes unchanged",
        zone="phi",
        sealed="where known",
        retention_days=30,
    ),
    Topic(
        name=TOPIC_UNMAPPED,
        carries="values that the mapping has no code for: words of the pack, and the report's keyed hash",
        zone="no-phi",
        sealed="no",
        retention_days=30,
    ),
    Topic(
        name=TOPIC_STATES,
        carries="each hop's share of rejects, and which rejected records were replayed",
        zone="no-phi",
        sealed="no",
        retention_days=0,
        compacted=True,
    ),
)
SEGMENT_SECONDS = SECONDS_A_DAY
"""Kafka erases whole segments once their last message is too old: with its own 7 days, a week later than meant."""
COMPACTED = frozenset(topic.name for topic in TOPICS if topic.compacted)
