"""The stage of a primary, from its findings; what mapping rules see of it."""

import json
from pathlib import Path

import pytest
from mapping_cases import finding, mapped, of_type, primary

from mappers.identity import EXTENSIONS
from mappers.provenance import read_manifest
from mappers.staging import stage_primary, stage_variables
from schemas.errors import SynopticError
from schemas.findings import StageGroup
from schemas.pack_loader import load_pack
from schemas.settings import MappingSettings, Settings
from schemas.stage_tables import load_licensed_table

STAGING = load_pack("breast").staging
CHOICES = MappingSettings()
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "staging" / "invented-prognostic.yaml"
TNM = {"T": finding("T2", "pT2"), "N": finding("N1", "pN1a"), "M": finding("M0", "cM0")}
BIOMARKERS = {
    "grade": finding("G2"),
    "ER": finding("positive"),
    "PR": finding("negative"),
    "HER2": finding("negative"),
}


def test_a_primary_is_staged_from_its_fine_categories() -> None:
    """The detail decides, not the class: pT1c pN1mi is IB."""
    case = primary(
        findings={
            "T": finding("T1", "pT1c", prefix="p"),
            "N": finding("N1", "pN1mi", prefix="p"),
            "M": finding(None, "MX", "not_assessable"),
        }
    )
    assert stage_primary(case, STAGING, CHOICES).stage == StageGroup(
        group="IB", system="AJCC 8 anatomic", conditional_on="M0"
    )


def test_values_in_review_are_not_staged() -> None:
    """A doubtful T gives no group."""
    case = primary(findings={**TNM, "T": finding("T2", "pT2", "review"), "N": finding("N0", "pN0")})
    assert (stage_primary(case, STAGING, CHOICES).reason or "").startswith("T not stated")


def test_a_recurrence_or_lcis_is_not_staged() -> None:
    """Neither has an anatomic group."""
    for case in (
        primary(assertion="recurrence", findings=TNM),
        primary(assertion="primary_in_situ", histology="LCIS", findings=TNM),
    ):
        assert stage_primary(case, STAGING, CHOICES).stage is None


def test_prefix_attribute_counts_where_the_detail_has_none() -> None:
    """After therapy is after therapy however it is recorded."""
    found = {**TNM, "T": finding("T1", "T1", prefix="yp")}
    assert stage_primary(primary(findings=found), STAGING, CHOICES).reason == "no group after therapy (yp)"


@pytest.mark.parametrize(
    ("value", "detail", "reason"),
    [("T1", "pT2", "T contradicts itself"), ("T2", "N1", "T is not a category"), ("T2", "pT2 large", "cannot read")],
)
def test_a_finding_that_is_no_category_is_not_staged(value: str, detail: str, reason: str) -> None:
    """A detail beside its class, of another axis, or with words that nobody knows."""
    staged = stage_primary(primary(findings={**TNM, "T": finding(value, detail)}), STAGING, CHOICES)
    assert staged.stage is None
    assert reason in (staged.reason or "")


def test_a_facility_that_assumes_m0_gets_the_group_with_its_assumption() -> None:
    """`mapping.assume_m0`: no condition, and the resource can say what was assumed; nothing where M is stated."""
    unstated = primary(findings={"T": TNM["T"], "N": TNM["N"]})
    by_default = stage_variables(unstated, STAGING, None, MappingSettings())
    assert (by_default["stage"], by_default["stage_condition"], by_default["stage_assumed"]) == ("IIB", "M0", None)
    assumed = stage_variables(unstated, STAGING, None, MappingSettings(assume_m0=True))
    assert (assumed["stage"], assumed["stage_condition"], assumed["stage_assumed"]) == ("IIB", None, "M0")
    stated = stage_variables(primary(findings=TNM), STAGING, None, MappingSettings(assume_m0=True))
    assert (stated["stage"], stated["stage_assumed"]) == ("IIB", None)


def test_the_setting_that_turns_ajcc_off_leaves_no_computed_group() -> None:
    """`mapping.anatomic_stage: false`."""
    assert set(
        stage_variables(primary(findings=TNM), STAGING, None, MappingSettings(anatomic_stage=False)).values()
    ) == {None}


