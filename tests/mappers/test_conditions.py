"""When a cancer Condition is made, and with which codes."""

import json

import pytest
from mapping_cases import finding, mapped, of_code, of_type, primary

from mappers.bundle import MappedReport
from mappers.identity import EXTENSIONS

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition"
LATERALITY = f"{MCODE}/mcode-laterality-qualifier"
MORPHOLOGY = f"{MCODE}/mcode-histology-morphology-behavior"


STAGED = {
    "T": finding("T2", "pT2", prefix="p"),
    "N": finding("N0", "pN0", prefix="p"),
    "M": finding("M0", "M0"),
    "grade": finding("G2"),
    "tumor_size": finding("12", "12 mm", unit="mm"),
    "nodes_examined": finding("3"),
    "margins": finding("negative"),
    "stage_group": finding("IIA"),
}


def codes_of(report: MappedReport) -> set[str]:
    """The first code of every Observation."""
    return {item["code"]["coding"][0]["code"] for item in of_type(report, "Observation")}


@pytest.mark.parametrize("assertion", ["benign_or_atypia", "not_carcinoma", "uncertain", "metastasis_to_breast"])
def test_no_breast_cancer_makes_nothing(assertion: str) -> None:
    """Benign, doubtful and other disease makes no Condition, no tumour and no Observation, receptors neither."""
    report = mapped(primary(assertion=assertion, findings={**STAGED, "ER": finding("positive")}))
    assert {item["resourceType"] for item in report.resources} <= {"Device", "Specimen"}


def test_a_recurrence_has_a_condition_of_its_own_and_no_stage() -> None:
    """Clinical status recurrence, categories as text under "other"; no grade, size, stage or tumour of a first primary."""
    report = mapped(primary(assertion="recurrence", findings={**STAGED, "ER": finding("positive")}))
    (condition,) = of_type(report, "Condition")
    assert condition["clinicalStatus"]["coding"][0]["code"] == "recurrence"
    assert condition["id"] != of_type(mapped(primary()), "Condition")[0]["id"]
    assert "stage" not in condition
    assert codes_of(report) == {"78873005", "277206009", "16112-5"}
    (category,) = of_code(report, "78873005")
    assert category["dataAbsentReason"]["text"] == "pT2"
    assert category["focus"] == [{"reference": f"Condition/{condition['id']}"}]
    assert not of_type(report, "BodyStructure")


def test_a_recurrence_refers_to_the_known_condition() -> None:
    """Where the EHR holds the primary, its recurrence writes no second one."""
    case = primary(assertion="recurrence", findings={"ER": finding("positive")})
    report = mapped(case, known_conditions={"breast-left": "Condition/7"})
    assert not of_type(report, "Condition")
    assert of_code(report, "16112-5")[0]["focus"] == [{"reference": "Condition/7"}]


@pytest.mark.parametrize(
    ("site", "code"), [("liver", "94381002"), ("bone", "94222008"), ("other", "128462008"), (None, "128462008")]
)
def test_a_metastasis_elsewhere_is_a_secondary_cancer_without_a_side(site: str | None, code: str) -> None:
    """No primary, no size or grade, no breast; receptors, and pM1 where a distant organ proves it."""
    found = {**STAGED, "ER": finding("positive")} | ({"metastasis_site": finding(site)} if site else {})
    report = mapped(primary(assertion="breast_metastasis_elsewhere", laterality="left", findings=found))
    (condition,) = of_type(report, "Condition")
    assert condition["meta"]["profile"] == [f"{MCODE}/mcode-secondary-cancer-condition"]
    assert condition["code"]["coding"][0]["code"] == code
    assert codes_of(report) == {"16112-5"} | ({"371497001"} if site else set())
    for proven in of_code(report, "371497001"):
        assert proven["valueCodeableConcept"]["coding"][0]["code"] == "1229916009"
        assert "focus" not in proven
        assert {"url": f"{EXTENSIONS}/finding-basis", "valueCode": "derived"} in proven["extension"]
    sent = json.dumps(report.transaction())
    assert LATERALITY not in sent
    assert not any(word in sent for word in ('"7771000"', '"24028007"', "bodySite", "BodyStructure"))


def test_a_metastasis_names_the_known_primary() -> None:
    """Where the EHR holds the primary, the secondary cancer is related to it, and M1 is about it."""
    case = primary(assertion="breast_metastasis_elsewhere", findings={"metastasis_site": finding("lung")})
    report = mapped(case, known_conditions={"breast-left": "Condition/7"})
    (condition,) = of_type(report, "Condition")
    assert condition["extension"] == [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/condition-related",
            "valueReference": {"reference": "Condition/7"},
        }
    ]
    assert of_code(report, "371497001")[0]["focus"] == [{"reference": "Condition/7"}]


def test_a_suspected_metastasis_proves_nothing() -> None:
    """Without certainty there is no pM1."""
    case = primary(
        assertion="breast_metastasis_elsewhere", certainty="provisional", findings={"metastasis_site": finding("bone")}
    )
    assert not of_code(mapped(case), "371497001")


def test_a_known_condition_may_be_one_of_our_own() -> None:
    """A Condition that an earlier report made is on the server, not in this bundle."""
    (earlier,) = of_type(mapped(primary()), "Condition")
    literal = f"Condition/{earlier['id']}"
    report = mapped(primary(findings={"ER": finding("positive")}), known_conditions={"breast-left": literal})
    assert of_code(report, "16112-5")[0]["focus"][0] == {"reference": literal}


def test_no_residual_waits_for_a_known_condition() -> None:
    """Without a known Condition nothing is written; with one, ypT0 points to it."""
    case = primary(assertion="no_residual", therapy_before="yes", findings={"T": finding("T0", "ypT0", prefix="yp")})
    assert not of_type(mapped(case), "Observation")
    known = mapped(case, known_conditions={"breast-left": "Condition/7"})
    assert of_code(known, "384625004")[0]["focus"] == [{"reference": "Condition/7"}]
    assert not of_type(known, "Condition")


