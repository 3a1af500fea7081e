"""Figures of one system against the gold: per task, class, basis and hospital, with supports and intervals.

A case is one report and task. It is *stated* where the gold holds one of the pack's classes; a missing form (not
stated, TX, pending) is no value. An answer is a class or nothing. A value where the gold holds none is a *false value*
and counts against the precision of its class; nothing where the gold holds a value counts against recall.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.frozen import Frozen
from schemas.pack import Task
from training.gold import LabelledReport

COMMON_SUPPORT = 3
"""A class with fewer cases than this moves a macro average by chance alone, so a second average leaves it out."""
BOOTSTRAP_ROUNDS = 500
SEED = 42

Answers = Mapping[str, str | None]
"""What a system says of one report: task to class, None or absent where it codes nothing."""


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
    """One task over all reports; the label set is the pack's, whatever the gold happens to hold."""

    task: str
    reports: int
    stated: int
    coded_stated: int
    coded: int
    correct: int
    false_values: int
    classes: tuple[ClassScore, ...]
    accuracy_by_basis: dict[str, tuple[int, int]]

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


class Interval(Frozen):
    """A bootstrap 95 % interval over reports."""

    low: float
    high: float


class SystemScore(Frozen):
    """One system over all tasks; the means are over tasks in which at least two classes have support.

    A task with one class or none (M in most corpora) measures nothing as an F1, but its row is still shown.
    """

    system: str
    reports: int
    tasks: tuple[TaskScore, ...]
    exact_reports: int
    exact_by_hospital: dict[str, tuple[int, int]]
    macro_f1_interval: Interval | None = None

    @property
    def compared(self) -> tuple[TaskScore, ...]:
        """The tasks that enter the means."""
        return tuple(task for task in self.tasks if sum(1 for item in task.classes if item.support) > 1)

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
) -> SystemScore:
    """Score one system's answers, one a report in the same order, against the gold."""
    exact = [_is_exact(report, answer, tasks) for report, answer in zip(reports, answers, strict=True)]
    hospitals = Counter(report.hospital for report in reports)
    exact_at = Counter(report.hospital for report, right in zip(reports, exact, strict=True) if right)
    score = SystemScore(
        system=system,
        reports=len(reports),
        tasks=tuple(_score_task(task, reports, answers) for task in tasks),
        exact_reports=sum(exact),
        exact_by_hospital={name: (exact_at[name], count) for name, count in hospitals.most_common()},
    )
    interval = _macro_f1_interval(reports, answers, tasks, rounds) if rounds else None
    return score.model_copy(update={"macro_f1_interval": interval})


def _is_exact(report: LabelledReport, answer: Answers, tasks: Sequence[Task]) -> bool:
    """True where every annotated task has the gold's value, or nothing where the gold has none."""
    return all(
        answer.get(task.key) == report.gold[task.key].stated(task.classes) for task in tasks if task.key in report.gold
    )


def _score_task(task: Task, reports: Sequence[LabelledReport], answers: Sequence[Answers]) -> TaskScore:
    """One task's counts."""
    pairs = [
        (report.gold[task.key].stated(task.classes), answer.get(task.key), report.gold[task.key].basis)
        for report, answer in zip(reports, answers, strict=True)
        if task.key in report.gold
    ]
    stated = [pair for pair in pairs if pair[0] is not None]
    bases = Counter(basis for _, _, basis in stated)
    right = Counter(basis for gold, answer, basis in stated if gold == answer)
    return TaskScore(
        task=task.key,
        reports=len(pairs),
        stated=len(stated),
        coded_stated=sum(answer is not None for _, answer, _ in stated),
        coded=sum(answer is not None for _, answer, _ in pairs),
        correct=sum(right.values()),
        false_values=sum(gold is None and answer is not None for gold, answer, _ in pairs),
        classes=tuple(
            ClassScore(
                label=label,
                support=sum(gold == label for gold, _, _ in pairs),
                found=sum(answer == label for _, answer, _ in pairs),
                correct=sum(gold == answer == label for gold, answer, _ in pairs),
            )
            for label in task.classes
        ),
        accuracy_by_basis={basis: (right[basis], count) for basis, count in sorted(bases.items())},
    )


def _macro_f1_interval(
    reports: Sequence[LabelledReport], answers: Sequence[Answers], tasks: Sequence[Task], rounds: int
) -> Interval:
    """The 2.5th and 97.5th percentile of the mean macro F1 over resampled reports, with a fixed seed."""
    generator = random.Random(SEED)  # noqa: S311 - resampling, not security
    indices = range(len(reports))
    cases = [
        [
            (report.gold[task.key].stated(task.classes), answer.get(task.key)) if task.key in report.gold else None
            for task in tasks
        ]
        for report, answer in zip(reports, answers, strict=True)
    ]
    means = sorted(
        _resampled_macro_f1([cases[i] for i in generator.choices(indices, k=len(cases))]) for _ in range(rounds)
    )
    return Interval(low=means[int(0.025 * rounds)], high=means[min(int(0.975 * rounds), rounds - 1)])


def _resampled_macro_f1(cases: Sequence[Sequence[tuple[str | None, str | None] | None]]) -> float:
    """The mean macro F1 of one resample, over tasks with at least two classes in it."""
    scores = []
    for pairs in zip(*cases, strict=True):
        gold = Counter(pair[0] for pair in pairs if pair and pair[0])
        answered = Counter(pair[1] for pair in pairs if pair and pair[1])
        right = Counter(pair[0] for pair in pairs if pair and pair[0] and pair[0] == pair[1])
        if len(gold) > 1:
            scores.append(_mean([2 * right[label] / (count + answered[label]) for label, count in gold.items()]))
    return _mean(scores)


def _mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def _share(tasks: Sequence[TaskScore], part: str, whole: str) -> float:
    """One count over another, summed over tasks; 0 of nothing."""
    total = sum(getattr(task, whole) for task in tasks)
    return float(sum(getattr(task, part) for task in tasks) / total) if total else 0.0
