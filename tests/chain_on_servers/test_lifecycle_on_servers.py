"""Later versions, poison and Synoptic's own reports over a real broker and a real FHIR server."""

import json
from collections.abc import Callable, Iterator

import pytest
from generated import case, message
from lifecycle_contract import LifecycleContract
from poison import ATTACHMENT_LIMIT, POISON
from servers.server_chain import ServerChain, new_site, opened_on, settings_on

from mappers.identity import CANONICAL
from model.engine import Engine
from schemas.messages import TOPIC_REPORTS, TOPIC_TEXTS
from schemas.settings import IntakeSettings

pytestmark = pytest.mark.model

FIVE_KINDS = ("not JSON", "wrong resource", "no instant", "oversized base64", "malformed PDF")
OWN = {
    "labelled AIAST": {"meta": {"security": [{"system": "http://example.org/any", "code": "AIAST"}]}},
    "identified by Synoptic": {"identifier": [{"system": f"{CANONICAL}/report", "value": "1"}]},
}


@pytest.fixture(scope="module")
def servers(kafka_servers: str, fhir_url: str, engine: Engine) -> Iterator[ServerChain]:
    """One chain for all tests, with one partition, so that the order of publishing is the order of work."""
    intake = IntakeSettings(maximum_attachment_bytes=ATTACHMENT_LIMIT)
    settings = settings_on(kafka_servers, fhir_url, new_site(), bus={"partitions": 1, "batch_size": 4}, intake=intake)
    with opened_on(settings, engine) as chain:
        yield chain


@pytest.fixture
def new_chain(servers: ServerChain) -> Callable[..., ServerChain]:
    """Turns the chain to a site without a past."""

    def turn(name: str = "chain") -> ServerChain:
        servers.turn_to(new_site())
        return servers

    return turn


@pytest.fixture
def chain(new_chain: Callable[..., ServerChain]) -> ServerChain:
    """The chain, turned to a site of the test's own."""
    return new_chain()


class TestLifecycleOnServers(LifecycleContract):
    """All of it."""


def test_poison_of_five_kinds_is_rejected_and_the_rest_flow_on(chain: ServerChain) -> None:
    """Each lands in rejected-reports with its number and its bytes; every report around it is written."""
    good = [case(number, chain.site) for number in range(len(FIVE_KINDS))]
    messages = [one for number, kind in enumerate(FIVE_KINDS) for one in (message(good[number]), POISON[kind][0])]
    chain.run(*messages)
    rejected = [(record.header("code"), record.value) for record in chain.rejected]
    assert rejected == [(POISON[kind][1], POISON[kind][0]) for kind in FIVE_KINDS]
    assert {(record.header("hop"), record.header("topic")) for record in chain.rejected} == {("intake", TOPIC_REPORTS)}
    subjects = {item["subject"]["reference"] for item in chain.store.values() if item["resourceType"] == "Condition"}
    assert subjects == {f"Patient/{one.patient}" for one in good}
    assert len(chain.bundles) == len(good)


@pytest.mark.parametrize("mark", OWN)
def test_synoptics_own_reports_are_not_read_again(chain: ServerChain, mark: str) -> None:
    """What a machine wrote is passed over without a reject, and the report after it is read."""
    own = json.loads(message(case(1, chain.site))) | OWN[mark]
    chain.run(json.dumps(own).encode(), message(case(2, chain.site)))
    assert len(chain.topic(TOPIC_TEXTS)) == len(chain.bundles) == 1
    assert chain.rejected == []
    subjects = {item["subject"]["reference"] for item in chain.store.values() if "subject" in item}
    assert subjects == {f"Patient/{case(2, chain.site).patient}"}
