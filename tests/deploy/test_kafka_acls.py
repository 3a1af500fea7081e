"""deploy/access.yaml: every hop and topic is in it, and nobody may do more than the hops do."""

import pytest

from deploy.kafka_acls import commands, load_access
from gateway.composition import PROCESSES
from gateway.hop_inputs import HOP_INPUTS
from gateway.registries.subscription import HOP_PREFIX
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
from schemas.topics import TOPIC_STATES, TOPICS
from workers.hop import group_of

ACCESS = load_access()
HOPS = {
    "intake": ("intake",),
    "extraction": ("extraction",),
    "emission": ("emission", "delayed", "review"),
    "registries": (HOP_PREFIX,),  # what the name of each registry's hop begins with
}
INPUTS = {**HOP_INPUTS, HOP_PREFIX: TOPIC_BUNDLES}
WRITES = {
    "intake": {TOPIC_TEXTS},
    "extraction": {TOPIC_FINDINGS},
    "registries": set(),
    "emission": {TOPIC_BUNDLES, TOPIC_DELAYED, TOPIC_UNMAPPED},
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_hop_may_do_what_it_does_and_no_more(process):
    """It reads its inputs and its state, writes its outputs, rejects and state, under its own groups and ids."""
    rights = ACCESS[process]
    assert set(rights.read) == {INPUTS[hop] for hop in HOPS[process]} | {TOPIC_STATES}
    assert set(rights.write) == WRITES[process] | {TOPIC_REJECTED, TOPIC_STATES}
    assert set(rights.groups) == set(rights.transactional_ids) == {group_of(hop) for hop in HOPS[process]}


def test_every_hop_and_topic_is_covered():
    """No hop is without principal, and each topic has somebody who reads and somebody who writes it."""
    assert set(PROCESSES) == set(HOPS) < set(ACCESS)
    assert {hop for hops in HOPS.values() for hop in hops} == set(INPUTS)
    names = {topic.name for topic in TOPICS}
    assert {topic for rights in ACCESS.values() for topic in rights.read} == names
    assert {topic for rights in ACCESS.values() for topic in rights.write} == names


def test_text_is_read_by_its_hop_and_the_operator_alone():
    """Each topic with PHI has as its readers the hop that needs it, the operator and, for Bundles, registries."""
    readers = {topic.name: {name for name, rights in ACCESS.items() if topic.name in rights.read} for topic in TOPICS}
    assert readers[TOPIC_REPORTS] == {"intake", "operator"}
    assert readers[TOPIC_TEXTS] == {"extraction", "operator"}
    assert readers[TOPIC_FINDINGS] == readers[TOPIC_DELAYED] == {"emission", "operator"}
    assert readers[TOPIC_DECISIONS] == {"emission", "operator"}
    assert readers[TOPIC_REJECTED] == {"operator"}
    assert readers[TOPIC_BUNDLES] == {"registries", "registry", "operator"}
    assert (ACCESS["ehr"].write, ACCESS["ehr"].read) == ((TOPIC_REPORTS,), ())


def test_the_operator_sees_and_replays_for_every_hop():
    """`status`, `doctor` and `registry` ask for each group, and a replay or a decision goes to each hop's input."""
    assert set(ACCESS["operator"].groups) == {group_of(hop) for hop in INPUTS}
    assert set(ACCESS["operator"].write) == {*INPUTS.values(), TOPIC_STATES}


def test_each_right_is_a_command():
    """What is printed gives every right once, under the installation's prefix, each as words that a shell takes whole."""
    lines = list(commands("--bootstrap-server kafka:9093", "site-"))
    rights = sum(
        len(one.read) + len(one.write) + len(one.groups) + len(one.transactional_ids) for one in ACCESS.values()
    )
    assert len(lines) == len(set(lines)) == rights
    assert (
        "kafka-acls.sh --bootstrap-server kafka:9093 --add --allow-principal User:synoptic-extraction "
        "--operation read --topic site-synoptic.report-texts"
    ) in lines
    assert all("site-" in line for line in lines)
