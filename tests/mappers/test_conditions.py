"""When a cancer Condition is made, and with which codes."""

import json

import pytest
from mapping_cases import finding, mapped, of_code, of_type, primary

from schemas.findings import Assertion

LATERALITY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"
MORPHOLOGY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"


@pytest.mark.parametrize("assertion", [item for item in Assertion if not item.is_primary])
def test_no_condition_tnm_or_grade_without_a_primary(assertion: Assertion) -> None:
    """Benign, uncertain, metastatic or recurrent disease makes no primary cancer Condition, no TNM and no grade."""
    report = mapped(
        primary(
            assertion=assertion,
            findings={"T": finding("T2", "pT2", prefix="p"), "N": finding("N0", "pN0"), "grade": finding("G2")},
        )
    )
    assert not of_type(report, "Condition")
    assert not of_type(report, "Observation")


@pytest.mark.parametrize("assertion", ["benign_or_atypia", "not_carcinoma", "uncertain", "metastasis_to_breast"])
def test_receptors_of_no_breast_cancer_make_nothing(assertion: str) -> None:
    """Receptors are only of breast cancer, primary or not."""
    assert not of_type(mapped(primary(assertion=assertion, findings={"ER": finding("positive")})), "Observation")


@pytest.mark.parametrize("assertion", ["breast_metastasis_elsewhere", "recurrence"])
def test_metastasis_and_recurrence_send_receptors_and_nothing_of_a_primary(assertion: str) -> None:
    """No Condition, no focus, no category, no size, no stage and no side: the side may be that of the history."""
    values = {
        "T": finding("T2", "pT2", prefix="p"),
        "N": finding("N0", "pN0", prefix="p"),
        "M": finding("M1", "pM1", prefix="p"),
        "grade": finding("G2"),
        "ER": finding("positive"),
        "tumor_size": finding("12", "12 mm", unit="mm"),
        "nodes_examined": finding("3"),
    }
    report = mapped(primary(assertion=assertion, laterality="left", findings=values))
    (observation,) = of_type(report, "Observation")
    assert of_code(report, "16112-5") == [observation]
    assert "focus" not in observation
    assert not of_type(report, "Condition")
    sent = json.dumps(report.transaction())
    assert LATERALITY not in sent
    assert not any(code in sent for code in ('"7771000"', '"24028007"', "bodySite"))


def test_a_known_condition_may_be_one_of_our_own() -> None:
    """A Condition that an earlier report made is on the server, not in this bundle."""
    (earlier,) = of_type(mapped(primary()), "Condition")
    literal = f"Condition/{earlier['id']}"
    report = mapped(primary(findings={"ER": finding("positive")}), known_conditions={"breast-left": literal})
    assert of_code(report, "16112-5")[0]["focus"] == [{"reference": literal}]


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
