"""Our own checks: must-haves of profiles, allow-lists, deny-list and references."""

from typing import Any

import pytest
from mapping_cases import finding, mapped, primary

from mappers.profiles import check_resources, load_profiles
from schemas.pack_loader import load_pack, load_packs
from schemas.settings import MappingSettings

MAPPING = load_pack("breast").mapping


def resources() -> list[dict[str, Any]]:
    """A report's resources and manifest, which pass."""
    report = mapped(
        primary(
            findings={
                "T": finding("T1", "pT1c", prefix="p"),
                "M": finding("M0"),
                "grade": finding("G2"),
                "N": finding("N0", "pN0", prefix="p"),
                "ER": finding("positive"),
                "tumor_size": finding("18", unit="mm"),
                "nodes_examined": finding("3"),
                "stage_group": finding("IA"),
            },
        )
    )
    return [*report.resources, report.manifest]


def observation(all_resources: list[dict[str, Any]], profile: str) -> dict[str, Any]:
    """The Observation that claims the profile."""
    return next(item for item in all_resources if profile in str(item.get("meta", {}).get("profile")))


def test_shipped_resources_pass() -> None:
    """What the shipped mapping makes has no fault."""
    assert check_resources(resources(), MAPPING) == ()


CLAIMED = sorted(
    url
    for templates in (MAPPING.templates.values(), (rule.resource for rule in MAPPING.rules))
    for resource in templates
    for url in resource.get("meta", {}).get("profile", [])
)


def example(profile: str) -> list[dict[str, Any]]:
    """A report that has a resource of the profile."""
    if profile.endswith("secondary-cancer-condition"):
        elsewhere = primary(assertion="breast_metastasis_elsewhere", findings={"metastasis_site": finding("liver")})
        return list(mapped(elsewhere).resources)
    return resources()


@pytest.mark.parametrize(
    ("profile", "element"),
    [
        (url, element)
        for url in dict.fromkeys(CLAIMED)
        for element in (*load_profiles()[url].required, *filter(None, [" or ".join(load_profiles()[url].one_of)]))
    ],
    ids=lambda text: text.rpartition("/")[2],
)
def test_no_resource_goes_out_without_what_its_profile_requires(profile: str, element: str) -> None:
    """Every profile that the mapping claims, without each of its elements in turn, is a fault that names the element."""
    found = example(profile)
    claiming = [item for item in found if profile in item.get("meta", {}).get("profile", [])]
    assert check_resources(found, MAPPING) == ()
    for path in element.split(" or "):
        remove(claiming[0], path.split("."))
    faults = [fault for fault in check_resources(found, MAPPING) if claiming[0]["id"] in fault]
    assert any(path in fault for fault in faults for path in element.split(" or "))


def remove(node: Any, path: list[str]) -> None:
    """The element taken out wherever the path leads."""
    for item in node if isinstance(node, list) else [node]:
        if len(path) > 1:
            remove(item.get(path[0], []), path[1:])
        else:
            item.pop(path[0], None)


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


@pytest.mark.parametrize("code", sorted(MAPPING.denied))
def test_denied_codes_never_go_out(code: str) -> None:
    """A denied code is a fault wherever it stands."""
    found = resources()
    condition = observation(found, "primary-cancer-condition")
    system, _, number = code.partition("|")
    condition["code"]["coding"].append({"system": MAPPING.systems[system], "code": number})
    assert any(f"{number} must never go out" in fault for fault in check_resources(found, MAPPING))


@pytest.mark.parametrize(
    ("code", "claimed"),
    [
        ("sct|1222593007", "stage IIA of public repositories; fails its check digit"),
        ("sct|1228938007", "pT1c of public repositories; fails its check digit"),
        ("sct|443451005", "invasive lobular carcinoma of public repositories; fails its check digit"),
        ("sct|1228855002", "GX, mislabelled"),
        ("sct|19408000", "pM0 of AJCC 6"),
        ("sct|17076002", "pMX of AJCC 6"),
        ("sct|373172003", "pT1 of AJCC 6, a finding"),
        ("sct|35917007", "adenocarcinoma, replaced since"),
        ("sct|28899001", "squamous cell carcinoma, replaced since"),
        *(
            (f"loinc|219{number}", "a deprecated code of staging")
            for number in ("05-5", "06-3", "07-1", "08-9", "00-6")
        ),
        ("loinc|21899-0", "a deprecated code of staging"),
        ("loinc|LP7839-6", "a part of LOINC's, no code"),
        ("loinc|60568-3", "a pathologist's synoptic report"),
    ],
)
def test_wrong_codes_that_are_in_circulation_are_not_shipped(code: str, claimed: str) -> None:
    """Codes that public repositories and old guides use wrongly stand nowhere among the mapping's own."""
    assert code not in {text.rpartition("|")[0] if text.count("|") > 1 else text for _, text in MAPPING.written_codes()}
    found = resources()
    system, _, number = code.partition("|")
    for item in found:
        if item["resourceType"] == "Observation" and "valueCodeableConcept" in item:
            item["valueCodeableConcept"]["coding"] = [{"system": MAPPING.systems[system], "code": number}]
    assert any(number in fault for fault in check_resources(found, MAPPING)), claimed


def test_a_right_code_stands_for_nothing_but_its_own_value() -> None:
    """1228957006 is pT1, not pT1a as some have it; 1228938002 is cT3; every code has one meaning in T, N and M."""
    tables = ("T.pathologic", "T.after_therapy", "T.clinical", "N.pathologic", "N.after_therapy", "N.clinical")
    meanings = [
        (coding.code, table, key)
        for table in (*tables, "M.pathologic", "M.clinical")
        for key in MAPPING.tables[table]
        for coding in MAPPING.lookup(table, key)
    ]
    assert len({code for code, *_ in meanings}) == len(meanings)
    assert ("1228957006", "T.pathologic", "T1") in meanings
    assert ("1228938002", "T.clinical", "T3") in meanings


def test_no_namespace_of_one_country() -> None:
    """No SNOMED code of New Zealand's extension (…210101 to …210109) is shipped."""
    codes = [coding.code for _, coding in MAPPING.shipped_codings()]
    assert not [code for code in codes if len(code) > 10 and "1000210" in code]


def test_licensed_codes_keep_mcodes_system_and_have_no_display() -> None:
    """AJCC's own codes go out in the system that mCODE names, http and not https, without AJCC's wording."""
    facility = load_packs(["breast"], MappingSettings(codes="ajcc"))["breast"].mapping
    codings = [coding for _, coding in facility.shipped_codings() if "cancerstaging" in coding.system]
    assert {coding.system for coding in codings} == {"http://cancerstaging.org"}
    assert not any(coding.display for coding in codings)


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
