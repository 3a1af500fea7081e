"""A registry's hop: what it delivers of which report, once, in order, and what it keeps to itself."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from fhir_made import unique
from registries_made import (
    AWAY,
    VALUES,
    DictSource,
    Emission,
    Noting,
    ehr,
    make_registry,
    of_type,
    records,
    settings_in,
    subscribed,
)

from gateway.registries.hop import DELIVERED, LATE, NOT_WANTED, REPEATED
from gateway.registries.ledger import Ledger
from mappers.identity import PROBABILITY
from schemas.errors import Code, SynopticError
from schemas.metrics import DELIVERIES, value_of
from workers.hop import Result


@pytest.fixture
def emission(tmp_path: Path) -> Emission:
    """Emission that publishes."""
    return Emission(tmp_path / "fhir")


def actions(results: list[Result]) -> list[str]:
    """What became of each record."""
    return [result.error.code.label if result.error else result.ignored or DELIVERED for result in results]


def test_a_delivery_brings_all_that_it_refers_to(tmp_path: Path, emission: Emission) -> None:
    """The identified Patient, the narrative, who made it and their organisation, under ids of no single hospital."""
    registry = Noting()
    (result,) = make_registry(tmp_path, delivery=registry).process(records(emission.publish(**VALUES)))
    (parcel,) = registry.parcels
    assert (result.error, result.ignored) == (None, None)
    entries = {entry["request"]["url"]: entry["resource"] for entry in parcel.bundle["entry"]}
    assert len(entries) == len(parcel.bundle["entry"])
    literals = {item["reference"] for item in _references(parcel.bundle) if "reference" in item}
    assert literals <= entries.keys()
    (patient,), (report,) = of_type(parcel.bundle, "Patient"), of_type(parcel.bundle, "DiagnosticReport")
    assert patient["identifier"][0]["value"] == "4711"
    assert patient["name"][0]["family"] == "Mustermann"
    assert report["presentedForm"][0]["data"]
    assert [one["name"][0]["family"] for one in of_type(parcel.bundle, "Practitioner")] == ["Virchow"]
    assert {one.get("name", "laboratory") for one in of_type(parcel.bundle, "Organization")} == {
        "laboratory",
        "Synoptic",
    }
    assert "Patient/1" not in entries
    assert parcel.bundle["meta"]["security"][0]["code"] == "AIAST"
    assert all(one["meta"]["security"][0]["code"] == "AIAST" for one in of_type(parcel.bundle, "Observation"))


def _references(node) -> Iterator[dict]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _references(item)


def test_links_of_the_ehr_that_a_registry_has_no_business_with_stay_behind(tmp_path: Path, emission: Emission) -> None:
    """The patient's own doctor, the laboratory's results and the server's versions are not delivered."""
    registry = Noting()
    make_registry(tmp_path, delivery=registry).process(records(emission.publish(**VALUES)))
    (patient,) = of_type(registry.parcels[0].bundle, "Patient")
    (report,) = of_type(registry.parcels[0].bundle, "DiagnosticReport")
    assert patient["generalPractitioner"] == [{"display": "their doctor"}]
    assert "result" not in report
    assert "meta" not in patient
    assert b"Hausarzt" not in orjson.dumps(registry.parcels[0].bundle)


def test_the_same_bundle_comes_once(tmp_path: Path, emission: Emission) -> None:
    """Emission publishes it again after a replay; the registry has it."""
    first, again = emission.publish(**VALUES), emission.publish(**VALUES)
    assert first == again
    registry = Noting()
    name = unique("r").replace("-", "_").translate(str.maketrans("0123456789", "ghijklmnop"))[:20]
    hop = make_registry(tmp_path, subscribed(name=name), registry)
    assert actions(hop.process(records(first, again))) == [DELIVERED, REPEATED]
    assert actions(make_registry(tmp_path, subscribed(name=name), registry).process(records(first))) == [REPEATED]
    assert len(registry.parcels) == 1
    assert value_of(DELIVERIES, hop=hop.name, action=DELIVERED) == 1


