"""Bundles of one version of a report: a person's decision, another mapping, and what comes again after them."""

from pathlib import Path

import orjson
import pytest
from findings_made import emit, message
from registries_made import CASE, VALUES, DictSource, Emission, Noting, ehr, make_registry, of_type, records, subscribed
from review_made import ER, Site, doubted, plain

from gateway.registries.hop import DELIVERED, NOT_WANTED
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError

DOUBTED = {**VALUES, "ER": "positive?"}


def values_of(bundle: Resource) -> dict[str, tuple[str, str]]:
    """Status and value of each Observation, by its code."""
    return {
        one["code"]["coding"][0]["code"]: (one["status"], orjson.dumps(one.get("valueCodeableConcept")).decode())
        for one in of_type(bundle, "Observation")
    }


def decided_report(folder: Path) -> tuple[Site, Resource, Resource]:
    """A report whose ER waits for a person, and what was published of the person's decision."""
    site = Site(folder)
    asked = emit(site.hop, doubted(message(about=CASE, **plain(DOUBTED)), DOUBTED))
    return site, asked, orjson.loads(site.decide("ER", "accept").outgoing[0].value)


def test_what_comes_again_says_what_stands(tmp_path: Path) -> None:
    """A replay of what another registry rejected brings the older Bundle again: nothing newer is undone by it."""
    emission = Emission(tmp_path / "fhir")
    before, after = emission.publish(1, **VALUES), emission.publish(1, **{**VALUES, "T": "T3", "N": "N0"})
    registry = Noting()
    hop = make_registry(tmp_path, delivery=registry, source=DictSource(ehr(), emission.store))
    hop.process(records(before, after))
    hop.process(records(before, start=2))
    first, newer, again = (values_of(parcel.bundle) for parcel in registry.parcels)
    assert first != newer
    assert again == newer


def test_a_batch_that_is_tried_again_sends_neither_again(tmp_path: Path) -> None:
    """Both were taken at the first attempt, while another report waits."""
    emission = Emission(tmp_path / "fhir")
    bundles = [emission.publish(1, "a", T=stage) for stage in ("T1", "T2")] + [emission.publish(1, "b", **VALUES)]
    registry = Noting(answers=True)
    registry.fails_at[bundles[2]["identifier"]["value"]] = SynopticError(Code.REGISTRY_UNAVAILABLE, "status 500")
    hop = make_registry(tmp_path, delivery=registry, source=DictSource(ehr("a") | ehr("b"), emission.store))
    for _ in range(3):
        with pytest.raises(SynopticError, match="status 500"):
            hop.process(records(*bundles))
    assert registry.identifiers == [bundle["identifier"]["value"] for bundle in bundles[:2]]


def test_a_decision_makes_a_report_wanted_and_brings_all_of_it(tmp_path: Path) -> None:
    """The code was in review until then: what the decision does not repeat comes along, who read it and who verified it."""
    site, asked, decided = decided_report(tmp_path / "fhir")
    registry, source = Noting(), DictSource(ehr(), site.store)
    criteria = {"packs": ["breast"], "codes": [f"http://loinc.org|{ER}"]}
    hop = make_registry(tmp_path, subscribed(criteria=criteria), registry, source)
    assert [result.ignored or DELIVERED for result in hop.process(records(asked, decided))] == [NOT_WANTED, DELIVERED]
    (parcel,) = registry.parcels
    assert values_of(parcel.bundle).keys() == values_of(asked).keys() | {ER}
    assert len(of_type(parcel.bundle, "Condition")) == 1
    devices = {f"Device/{device['id']}" for device in of_type(parcel.bundle, "Device")}
    agents = [one["agent"] for one in of_type(parcel.bundle, "Provenance")]
    roles = {item["type"]["coding"][0]["code"]: item["who"].get("reference") for agent in agents for item in agent}
    assert roles.keys() == {"assembler", "verifier"}
    assert roles["assembler"] in devices


def test_a_version_after_a_decision_keeps_who_verified_it(tmp_path: Path) -> None:
    """An addendum's collection holds the whole report, the verifier too."""
    site, asked, decided = decided_report(tmp_path / "fhir")
    registry = Noting()
    hop = make_registry(tmp_path, subscribed(form="collection"), registry, DictSource(ehr(), site.store))
    addendum = emit(site.hop, message(2, "merge", about=CASE, HER2="negative"))
    assert all(result.ignored is None for result in hop.process(records(asked, decided, addendum)))
    sent = registry.parcels[-1].bundle
    assert ER in values_of(sent)
    roles = [one["agent"][0]["type"]["coding"][0]["code"] for one in of_type(sent, "Provenance")]
    assert sorted(roles) == ["assembler", "verifier"]


def test_an_addendum_that_makes_a_report_wanted_brings_what_it_is_added_to(tmp_path: Path) -> None:
    """The registry asks for HER2, which the first version did not state."""
    emission = Emission(tmp_path / "fhir")
    registry = Noting()
    criteria = {"codes": ["http://loinc.org|85319-2", "http://loinc.org|48676-1"]}
    hop = make_registry(tmp_path, subscribed(criteria=criteria), registry, DictSource(ehr(), emission.store))
    bundles = [emission.publish(1, **VALUES), emission.publish(2, action="merge", HER2="negative")]
    assert [result.ignored or DELIVERED for result in hop.process(records(*bundles))] == [NOT_WANTED, DELIVERED]
    (parcel,) = registry.parcels
    assert values_of(parcel.bundle).keys() > values_of(bundles[0]).keys()
    assert len(of_type(parcel.bundle, "Condition")) == 1
