"""What an answer of a FHIR server means, and what of it may be shown."""

import pytest

from gateway.fhir.answers import Answer, fault_of, lacks_target
from schemas.errors import Code


def outcome(**issue) -> dict:
    """An OperationOutcome with one issue."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", **issue}]}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, outcome(code="invalid"), Code.STORE_REJECTS),
        (401, None, Code.STORE_REFUSES),
        (403, outcome(code="forbidden"), Code.STORE_REFUSES),
        (404, outcome(code="not-found"), Code.STORE_REJECTS),
        (404, None, Code.BAD_SETTINGS),
        (405, None, Code.UNGUARDED_STORE),
        (413, None, Code.STORE_REJECTS),
        (422, outcome(code="processing"), Code.STORE_REJECTS),
        (423, outcome(code="lock-error"), Code.STORE_UNAVAILABLE),
        (429, None, Code.STORE_UNAVAILABLE),
        (500, outcome(code="exception"), Code.STORE_UNAVAILABLE),
        (501, None, Code.UNGUARDED_STORE),
        (505, None, Code.STORE_REJECTS),
        (507, outcome(code="no-store"), Code.STORE_UNAVAILABLE),
        (520, None, Code.STORE_UNAVAILABLE),
        (599, None, Code.STORE_UNAVAILABLE),
        (302, None, Code.BAD_SETTINGS),
        (0, None, Code.STORE_REJECTS),
    ],
)
def test_each_status_has_its_error(status, body, code):
    """What passes is retried, what is wrong with the settings is fatal, what is wrong with the report rejects it."""
    error = fault_of(Answer(status, body))
    assert error.code is code
    assert f"status {status}" in error.detail


def test_only_codes_come_out():
    """Diagnostics, expressions, text and whatever does not look like a code stay inside."""
    issues = [
        {"code": "processing", "diagnostics": "HAPI-0931: SECRET in HAPI-12 and HAPI-99999", "expression": ["SECRET"]},
        {"code": "SECRET", "details": {"text": "SECRET", "coding": [{"code": "SECRET"}]}},
        {"code": "secret value"},
        {"code": 5, "diagnostics": ["SECRET"]},
        "SECRET",
    ]
    body = {"resourceType": "OperationOutcome", "text": {"div": "SECRET"}, "issue": issues}
    error = fault_of(Answer(422, body))
    assert error.detail == "status 422, processing, HAPI-0931"
    assert "SECRET" not in repr(Answer(422, body))


def test_no_more_than_a_few_codes_come_out():
    """A server with a thousand issues does not fill the log."""
    issues = [{"code": f"code-{letter}", "diagnostics": f"HAPI-000{number}"} for number, letter in enumerate("abcdefg")]
    assert len(fault_of(Answer(400, {"issue": issues})).detail.split(", ")) == 7


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, outcome(code="processing", diagnostics="HAPI-1094: Resource Patient/x not found"), True),
        (400, outcome(code="processing", diagnostics="HAPI-1096: Resource Patient/x is deleted"), True),
        (422, outcome(code="not-found"), True),
        (400, outcome(code="deleted"), True),
        (400, outcome(code="processing", diagnostics="HAPI-0521: Can not process entity"), False),
        (422, None, False),
        (500, outcome(code="not-found"), False),
    ],
)
def test_a_missing_target_is_told_from_other_rejections(status, body, expected):
    """By HAPI's numbers, and by the codes that other servers use."""
    assert lacks_target(Answer(status, body)) is expected