def test_a_licensed_table_gives_a_group_of_its_own() -> None:
    """From the same findings, beside the anatomic one; only where all its inputs are stated and in the table."""
    licensed, choices = load_licensed_table(EXAMPLE), MappingSettings()
    found = {**TNM, "grade": finding("G2"), "ER": finding("positive"), "PR": finding("negative")}
    complete = primary(findings={**found, "HER2": finding("negative")})
    variables = stage_variables(complete, STAGING, licensed, choices)
    assert (variables["stage"], variables["prognostic_stage"]) == ("IIB", "X")
    assert variables["prognostic_system"] == "invented example, not a classification"
    for her2 in ({}, {"HER2": finding("equivocal")}, {"HER2": finding("negative", status="review")}):
        assert (
            stage_variables(primary(findings={**found, **her2}), STAGING, licensed, choices)["prognostic_stage"] is None
        )
    without_m = primary(findings={key: value for key, value in complete.findings.items() if key != "M"})
    assert stage_variables(without_m, STAGING, licensed, choices)["prognostic_stage"] is None


def test_a_broken_licensed_table_stops(tmp_path: Path) -> None:
    """A fault in the facility's file is a fatal error with its line."""
    broken = tmp_path / "table.yaml"
    broken.write_text(EXAMPLE.read_text(encoding="utf-8").replace("M: M1, grade", "M: M2, grade"), encoding="utf-8")
    with pytest.raises(
        SynopticError, match=r"SYN-620 .*table\.yaml:\d+: table\.rows\.0\.when\.M: 'M2' is no value of M"
    ):
        load_licensed_table(broken)


def observations(*, found: dict, **choices: object) -> list[dict]:
    """The stage Observations of a report mapped under these settings."""
    settings = Settings(mapping=MappingSettings(**choices))
    report = mapped(primary(findings=found), settings=settings)
    return [one for one in of_type(report, "Observation") if "stage" in json.dumps(one.get("meta", {}))]


def test_what_a_facility_assumed_is_recorded_on_the_stage() -> None:
    """An extension and a note; without the choice an M that is not stated sends no stage."""
    unstated = {"T": TNM["T"], "N": TNM["N"]}
    assert observations(found=unstated) == []
    (stage,) = observations(found=unstated, assume_m0=True)
    assert stage["note"] == [{"text": "M not stated, M0 assumed by the facility"}]
    assert {"url": f"{EXTENSIONS}/stage-assumption", "valueString": "M0"} in stage["extension"]
    (stated,) = observations(found=TNM, assume_m0=True)
    assert "note" not in stated
    assert all("assumption" not in one["url"] for one in stated["extension"])


def test_a_licensed_group_names_its_system() -> None:
    """Beside the computed group, or alone where AJCC's groups are off."""
    anatomic, licensed = observations(found={**TNM, **BIOMARKERS}, prognostic_table=EXAMPLE)
    assert anatomic["valueCodeableConcept"]["text"] == "IIB"
    assert (licensed["method"], licensed["valueCodeableConcept"]) == (
        {"text": "invented example, not a classification"},
        {"text": "X"},
    )
    only = observations(found={**TNM, **BIOMARKERS}, prognostic_table=EXAMPLE, anatomic_stage=False)
    assert [one["valueCodeableConcept"]["text"] for one in only] == ["X"]


def another_table(folder: Path, *changes: tuple[str, str]) -> Path:
    """The example table with changes."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        text = text.replace(old, new)
    path = folder / "table.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_group_of_ajccs_own_table_is_a_tnm_stage_group(tmp_path: Path) -> None:
    """With the code of the edition as method and that of the group as value, and the Condition points to it."""
    table = another_table(tmp_path, ("invented example, not a classification", "AJCC 8 prognostic"), (": X}", ": IIA}"))
    report = mapped(
        primary(findings={**TNM, **BIOMARKERS}), settings=Settings(mapping=MappingSettings(prognostic_table=table))
    )
    (group,) = [one for one in of_type(report, "Observation") if "tnm-stage-group" in json.dumps(one.get("meta", {}))]
    assert group["method"]["coding"][0]["code"] == "897275008"
    assert group["valueCodeableConcept"]["coding"][0]["code"] == "1222766008"
    (condition,) = of_type(report, "Condition")
    assert {"reference": f"Observation/{group['id']}"} in condition["stage"][0]["assessment"]


def test_a_licensed_table_that_says_something_else_is_another_configuration(tmp_path: Path) -> None:
    """A replay writes where the content of the file changed, and not where only its place did."""
    (tmp_path / "same").mkdir()
    tables = (EXAMPLE, another_table(tmp_path / "same"), another_table(tmp_path, (": X}", ": Y}")))
    first, moved, changed = (
        read_manifest(
            mapped(
                primary(findings={**TNM, **BIOMARKERS}),
                settings=Settings(mapping=MappingSettings(prognostic_table=one)),
            ).manifest
        ).configuration_digest
        for one in tables
    )
    assert first == moved != changed
