"""Bundles: byte-stable, derived ids, one manifest; and what a withdrawal looks like."""

from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_cases import context, finding, findings, mapped, of_code, of_type, primary

from mappers.bundle import map_report, withdraw
from mappers.provenance import read_manifest
from schemas.errors import Code, SynopticError
from schemas.findings import Primary
from schemas.messages import Identifier, Reference, ReportVersion, SpecimenPart
from schemas.pack_loader import load_pack
from schemas.pack_mapping import Mapping
from schemas.settings import MappingSettings, Settings


def full() -> Primary:
    """A primary with something of everything."""
    return primary(
        specimens=("A", "B"),
        findings={
            "T": finding("T1", "pT1c", prefix="p"),
            "N": finding("N0", "pN0", prefix="p"),
            "M": finding("M0"),
            "grade": finding("G2"),
            "ER": finding("positive"),
            "HER2": finding("negative", "1+"),
            "tumor_size": finding("18", unit="mm"),
        },
    )


def test_the_same_report_twice_gives_the_same_bytes() -> None:
    """No clock and no run id: a replay is byte-identical."""
    assert orjson.dumps(mapped(full()).transaction()) == orjson.dumps(mapped(full()).transaction())


def test_every_entry_is_a_put_of_its_own_id() -> None:
    """A transaction of PUTs, each under a fullUrl that its references resolve against."""
    bundle = mapped(full()).transaction()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    for entry in bundle["entry"]:
        path = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        assert entry["request"] == {"method": "PUT", "url": path}
        assert entry["fullUrl"].endswith(f"/{path}")
        assert UUID(entry["resource"]["id"]).version == 5
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == len(bundle["entry"])


def test_identifier_changes_with_version_and_configuration_only() -> None:
    """Subscribers recognise a repeat by report, version and configuration."""
    same = mapped(full())
    newer = mapped(full(), version=ReportVersion(issued="2024-05-03T10:00:00Z"))
    configured = mapped(full(), settings=Settings(mapping=MappingSettings(review_values=True)))
    assert same.identifier == mapped(full()).identifier
    assert len({same.identifier, newer.identifier, configured.identifier}) == 3
    assert [item["id"] for item in same.resources] == [item["id"] for item in newer.resources]


def test_reports_do_not_share_observations() -> None:
    """Observations belong to their report; only the Condition is the patient's."""
    first, second = mapped(full()), mapped(full(), report_key=uuid5(NAMESPACE_URL, "another"))
    ids = [{item["id"] for item in of_type(report, "Observation")} for report in (first, second)]
    assert not ids[0] & ids[1]


def test_manifest_targets_what_was_made_and_says_from_what() -> None:
    """The manifest lists every clinical resource, the report, version, digests and on whose behalf."""
    report = mapped(full(), version=ReportVersion(issued="2024-05-02T10:00:00Z", version_id="3"))
    manifest = read_manifest(report.manifest)
    clinical = [item for item in report.resources if item["resourceType"] != "Device"]
    assert list(manifest.targets) == [f"{item['resourceType']}/{item['id']}" for item in clinical]
    assert manifest.version == ReportVersion(issued="2024-05-02T10:00:00Z", version_id="3")
    assert manifest.content_digest == "c"
    assert manifest.configuration_digest
    assert report.manifest["recorded"] == "2024-05-02T10:00:00Z"
    assert report.manifest["entity"][0]["what"]["reference"] == "DiagnosticReport/1"
    devices = {f"Device/{item['id']}" for item in of_type(report, "Device")}
    assert {agent["who"]["reference"] for agent in report.manifest["agent"]} == devices
    assert all(agent["onBehalfOf"]["reference"] == "Organization/synoptic" for agent in report.manifest["agent"])


def test_manifest_remembers_the_known_condition() -> None:
    """A replay repeats the choice of the EHR's Condition, since the manifest records it."""
    report = mapped(full(), known_conditions={"breast-left": "Condition/7"})
    assert read_manifest(report.manifest).known_conditions == {"breast-left": "Condition/7"}


