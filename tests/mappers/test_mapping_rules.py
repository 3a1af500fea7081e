"""What the shipped mapping makes of each finding."""

import pytest
from mapping_cases import finding, mapped, of_code, of_type, primary, value_codes

from schemas.settings import FhirSettings, MappingSettings, Settings

PT, CT, OTHER_T, PN, CM, PM, OTHER_M = (
    "384625004", "399504009", "78873005", "371494008", "399387003", "371497001", "277208005",
)  # fmt: skip


@pytest.mark.parametrize(
    ("detail", "value", "prefix", "code", "expected"),
    [
        ("pT1c(m)", "T1", "p", PT, "1229846008"),
        ("pTis(DCIS)", "Tis", "p", PT, "1228954004"),
        ("pTis (Paget)", "Tis", "p", PT, "1228956002"),
        ("pT1mi", "T1", "p", PT, "1228958001"),
        ("pT2(mult)", "T2", "p", PT, "1229852009"),
        ("ypT1b", "T1", "yp", PT, "1228897008"),
        ("cT2", "T2", "c", CT, "1228929004"),
        ("ycT0", "T0", "yc", CT, "1228882005"),
        (None, "T3", "p", PT, "1229859000"),
    ],
)
def test_t_takes_code_and_value_of_its_prefix(
    detail: str | None, value: str, prefix: str, code: str, expected: str
) -> None:
    """The most specific stated category goes out under the code of its prefix."""
    report = mapped(primary(findings={"T": finding(value, detail, prefix=prefix)}))
    (observation,) = of_code(report, code)
    assert value_codes(observation) == [expected]
    assert observation["method"]["coding"][0]["code"] == "897275008"


def test_prefix_is_read_from_the_detail_where_no_attribute_has_it() -> None:
    """A "cT2" is clinical even when nothing else says so."""
    report = mapped(primary(findings={"T": finding("T2", "cT2")}))
    assert of_code(report, CT)
    assert not of_code(report, PT)


@pytest.mark.parametrize("prefix", ["r", "a"])
def test_recurrence_and_autopsy_categories_go_out_as_text_only(prefix: str) -> None:
    """R and a have no coded category: code "other", category in text."""
    report = mapped(primary(findings={"T": finding("T2", f"{prefix}T2", prefix=prefix)}))
    (observation,) = of_code(report, OTHER_T)
    assert "valueCodeableConcept" not in observation
    assert observation["dataAbsentReason"]["text"] == f"{prefix}T2"
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "as-text"


def test_no_prefix_on_a_first_resection_is_pathologic_and_derived() -> None:
    """A bare category of a mastectomy specimen is pathologic, and says that this was inferred."""
    report = mapped(primary(findings={"T": finding("T2", "T2"), "tumor_size": finding("30", unit="mm")}))
    (observation,) = of_code(report, PT)
    assert "derivedFrom" not in observation  # the category itself was stated
    assert {"url": "https://synoptic.example/fhir/StructureDefinition/finding-basis", "valueCode": "derived"} in (
        observation["extension"]
    )


@pytest.mark.parametrize("changes", [{"procedure": "core"}, {"procedure": None}, {"therapy_before": "yes"}])
def test_no_prefix_without_a_first_resection_is_withheld(changes: dict[str, str | None]) -> None:
    """A bare category on a core biopsy or after therapy may be anything, so nothing goes out."""
    report = mapped(primary(findings={"T": finding("T2", "T2")}, **changes))
    assert not any(of_code(report, code) for code in (PT, CT, OTHER_T))


def test_detail_that_contradicts_the_class_is_withheld() -> None:
    """The class must be the parent of the stated category."""
    report = mapped(primary(findings={"T": finding("T2", "pT1c", prefix="p")}))
    assert not of_code(report, PT)


def test_derived_t_and_n_point_to_size_and_counts() -> None:
    """A derived category names the Observations that it follows from."""
    report = mapped(
        primary(
            findings={
                "T": finding("T1", None, prefix="p", basis="derived"),
                "N": finding("N1", None, prefix="p", basis="derived"),
                "tumor_size": finding("18", "18 mm", unit="mm"),
                "nodes_examined": finding("9"),
                "nodes_positive": finding("2"),
            }
        )
    )
    (size,), (examined,), (positive,) = (of_code(report, code) for code in ("21889-1", "21894-1", "21893-3"))
    (t,), (n,) = of_code(report, PT), of_code(report, PN)
    assert t["derivedFrom"] == [{"reference": f"Observation/{size['id']}"}]
    assert n["derivedFrom"] == [{"reference": f"Observation/{item['id']}"} for item in (examined, positive)]
    assert (examined["valueInteger"], positive["valueInteger"]) == (9, 2)


