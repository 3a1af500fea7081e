"""Figures of one system against the gold: per task, class, basis and hospital, with supports and intervals.

A case is one report and task. It is *stated* where the gold holds one of the pack's classes; a missing form (not
stated, TX, pending) is no value. An answer is a class or nothing. A value where the gold holds none is a *false value*
and counts against the precision of its class; nothing where the gold holds a value counts against recall.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from schemas.frozen import Frozen
from schemas.pack import Task
from training.measures.resampling import (
    NO_VALUE,
    NOT_ANNOTATED,
    Answers,
    CodedTask,
    Interval,
    accuracies,
    coded_task,
    exact_reports,
    exact_shares,
    interval,
    macro_f1s,
    resampled,
)
from training.reports.gold import LabelledReport

COMMON_SUPPORT = 3
"""A class with fewer cases than this moves a macro average by chance alone, so a second average leaves it out."""
BOOTSTRAP_ROUNDS = 1000


class ClassScore(Frozen):
    """One class of one task."""

    label: str
    support: int
    found: int
    correct: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where nothing is right."""
        return 2 * self.correct / (self.support + self.found) if self.correct else 0.0


class TaskScore(Frozen):
    """One task over all reports; the label set is the pack's, whatever the gold happens to hold.

    `confusion` counts what was true (rows) by what was answered (columns), the classes and then no value.
    """

    task: str
    reports: int
    stated: int
    coded_stated: int
    coded: int
    correct: int
    false_values: int
    classes: tuple[ClassScore, ...]
    accuracy_by_basis: dict[str, tuple[int, int]]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def unstated(self) -> int:
        """Reports in which the gold holds no value."""
        return self.reports - self.stated

    @property
    def accuracy(self) -> float:
        """Right values among stated cases; a value that was not coded is not right."""
        return self.correct / self.stated if self.stated else 0.0

    @property
    def coverage(self) -> float:
        """Coded values, right or wrong, among stated cases."""
        return self.coded_stated / self.stated if self.stated else 0.0

    @property
    def accuracy_of_coded(self) -> float:
        """Right values among all coded ones, false values included."""
        return self.correct / self.coded if self.coded else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that the gold holds."""
        return _mean([item.f1 for item in self.classes if item.support])

    @property
    def macro_f1_common(self) -> float:
        """The mean F1 of the classes with at least three cases."""
        return _mean([item.f1 for item in self.classes if item.support >= COMMON_SUPPORT])

    @property
    def without_support(self) -> tuple[str, ...]:
        """Classes that the gold never holds: nothing is known about them."""
        return tuple(item.label for item in self.classes if not item.support)


class HospitalScore(Frozen):
    """One hospital's reports."""

    hospital: str
    reports: int
    exact: int
    stated: int
    correct: int
    unstated: int
    false_values: int


class SystemScore(Frozen):
    """One system over all tasks.

    The means are over `mean_over`, or where that is empty over tasks in which at least two classes have three cases: a
    task with one class or none (M in most corpora) measures nothing as an F1, but its row is still shown.
    """

    system: str
    reports: int
    tasks: tuple[TaskScore, ...]
    exact_reports: int
    hospitals: tuple[HospitalScore, ...]
    mean_over: tuple[str, ...] = ()
    intervals: dict[str, Interval] = Field(default_factory=dict)

    @property
    def compared(self) -> tuple[TaskScore, ...]:
        """The tasks that enter the means."""
        if self.mean_over:
            return tuple(task for task in self.tasks if task.task in self.mean_over)
        return tuple(task for task in self.tasks if sum(item.support >= COMMON_SUPPORT for item in task.classes) > 1)

    @property
    def macro_f1(self) -> float:
        """Mean macro F1 over the compared tasks."""
        return _mean([task.macro_f1 for task in self.compared])

    @property
    def macro_f1_common(self) -> float:
        """Mean macro F1 over the compared tasks, without classes of fewer than three cases."""
        return _mean([task.macro_f1_common for task in self.compared])

    @property
    def accuracy(self) -> float:
        """Right values among all stated cases of all tasks."""
        return _share(self.tasks, "correct", "stated")

    @property
    def coverage(self) -> float:
        """Coded values among all stated cases of all tasks."""
        return _share(self.tasks, "coded_stated", "stated")

    @property
    def accuracy_of_coded(self) -> float:
        """Right values among all coded ones of all tasks."""
        return _share(self.tasks, "correct", "coded")

    @property
    def exact(self) -> float:
        """Reports in which every task is right, among all."""
        return self.exact_reports / self.reports if self.reports else 0.0

    @property
    def false_values(self) -> int:
        """Values coded where the report states none."""
        return sum(task.false_values for task in self.tasks)

    @property
    def unstated(self) -> int:
        """Cases in which the gold holds no value."""
        return sum(task.unstated for task in self.tasks)


