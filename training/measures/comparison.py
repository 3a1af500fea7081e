"""Two systems on the same reports: the difference with a paired bootstrap interval, and an exact McNemar test.

Both systems are drawn with the same resamples, so what is hard for both cancels out. McNemar's test looks only at the
cases that one system has right and the other does not.
"""

from collections.abc import Callable, Sequence
from math import comb

from schemas.frozen import Frozen
from schemas.pack import Task
from training.measures.resampling import (
    Answers,
    CodedTask,
    Draws,
    Figures,
    Interval,
    Measure,
    accuracies,
    coded_task,
    exact_reports,
    exact_shares,
    interval,
    macro_f1s,
    once,
    resampled,
)
from training.measures.score_tables import Rows, figure
from training.measures.scoring import BOOTSTRAP_ROUNDS, COMMON_SUPPORT
from training.reports.gold import LabelledReport

TaskMeasure = Callable[[Sequence[CodedTask], Draws], Figures]
OVERALL = "all tasks"


class Difference(Frozen):
    """One figure of the second system less that of the first, over one task or all."""

    measure: str
    first: float
    second: float
    interval: Interval

    @property
    def difference(self) -> float:
        """What the second system has more."""
        return self.second - self.first


class TaskComparison(Frozen):
    """One task, or all: the differences, and the cases that only one system has right.

    A case is right where the answer is the gold's, nothing for nothing included. Over all tasks a case is a report.
    """

    task: str
    differences: tuple[Difference, ...]
    only_first: int
    only_second: int

    @property
    def p_value(self) -> float:
        """The exact two-sided McNemar test: how often chance splits these cases as unevenly."""
        return mcnemar(self.only_first, self.only_second)


class Comparison(Frozen):
    """Two systems by name, task by task and over all."""

    first: str
    second: str
    tasks: tuple[TaskComparison, ...]


def compare(
    names: tuple[str, str],
    reports: Sequence[LabelledReport],
    answers: tuple[Sequence[Answers], Sequence[Answers]],
    tasks: Sequence[Task],
    mean_over: Sequence[str] = (),
    rounds: int = BOOTSTRAP_ROUNDS,
) -> Comparison:
    """Compare the second system with the first; the mean of macro F1 is over `mean_over`, or over all tasks."""
    first, second = ([coded_task(task, reports, given) for task in tasks] for given in answers)
    found = [
        _compared(task.key, ([one], [other]), {"accuracy": accuracies, "macro F1": _common_f1s}, rounds)
        for task, one, other in zip(tasks, first, second, strict=True)
    ]
    held = [task.key in mean_over or not mean_over for task in tasks]

    def mean_f1s(coded: Sequence[CodedTask], drawn: Draws) -> Figures:
        return _common_f1s([task for task, takes_part in zip(coded, held, strict=True) if takes_part], drawn)

    measures: dict[str, TaskMeasure] = {"accuracy": accuracies, "macro F1": mean_f1s, "exact reports": exact_shares}
    overall = _compared(OVERALL, (first, second), measures, rounds)
    return Comparison(first=names[0], second=names[1], tasks=(overall, *found))


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p value of a split of discordant pairs; 1 where there are none."""
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(comb(discordant, count) for count in range(fewer + 1)) / (1 << discordant))


def comparison_rows(comparison: Comparison) -> Rows:
    """One row a task and figure: both systems, the difference with its interval, and the test."""
    rows = [
        [
            "task",
            "figure",
            comparison.first,
            comparison.second,
            "difference (95 %)",
            "right only in the first, second",
            "McNemar p",
        ]
    ]
    for task in comparison.tasks:
        for one in task.differences:
            bounds = f"{one.difference:+.3f} ({one.interval.low:+.3f} to {one.interval.high:+.3f})"
            split = [f"{task.only_first}, {task.only_second}", f"{task.p_value:.3f}"]
            rows.append([task.task, one.measure, figure(one.first), figure(one.second), bounds, *split])
    return rows


def _common_f1s(coded: Sequence[CodedTask], drawn: Draws) -> Figures:
    return macro_f1s(coded, drawn, COMMON_SUPPORT)


def _compared(
    task: str, pair: tuple[Sequence[CodedTask], Sequence[CodedTask]], measures: dict[str, TaskMeasure], rounds: int
) -> TaskComparison:
    """The differences of one group of tasks."""
    reports = len(pair[0][0].gold)
    drawn = resampled({name: _difference(measure, pair) for name, measure in measures.items()}, reports, rounds)
    first, second = (exact_reports(coded) for coded in pair)
    return TaskComparison(
        task=task,
        differences=tuple(
            Difference(
                measure=name,
                first=float(measure(pair[0], once(reports))[0]),
                second=float(measure(pair[1], once(reports))[0]),
                interval=interval(drawn[name]),
            )
            for name, measure in measures.items()
        ),
        only_first=int((first & ~second).sum()),
        only_second=int((second & ~first).sum()),
    )


def _difference(measure: TaskMeasure, pair: tuple[Sequence[CodedTask], Sequence[CodedTask]]) -> Measure:
    """What the second system has more in the same resamples."""
    return lambda drawn: measure(pair[1], drawn) - measure(pair[0], drawn)
