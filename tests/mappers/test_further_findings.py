"""What is sent of findings beside the seven tasks: each with its code, its value and its specimen."""

from typing import Any

import pytest
from mapping_cases import finding, mapped, of_code, of_type, primary, value_codes

from schemas.findings import Finding
from schemas.settings import FhirSettings, Settings

PRESENT, ABSENT, INDETERMINATE = "52101004", "2667000", "82334004"


def only(key: str, found: Finding, code: str, **changes: Any) -> dict[str, Any]:
    """The one Observation of that code that a single finding makes."""
    (observation,) = of_code(mapped(primary(findings={key: found}, **changes)), code)
    return observation


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("lymphovascular_invasion", "59544-7"),
        ("extranodal_extension", "85350-7"),
        ("skin", "skin-involvement"),
        ("nipple", "nipple-involvement"),
    ],
)
def test_presence_is_told_as_present_or_absent(key: str, code: str) -> None:
    """Present and absent are SNOMED qualifiers, with the words of the report as text."""
    assert value_codes(only(key, finding("present"), code)) == [PRESENT]
    absent = only(key, finding("absent", "absent"), code)
    assert (value_codes(absent), absent["valueCodeableConcept"]["text"]) == ([ABSENT], "absent")
    assert absent["meta"]["profile"][0].endswith("us-core-observation-lab")


def test_what_cannot_be_assessed_is_indeterminate() -> None:
    """Invasion of vessels that cannot be determined has a value that says so, and both codes of the question."""
    observation = only("lymphovascular_invasion", finding(None, "x", "not_assessable"), "371512006")
    assert value_codes(observation) == [INDETERMINATE]
    assert "text" not in observation["valueCodeableConcept"]


@pytest.mark.parametrize(("value", "code"), [("positive", PRESENT), ("negative", ABSENT), ("close", "margin-close")])
def test_margins_are_involved_free_or_close(value: str, code: str) -> None:
    """A close margin is neither involved nor simply free."""
    assert value_codes(only("margins", finding(value), "44669-0")) == [code]


@pytest.mark.parametrize(
    ("found", "code", "text"),
    [
        ({"dcis": "present", "extensive_intraductal_component": "present"}, "LA27261-9", "extensive"),
        ({"dcis": "present", "extensive_intraductal_component": "absent"}, PRESENT, "no extensive"),
        ({"dcis": "present"}, PRESENT, "DCIS present"),
        ({"dcis": "absent"}, ABSENT, "DCIS absent"),
        ({"extensive_intraductal_component": "present"}, "LA27261-9", None),
    ],
)
def test_the_in_situ_component_is_one_observation_with_its_extent(
    found: dict[str, str], code: str, text: str | None
) -> None:
    """DCIS beside an invasive carcinoma and its extent answer one question."""
    report = mapped(primary(findings={key: finding(value) for key, value in found.items()}))
    (observation,) = of_code(report, "85336-6")
    assert value_codes(observation) == [code]
    assert (text or "") in observation["valueCodeableConcept"].get("text", "")


def test_an_in_situ_carcinoma_is_not_a_component_of_itself() -> None:
    """Of DCIS alone nothing is said beside the Condition."""
    case = primary(
        assertion="primary_in_situ", histology="DCIS", behaviour="in_situ", findings={"dcis": finding("present")}
    )
    assert not of_code(mapped(case), "85336-6")


@pytest.mark.parametrize(
    ("key", "code", "value", "unit"),
    [
        ("sentinel_nodes_examined", "85347-3", 3, None),
        ("sentinel_nodes_positive", "92832-5", 3, None),
        ("largest_deposit", "85351-5", 3, "mm"),
        ("Ki67_percent", "85330-9", 3, "%"),
    ],
)
def test_counts_lengths_and_shares_are_numbers(key: str, code: str, value: int, unit: str | None) -> None:
    """Counts are integers, lengths and percentages quantities in UCUM."""
    observation = only(key, finding("3"), code)
    if unit is None:
        assert observation["valueInteger"] == value
    else:
        assert (observation["valueQuantity"]["value"], observation["valueQuantity"]["code"]) == (value, unit)


def test_a_range_of_ki67_is_text() -> None:
    """A range of percentages has no lower bound alone."""
    assert only("Ki67_percent", finding("15", "15-20", upper="20"), "85330-9")["valueString"] == "15-20 %"