@pytest.mark.parametrize(("task", "code", "expected"), [("T", PT, "1228950008"), ("N", PN, "1229945006")])
def test_x_is_a_value_of_t_and_n(task: str, code: str, expected: str) -> None:
    """PTX and pNX are coded values."""
    report = mapped(primary(findings={task: finding(None, f"p{task}X", "not_assessable", prefix="p")}))
    (observation,) = of_code(report, code)
    assert value_codes(observation) == [expected]


def test_mx_has_no_value_but_a_reason() -> None:
    """MX goes out under "M category" with the reason "unknown" and its text."""
    report = mapped(primary(findings={"M": finding(None, "MX", "not_assessable")}))
    (observation,) = of_code(report, OTHER_M)
    assert "valueCodeableConcept" not in observation
    assert observation["dataAbsentReason"]["text"] == "MX"
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_m0_is_always_clinical() -> None:
    """There is no pM0: even "pM0" becomes cM0."""
    report = mapped(primary(findings={"M": finding("M0", "pM0", prefix="p")}))
    (observation,) = of_code(report, CM)
    assert value_codes(observation) == ["1229901006"]


@pytest.mark.parametrize(("prefix", "code", "expected"), [("p", PM, "1229916009"), ("c", CM, "1229903009")])
def test_m1_is_pathologic_only_where_the_specimen_proves_it(prefix: str, code: str, expected: str) -> None:
    """M1 proven in the specimen is pM1, any other cM1."""
    report = mapped(primary(findings={"M": finding("M1", f"{prefix}M1", prefix=prefix)}))
    (observation,) = of_code(report, code)
    assert value_codes(observation) == [expected]


@pytest.mark.parametrize(
    ("effective", "recorded", "expected"),
    [
        ("2019", "2024-01-01T00:00:00Z", "897275008"),
        ("2015-06-01", "2024-01-01T00:00:00Z", "443830009"),
        ("2004-06-01", "2024-01-01T00:00:00Z", "444256004"),
        (None, "2012-01-01T00:00:00Z", "443830009"),
    ],
)
def test_method_follows_the_year_of_diagnosis(effective: str | None, recorded: str, expected: str) -> None:
    """Where no edition is stated, the year of diagnosis gives it, marked as derived."""
    report = mapped(primary(findings={"T": finding("T2", "pT2", prefix="p")}), effective=effective, recorded=recorded)
    (observation,) = of_code(report, PT)
    assert observation["method"]["coding"][0]["code"] == expected
    assert observation["method"]["extension"][0]["valueCode"] == "derived"


def test_stated_edition_wins_over_the_year() -> None:
    """A report of 2024 that stages by UICC says so."""
    report = mapped(primary(findings={"T": finding("T2", "pT2", prefix="p", edition="uicc")}))
    (observation,) = of_code(report, PT)
    assert observation["method"]["coding"][0]["code"] == "C188404"
    assert "extension" not in observation["method"]


def test_a_year_without_edition_makes_no_tnm_and_says_so() -> None:
    """TNM needs a method: before 2003 there is no code for one, so there is no Observation."""
    report = mapped(primary(findings={"T": finding("T2", "pT2", prefix="p")}), effective="1999-01-01")
    assert not of_code(report, PT)
    assert [(item.slot, item.table) for item in report.missing] == [("T", "staging_method")]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"system": "nottingham"}, ["1286893008", "369791003"]),
        ({}, ["1286893008", "369791003"]),
        ({"system": "words"}, ["1286893008"]),
    ],
)
def test_grade_is_coded_by_mcode_first_and_by_nottingham_unless_in_words(
    attributes: dict[str, str], expected: list[str]
) -> None:
    """Nottingham's coding stands beside mCODE's, but not for "moderately differentiated" alone."""
    report = mapped(primary(findings={"grade": finding("G2", "G2", **attributes)}))
    (observation,) = of_code(report, "C18000")
    assert value_codes(observation) == expected


def test_in_situ_carcinoma_has_no_histologic_grade() -> None:
    """A nuclear grade of DCIS is never HistologicGrade."""
    report = mapped(
        primary(assertion="primary_in_situ", histology="DCIS", behaviour="in_situ", findings={"grade": finding("G3")})
    )
    assert not of_code(report, "C18000")


