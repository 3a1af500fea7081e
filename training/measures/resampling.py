"""Bootstrap intervals over reports: a figure of one system, or the difference of two on the same resamples.

A resample is how often each report is drawn; all figures are sums over reports, so that every resample of every task is
one matrix product. The seed is fixed: two runs print the same intervals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.frozen import Frozen
from schemas.pack import Task
from training.reports.gold import LabelledReport

SEED = 42
NO_VALUE, NOT_ANNOTATED = -1, -2

Answers = Mapping[str, str | None]
"""What a system says of one report: task to class, None or absent where it codes nothing."""
Draws = NDArray[np.float64]
"""How often each report is drawn, (rounds, reports)."""
Figures = NDArray[np.float64]
"""One figure for each round."""
Measure = Callable[[Draws], Figures]
CELLS = 20_000_000
"""How many rounds times reports are drawn at once: 160 MB."""


class Interval(Frozen):
    """A bootstrap 95 % interval over reports."""

    low: float
    high: float


@dataclass(frozen=True)
class CodedTask:
    """One task's gold and answers, one a report: a class's position, NO_VALUE, or NOT_ANNOTATED in the gold."""

    gold: NDArray[np.int64]
    answered: NDArray[np.int64]
    classes: int

    def exact(self) -> NDArray[np.bool_]:
        """Where the answer is the gold's, nothing for nothing included; true where the gold does not know the task."""
        return np.asarray((self.gold == self.answered) | (self.gold == NOT_ANNOTATED), dtype=np.bool_)

    def right(self) -> NDArray[np.bool_]:
        """Where a stated value was answered as it is."""
        return np.asarray((self.gold == self.answered) & self.stated(), dtype=np.bool_)

    def stated(self) -> NDArray[np.bool_]:
        """Where the gold holds a class."""
        return self.gold >= 0

    def false(self) -> NDArray[np.bool_]:
        """Where a class was answered and the gold holds none."""
        return np.asarray((self.gold == NO_VALUE) & (self.answered >= 0), dtype=np.bool_)


def coded_task(task: Task, reports: Sequence[LabelledReport], answers: Sequence[Answers]) -> CodedTask:
    """One task's gold and answers as positions in its classes."""
    position: dict[str | None, int] = {name: index for index, name in enumerate(task.classes)}
    gold = [
        position.get(report.gold[task.key].value, NO_VALUE) if task.key in report.gold else NOT_ANNOTATED
        for report in reports
    ]
    answered = [position.get(answer.get(task.key), NO_VALUE) for answer in answers]
    return CodedTask(np.array(gold, dtype=np.int64), np.array(answered, dtype=np.int64), len(task.classes))


def resampled(measures: Mapping[str, Measure], reports: int, rounds: int) -> dict[str, Figures]:
    """Each measure in as many resamples, with replacement, of so many reports; block by block, to bound the memory."""
    generator = np.random.default_rng(SEED)
    block = max(1, min(rounds, CELLS // reports))
    found: dict[str, list[Figures]] = {name: [] for name in measures}
    for first in range(0, rounds, block):
        size = min(block, rounds - first)
        drawn = generator.multinomial(reports, np.full(reports, 1 / reports), size=size).astype(np.float64)
        for name, measure in measures.items():
            found[name].append(measure(drawn))
    return {name: np.concatenate(figures) for name, figures in found.items()}


def once(reports: int) -> Draws:
    """The sample itself: every report drawn once."""
    return np.ones((1, reports))


def accuracies(tasks: Sequence[CodedTask], drawn: Draws) -> Figures:
    """Right values among all stated cases, in each resample."""
    right = sum((drawn @ task.right() for task in tasks), np.zeros(len(drawn)))
    stated = sum((drawn @ task.stated() for task in tasks), np.zeros(len(drawn)))
    return _shares(right, stated)


def macro_f1s(tasks: Sequence[CodedTask], drawn: Draws, least: int) -> Figures:
    """The mean over tasks of the mean F1 of classes with at least so many cases, in each resample.

    Which classes take part is decided by the whole sample; one that a resample lacks is left out of that resample.
    """
    means = []
    for task in tasks:
        scores, present = np.zeros(len(drawn)), np.zeros(len(drawn))
        for label in range(task.classes):
            gold = task.gold == label
            if gold.sum() < max(least, 1):
                continue
            support = drawn @ gold
            found = drawn @ ((task.answered == label) & (task.gold != NOT_ANNOTATED))
            scores += _shares(2 * (drawn @ (gold & (task.answered == label))), support + found) * (support > 0)
            present += support > 0
        means.append(_shares(scores, present))
    return np.mean(means, axis=0) if means else np.zeros(len(drawn))


def exact_shares(tasks: Sequence[CodedTask], drawn: Draws) -> Figures:
    """Reports in which every task is right, among all, in each resample."""
    return _shares(drawn @ exact_reports(tasks), drawn.sum(axis=1))


def exact_reports(tasks: Sequence[CodedTask]) -> NDArray[np.bool_]:
    """Where every annotated task has the gold's value, or nothing where the gold has none."""
    return np.asarray(np.logical_and.reduce([task.exact() for task in tasks]), dtype=np.bool_)


def interval(figures: Figures) -> Interval:
    """The 2.5th and the 97.5th percentile."""
    low, high = np.percentile(figures, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def _shares(parts: Figures, wholes: Figures) -> Figures:
    """One over the other, 0 where there is nothing."""
    return np.divide(parts, wholes, out=np.zeros(len(parts)), where=wholes > 0)