def test_an_older_version_never_comes_after_a_newer_one(tmp_path: Path, emission: Emission) -> None:
    """Emission publishes what arrives late as well; the registry keeps the newer one, also when all is sent again."""
    newer, older = emission.publish(2, **VALUES), emission.publish(1, **VALUES)
    registry = Noting()
    hop = make_registry(tmp_path, delivery=registry)
    assert actions(hop.process(records(newer, older))) == [DELIVERED, LATE]
    Ledger(settings_in(tmp_path).registry.state).send_again("state")
    assert actions(hop.process(records(older, newer))) == [LATE, DELIVERED]


def test_a_registry_that_fails_gets_each_once_and_in_order(tmp_path: Path, emission: Emission) -> None:
    """The batch is tried again from its beginning, and what was taken is not sent twice."""
    bundles = [emission.publish(day, report, **VALUES) for day in (1, 2) for report in ("a", "b")]
    registry, source = Noting(), DictSource(ehr("a") | ehr("b"))
    hop = make_registry(tmp_path, delivery=registry, source=source)
    batch = records(*bundles)
    hop.process(batch[:1])
    registry.failures.append(AWAY)
    with pytest.raises(SynopticError, match="SYN-470"):
        hop.process(batch)
    assert actions(hop.process(batch)) == [REPEATED, DELIVERED, DELIVERED, DELIVERED]
    assert registry.identifiers == [bundle["identifier"]["value"] for bundle in bundles]


def test_a_paused_registry_waits(tmp_path: Path, emission: Emission) -> None:
    """It gets nothing until it is resumed, whatever process says so."""
    registry = Noting()
    hop, ledger = make_registry(tmp_path, delivery=registry), Ledger(settings_in(tmp_path).registry.state)
    ledger.pause("state", True)
    with pytest.raises(SynopticError) as caught:
        hop.process(records(emission.publish(**VALUES)))
    assert caught.value.code is Code.REGISTRY_PAUSED
    ledger.pause("state", False)
    assert actions(hop.process(records(*emission.published))) == [DELIVERED]


