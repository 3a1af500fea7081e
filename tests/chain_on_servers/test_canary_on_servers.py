"""PHI canaries over a real broker and a real FHIR server, past a purge, a conflict and a refusal; see canary_run.py."""

import json
from collections import Counter

import pytest
from canary import BAD, GOOD, canaries_in
from canary_run import CanaryRun, canary_run

from gateway.whose_report import whose
from schemas.errors import SynopticError
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
from schemas.topics import TOPICS
from workers.buses.bus import Record
from workers.privacy.sealing import load_seal

pytestmark = pytest.mark.model

READ_BY_OTHERS = {TOPIC_REPORTS, TOPIC_BUNDLES}
"""What the EHR writes and what subscribers read: in clear on purpose."""


@pytest.fixture(scope="module")
def run(kafka_servers: str, fhir_url: str, tmp_path_factory: pytest.TempPathFactory) -> CanaryRun:
    """All of it, once."""
    return canary_run(kafka_servers, fhir_url, tmp_path_factory.mktemp("canary"))


def in_clear(run: CanaryRun) -> dict[str, list[Record]]:
    """The records that show a canary, by topic, as they lie on Kafka with key and headers."""
    found = {
        name: [one for one in records if canaries_in(one.value) or canaries_in(f"{one.key!r} {one.headers}")]
        for name, records in run.topics.items()
    }
    return {name: records for name, records in found.items() if records and name not in READ_BY_OTHERS}


def test_no_topic_of_ours_shows_a_canary(run: CanaryRun) -> None:
    """Texts, findings, what waits, hop states and rejects lie sealed; in clear only what names no patient."""
    found = in_clear(run)
    assert set(found) <= {TOPIC_REJECTED}
    rejected = found[TOPIC_REJECTED]
    assert {record.header("hop") for record in rejected} == {"intake"}
    assert [whose(record.value, run.settings) for record in rejected] == [None] * len(rejected)
    assert all(record.value in BAD for record in rejected)
    assert canaries_in("".join(f"{record.key!r} {record.headers}" for record in rejected)) == set()


def test_every_topic_was_written_and_could_show_them(run: CanaryRun) -> None:
    """Each topic past intake holds records of the canaries' patient, and opened they show them.

    Only a person writes decisions, and only a mapping that lacks a code the values without one.
    """
    counts = {name: len(records) for name, records in run.topics.items()}
    assert set(counts) == {topic.name for topic in TOPICS}
    assert {name for name, count in counts.items() if not count} <= {TOPIC_DECISIONS, TOPIC_UNMAPPED}, counts
    seal = load_seal(run.settings)
    assert len(canaries_in(b"".join(map(seal.opened, values(run, TOPIC_TEXTS)[1:])))) > 10
    for name in (TOPIC_FINDINGS, TOPIC_DELAYED):
        contexts = [seal.open(one["sealed"], one["report_hmac"]) for one in map(json.loads, values(run, name))]
        assert any(canaries_in(context.model_dump_json()) for context in contexts)
    seal.close()


def test_every_path_ended_as_meant(run: CanaryRun) -> None:
    """Each bad message, the purged report and the refused one are rejected by their hops; the others have Bundles."""
    hops = Counter(record.header("hop") for record in run.topics[TOPIC_REJECTED])
    assert hops == {"intake": len(BAD), "extraction": 1, "emission": 1}
    assert len(run.topics[TOPIC_BUNDLES]) == len(GOOD) + 3


def test_a_purged_report_ends_by_number_and_others_flow(run: CanaryRun) -> None:
    """What was on Kafka before the purge is SYN-609 for extraction and for any reader; the next patient is coded."""
    (erased,) = (one for one in run.topics[TOPIC_REJECTED] if one.header("hop") == "extraction")
    assert erased.header("code") == "SYN-609"
    first, *_ = values(run, TOPIC_TEXTS)
    assert erased.value == first
    seal = load_seal(run.settings)
    with pytest.raises(SynopticError, match="SYN-609"):
        seal.opened(first)
    seal.close()
    assert "keys deleted: 1 of 1 patients" in run.said
    assert sum(run.other.patient.encode() in bundle for bundle in values(run, TOPIC_BUNDLES)) == 1


def test_the_servers_refusal_is_not_repeated(run: CanaryRun) -> None:
    """The server refuses with every canary in its words; the reject has a number and none of them."""
    (refused,) = (one for one in run.topics[TOPIC_REJECTED] if one.header("hop") == "emission")
    assert refused.header("code") == "SYN-459"
    assert canaries_in(f"{refused.headers}") == set()


def test_the_task_of_a_conflict_names_the_patient_by_reference_alone(run: CanaryRun) -> None:
    """What the report says instead of the person's value is de-identified, as all evidence is."""
    task = dict(run.task)
    (offered,) = task.pop("contained")
    offered = dict(offered)
    assert (task.pop("for"), offered.pop("subject")) == (run.task["for"], run.task["for"])
    assert task["reasonCode"]["text"] == "edited by a person"
    assert offered["code"]["coding"][0]["code"] == "384625004"
    assert canaries_in(json.dumps([task, offered], ensure_ascii=False)) == set()


def test_no_process_says_a_canary(run: CanaryRun) -> None:
    """Logs at the level debug, from intake to emission and of the purge, show none."""
    assert run.said.count("batch done") >= 4
    assert "record rejected" in run.said
    assert canaries_in(run.said) == set()


def test_no_process_is_called_by_one(run: CanaryRun) -> None:
    """Names and arguments of the processes and of the subprocesses that read documents show none."""
    assert len(run.titles) >= 4
    assert any("purge" in title for title in run.titles)
    assert canaries_in(" ".join(run.titles)) == set()
    assert not [title for title in run.titles if run.purged.site in title]


def values(run: CanaryRun, name: str) -> list[bytes]:
    """The values of a topic, as they lie there."""
    return [record.value for record in run.topics[name]]