@pytest.mark.parametrize(
    ("histology", "behaviour", "code", "icd10", "morphology"),
    [
        ("IDC", "invasive", "408643008", "C50.912", "8500/3"),
        ("ILC", "invasive", "278054005", "C50.912", "8520/3"),
        ("IDC_ILC", "invasive", "444604002", "C50.912", "8522/3"),
        ("mucinous", "invasive", "444712000", "C50.912", "8480/3"),
        ("metaplastic", "invasive", "763479005", "C50.912", "8575/3"),
        ("DCIS", "in_situ", "109889007", "D05.12", "8500/2"),
        ("DCIS", "microinvasive", "713609000", "C50.912", None),
        ("LCIS", "in_situ", "109888004", "D05.02", "8520/2"),
        ("unheard_of", "invasive", "713609000", "C50.912", None),
        (None, "invasive", "713609000", "C50.912", None),
        (None, None, "254837009", "C50.912", None),
    ],
)
def test_codes_follow_histology_and_behaviour(
    histology: str | None, behaviour: str | None, code: str, icd10: str, morphology: str | None
) -> None:
    """Each type has its own codes; an unknown type has no morphology and is never taken for ductal."""
    assertion = "primary_in_situ" if behaviour == "in_situ" else "primary_invasive"
    (condition,) = of_type(mapped(primary(histology=histology, behaviour=behaviour, assertion=assertion)), "Condition")
    assert [coding["code"] for coding in condition["code"]["coding"]] == [code, icd10]
    found = [
        item["valueCodeableConcept"]["coding"][0]["code"]
        for item in condition.get("extension", [])
        if item["url"] == MORPHOLOGY
    ]
    assert found == ([morphology] if morphology else [])


@pytest.mark.parametrize(
    ("gender", "expected"), [("male", "C50.922"), ("female", "C50.912"), ("other", None), (None, None)]
)
def test_icd_10_cm_needs_a_known_sex(gender: str | None, expected: str | None) -> None:
    """ICD-10-CM is given only where the Patient's gender is male or female."""
    (condition,) = of_type(mapped(primary(), gender=gender), "Condition")
    found = [item["code"] for item in condition["code"]["coding"] if "icd-10" in item["system"]]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(("side", "expected"), [("left", "7771000"), ("right", "24028007"), (None, None)])
def test_side_is_an_extension_of_the_body_site(side: str | None, expected: str | None) -> None:
    """The side qualifies the breast; an unknown side is left out."""
    (condition,) = of_type(mapped(primary(laterality=side, key=f"breast-{side}")), "Condition")
    (site,) = condition["bodySite"]
    assert [coding["code"] for coding in site["coding"]] == ["76752008", "C50.9"]
    found = [
        item["valueCodeableConcept"]["coding"][0]["code"]
        for item in site.get("extension", [])
        if item["url"] == LATERALITY
    ]
    assert found == ([expected] if expected else [])


def test_condition_is_provisional_with_its_evidence() -> None:
    """A machine never confirms: provisional, active, proven by histology in this report."""
    (condition,) = of_type(mapped(primary()), "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "provisional"
    assert condition["clinicalStatus"]["coding"][0]["code"] == "active"
    assert condition["evidence"][0]["code"][0]["coding"][0]["code"] == "714797009"
    assert condition["evidence"][0]["detail"][0]["reference"] == "DiagnosticReport/1"
    assert [item["coding"][0]["code"] for item in condition["category"]] == ["health-concern", "encounter-diagnosis"]


def test_suspicion_is_flagged() -> None:
    """A "suspicious for" carries the label of uncertain reliability."""
    (condition,) = of_type(mapped(primary(certainty="provisional")), "Condition")
    assert "UNCERTREL" in [label["code"] for label in condition["meta"]["security"]]


def test_lcis_alone_has_no_t_and_no_stage() -> None:
    """AJCC 8 does not stage LCIS."""
    report = mapped(
        primary(
            assertion="primary_in_situ",
            histology="LCIS",
            behaviour="in_situ",
            findings={
                "T": finding("Tis", "pTis", prefix="p"),
                "N": finding("N0", "pN0", prefix="p"),
                "M": finding("M0"),
            },
        )
    )
    assert not of_code(report, "384625004")
    assert not of_code(report, "ajcc8-breast-anatomic-group")


def test_reports_of_one_patient_and_side_share_a_condition() -> None:
    """Biopsy and excision of one breast are one primary: the Condition's id comes from the patient."""
    from uuid import NAMESPACE_URL, uuid5

    (first,) = of_type(mapped(primary()), "Condition")
    (second,) = of_type(mapped(primary(), report_key=uuid5(NAMESPACE_URL, "another")), "Condition")
    (other_side,) = of_type(mapped(primary(key="breast-right", laterality="right")), "Condition")
    assert first["id"] == second["id"] != other_side["id"]


@pytest.mark.parametrize(
    ("assertion", "behaviour", "text"),
    [
        ("primary_in_situ", "in_situ", "carcinoma in situ, type not stated"),
        ("primary_invasive", "microinvasive", "microinvasive carcinoma"),
        ("primary_invasive", None, "carcinoma, type not stated"),
    ],
)
def test_a_cancer_of_no_stated_type_is_told_by_its_behaviour(assertion: str, behaviour: str | None, text: str) -> None:
    """What is in situ or microinvasive is called so, also where its type is not stated."""
    (condition,) = of_type(mapped(primary(assertion=assertion, histology=None, behaviour=behaviour)), "Condition")
    assert condition["code"]["text"] == text
