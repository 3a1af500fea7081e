"""Lifecycle scenarios of real wording over the embedded bus and the folder store: one for each case of a report's life."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from generated import Case, amended, case, message
from lifecycle_contract import by_task, codes, is_withdrawn, only, without
from whole_chain import Resource, WholeChain

from gateway.review.desk import ReviewDesk
from gateway.review.hop import ReviewHop
from schemas.messages import TOPIC_DECISIONS, Reference, Settlement, Verdict
from workers.buses.bus import Outgoing
from workers.runner import Runner, run_until_idle

pytestmark = pytest.mark.model

EQUIVOCAL = """SURGICAL PATHOLOGY REPORT
FINAL DIAGNOSIS:
A. Left breast, total mastectomy:
   - Invasive ductal carcinoma, Nottingham grade 2 (3+2+1=6), 2.6 cm in greatest dimension.
Pathologic stage: pT2 pN0
Estrogen receptor: positive (90%)
Progesterone receptor: negative (0%)
HER2 (IHC): equivocal (2+). HER2 FISH is pending.
"""
ADDENDUM = """ADDENDUM:
Left breast, mastectomy, invasive ductal carcinoma, block A3:
HER2 FISH: Positive, amplified. HER2/CEP17 ratio 4.2.
"""
HER2, FISH, IHC = "48676-1", "85318-4", "85319-2"


@pytest.fixture
def first(chain: WholeChain) -> Case:
    """The report of which there are several versions."""
    return case(0, chain.site)


def observations(chain: WholeChain) -> dict[str, Resource]:
    """The Observations of the store by their first code."""
    found = [one for one in chain.store.values() if one["resourceType"] == "Observation"]
    return {one["code"]["coding"][0]["code"]: one for one in found}


def versions(chain: WholeChain) -> dict[str, int]:
    """How many versions of each resource the store has seen."""
    return {name: int(one["meta"]["versionId"]) for name, one in chain.store.items()}


@pytest.mark.parametrize("status", ["amended", "corrected"])
def test_a_later_version_replaces_under_the_same_ids(chain: WholeChain, first: Case, status: str) -> None:
    """What changed has one new version with the report's status; what the text no longer says is entered in error."""
    chain.run(message(first))
    before = by_task(chain)
    chain.run(without(amended(first, status=status, t="pT3", size="6.1 cm"), "Progesterone"))
    after = by_task(chain)
    assert {task: one["id"] for task, one in after.items()} == {task: one["id"] for task, one in before.items()}
    assert (codes(after["T"]), after["T"]["status"]) == (("1229859000",), status)
    assert after["PR"]["status"] == "entered-in-error"
    assert codes(after["PR"]) == codes(before["PR"])
    assert {int(one["meta"]["versionId"]) for one in after.values()} == {2}


def test_an_addendum_settles_what_was_equivocal(chain: WholeChain, first: Case) -> None:
    """HER2 2+ with FISH pending becomes FISH's result: the same id, one new version, and all else as it was."""
    chain.run(message(first, EQUIVOCAL))
    before = observations(chain)
    assert "10828004" not in codes(before[HER2])
    assert (before[IHC]["status"], codes(before[IHC])[0]) == ("final", "441517005")
    chain.run(message(amended(first, status="appended"), ADDENDUM))
    after = observations(chain)
    assert after[HER2]["id"] == before[HER2]["id"]
    assert [codes(after[code])[0] for code in (HER2, FISH)] == ["10828004", "10828004"]
    assert [after[code]["status"] for code in (HER2, FISH)] == ["amended", "amended"]
    assert versions(chain)[f"Observation/{before[HER2]['id']}"] == 2
    for code in ("384625004", "371494008", "16112-5", "16113-3", IHC):
        assert after[code] == before[code]
    assert not any(is_withdrawn(one) for one in after.values())