def test_a_benign_report_has_a_manifest_and_no_clinical_resource() -> None:
    """Nothing is asserted, but the claim on the report stands."""
    report = mapped()
    assert {item["resourceType"] for item in report.resources} == {"Device"}
    assert read_manifest(report.manifest).targets == ("DiagnosticReport/1",)


def test_specimens_of_the_ehr_are_referred_to_by_part_and_side() -> None:
    """A finding keeps its own part, and has none where it may be any of several; where the EHR sent some, none is made."""
    parts = tuple(
        SpecimenPart(
            reference=Reference(type="Specimen", literal=f"Specimen/{part}"),
            part=part,
            side=side,
            collected="2024-04-30",
        )
        for part, side in (("A", "right"), ("B", "left"), ("C", "left"))
    )
    case = primary(specimens=("B", "C"), findings={"ER": finding("positive"), "PR": finding("negative", specimen="C")})
    report = mapped(case, specimens=parts)
    assert not of_type(report, "Specimen")
    assert "specimen" not in of_code(report, "16112-5")[0]
    assert of_code(report, "16113-3")[0]["specimen"]["reference"] == "Specimen/C"
    assert of_code(report, "16112-5")[0]["effectiveDateTime"] == "2024-04-30"


def test_one_specimen_of_ours_for_each_part_where_the_ehr_sent_none() -> None:
    """Two primaries that share a part share its Specimen."""
    report = mapped(full(), primary(key="breast-right", laterality="right", specimens=("B",)))
    assert [item["identifier"][0]["value"] for item in of_type(report, "Specimen")] == ["A", "B"]


@pytest.mark.parametrize(
    ("changes", "types"),
    [
        ({"specimens": ("A",)}, ["TUMOR"]),
        ({"specimens": ("A",), "assertion": "primary_in_situ", "histology": "DCIS", "behaviour": "in_situ"}, ["TUMOR"]),
        ({"specimens": ("A", "B")}, ["TISS", "TISS"]),
        ({"specimens": ("A",), "assertion": "no_residual"}, []),
        ({"specimens": ("A",), "certainty": "provisional"}, ["TISS"]),
        ({"specimens": ("A",), "assertion": "breast_metastasis_elsewhere"}, ["TISS"]),
    ],
)
def test_only_a_single_part_that_bears_the_cancer_is_called_tumor(changes: dict[str, Any], types: list[str]) -> None:
    """Of several parts any may be a node or a margin, what holds no certain cancer is tissue; nothing said, none made."""
    report = mapped(primary(**changes))
    assert [item["type"]["coding"][0]["code"] for item in of_type(report, "Specimen")] == types


