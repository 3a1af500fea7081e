"""Risk against coverage: how many of the coded values are wrong if only the surest so many are coded.

A system gives each answer with a confidence. Coverage is the share of the stated values that get one; a value where the
report states none counts as wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from schemas.frozen import Frozen
from schemas.pack import Task
from training.measures.comparison import OVERALL
from training.measures.score_tables import Rows, defined, figure
from training.reports.gold import LabelledReport

WANTED_ACCURACY, WANTED_COVERAGE = 0.985, 0.9
"""The point of the risk-coverage curve that the tables read off: this accuracy, or this share of the stated values."""

Confidences = Mapping[str, tuple[str | None, float]]
"""What a system would say of one report if it had to: task to class, or None, and its confidence."""


class RiskPoint(Frozen):
    """What is coded from one confidence on: its share of the stated cases, and the share of it that is wrong."""

    confidence: float
    coverage: float
    risk: float


class RiskCoverage(Frozen):
    """One system over all tasks or one: a point for each distinct confidence, the surest first."""

    system: str
    task: str
    points: tuple[RiskPoint, ...]

    @property
    def area(self) -> float:
        """The mean risk over the coverage reached: the smaller, the better wrong values are told from right ones."""
        total, before = 0.0, 0.0
        for point in self.points:
            total += point.risk * (point.coverage - before)
            before = point.coverage
        return total / before if before else 0.0

    def coverage_at(self, accuracy: float) -> float:
        """The largest coverage at which at least this share of the coded values is right."""
        return max((point.coverage for point in self.points if point.risk <= 1 - accuracy), default=0.0)

    def accuracy_at(self, coverage: float) -> float | None:
        """The share of right values where at least this share of the stated values is coded; None if it never is."""
        return next((1 - point.risk for point in self.points if point.coverage >= coverage), None)


@dataclass(frozen=True)
class _Case:
    """One case: the confidence of its answer, None where there is none; whether it is right, and a value stated."""

    confidence: float | None
    right: bool
    stated: bool


def risk_coverages(
    system: str,
    reports: Sequence[LabelledReport],
    confidences: Sequence[Confidences],
    tasks: Sequence[Task],
) -> list[RiskCoverage]:
    """The curve over all tasks, then each task's."""
    by_task = {task.key: _cases(task, reports, confidences) for task in tasks}
    everything = [case for cases in by_task.values() for case in cases]
    return [
        RiskCoverage(system=system, task=name, points=_points(cases))
        for name, cases in {OVERALL: everything, **by_task}.items()
    ]


def _cases(task: Task, reports: Sequence[LabelledReport], confidences: Sequence[Confidences]) -> list[_Case]:
    """One case for each report whose gold knows the task; nothing answered has no confidence."""
    cases = []
    for report, answers in zip(reports, confidences, strict=True):
        if task.key in report.gold:
            gold = report.gold[task.key].stated(task.classes)
            value, confidence = answers.get(task.key, (None, 0.0))
            answered = confidence if value is not None else None
            cases.append(_Case(answered, value == gold, gold is not None))
    return cases


def _points(cases: Sequence[_Case]) -> tuple[RiskPoint, ...]:
    """A point below each distinct confidence, the surest first."""
    stated = sum(case.stated for case in cases)
    answered = sorted(
        ((case.confidence, case) for case in cases if case.confidence is not None), key=lambda pair: -pair[0]
    )
    points, coded, covered, wrong = [], 0, 0, 0
    for confidence, tied in groupby(answered, key=lambda pair: pair[0]):
        for _, case in tied:
            coded, covered, wrong = coded + 1, covered + case.stated, wrong + (not case.right)
        points.append(
            RiskPoint(confidence=confidence, coverage=covered / stated if stated else 0.0, risk=wrong / coded)
        )
    return tuple(points)


def risk_rows(curves: Sequence[RiskCoverage]) -> Rows:
    """One row a curve: the area below it, and what it gives at the wanted accuracy and at the wanted coverage."""
    header = [
        "system",
        "task",
        "mean risk",
        f"coverage at accuracy {figure(WANTED_ACCURACY)}",
        f"accuracy at coverage {figure(WANTED_COVERAGE)}",
        "coverage of all answers",
    ]
    return [header] + [
        [
            curve.system,
            curve.task,
            figure(curve.area),
            figure(curve.coverage_at(WANTED_ACCURACY)),
            defined(curve.accuracy_at(WANTED_COVERAGE)),
            figure(curve.points[-1].coverage if curve.points else 0.0),
        ]
        for curve in curves
    ]