@pytest.mark.parametrize(
    ("method", "ratio", "copies"), [("fish", "49683-6", "74860-8"), ("cish", "her2-cep17-ratio", "her2-copy-number")]
)
def test_gene_counts_have_fish_codes_only_where_fish_made_them(method: str, ratio: str, copies: str) -> None:
    """By another technique they are local codes; they never decide a status."""
    counts = {"HER2_ratio": finding("1.3", method=method), "HER2_copies": finding("2.6", method=method)}
    report = mapped(primary(findings=counts))
    assert of_code(report, ratio)[0]["valueQuantity"]["value"] == 1.3
    assert of_code(report, copies)[0]["valueQuantity"]["value"] == 2.6
    assert not of_code(report, "48676-1")


def test_the_gene_test_is_derived_from_its_counts() -> None:
    """FISH, ratio and copies are three Observations."""
    report = mapped(
        primary(
            findings={
                "HER2_ish": finding("positive", "amplified by FISH"),
                "HER2_ratio": finding("4.1", method="fish"),
            }
        )
    )
    (test,), (ratio,) = of_code(report, "85318-4"), of_code(report, "49683-6")
    assert test["derivedFrom"] == [{"reference": f"Observation/{ratio['id']}"}]


@pytest.mark.parametrize(("score", "low"), [("1+", True), ("2+", True), ("0", False)])
def test_her2_low_is_a_label_beside_negative(score: str, low: bool) -> None:
    """The status stays negative; HER2-low is told as derived."""
    report = mapped(primary(findings={"HER2": finding("negative"), "HER2_ihc": finding(score)}))
    (overall,) = of_code(report, "48676-1")
    assert value_codes(overall)[0] == "260385009"
    assert ("interpretation" in overall) is low


@pytest.mark.parametrize(("attributes", "low"), [({}, True), ({"comparator": "<"}, False), ({"upper": "75"}, False)])
def test_low_positive_is_told_of_a_percentage_that_is_low(attributes: dict[str, str], low: bool) -> None:
    """One to ten percent; neither below one, nor a range that goes beyond."""
    observation = only("ER_percent", finding("5", **attributes), "85329-1")
    assert ("interpretation" in observation) is low


def test_scores_are_components_of_the_grade_that_they_give() -> None:
    """The Nottingham score and its parts stand beside the grade, each with its code."""
    score = finding("6", tubules="3", nuclei="2", mitoses="1")
    (grade,) = of_code(mapped(primary(findings={"grade": finding("G2"), "nottingham_score": score})), "C18000")
    parts = {part["code"]["coding"][0]["code"]: part["valueInteger"] for part in grade["component"]}
    assert parts == {"nottingham-score": 6, "85321-8": 3, "44645-0": 2, "85300-2": 1}


@pytest.mark.parametrize(("value", "kept"), [("G2", True), ("G1", False), ("G3", False)])
def test_a_score_of_another_grade_is_left_out(value: str, kept: bool) -> None:
    """A score that gives another grade is of another focus or misread."""
    report = mapped(primary(findings={"grade": finding(value), "nottingham_score": finding("7")}))
    assert ("component" in of_code(report, "C18000")[0]) is kept


def test_a_grade_after_therapy_says_so() -> None:
    """Therapy changes the grade."""
    (grade,) = of_code(mapped(primary(therapy_before="yes", findings={"grade": finding("G2")})), "C18000")
    assert grade["note"] == [{"text": "graded after therapy"}]


@pytest.mark.parametrize("value", ["unifocal", "multifocal", "multicentric"])
def test_focality_has_local_values(value: str) -> None:
    """The question has a LOINC code, its answers have none."""
    assert value_codes(only("focality", finding(value), "85320-0")) == [value]


@pytest.mark.parametrize(("therapy", "sent"), [("yes", True), ("unstated", True), ("no", False)])
def test_effect_of_therapy_needs_a_therapy(therapy: str, sent: bool) -> None:
    """Where the report says that there was none, an effect is misread."""
    case = primary(therapy_before=therapy, findings={"therapy_effect": finding("partial")})
    assert bool(of_code(mapped(case), "therapy-effect")) is sent


