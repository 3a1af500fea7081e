"""Behaviour of risk against coverage."""

import pytest

from schemas.pack import Task
from training.measures.comparison import OVERALL
from training.measures.curves import Confidences, RiskCoverage, risk_coverages, risk_rows
from training.reports.gold import GoldValue, LabelledReport

TASK = Task(key="T", title="T", classes=("T1", "T2"))


def _curve(cases: list[tuple[str, str | None, float]]) -> RiskCoverage:
    """The curve of (gold, answer, confidence)."""
    reports = [LabelledReport(str(i), "H", "", gold={"T": GoldValue(gold, "")}) for i, (gold, _, _) in enumerate(cases)]
    answers: list[Confidences] = [{"T": (answer, confidence)} for _, answer, confidence in cases]
    overall, task = risk_coverages("some", reports, answers, [TASK])
    assert (overall.task, task.task) == (OVERALL, "T")
    assert overall.points == task.points
    return task


def test_the_surest_answers_are_coded_first_and_ties_together() -> None:
    """Each distinct confidence is one point: nobody can code one of two equal cases."""
    curve = _curve([("T1", "T1", 0.9), ("T2", "T2", 0.7), ("T2", "T1", 0.7), ("T1", "T2", 0.6)])
    assert [(point.coverage, point.risk) for point in curve.points] == [
        (0.25, 0.0),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.5),
    ]


def test_a_value_where_none_is_stated_is_a_risk_without_coverage() -> None:
    """A false value makes the coded ones worse and covers nothing."""
    curve = _curve([("T1", "T1", 0.9), ("TX", "T1", 0.8)])
    assert [(point.coverage, point.risk) for point in curve.points] == [(1.0, 0.0), (1.0, 0.5)]


def test_what_is_not_answered_is_never_covered() -> None:
    """An abstention has no confidence; the curve ends where the answers end."""
    curve = _curve([("T1", "T1", 0.9), ("T2", None, 0.4)])
    assert curve.points[-1].coverage == 0.5
    assert curve.accuracy_at(0.9) is None
    assert curve.coverage_at(0.985) == 0.5


def test_errors_among_the_unsure_leave_a_smaller_area_than_errors_among_the_sure() -> None:
    """The area tells a confidence that knows its errors from one that does not, at equal accuracy."""
    knowing = _curve([("T1", "T1", 0.9), ("T1", "T1", 0.8), ("T1", "T2", 0.6)])
    unknowing = _curve([("T1", "T2", 0.9), ("T1", "T1", 0.8), ("T1", "T1", 0.6)])
    assert knowing.area < unknowing.area


def test_a_system_that_answers_nothing_has_a_row_without_figures() -> None:
    """No answer is no error, and no coverage."""
    row = risk_rows([_curve([("T1", None, 0.0)])])[1]
    assert row[2:] == [".000", ".000", "not defined", ".000"]