@pytest.mark.parametrize(
    ("status", "code"), [("pending", None), ("not_performed", "385660001"), ("not_assessable", "82334004")]
)
def test_missing_receptor_results_say_why(status: str, code: str | None) -> None:
    """Pending is a registered laboratory Observation; not performed and indeterminate are values."""
    report = mapped(primary(findings={"ER": finding(None, None, status)}))
    (observation,) = of_code(report, "16112-5")
    assert value_codes(observation) == ([code] if code else [])
    if status == "pending":
        assert observation["status"] == "registered"
        assert observation["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
        assert observation["meta"]["profile"][0].endswith("us-core-observation-lab")


def test_a_pending_result_keeps_its_id_when_it_comes() -> None:
    """The registered Observation becomes the TumorMarkerTest under the same id."""
    (before,) = of_code(mapped(primary(findings={"PR": finding(None, None, "pending")})), "16113-3")
    (after,) = of_code(mapped(primary(findings={"PR": finding("negative")})), "16113-3")
    assert before["id"] == after["id"]
    assert after["meta"]["profile"][0].endswith("mcode-tumor-marker-test")


def test_receptor_codes_follow_method_and_percentages_stand_apart() -> None:
    """Immune stain where stated; the percentage with its comparator, a range as text."""
    report = mapped(
        primary(
            findings={
                "ER": finding("positive", "positive by immunohistochemistry"),
                "ER_percent": finding("1", "< 1 %", comparator="<"),
                "PR": finding("positive"),
                "PR_percent": finding("91", "91-100", upper="100"),
            }
        )
    )
    assert value_codes(of_code(report, "85337-4")[0])[0] == "10828004"
    assert value_codes(of_code(report, "16113-3")[0])[0] == "10828004"
    (er,), (pr,) = of_code(report, "85329-1"), of_code(report, "85325-9")
    assert (er["valueQuantity"]["value"], er["valueQuantity"]["comparator"]) == (1, "<")
    assert pr["valueString"] == "91-100 %"


def test_her2_score_stands_beside_the_status_and_low_is_never_a_status() -> None:
    """IHC 1+ is a score of its own; the overall status is negative and derived from it."""
    report = mapped(primary(findings={"HER2": finding("negative", "1+", method="ihc")}))
    (score,), (overall,) = of_code(report, "85319-2"), of_code(report, "48676-1")
    assert value_codes(score) == ["441614007", "LA11841-6"]
    assert score["interpretation"][0]["coding"][0]["code"] == "NEG"
    assert value_codes(overall)[0] == "260385009"
    assert overall["derivedFrom"] == [{"reference": f"Observation/{score['id']}"}]


def test_her2_equivocal_with_pending_gene_test_registers_ish_and_overall() -> None:
    """IHC 2+ is final; the gene test and the overall status wait."""
    report = mapped(
        primary(findings={"HER2": finding("equivocal", "2+"), "HER2_ish": finding(None, "FISH pending", "pending")})
    )
    statuses = {code: of_code(report, code)[0]["status"] for code in ("85319-2", "85318-4", "48676-1")}
    assert statuses == {"85319-2": "final", "85318-4": "registered", "48676-1": "registered"}


def test_gene_test_needs_fish_in_its_evidence() -> None:
    """The code of the gene test says FISH; another technique, or none that is named, has the local code."""
    by_fish = mapped(primary(findings={"HER2_ish": finding("negative", "not amplified by FISH")}))
    assert value_codes(of_code(by_fish, "85318-4")[0])[0] == "260385009"
    by_sish = mapped(
        primary(findings={"HER2": finding("negative", "negative by SISH"), "HER2_ish": finding("negative", "by SISH")})
    )
    assert not of_code(by_sish, "85318-4")
    (test,) = of_code(by_sish, "her2-gene-amplification")
    assert (value_codes(test)[0], test["method"]["text"]) == ("260385009", "silver in situ hybridization")
    assert of_code(by_sish, "48676-1")[0]["method"]["text"] == "silver in situ hybridization"


def test_a_result_of_the_gene_test_takes_the_place_of_the_pending_one() -> None:
    """Under one id, also where its own words do not say FISH: after the addendum nothing is said to be pending."""
    (pending,) = of_code(mapped(primary(findings={"HER2_ish": finding(None, "FISH pending", "pending")})), "85318-4")
    answered = mapped(primary(findings={"HER2_ish": finding("negative", "not amplified")}))
    (result,) = of_code(answered, "her2-gene-amplification")
    assert (result["id"], result["status"]) == (pending["id"], "final")
    assert "method" not in result


@pytest.mark.parametrize(
    ("detail", "note", "expected"),
    [("pN0(i+)", "", "1229949000"), ("pN0(sn)(i+)", "(sn)(i+)", "1229949000"), ("pN0(sn)", "(sn)", "1229947003")],
)
def test_isolated_tumour_cells_are_coded_and_sentinel_is_text(detail: str, note: str, expected: str) -> None:
    """pN0(i+) has a code of its own; (sn) stays in the text."""
    report = mapped(primary(findings={"N": finding("N0", detail, prefix="p", note=note)}))
    (observation,) = of_code(report, PN)
    assert value_codes(observation) == [expected]
    assert observation["valueCodeableConcept"]["text"] == detail


def test_her2_status_without_method_is_the_overall_one_only() -> None:
    """No IHC or ISH Observation is invented."""
    report = mapped(primary(findings={"HER2": finding("positive", "positive")}))
    assert not of_code(report, "85319-2")
    assert not of_code(report, "85318-4")
    assert of_code(report, "48676-1")


def test_not_stated_makes_no_resource() -> None:
    """What the report does not say has no Observation."""
    report = mapped(primary(findings={key: finding(None, None, "not_stated") for key in ("T", "grade", "ER")}))
    assert of_type(report, "Observation") == of_code(report, "31206-6")


def test_review_is_withheld_by_default_and_labelled_on_request() -> None:
    """A value in review goes out only by setting, preliminary and of uncertain reliability."""
    case = primary(findings={"T": finding("T2", "pT2", "review", prefix="p")})
    assert not of_code(mapped(case), PT)
    (observation,) = of_code(mapped(case, settings=Settings(mapping=MappingSettings(review_values=True))), PT)
    assert observation["status"] == "preliminary"
    assert "UNCERTREL" in [label["code"] for label in observation["meta"]["security"]]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("preliminary", "preliminary"), ("amended", "amended"), ("corrected", "corrected"), ("appended", "amended")],
)
def test_observations_mirror_the_reports_status(status: str, expected: str) -> None:
    """An amended report has amended Observations."""
    report = mapped(primary(findings={"ER": finding("positive")}), status=status)
    assert of_code(report, "16112-5")[0]["status"] == expected