@pytest.mark.parametrize(
    ("quadrant", "site", "topography", "diagnosis"),
    [
        ("upper_outer", "76365002", "C50.4", "C50.412"),
        ("upper_inner", "77831004", "C50.2", "C50.212"),
        ("lower_outer", "33564002", "C50.5", "C50.512"),
        ("lower_inner", "19100000", "C50.3", "C50.312"),
        (None, "76752008", "C50.9", "C50.912"),
    ],
)
def test_the_quadrant_is_the_site_of_condition_and_tumour(
    quadrant: str | None, site: str, topography: str, diagnosis: str
) -> None:
    """SNOMED and ICD-O topography together, and ICD-10-CM of the same quadrant and side."""
    report = mapped(primary(findings={"quadrant": finding(quadrant)} if quadrant else {}))
    (condition,), (tumor,) = of_type(report, "Condition"), of_type(report, "BodyStructure")
    for place in (condition["bodySite"][0], tumor["location"]):
        assert [coding["code"] for coding in place["coding"]] == [site, topography]
    assert condition["code"]["coding"][1]["code"] == diagnosis


def test_a_quadrant_in_review_is_the_breast() -> None:
    """Two quadrants of one breast leave the breast."""
    (condition,) = of_type(mapped(primary(findings={"quadrant": finding("upper_outer", None, "review")})), "Condition")
    assert condition["bodySite"][0]["coding"][0]["code"] == "76752008"


def test_the_tumour_is_a_body_structure_that_its_specimen_names() -> None:
    """One tumour of a primary, with side and morphology; a single specimen carries its identifier, findings point to it."""
    report = mapped(primary(findings={"grade": finding("G2"), "tumor_size": finding("18", unit="mm")}))
    (tumor,), (specimen,) = of_type(report, "BodyStructure"), of_type(report, "Specimen")
    assert tumor["identifier"] == specimen["identifier"]
    assert tumor["identifier"][0]["value"] == f"urn:uuid:{tumor['id']}"
    assert tumor["locationQualifier"][0]["coding"][0]["code"] == "7771000"
    assert tumor["morphology"]["coding"][0]["code"] == "82711006"
    (grade,) = of_code(report, "C18000")
    assert {"reference": f"BodyStructure/{tumor['id']}"} in grade["focus"]
    (size,) = of_code(report, "21889-1")
    assert ("focus" in size, "specimen" in size) == (False, True)


@pytest.mark.parametrize(
    ("histology", "behaviour", "assertion", "code"),
    [
        ("IDC", "invasive", "primary_invasive", "8500/3"),
        ("DCIS", "in_situ", "primary_in_situ", "8500/2"),
        ("invasive_nos", "invasive", "primary_invasive", None),
        ("DCIS", "microinvasive", "primary_invasive", None),
        (None, None, "primary_invasive", None),
    ],
)
def test_histology_and_behaviour_are_an_icd_o_code_or_nothing(
    histology: str | None, behaviour: str | None, assertion: str, code: str | None
) -> None:
    """An unknown type has no morphology and makes no Observation."""
    report = mapped(primary(histology=histology, behaviour=behaviour, assertion=assertion))
    assert [value_codes(item)[0] for item in of_code(report, "31206-6")] == ([code] if code else [])
    assert report.missing == ()


@pytest.mark.parametrize(
    ("kind", "procedure", "code"),
    [
        ("pathologic", "mastectomy", "399588009"),
        ("clinical", "mastectomy", "399537006"),
        ("anatomic", "core", "399390009"),
    ],
)
def test_a_stated_stage_group_is_a_tnm_stage_group(kind: str, procedure: str, code: str) -> None:
    """It is the report's own word, apart from the computed group, with its categories as members."""
    found = {"stage_group": finding("IIA", kind=kind), "T": finding("T2", "pT2", prefix="p"), "M": finding("M0")}
    report = mapped(primary(procedure=procedure, findings=found | {"N": finding("N0", "pN0", prefix="p")}))
    (stated,), (computed,) = of_code(report, code), of_code(report, "ajcc8-breast-anatomic-group")
    assert value_codes(stated) == ["1222766008"]
    assert len(stated["hasMember"]) == 3
    assert stated["method"]["coding"][0]["code"] == "897275008"
    (condition,) = of_type(report, "Condition")
    assert stated["focus"] == [{"reference": f"Condition/{condition['id']}"}]
    stages = [f"Observation/{item['id']}" for item in (stated, computed)]
    assert [item["reference"] for item in condition["stage"][0]["assessment"]] == stages


def test_a_stated_group_without_a_condition_is_not_sent() -> None:
    """MCODE's stage group has the Condition as its focus."""
    report = mapped(
        primary(findings={"stage_group": finding("IIA")}), settings=Settings(fhir=FhirSettings(condition="none"))
    )
    assert not of_code(report, "399588009")