def test_an_addendum_alone_waits_for_its_report(chain: WholeChain, first: Case) -> None:
    """The addendum comes first and states what it says; the report comes beneath it and takes nothing back."""
    chain.run(message(amended(first, status="appended"), ADDENDUM))
    assert not any(one["resourceType"] == "Condition" and is_withdrawn(one) for one in chain.store.values())
    chain.run(message(first, EQUIVOCAL))
    found = observations(chain)
    assert codes(found[HER2])[0] == "10828004"
    assert codes(found["384625004"]) == ("1229852009",)
    assert not any(is_withdrawn(one) for one in found.values())


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawal_is_marked_as_each_type_says(chain: WholeChain, first: Case, status: str) -> None:
    """Condition by verificationStatus without clinicalStatus, BodyStructure inactive, Observations with their values kept;
    the manifest is anew and says withdrawn, and subscribers are told.
    """
    chain.run(message(first))
    before = chain.store
    manifest = only(chain, "Provenance")
    withdrawal = json.loads(message(amended(first, status=status)))
    del withdrawal["presentedForm"]
    chain.run(json.dumps(withdrawal).encode())
    condition = only(chain, "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition
    assert all(one["active"] is False for one in chain.store.values() if one["resourceType"] == "BodyStructure")
    for name, one in chain.store.items():
        if name.startswith("Observation/"):
            assert one["status"] == "entered-in-error"
            assert one.get("valueCodeableConcept") == before[name].get("valueCodeableConcept")
    after = only(chain, "Provenance")
    assert after["recorded"] > manifest["recorded"]
    assert "withdrawn" in json.dumps(after["extension"])
    told = {entry["resource"]["resourceType"] for entry in chain.bundles[-1]["entry"]}
    assert {"Condition", "Observation", "Provenance"} <= told


@pytest.mark.parametrize("status", ["amended", "appended", "entered-in-error"])
def test_versions_swapped_in_order_end_alike(new_chain: Callable[..., WholeChain], status: str) -> None:
    """Whichever of two versions comes first, the same resources stand with the same values."""

    def standing(name: str, turned: bool) -> dict[str, Any]:
        chain = new_chain(name)
        one = case(0, chain.site)
        text = ADDENDUM if status == "appended" else None
        pair = [message(one, EQUIVOCAL), message(amended(one, status=status, t="pT3", size="6.1 cm"), text)]
        for each in reversed(pair) if turned else pair:
            chain.run(each)
        return {code: codes(item) for code, item in observations(chain).items() if not is_withdrawn(item)}

    assert standing("turned", True) == standing("right", False)


def test_another_configuration_updates_the_same_resources(new_chain: Callable[..., WholeChain]) -> None:
    """Replayed under another mapping, what it changes is one new version under the same id; the manifest says which."""
    chain = new_chain("one")
    one = case(0, chain.site)
    chain.run(message(one))
    before, counted = chain.store, versions(chain)
    chain.close()
    changed = new_chain("one", fhir={"organization": "Organization/other"})
    changed.run(message(one))
    assert set(changed.store) == set(before)
    manifests = {name for name in before if name.startswith("Provenance/")}
    assert {name for name, count in versions(changed).items() if count > counted[name]} == manifests
    changed.run(message(one))
    assert all(count <= counted[name] + 1 for name, count in versions(changed).items())


def test_a_persons_edit_is_settled_through_the_bus(chain: WholeChain, first: Case) -> None:
    """A registrar's edit stays and is a question; the decision goes over its own topic, and the next replay is quiet."""
    chain.run(message(first))
    observation = by_task(chain)["T"]
    observation["valueCodeableConcept"]["coding"] = [{"system": "http://snomed.info/sct", "code": "1229846008"}]
    chain.edit(observation)
    later = message(amended(first, t="pT3", size="6.1 cm"))
    chain.run(later)
    desk = ReviewDesk(chain.settings, chain.emission._store, chain.seal)
    (review,) = [one for one in desk.waiting() if one.item.kind == "conflict"]
    by = Reference(type="Practitioner", literal="Practitioner/ruth")
    settlement = Settlement(verdict=Verdict.ACCEPT, by=by, decided="2026-02-10T08:00:00Z")
    decision = desk.decision(review, settlement).model_dump_json().encode()
    sealed = chain.seal.enclose(decision, desk.context(review).patient_key)
    chain.bus.publish([Outgoing(TOPIC_DECISIONS, sealed, key=review.item.findings.report_hmac.encode())])
    runner = Runner(ReviewHop(chain.emission), chain.bus, chain.settings.bus)
    run_until_idle([runner])
    runner.close()
    assert codes(by_task(chain)["T"]) == ("1229859000",)
    state = chain.state
    chain.run(later)
    assert chain.state == state
    assert chain.rejected == []