def test_a_withdrawal_reaches_whoever_had_the_report(tmp_path: Path, emission: Emission) -> None:
    """Everything that the registry was sent goes out as entered in error; one that never had it is told nothing."""
    first = emission.publish(**VALUES)
    last = emission.publish(2, action="withdraw")
    registry, other = Noting(), Noting()
    hop = make_registry(tmp_path, delivery=registry)
    assert actions(hop.process(records(first, last))) == [DELIVERED, DELIVERED]
    withdrawn = registry.parcels[1].bundle
    assert {one["status"] for one in of_type(withdrawn, "Observation")} == {"entered-in-error"}
    (condition,) = of_type(withdrawn, "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    late = make_registry(tmp_path, subscribed(name="late"), other)
    assert actions(late.process(records(last))) == [NOT_WANTED]
    assert other.parcels == []


def test_what_no_longer_meets_the_criteria_is_taken_back(tmp_path: Path, emission: Emission) -> None:
    """A value that the registry was sent, and that a later version gives in another state, goes out as entered in error."""
    first = emission.publish(1, **VALUES)
    second = emission.publish(2, **VALUES)
    doubtful = of_type(second, "Observation")[0]
    doubtful["status"] = "preliminary"
    registry = Noting()
    hop = make_registry(tmp_path, delivery=registry)
    hop.process(records(first, second))
    before, after = (
        {one["id"]: one["status"] for one in of_type(parcel.bundle, "Observation")} for parcel in registry.parcels
    )
    assert set(before.values()) == {"final"}
    assert after == {**before, doubtful["id"]: "entered-in-error"}


@pytest.mark.parametrize(
    ("criteria", "changes"),
    [
        ({"codes": ["http://loinc.org|16112-5"]}, {"ER": "not_stated"}),
        ({"facilities": ["Organization/laboratory"]}, {}),
        ({"fhirpath": "Bundle.entry.resource.where(resourceType = 'Patient').address.exists().not()"}, {}),
    ],
)
def test_a_report_that_is_no_longer_wanted_is_taken_back_whole(
    tmp_path: Path, emission: Emission, criteria: dict, changes: dict
) -> None:
    """Its code is withdrawn, another facility made it, or the condition does not hold: nothing new is said of it."""
    registry, source = Noting(), DictSource(ehr(), emission.store)
    hop = make_registry(tmp_path, subscribed(criteria=criteria), registry, source)
    hop.process(records(emission.publish(1, **VALUES)))
    source.resources |= ehr(performer=[]) | {"Patient/1": {**ehr()["Patient/1"], "address": [{"state": "CA"}]}}
    amended = emission.publish(2, **{**VALUES, "HER2": "negative", **changes})
    assert actions(hop.process(records(amended, start=1))) == [DELIVERED]
    before, after = (parcel.bundle for parcel in registry.parcels)
    assert {one["id"] for one in of_type(after, "Observation")} == {one["id"] for one in of_type(before, "Observation")}
    assert {one["status"] for one in of_type(after, "Observation")} == {"entered-in-error"}


def test_an_addendum_is_judged_with_what_it_is_added_to(tmp_path: Path, emission: Emission) -> None:
    """It repeats nothing: the code that made the registry want the report stands in the version before."""
    registry, source = Noting(), DictSource(ehr(), emission.store)
    hop = make_registry(tmp_path, subscribed(criteria={"codes": ["http://loinc.org|16112-5"]}), registry, source)
    bundles = [emission.publish(1, **VALUES), emission.publish(2, action="merge", HER2="negative")]
    assert actions(hop.process(records(*bundles))) == [DELIVERED, DELIVERED]
    before, after = (parcel.bundle for parcel in registry.parcels)
    named = [{one["id"] for one in of_type(bundle, "Observation")} for bundle in (before, after)]
    assert named[0] < named[1]
    assert len(of_type(after, "Specimen")) == len(of_type(before, "Specimen"))
    assert "entered-in-error" not in {one["status"] for one in of_type(after, "Observation")}


def test_a_report_of_another_patient_never_meets_those_of_the_former(tmp_path: Path, emission: Emission) -> None:
    """A report that was filed under a wrong patient leaves that patient's case; links to other patients stay behind."""
    registry, source = Noting(), DictSource(ehr("one") | ehr("two"), emission.store)
    hop = make_registry(tmp_path, subscribed(form="collection"), registry, source)
    hop.process(records(emission.publish(1, "one", **VALUES), emission.publish(1, "two", **VALUES)))
    link = {"other": {"reference": "Patient/1", "display": "Erika Mustermann"}, "type": "seealso"}
    source.resources["Patient/2"] = {"resourceType": "Patient", "id": "2", "link": [link]}
    source.resources["DiagnosticReport/two"]["subject"] = {"reference": "Patient/2"}
    source.resources["Encounter/9"]["subject"] = {"reference": "Patient/2"}
    moved = orjson.loads(orjson.dumps(emission.publish(2, "two", **VALUES)).replace(b"Patient/1", b"Patient/2"))
    assert actions(hop.process(records(moved, start=2))) == [DELIVERED]
    of_former, of_other = registry.parcels[1], registry.parcels[2]
    assert of_former.case != of_other.case
    assert len(of_type(of_other.bundle, "DiagnosticReport")) == 1
    assert b"Mustermann" not in orjson.dumps(of_other.bundle)


@pytest.mark.parametrize(
    ("criteria", "action"),
    [
        ({"packs": ["breast"]}, DELIVERED),
        ({"packs": ["colon"]}, NOT_WANTED),
        ({"codes": ["http://loinc.org|16112-5"]}, DELIVERED),
        ({"codes": ["408643008", "nothing"]}, DELIVERED),
        ({"codes": ["http://loinc.org|85337-4"]}, NOT_WANTED),
        ({"facilities": ["Organization/laboratory"]}, DELIVERED),
        ({"facilities": ["urn:clia|05D"]}, DELIVERED),
        ({"facilities": ["Organization/synoptic"]}, NOT_WANTED),
        ({"statuses": ["preliminary"]}, NOT_WANTED),
        ({"confidence": 0.995}, DELIVERED),
        ({"fhirpath": "Bundle.entry.resource.where(resourceType = 'Patient').gender = 'female'"}, DELIVERED),
        ({"fhirpath": "Bundle.entry.resource.where(resourceType = 'Patient').gender = 'male'"}, NOT_WANTED),
        ({"fhirpath": "entry.resource.where(resourceType = 'Patient').exists()"}, DELIVERED),
    ],
)
def test_criteria_choose_reports(tmp_path: Path, emission: Emission, criteria: dict, action: str) -> None:
    """By pack, code, facility, status, and whatever FHIRPath says of the whole delivery."""
    hop = make_registry(tmp_path, subscribed(criteria=criteria), Noting())
    assert actions(hop.process(records(emission.publish(**VALUES)))) == [action]


def test_a_condition_that_is_neither_true_nor_false_is_rejected(tmp_path: Path, emission: Emission) -> None:
    """It would never hold, and nobody would see that nothing is sent."""
    path = "Bundle.entry.resource.where(resourceType = 'Patient').gender"
    hop = make_registry(tmp_path, subscribed(criteria={"fhirpath": path}), Noting())
    assert actions(hop.process(records(emission.publish(**VALUES)))) == [Code.BAD_CONDITION.label]


def test_values_below_the_confidence_are_left_out(tmp_path: Path, emission: Emission) -> None:
    """The Condition goes, its doubtful Observations do not, and nothing refers to them."""
    registry = Noting()
    hop = make_registry(tmp_path, subscribed(criteria={"confidence": 0.995}), registry)
    bundle = emission.publish(**VALUES)
    hop.process(records(bundle))
    sure = [one["id"] for one in of_type(bundle, "Observation") if PROBABILITY not in orjson.dumps(one).decode()]
    (parcel,) = registry.parcels
    assert len(of_type(parcel.bundle, "Condition")) == 1
    assert [one["id"] for one in of_type(parcel.bundle, "Observation")] == sure
    assert len(sure) < len(of_type(bundle, "Observation"))
    (manifest,) = of_type(parcel.bundle, "Provenance")
    named = [target["reference"] for target in manifest["target"]]
    assert {name for name in named if name.startswith("Observation/")} == {f"Observation/{one}" for one in sure}


def test_a_report_that_cannot_be_found_is_rejected_by_number(tmp_path: Path, emission: Emission) -> None:
    """Nothing is delivered without its Patient and narrative."""
    bundle = emission.publish(**VALUES)
    without_patient = {name: one for name, one in ehr().items() if not name.startswith("Patient/")}
    for source in (DictSource({}), DictSource(without_patient)):
        registry = Noting()
        (result,) = make_registry(tmp_path, delivery=registry, source=source).process(records(bundle))
        assert result.error is not None
        assert result.error.code is Code.UNRESOLVED
        assert registry.parcels == []


def test_one_collection_a_patient_encounter_and_organisation(tmp_path: Path, emission: Emission) -> None:
    """A second report of the same encounter brings the first one's values along, under the same Bundle id."""
    bundles = [emission.publish(1, "biopsy", ER="positive"), emission.publish(2, "resection", T="T2", N="N0")]
    registry = Noting()
    source = DictSource(ehr("biopsy") | ehr("resection"), emission.store)
    make_registry(tmp_path, subscribed(form="collection"), registry, source).process(records(*bundles))
    first, second = (parcel.bundle for parcel in registry.parcels)
    assert first["id"] == second["id"]
    assert first["identifier"] != second["identifier"]
    said = [{one["id"] for one in of_type(bundle, "Observation")} for bundle in bundles]
    assert {one["id"] for one in of_type(first, "Observation")} == said[0]
    assert {one["id"] for one in of_type(second, "Observation")} == said[0] | said[1]
    assert len(of_type(second, "DiagnosticReport")) == 2
    assert len(of_type(second, "Condition")) == 1
    assert all("request" not in entry for entry in second["entry"])


def test_reports_of_two_encounters_are_two_cases(tmp_path: Path, emission: Emission) -> None:
    """So are reports without an encounter, each by itself."""
    bundles = [emission.publish(1, name, ER="positive") for name in ("one", "two")]
    alone = {"encounter": None}
    registry, source = Noting(), DictSource(ehr("one", **alone) | ehr("two", **alone), emission.store)
    make_registry(tmp_path, subscribed(form="collection"), registry, source).process(records(*bundles))
    first, second = (parcel.bundle for parcel in registry.parcels)
    assert first["id"] != second["id"]
    said = [one["id"] for one in of_type(bundles[1], "Observation")]
    assert [one["id"] for one in of_type(second, "Observation")] == said


def test_a_composition_needs_histology_site_and_date(tmp_path: Path, emission: Emission) -> None:
    """With all three it leads the collection; without a collection date there is none, and the rest is the same."""
    registry = Noting()
    hop = make_registry(tmp_path, subscribed(form="collection", composition=True), registry)
    bundle = emission.publish(**VALUES)
    hop.process(records(bundle))
    dated = orjson.loads(orjson.dumps(emission.publish(2, **VALUES)))
    condition = next(one for one in of_type(dated, "Condition"))
    asserted = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
    condition["extension"].append({"url": asserted, "valueDateTime": "2024-05-01"})
    hop.process(records(dated, start=1))
    plain, composed = (parcel.bundle for parcel in registry.parcels)
    assert of_type(plain, "Composition") == []
    composition = composed["entry"][0]["resource"]
    assert composition["resourceType"] == "Composition"
    sections = {one["code"]["coding"][0]["code"]: one["entry"] for one in composition["section"]}
    assert {code: len(entries) for code, entries in sections.items() if code != "30954-2"} == {
        "363346000": 1,
        "21908-9": 2,
        "28650-0": 1,
    }
    assert len(sections["30954-2"]) == len(of_type(composed, "Observation")) - 2
    there = {entry["fullUrl"].split("/fhir/")[1] for entry in composed["entry"]}
    assert {item["reference"] for item in _references(composition)} <= there


def test_a_message_carries_the_collection(tmp_path: Path, emission: Emission) -> None:
    """Its header names the event and the content; made again it has the same ids."""
    made = []
    for name in ("one", "two"):
        registry = Noting()
        deliver = {"fhir": {"base_url": "https://registry.example/fhir"}}
        subscription = subscribed(name=name, form="message", deliver=deliver)
        make_registry(tmp_path, subscription, registry).process(records(emission.publish(**VALUES)))
        made.append(registry.parcels[0].bundle)
    header, content = (entry["resource"] for entry in made[0]["entry"])
    assert header["eventCoding"]["code"] == "cancer-report-message"
    assert header["focus"] == [{"reference": f"Bundle/{content['id']}"}]
    assert content["type"] == "collection"
    assert made[0] == made[1]


def test_the_ledger_holds_no_patient(tmp_path: Path, emission: Emission) -> None:
    """Derived ids and versions only, in a file that its owner alone reads."""
    make_registry(tmp_path, delivery=Noting()).process(records(emission.publish(**VALUES)))
    path = settings_in(tmp_path).registry.state
    content = b"".join(one.read_bytes() for one in tmp_path.glob("registries.sqlite*"))
    assert not any(word in content for word in (b"4711", b"Mustermann", b"Patient/1", b"hospital.example"))
    assert path.stat().st_mode & 0o077 == 0
