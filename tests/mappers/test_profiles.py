"""Our own checks: must-haves of profiles, allow-lists, deny-list and references."""

from typing import Any

import pytest
from mapping_cases import finding, mapped, primary

from mappers.profiles import check_resources, load_profiles
from schemas.pack_loader import load_pack

MAPPING = load_pack("breast").mapping


def resources() -> list[dict[str, Any]]:
    """A report's resources and manifest, which pass."""
    report = mapped(
        primary(
            findings={
                "T": finding("T1", "pT1c", prefix="p"),
                "M": finding("M0"),
                "grade": finding("G2"),
                "ER": finding("positive"),
                "tumor_size": finding("18", unit="mm"),
            }
        )
    )
    return [*report.resources, report.manifest]


def observation(all_resources: list[dict[str, Any]], profile: str) -> dict[str, Any]:
    """The Observation that claims the profile."""
    return next(item for item in all_resources if profile in str(item.get("meta", {}).get("profile")))


def test_shipped_resources_pass() -> None:
    """What the shipped mapping makes has no fault."""
    assert check_resources(resources(), MAPPING) == ()


@pytest.mark.parametrize("element", ["status", "category", "code", "subject", "method", "valueCodeableConcept"])
def test_tnm_must_haves(element: str) -> None:
    """TNM without any of its elements is a fault, also without value and reason."""
    found = resources()
    del observation(found, "primary-tumor-category")[element]
    assert any(element in fault for fault in check_resources(found, MAPPING))


@pytest.mark.parametrize(
    ("profile", "code", "wrong"),
    [
        ("primary-tumor-category", "1228889001", "a clinical value under the pathologic code"),
        ("primary-tumor-category", "999", "no code at all"),
        ("distant-metastases", "17076002", "pMX, which validates clean elsewhere"),
        ("distant-metastases", "19408000", "pM0, which does not exist in AJCC 8"),
        ("histologic-grade", "54102005", "a generic G1"),
    ],
)
def test_values_that_do_not_belong_to_their_code_are_refused(profile: str, code: str, wrong: str) -> None:
    """Every value is on the allow-list of its Observation code, so the prefix agrees with it."""
    found = resources()
    item = observation(found, profile)
    item["valueCodeableConcept"] = {"coding": [{"system": "http://snomed.info/sct", "code": code}]}
    assert any(code in fault for fault in check_resources(found, MAPPING)), wrong


@pytest.mark.parametrize("code", ["353431000119107", "448952004", "371513001", "66459002", "372064008"])
def test_denied_codes_never_go_out(code: str) -> None:
    """A denied code is a fault wherever it stands."""
    found = resources()
    condition = observation(found, "primary-cancer-condition")
    condition["code"]["coding"].append({"system": "http://snomed.info/sct", "code": code})
    assert any(f"{code} must never go out" in fault for fault in check_resources(found, MAPPING))


def test_an_observation_code_off_the_list_is_refused() -> None:
    """Only codes that the mapping lists may be observed."""
    found = resources()
    observation(found, "tumor-marker-test")["code"]["coding"] = [{"system": "http://loinc.org", "code": "2857-1"}]
    assert any("not on the mapping's list" in fault for fault in check_resources(found, MAPPING))


def test_size_with_focus_and_specimen_is_refused() -> None:
    """MCODE wants exactly one of the two."""
    found = resources()
    observation(found, "tumor-size")["focus"] = [{"reference": "BodyStructure/1"}]
    assert any("exactly one of focus, specimen" in fault for fault in check_resources(found, MAPPING))


def test_a_dangling_reference_to_our_own_resource_is_refused() -> None:
    """What only Synoptic writes must be in the bundle; the EHR's resources need not."""
    found = [item for item in resources() if item["resourceType"] != "Condition"]
    faults = check_resources(found, MAPPING)
    assert any("refers to Condition/" in fault for fault in faults)
    assert not any("Patient" in fault for fault in faults)


def test_an_unknown_profile_is_refused() -> None:
    """A misspelt profile claims nothing."""
    found = resources()
    found[-1]["meta"]["profile"] = ["http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-tnm-category-x"]
    assert any("no profile that Synoptic knows" in fault for fault in check_resources(found, MAPPING))


def test_profiles_are_loaded_from_data() -> None:
    """The must-haves of sixteen profiles."""
    assert len(load_profiles()) == 16