@pytest.mark.parametrize("kind", ["Condition", "Observation", "Specimen", "BodyStructure"])
def test_withdrawal_marks_each_type_in_its_own_way(kind: str) -> None:
    """Entered in error: an Observation keeps its value, a Condition loses clinicalStatus, a BodyStructure is inactive."""
    resource: dict[str, Any] = {"resourceType": kind, "id": "1", "status": "final", "valueString": "x"}
    if kind == "Condition":
        resource = {**of_type(mapped(full()), "Condition")[0]}
    withdrawn = withdraw(resource)
    if kind == "Condition":
        assert "clinicalStatus" not in withdrawn
        assert withdrawn["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
        assert withdrawn["code"] == resource["code"]
    elif kind == "BodyStructure":
        assert withdrawn["active"] is False
    else:
        assert (withdrawn["status"], withdrawn["valueString"]) == ("entered-in-error", "x")


def test_probability_has_two_decimals_and_evidence_is_exact() -> None:
    """The extensions carry probability, basis, source and the quote with its offsets."""
    (observation,) = of_code(mapped(full()), "384625004")
    by_name = {item["url"].rpartition("/")[2]: item for item in observation["extension"]}
    assert by_name["finding-probability"]["valueDecimal"] == 0.99
    assert by_name["finding-basis"]["valueCode"] == "stated"
    assert by_name["finding-source"]["valueCode"] == "model"
    parts = {item["url"]: item for item in by_name["finding-evidence"]["extension"]}
    assert (parts["quote"]["valueString"], parts["start"]["valueInteger"], parts["end"]["valueInteger"]) == (
        "pT1c",
        7,
        11,
    )


def test_a_broken_mapping_rejects_the_report_by_name() -> None:
    """What breaks a profile never leaves: SYN-401 names resource and rule, and no value of the patient."""
    pack = load_pack("breast")
    broken = replace(pack, mapping=Mapping.model_validate({**pack.mapping.model_dump(), "allowed": {}}))
    with pytest.raises(SynopticError) as caught:
        map_report(findings(full()), context(), broken, Settings())
    assert caught.value.code is Code.BAD_RESOURCES
    assert "Patient/1" not in str(caught.value)


_CATEGORIES = {
    "T": ["Tis", "T0", "T1", "T2", "T3", "T4"],
    "N": ["N0", "N1", "N2", "N3"],
    "M": ["M0", "M1"],
    "grade": ["G1", "G2", "G3"],
    "ER": ["positive", "negative"],
    "PR": ["positive", "negative"],
    "HER2": ["positive", "negative", "equivocal"],
}
_STATES = ["coded", "review", "not_stated", "not_assessable", "pending", "not_performed"]


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            task: st.tuples(
                st.sampled_from(values), st.sampled_from(_STATES), st.sampled_from(["p", "c", "yp", "yc", ""])
            )
            for task, values in _CATEGORIES.items()
        }
    ),
    st.sampled_from(["primary_invasive", "primary_in_situ", "no_residual", "recurrence", "benign_or_atypia"]),
    st.sampled_from([None, "core", "excision", "mastectomy"]),
    st.booleans(),
)
def test_whatever_was_found_the_bundle_keeps_its_rules(
    found: dict[str, tuple[str, str, str]], assertion: str, procedure: str | None, review: bool
) -> None:
    """No combination of findings makes a bundle that breaks a profile, dangles a reference or lacks a code."""
    case = primary(
        assertion=assertion,
        procedure=procedure,
        findings={
            task: finding(
                value if status in ("coded", "review") else None, None, status, **({"prefix": prefix} if prefix else {})
            )
            for task, (value, status, prefix) in found.items()
        },
    )
    report = mapped(case, settings=Settings(mapping=MappingSettings(review_values=review)))
    assert report.missing == ()
    assert report.manifest["target"]


def test_specimens_of_the_other_side_are_never_used() -> None:
    """Where none of the EHR's specimens fits, findings go out without one, and the size is the tumour's."""
    other = SpecimenPart(reference=Reference(type="Specimen", literal="Specimen/R"), part="A", side="right")
    report = mapped(full(), specimens=(other,))
    (tumor,), (size,) = of_type(report, "BodyStructure"), of_code(report, "21889-1")
    assert size["focus"] == [{"reference": f"BodyStructure/{tumor['id']}"}]
    assert all("specimen" not in item for item in of_type(report, "Observation"))


def test_a_subject_known_only_by_identifier_is_kept_as_such() -> None:
    """A plain file has a logical subject: no literal reference is invented."""
    subject = Reference(type="Patient", identifier=Identifier(system="https://hospital.example/mrn", value="7"))
    (condition,) = of_type(mapped(full(), subject=subject), "Condition")
    assert condition["subject"] == {
        "type": "Patient",
        "identifier": {"system": "https://hospital.example/mrn", "value": "7"},
    }


def test_a_specimen_of_the_ehr_may_look_like_one_of_ours() -> None:
    """An EHR that derives its ids as we do is still the owner of its Specimen: referred to, never missed."""
    literal = f"Specimen/{uuid5(NAMESPACE_URL, 'specimen of the EHR')}"
    theirs = SpecimenPart(reference=Reference(type="Specimen", literal=literal))
    report = mapped(primary(findings={"ER": finding("positive")}), specimens=(theirs,))
    assert of_code(report, "16112-5")[0]["specimen"]["reference"] == literal