def test_size_of_a_resection_has_a_specimen_and_no_focus() -> None:
    """MCODE wants exactly one of the two; a core's length is not the tumour's size."""
    size = {"tumor_size": finding("23.5", "2.35 cm", unit="mm")}
    (observation,) = of_code(mapped(primary(findings=size)), "21889-1")
    assert observation["component"][0]["valueQuantity"]["value"] == 23.5
    assert "focus" not in observation
    assert observation["specimen"]
    assert not of_code(mapped(primary(findings=size, procedure="core")), "21889-1")


def test_stage_goes_out_only_where_m_was_stated() -> None:
    """The computed group is a local code, derived from T, N and M, and never conditional."""
    case = {"T": finding("T2", "pT2", prefix="p"), "N": finding("N0", "pN0", prefix="p")}
    assert not of_code(mapped(primary(findings=case)), "ajcc8-breast-anatomic-group")
    stated = mapped(primary(findings={**case, "M": finding("M0", "M0")}))
    (stage,) = of_code(stated, "ajcc8-breast-anatomic-group")
    assert value_codes(stage) == ["IIA"]
    assert stage["code"]["text"] == "anatomic, computed, not prognostic"
    assert len(stage["derivedFrom"]) == 3
    assert of_type(stated, "Condition")[0]["stage"] == [{"assessment": [{"reference": f"Observation/{stage['id']}"}]}]
    off = mapped(
        primary(findings={**case, "M": finding("M0", "M0")}),
        settings=Settings(mapping=MappingSettings(anatomic_stage=False)),
    )
    assert not of_code(off, "ajcc8-breast-anatomic-group")


def test_known_condition_is_referred_to_and_none_written() -> None:
    """Where the EHR holds the Condition, Observations point to it and the choice is in the manifest."""
    report = mapped(
        primary(findings={"T": finding("T2", "pT2", prefix="p")}), known_conditions={"breast-left": "Condition/7"}
    )
    assert not of_type(report, "Condition")
    assert of_code(report, PT)[0]["focus"] == [{"reference": "Condition/7"}]


def test_no_condition_at_all_by_setting() -> None:
    """fhir.condition none writes no Condition and points to none."""
    report = mapped(
        primary(findings={"T": finding("T2", "pT2", prefix="p")}),
        settings=Settings(fhir=FhirSettings(condition="none")),
    )
    assert not of_type(report, "Condition")
    assert "focus" not in of_code(report, PT)[0]
