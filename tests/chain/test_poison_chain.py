"""Messages that can never succeed, between good ones, at the input of every hop."""

import json
from collections.abc import Callable

import pytest
from generated import case, message
from poison import ATTACHMENT_LIMIT, POISON
from whole_chain import Resource, WholeChain

from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS, TOPIC_REPORTS, TOPIC_TEXTS
from schemas.settings import IntakeSettings
from workers.buses.bus import Outgoing, Record

pytestmark = pytest.mark.model

INTAKE = IntakeSettings(maximum_attachment_bytes=ATTACHMENT_LIMIT)


@pytest.fixture
def chain(new_chain: Callable[..., WholeChain]) -> WholeChain:
    """A chain that takes small attachments, in batches that mix good and bad."""
    return new_chain(intake=INTAKE, bus={"batch_size": 4})


def conditions(chain: WholeChain) -> list[Resource]:
    """The Conditions in the store."""
    return [item for item in chain.store.values() if item["resourceType"] == "Condition"]


def shown(record: Record) -> tuple[str | None, bytes]:
    """A rejected record's number and bytes."""
    return record.header("code"), record.value


def test_each_poison_is_rejected_by_number_with_its_bytes(chain: WholeChain) -> None:
    """Between good reports, each is rejected with its number, its original bytes and its place; the good ones flow on."""
    messages = []
    for number, (bad, _) in enumerate(POISON.values()):
        messages += [message(case(number)), bad]
    chain.run(*messages)
    rejected = [shown(record) for record in chain.rejected]
    assert dict(zip(POISON, rejected, strict=True)) == {name: (code, bad) for name, (bad, code) in POISON.items()}
    assert [record.header("offset") for record in chain.rejected] == [str(2 * n + 1) for n in range(len(POISON))]
    assert {record.header("hop") for record in chain.rejected} == {"intake"}
    assert {record.header("topic") for record in chain.rejected} == {TOPIC_REPORTS}
    assert all(len((record.header("reason") or "").splitlines()) == 1 for record in chain.rejected)
    assert len(conditions(chain)) == len(chain.bundles) == len(POISON)


def test_nothing_of_a_poison_stands_in_its_reason(chain: WholeChain) -> None:
    """The reason names what is wrong, never the message's own words."""
    named = json.loads(message(case(1))) | {"status": "Erika Mustermann"}
    chain.run(json.dumps(named).encode(), b'{"Erika Mustermann": ', b'{"resourceType": "Mustermann"}')
    assert len(chain.rejected) == 3
    assert not any("muster" in (record.header("reason") or "").lower() for record in chain.rejected)


@pytest.mark.parametrize(
    ("topic", "hop", "faulty"), [(TOPIC_TEXTS, "extraction", "SYN-252"), (TOPIC_FINDINGS, "emission", "SYN-456")]
)
def test_a_corrupted_internal_message_is_rejected_by_its_hop(
    chain: WholeChain, topic: str, hop: str, faulty: str
) -> None:
    """What is no message of the topic any more is rejected there, bytes unchanged; the ones around it pass."""
    chain.run(message(case(1)), message(case(2)))
    first, second = (record.value for record in chain.topic(topic))
    bad = [b"", b"[]", first[: len(first) // 2], first.replace(b'"schema_version":1', b'"schema_version":99')]
    again = [first, *bad, second]
    before = len(chain.bundles)
    chain.bus.publish([Outgoing(topic, value) for value in again])
    chain.run()
    assert [shown(record) for record in chain.rejected] == [(faulty, value) for value in bad]
    assert {record.header("hop") for record in chain.rejected} == {hop}
    assert len(chain.bundles) == before + 2


def test_findings_sealed_for_another_report_are_rejected(chain: WholeChain) -> None:
    """A context that was altered or swapped between reports cannot be opened: nothing is written for either patient."""
    chain.run(message(case(1)), message(case(2)))
    store = chain.store
    first, second = (json.loads(record.value) for record in chain.topic(TOPIC_FINDINGS))
    swapped = json.dumps(first | {"sealed": second["sealed"]}).encode()
    altered = json.dumps(first | {"sealed": "A" + first["sealed"][1:]}).encode()
    bundles = len(chain.topic(TOPIC_BUNDLES))
    chain.bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in (swapped, altered)])
    chain.run()
    assert [shown(record) for record in chain.rejected] == [("SYN-605", swapped), ("SYN-605", altered)]
    assert chain.store == store
    assert len(chain.topic(TOPIC_BUNDLES)) == bundles


def test_a_replayed_reject_is_read_again(chain: WholeChain) -> None:
    """Once the cause is gone, a replayed message goes the way of any other: here under a higher limit."""
    from workers.rejects import replay, waiting

    bad, _ = POISON["oversized base64"]
    chain.run(bad)
    replay(chain.bus, list(waiting(chain.bus)))
    chain.run()
    assert [shown(record) for record in chain.rejected] == [("SYN-112", bad), ("SYN-112", bad)]
    assert len(list(waiting(chain.bus))) == 1
