"""FHIRPath of a mapping: mistakes are found when it is loaded, and what it selects follows from the report alone."""

import pytest

from schemas.errors import Code, SynopticError
from schemas.fhirpath import evaluate, fault_in, is_true, names_in

REPORT = {"resourceType": "DiagnosticReport", "status": "final", "code": {"coding": [{"code": "60567-5"}]}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("status = 'final'", True),
        ("status = 'amended'", False),
        ("code.coding.where(code = '60567-5').exists()", True),
        ("%percent.toInteger() >= 10 and %patient.gender = 'female'", True),
        ("%score.toInteger() > 1", False),
        ("status", False),
        ("%`found.T` = 'T2'", True),
    ],
)
def test_a_condition_is_true_only_where_it_says_so(path: str, expected: bool) -> None:
    """A variable without a value is empty, and neither that nor a text is a yes."""
    known = {"percent": "12", "patient": {"gender": "female"}, "score": None, "found.T": "T2"}
    assert fault_in(path) is None
    assert is_true(path, REPORT, known) is expected


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("(status", "at character 8"),
        ("status final", "'final' is one too many"),
        ("status = 'final", "at character 10"),
        ("status.stretch()", "Not implemented: stretch"),
        ("status.where()", "wrong arity"),
        ("issued < today()", "present time"),
    ],
)
def test_a_mistake_is_found_before_any_report(path: str, said: str) -> None:
    """Syntax, functions and the clock are refused, each with what is wrong."""
    assert said in (fault_in(path) or "")


def test_a_text_may_speak_of_today() -> None:
    """What stands in quotes is no call."""
    assert fault_in("status = 'today()'") is None
    assert names_in("%side = '%value' and %resource.status = 'final'") == ["side"]


def test_what_cannot_be_evaluated_rejects_the_report_by_number() -> None:
    """A text compared to a number is SYN-412, with the expression and without the value."""
    with pytest.raises(SynopticError) as raised:
        evaluate("%percent > 5", REPORT, {"percent": "secret"})
    assert raised.value.code is Code.BAD_EXPRESSION
    assert "%percent > 5" in str(raised.value)
    assert "secret" not in str(raised.value)
