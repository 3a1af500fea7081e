"""The context from the resources: identity, dates, specimens, sides, and the identifiers to remove."""

import itertools
from typing import Any

import pytest
from reports_made import PATIENT, Resource, bundle, report, specimen

from gateway.fhir.context import read_context, read_side, side_of
from gateway.fhir.identity import derive_key
from gateway.fhir.parsing import pick_report
from gateway.known_identifiers import known_identifiers
from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, ReportContext
from schemas.settings import IntakeSettings, Settings

SNOMED = "http://snomed.info/sct"


def context_of(*resources: Resource, **settings: Any) -> ReportContext:
    """The context of a Bundle of these."""
    return read_context(pick_report(bundle(*resources)), Settings(**settings))


def test_report_is_named_by_the_first_configured_system_it_carries() -> None:
    """The order of the settings decides, not the order of the report; a star takes any."""
    made = report(identifier=[{"system": "urn:b", "value": "2"}, {"system": "urn:a", "value": "1"}])
    chosen = {
        systems: context_of(made, intake=IntakeSettings(identifier_systems=systems)).report_identifier.value
        for systems in [("urn:a", "urn:b"), ("urn:c", "urn:b"), ("urn:c", "*")]
    }
    assert chosen == {("urn:a", "urn:b"): "1", ("urn:c", "urn:b"): "2", ("urn:c", "*"): "2"}
    with pytest.raises(SynopticError) as caught:
        context_of(made, intake=IntakeSettings(identifier_systems=("urn:c",)))
    assert caught.value.code is Code.NO_IDENTIFIER


def test_keys_depend_on_identity_alone() -> None:
    """Resource id, text and time leave the keys alone; tenant, system and value change them."""
    first = context_of(report(), PATIENT)
    again = context_of(report(id="other", issued="2025-01-01T00:00:00Z", status="amended"), PATIENT)
    assert (again.report_key, again.patient_key) == (first.report_key, first.patient_key)
    assert context_of(report(), PATIENT, tenant="other").report_key != first.report_key
    parts = list(itertools.product(["t", "t,u"], ["report", "patient"], [None, "s"], ["v", "v,w"]))
    assert len({derive_key(*part) for part in parts}) == len(parts)


def test_keys_never_change_between_releases() -> None:
    """Ids of resources on real servers hang on these values."""
    assert str(derive_key("default", "report", "https://lab.example/accession", "S24-1234")) == (
        "e4d46dc9-4e2a-5ca2-b72a-5ac2d3a13bb6"
    )


def test_patient_is_known_by_record_number_else_by_reference() -> None:
    """The medical record number outranks other numbers, old ones are gone, and a bare reference is enough."""
    known = context_of(report(), PATIENT)
    assert known.subject.identifier == Identifier(system="https://clinic.example/mrn", value="4711")
    assert (known.subject.literal, known.gender) == ("Patient/p1", "female")
    bare = context_of(report())
    assert (bare.subject.literal, bare.subject.identifier) == ("Patient/p1", None)
    assert bare.patient_key != known.patient_key


def test_bundle_url_of_the_subject_becomes_a_lasting_reference() -> None:
    """urn:uuid means nothing outside its Bundle, so the Patient's own id stands for it."""
    made = bundle(report(subject={"reference": "urn:uuid:6f0d4a8e-3d0c-4c53-9a55-6d6f9b0f8f01"}), PATIENT)
    made["entry"][1]["fullUrl"] = "urn:uuid:6f0d4a8e-3d0c-4c53-9a55-6d6f9b0f8f01"
    assert read_context(pick_report(made), Settings()).subject.literal == "Patient/p1"


def test_effective_is_collection_then_the_report_never_issued() -> None:
    """The earliest collection wins; without one the report's own time; without both nothing."""
    parts = [{"reference": "Specimen/a"}, {"reference": "Specimen/b"}]
    a, b = specimen("a", collectedDateTime="2024-03-02"), specimen("b", collectedPeriod={"start": "2024-03-01"})
    assert context_of(report(specimen=parts, effectiveDateTime="2024-03-04"), a, b).effective == "2024-03-01"
    assert context_of(report(effectiveDateTime="2024-03-04"), a).effective == "2024-03-04"
    assert context_of(report(effectivePeriod={"start": "2024-03-03"})).effective == "2024-03-03"
    assert context_of(report()).effective is None


def test_recorded_is_issued_else_last_updated() -> None:
    """Versions are ordered by what the sender stated."""
    meta = {"lastUpdated": "2024-04-01T00:00:00Z", "versionId": "3"}
    made = context_of(report(issued=None, meta=meta))
    assert (made.recorded, made.version.version_id, made.version.issued) == ("2024-04-01T00:00:00Z", "3", None)
    assert context_of(report(meta=meta)).recorded == "2024-03-05T10:00:00Z"


