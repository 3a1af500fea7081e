"""A report without attachment: conclusion, its codes, results with all they are made of, and the narrative at last."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from reports_made import Resource, bundle, message, report

from gateway.intake import Intake
from schemas.errors import Code, SynopticError
from schemas.pack import Routing
from schemas.pack_loader import load_pack
from schemas.settings import Settings


@pytest.fixture(scope="module")
def intake() -> Iterator[Intake]:
    """One hop for all tests, whose pack takes any text."""
    breast = load_pack("breast")
    anything = replace(breast, definition=breast.definition.model_copy(update={"routing": Routing()}))
    made = Intake(Settings(), packs=[anything])
    yield made
    made.close()


def observation(identifier: str, name: str, **more: Any) -> Resource:
    """An Observation by that name."""
    return {"resourceType": "Observation", "id": identifier, "status": "final", "code": {"text": name}, **more}


def text_of(intake: Intake, *observations: Resource, results: tuple[str, ...] = ("o1",), **changes: Any) -> str:
    """The text of a report without presentedForm that has these results."""
    references = [{"reference": f"Observation/{name}"} for name in results]
    made = report(presentedForm=None, result=references or None, **changes)
    found = intake.read(message(bundle(made, *observations))).report
    assert found is not None
    return found.text


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"valueString": "pT2"}, "Breast: pT2"),
        ({"valueQuantity": {"value": 2.3, "unit": "cm", "comparator": "<"}}, "Breast: < 2.3 cm"),
        (
            {"valueRange": {"low": {"value": 10, "unit": "%"}, "high": {"value": 20, "unit": "%"}}},
            "Breast: 10 % - 20 %",
        ),
        ({"valueRange": {"high": {"value": 1, "unit": "%"}}}, "Breast: 1 %"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 12}}}, "Breast: 1/12"),
        ({"valueInteger": 0}, "Breast: 0"),
        ({"valueBoolean": False}, "Breast: no"),
        ({"valueCodeableConcept": {"coding": [{"display": "positive"}]}}, "Breast: positive"),
        ({"dataAbsentReason": {"text": "not performed"}}, "Breast: not performed"),
        (
            {"valueString": "95 %", "interpretation": [{"coding": [{"code": "POS", "display": "Positive"}]}]},
            "Breast: 95 % (Positive)",
        ),
        ({"valueString": "positive", "interpretation": [{"text": "Positive"}]}, "Breast: positive"),
        ({"interpretation": [{"text": "Negative"}]}, "Breast: (Negative)"),
        (
            {"valueString": "pT2", "bodySite": {"text": "Left breast"}, "note": [{"text": "sn"}]},
            "Breast (Left breast): pT2 sn",
        ),
        ({"note": [{"text": "see comment"}, {"text": "and more"}]}, "Breast: see comment and more"),
    ],
)
def test_every_kind_of_value_becomes_words(intake: Intake, more: Resource, line: str) -> None:
    """The value, what it means, where it was found, and notes."""
    assert text_of(intake, observation("o1", "Breast", **more)) == line


def test_components_and_members_follow_their_panel_in_its_order(intake: Intake) -> None:
    """Each once, whoever refers to it, in circles too; what was entered in error does not come."""
    assert text_of(
        intake,
        observation("o1", "Breast panel", hasMember=[{"reference": "Observation/o3"}, {"reference": "Observation/o2"}]),
        observation("o2", "PR", valueString="negative", hasMember=[{"reference": "Observation/o1"}]),
        observation(
            "o3",
            "ER",
            valueString="positive",
            component=[
                {"code": {"text": "Percentage"}, "valueQuantity": {"value": 95, "unit": "%"}},
                {"code": {"text": "Intensity"}, "dataAbsentReason": {"text": "not stated"}},
                {"code": {"text": "empty"}},
            ],
        ),
        observation("o4", "HER2", valueString="3+", status="entered-in-error"),
        observation("o5", "Ki-67", valueString="20 %"),
        results=("o1", "o4", "o2", "o5", "gone"),
    ).split("\n") == ["ER: positive", "Percentage: 95 %", "Intensity: not stated", "PR: negative", "Ki-67: 20 %"]


def test_a_conclusion_its_codes_and_the_results_are_read_together(intake: Intake) -> None:
    """A conclusion sums up; a code's words come unless the conclusion holds them."""
    codes = [
        {"text": "invasive carcinoma"},
        {"coding": [{"display": "Nottingham grade 2"}]},
        {"coding": [{"code": "x"}]},
    ]
    text = text_of(
        intake,
        observation("o1", "ER", valueString="positive"),
        conclusion="Breast: Invasive carcinoma.",
        conclusionCode=codes,
    )
    assert text == "Breast: Invasive carcinoma.\nNottingham grade 2\nER: positive"
    assert (
        text_of(intake, results=(), conclusionCode=[{"text": "Carcinoma of breast, pT2"}]) == "Carcinoma of breast, pT2"
    )


def test_the_narrative_is_the_last_resort(intake: Intake) -> None:
    """Read where nothing else is, without what it hides, and said; never where it is declared empty."""
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Breast, mastectomy: pT1c<br/>pN0</p><p style="display:none">pT4</p></div>'
    made = report(presentedForm=None, text={"status": "generated", "div": div})
    found = intake.read(message(made))
    assert found.report is not None
    assert (found.report.text, [page.reader for page in found.report.pages]) == (
        "Breast, mastectomy: pT1c\npN0",
        ["html"],
    )
    assert found.notes == ("only the report's own narrative holds text",)
    assert intake.read(message({**made, "conclusion": "Breast: pT2"})).report.text == "Breast: pT2"
    with pytest.raises(SynopticError) as caught:
        intake.read(message(report(presentedForm=None, text={"status": "empty", "div": div})))
    assert caught.value.code is Code.NO_TEXT
