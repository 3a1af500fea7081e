"""What is not there is visible as CLINICAL's table of missing values says: every task in every state."""

from typing import Any

import pytest
from mapping_cases import finding, mapped, of_code, primary, value_codes

from schemas.settings import MappingSettings, Settings

ON_REQUEST = Settings(mapping=MappingSettings(review_values=True))
VALUES = {
    "T": ("T2", "pT2"),
    "N": ("N1", "pN1"),
    "M": ("M1", "cM1"),
    "grade": ("G2", "G2"),
    "ER": ("positive", None),
    "PR": ("negative", None),
    "HER2": ("equivocal", None),
}
# The codes that a task may be told under, and what stands there in each state: a value, a reason, or nothing at all.
CODES = {
    "T": ("384625004", "399504009", "78873005"),
    "N": ("371494008", "399534004", "277206009"),
    "M": ("371497001", "399387003", "277208005"),
    "grade": ("C18000",),
    "ER": ("16112-5", "85337-4"),
    "PR": ("16113-3", "85339-0"),
    "HER2": ("48676-1", "85319-2", "85318-4"),
}
X_VALUES = {"T": "1228950008", "N": "1229945006", "grade": "1155705000"}
RECEPTORS = ("ER", "PR", "HER2")


def told(task: str, status: str, settings: Settings | None = None, **attributes: str) -> list[dict[str, Any]]:
    """The Observations of a task whose finding has that status."""
    value, detail = VALUES[task] if status in ("coded", "review") else (None, None)
    prefix = {"prefix": "p"} if task in "TN" else {}
    report = mapped(primary(findings={task: finding(value, detail, status, **prefix, **attributes)}), settings=settings)
    return [item for code in CODES[task] for item in of_code(report, code)]


@pytest.mark.parametrize("task", VALUES)
def test_not_stated_is_no_resource(task: str) -> None:
    """Nothing said: no Observation, since a lone reason fails most profiles."""
    assert told(task, "not_stated") == []


@pytest.mark.parametrize("task", ["T", "N", "grade"])
def test_x_is_a_value(task: str) -> None:
    """TX, NX and GX are said, and have codes."""
    (observation,) = told(task, "not_assessable")
    assert value_codes(observation) == [X_VALUES[task]]
    assert "dataAbsentReason" not in observation


def test_gx_by_nottingham_has_the_code_of_that_system() -> None:
    """The system that could not be applied is named."""
    (observation,) = told("grade", "not_assessable", system="nottingham")
    assert value_codes(observation) == ["384668003"]


def test_mx_is_a_reason() -> None:
    """There is no code for MX: "M category", reason unknown, text MX."""
    (observation,) = told("M", "not_assessable")
    assert observation["code"]["coding"][0]["code"] == "277208005"
    reason = observation["dataAbsentReason"]
    assert (reason["coding"][0]["code"], reason["text"]) == ("unknown", "MX")
    assert "valueCodeableConcept" not in observation


@pytest.mark.parametrize("task", RECEPTORS)
@pytest.mark.parametrize(("status", "code"), [("not_assessable", "82334004"), ("not_performed", "385660001")])
def test_a_receptor_that_has_no_result_says_why(task: str, status: str, code: str) -> None:
    """Indeterminate and not done are values, of a test that is not pending."""
    (observation,) = told(task, status)
    assert value_codes(observation) == [code]
    assert observation["status"] == "final"


@pytest.mark.parametrize("task", RECEPTORS)
def test_a_pending_receptor_is_registered(task: str) -> None:
    """No value yet: a laboratory Observation that waits."""
    (observation,) = told(task, "pending")
    assert observation["status"] == "registered"
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
    assert observation["meta"]["profile"][0].endswith("us-core-observation-lab")


@pytest.mark.parametrize("task", ["T", "N", "M", "grade"])
@pytest.mark.parametrize("status", ["pending", "not_performed"])
def test_categories_and_grade_neither_wait_nor_fail_to_be_made(task: str, status: str) -> None:
    """The table has no such cell: nothing is sent."""
    assert told(task, status) == []


@pytest.mark.parametrize("task", VALUES)
def test_review_is_withheld_and_on_request_preliminary_and_uncertain(task: str) -> None:
    """A value that a person has to decide never looks decided."""
    assert told(task, "review") == []
    for observation in (sent := told(task, "review", ON_REQUEST)):
        assert observation["status"] == "preliminary"
        assert [label["code"] for label in observation["meta"]["security"]] == ["AIAST", "UNCERTREL"]
        assert value_codes(observation)
    assert sent


@pytest.mark.parametrize("task", VALUES)
@pytest.mark.parametrize("status", ["coded", "not_assessable", "pending", "not_performed", "not_stated"])
def test_what_is_on_request_changes_nothing_else(task: str, status: str) -> None:
    """The setting speaks of values in review alone."""
    assert told(task, status, ON_REQUEST) == told(task, status)


@pytest.mark.parametrize(
    ("doubted", "beside", "code"),
    [
        ("ER", "ER_percent", "85329-1"),
        ("PR", "PR_percent", "85325-9"),
        ("nodes_positive", "nodes_examined", "21894-1"),
        ("nodes_examined", "nodes_positive", "21893-3"),
    ],
)
def test_what_stands_beside_a_doubted_value_waits_with_it(doubted: str, beside: str, code: str) -> None:
    """Of "ER negative (5 %)" neither goes out before a person has settled it, save on request, as uncertain."""
    case = primary(findings={doubted: finding("5", status="review"), beside: finding("5")})
    assert not of_code(mapped(case), code)
    (observation,) = of_code(mapped(case, settings=ON_REQUEST), code)
    assert observation["status"] == "preliminary"
    assert "UNCERTREL" in [label["code"] for label in observation["meta"]["security"]]