def score_system(
    system: str,
    reports: Sequence[LabelledReport],
    answers: Sequence[Answers],
    tasks: Sequence[Task],
    rounds: int = BOOTSTRAP_ROUNDS,
    mean_over: Sequence[str] = (),
) -> SystemScore:
    """Score one system's answers, one a report in the same order, against the gold."""
    coded = {task.key: coded_task(task, reports, answers) for task in tasks}
    score = SystemScore(
        system=system,
        reports=len(reports),
        tasks=tuple(_score_task(task, coded[task.key], reports) for task in tasks),
        exact_reports=int(exact_reports(list(coded.values())).sum()),
        hospitals=_hospital_scores(reports, list(coded.values())),
        mean_over=tuple(mean_over),
    )
    return score.model_copy(update={"intervals": _intervals(score, coded, rounds)}) if rounds and reports else score


def _score_task(task: Task, coded: CodedTask, reports: Sequence[LabelledReport]) -> TaskScore:
    """One task's counts."""
    stated, right = coded.stated(), coded.right()
    bases = [report.gold[task.key].basis if task.key in report.gold else "" for report in reports]
    held = Counter(basis for basis, here in zip(bases, stated, strict=True) if here)
    hit = Counter(basis for basis, here in zip(bases, right, strict=True) if here)
    confusion = _confusion(coded)
    return TaskScore(
        task=task.key,
        reports=int((coded.gold != NOT_ANNOTATED).sum()),
        stated=int(stated.sum()),
        coded_stated=int((stated & (coded.answered >= 0)).sum()),
        coded=int(((coded.gold != NOT_ANNOTATED) & (coded.answered >= 0)).sum()),
        correct=int(right.sum()),
        false_values=int(coded.false().sum()),
        classes=tuple(
            ClassScore(
                label=label,
                support=sum(confusion[index]),
                found=sum(row[index] for row in confusion),
                correct=confusion[index][index],
            )
            for index, label in enumerate(task.classes)
        ),
        accuracy_by_basis={basis: (hit[basis], count) for basis, count in sorted(held.items())},
        confusion=confusion,
    )


def _confusion(coded: CodedTask) -> tuple[tuple[int, ...], ...]:
    """Counts of gold by answer, the classes first and no value last."""
    order = (*range(coded.classes), NO_VALUE)
    return tuple(
        tuple(int(((coded.gold == gold) & (coded.answered == answered)).sum()) for answered in order) for gold in order
    )


def _hospital_scores(reports: Sequence[LabelledReport], coded: Sequence[CodedTask]) -> tuple[HospitalScore, ...]:
    """Counts by hospital, the largest first."""
    hospitals = np.array([report.hospital for report in reports])
    exact = exact_reports(coded)

    def count(here: np.ndarray, cases: list[np.ndarray]) -> int:
        return int(sum(case[here].sum() for case in cases))

    found = []
    for name, size in Counter(hospitals.tolist()).most_common():
        here = hospitals == name
        found.append(
            HospitalScore(
                hospital=name,
                reports=size,
                exact=count(here, [exact]),
                stated=count(here, [task.stated() for task in coded]),
                correct=count(here, [task.right() for task in coded]),
                unstated=count(here, [task.gold == NO_VALUE for task in coded]),
                false_values=count(here, [task.false() for task in coded]),
            )
        )
    return tuple(found)


def _intervals(score: SystemScore, coded: dict[str, CodedTask], rounds: int) -> dict[str, Interval]:
    """The interval of each headline figure over resampled reports."""
    every, compared = list(coded.values()), [coded[task.task] for task in score.compared]
    figures = resampled(
        {
            "accuracy": lambda drawn: accuracies(every, drawn),
            "macro_f1": lambda drawn: macro_f1s(compared, drawn, 1),
            "macro_f1_common": lambda drawn: macro_f1s(compared, drawn, COMMON_SUPPORT),
            "exact": lambda drawn: exact_shares(every, drawn),
        },
        score.reports,
        rounds,
    )
    return {name: interval(values) for name, values in figures.items()}


def _mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def _share(tasks: Sequence[TaskScore], part: str, whole: str) -> float:
    """One count over another, summed over tasks; 0 of nothing."""
    total = sum(getattr(task, whole) for task in tasks)
    return float(sum(getattr(task, part) for task in tasks) / total) if total else 0.0