def test_specimens_bring_part_letter_side_and_collection() -> None:
    """What the EHR says of each part is kept, in the report's order."""
    made = context_of(
        report(specimen=[{"reference": "Specimen/b"}, {"reference": "Specimen/a"}]),
        specimen("a", "80248007", collectedDateTime="2024-03-01"),
        specimen("b", "73056007"),
    )
    assert [(part.part, part.side, part.collected) for part in made.specimens] == [
        ("B", "right", None),
        ("A", "left", "2024-03-01"),
    ]


@pytest.mark.parametrize(
    ("site", "side"),
    [
        ({"coding": [{"system": SNOMED, "code": "80248007"}]}, "left"),
        ({"coding": [{"system": SNOMED, "code": "24028007"}]}, "right"),
        ({"coding": [{"system": "urn:x", "code": "24028007"}]}, None),
        ({"text": "Brust links oben außen"}, "left"),
        ({"coding": [{"display": "Right breast"}]}, "right"),
        ({"text": "left and right breast"}, None),
        ({"text": "bright spot"}, None),
        ([{"text": "left"}, {"text": "right"}], None),
        ({"coding": [{"system": SNOMED, "code": "7771000"}], "text": "right"}, "left"),
        (
            {
                "coding": [{"system": SNOMED, "code": "76752008"}],
                "extension": [
                    {"url": "x", "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "7771000"}]}}
                ],
            },
            "left",
        ),
        (None, None),
    ],
)
def test_side_is_read_where_it_is_unambiguous(site: Any, side: str | None) -> None:
    """Codes before words, extensions too, and both sides are no side."""
    assert side_of(site) == side


def test_side_of_the_report_needs_all_to_agree() -> None:
    """Specimens and order must name one side between them; a part without a side does not object."""
    order = {
        "resourceType": "ServiceRequest",
        "id": "o",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "bodySite": [{"text": "left breast"}],
    }
    found = {}
    for code in ("80248007", "73056007", None):
        made = report(specimen=[{"reference": "Specimen/a"}], basedOn=[{"reference": "ServiceRequest/o"}])
        resources = pick_report(bundle(made, order, specimen("a", code)))
        found[code] = read_side(resources, read_context(resources, Settings()).specimens)
    assert found == {"80248007": "left", "73056007": None, None: "left"}


def test_known_identifiers_cover_people_numbers_and_places() -> None:
    """Everyone who is named, every number, contact and place; titles, states and resource ids are not among them."""
    practitioner = {
        "resourceType": "Practitioner",
        "id": "d1",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
        "name": [{"family": "Okafor", "given": ["Chidi"]}],
    }
    clinic = {"resourceType": "Organization", "id": "c1", "name": "Musterklinik", "address": [{"city": "Köln"}]}
    maiden = {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Altmann"}
    birthplace = {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Ulm"}}
    patient = {**PATIENT, "extension": [maiden, birthplace], "generalPractitioner": [{"display": "Dr. Eva Roth"}]}
    part = specimen("a", collector={"display": "Ilse Kern"})
    made = report(
        performer=[
            {"reference": "Practitioner/d1", "display": "Prof. C. Okafor, MD"},
            {"display": "Nordlab Laboratory"},
        ],
        encounter={"identifier": {"value": "E-55"}},
        specimen=[{"reference": "Specimen/a"}],
    )
    known = known_identifiers(pick_report(bundle(made, patient, practitioner, clinic, part)))
    values = {kind: {item.value for item in known if item.kind == kind} for kind in {item.kind for item in known}}
    assert values["DATE"] == {"1961-02-03"}
    assert values["CONTACT"] == {"+49 30 1234567"}
    assert values["ID"] == {"000", "V-77", "4711", "S24-1234", "S24-1234-A", "E-55", "1234567893"}
    assert values["LOCATION"] == {
        "Hauptstr. 5",
        "Musterstadt",
        "10115",
        "Musterklinik",
        "Köln",
        "Nordlab Laboratory",
        "Ulm",
    }
    assert {"van der Muster", "Anna", "Lena", "Anna Lena van der Muster", "Okafor", "Chidi"} <= values["NAME"]
    assert {"Altmann", "Eva", "Roth", "Ilse", "Kern"} <= values["NAME"]
    assert not {"Dr", "Dr.", "MD", "Prof"} & values["NAME"]
    assert len(known) == len(set(known))
