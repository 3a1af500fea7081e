"""What the classifier's probabilities are worth: AUROC, calibration error and reliability, task by task."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from pydantic import Field

from model.calibration import Calibration, expected_calibration_error
from model.engine import Prediction
from schemas.frozen import Frozen
from schemas.pack import Task
from training.measures.score_tables import Rows, defined, figure
from training.reports.gold import LabelledReport

RELIABILITY_BINS = 10
Predictions = Mapping[str, Prediction]


class ReliabilityBin(Frozen):
    """The cases of one range of confidence: their mean confidence, how many of them are right, and how many there are."""

    confidence: float
    accuracy: float
    cases: int


class Reliability(Frozen):
    """How confidence and accuracy go together, over stated cases."""

    error: float
    bins: tuple[ReliabilityBin, ...]


class ProbabilityScore(Frozen):
    """The classifier's probabilities of one task.

    `auroc`: each class against the rest over stated cases, where both have a case. `auroc_stated`: P(stated) over all
    cases, None where all or none are stated. `before` is what the temperature was fitted to, `after` what is used.
    """

    task: str
    stated: int
    auroc: dict[str, float] = Field(default_factory=dict)
    auroc_stated: float | None = None
    before: Reliability
    after: Reliability

    @property
    def macro_auroc(self) -> float | None:
        """The mean over the classes for which it is defined."""
        return sum(self.auroc.values()) / len(self.auroc) if self.auroc else None


def probability_scores(
    reports: Sequence[LabelledReport],
    predictions: Sequence[Predictions],
    calibration: Calibration,
    tasks: Sequence[Task],
) -> list[ProbabilityScore]:
    """The figures of each task, over the reports that have a prediction."""
    return [_probability_score(task, reports, predictions, calibration) for task in tasks]


def _probability_score(
    task: Task, reports: Sequence[LabelledReport], predictions: Sequence[Predictions], calibration: Calibration
) -> ProbabilityScore:
    pairs = [
        (report.gold[task.key].stated(task.classes), found[task.key])
        for report, found in zip(reports, predictions, strict=True)
        if task.key in report.gold and task.key in found
    ]
    stated = [(gold, found.probabilities) for gold, found in pairs if gold is not None]
    areas = {
        label: area_under_curve(
            [found[label] for gold, found in stated if gold == label],
            [found[label] for gold, found in stated if gold != label],
        )
        for label in task.classes
    }
    settled = calibration.task(task.key)
    return ProbabilityScore(
        task=task.key,
        stated=len(stated),
        auroc={label: value for label, value in areas.items() if value is not None},
        auroc_stated=area_under_curve(
            [found.stated for gold, found in pairs if gold is not None],
            [found.stated for gold, found in pairs if gold is None],
        ),
        before=_reliability([_best(gold, uncalibrated(found, settled.temperature)) for gold, found in stated]),
        after=_reliability([_best(gold, found, settled.confidence) for gold, found in stated]),
    )


def _best(
    gold: str, probabilities: Mapping[str, float], bend: Callable[[float], float] = lambda value: value
) -> tuple[float, bool]:
    """The confidence in the best class, and whether it is the right one."""
    value, probability = max(probabilities.items(), key=lambda item: item[1])
    return bend(probability), value == gold


def area_under_curve(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """The area under the ROC curve: how often a positive scores above a negative, ties half; None without either."""
    if not positives or not negatives:
        return None
    ranked = sorted([(score, True) for score in positives] + [(score, False) for score in negatives])
    below, wins = 0, 0.0
    for _, tied in groupby(ranked, key=lambda pair: pair[0]):
        kinds = [positive for _, positive in tied]
        wins += sum(kinds) * (below + (len(kinds) - sum(kinds)) / 2)
        below += len(kinds) - sum(kinds)
    return wins / (len(positives) * len(negatives))


def uncalibrated(probabilities: Mapping[str, float], temperature: float) -> dict[str, float]:
    """The probabilities as they were before the temperature."""
    powers = {label: value**temperature for label, value in probabilities.items()}
    total = sum(powers.values())
    return {label: value / total for label, value in powers.items()} if total else dict(probabilities)


def _reliability(cases: Sequence[tuple[float, bool]]) -> Reliability:
    """The calibration error, and the cases in equal ranges of confidence."""
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in cases:
        grouped.setdefault(min(int(confidence * RELIABILITY_BINS), RELIABILITY_BINS - 1), []).append(
            (confidence, right)
        )
    return Reliability(
        error=expected_calibration_error([case[0] for case in cases], [case[1] for case in cases]),
        bins=tuple(
            ReliabilityBin(
                confidence=sum(case[0] for case in group) / len(group),
                accuracy=sum(case[1] for case in group) / len(group),
                cases=len(group),
            )
            for _, group in sorted(grouped.items())
        ),
    )


def probability_rows(scores: Sequence[ProbabilityScore]) -> Rows:
    """One row a task: AUROC by class and of P(stated), calibration error before and after temperature."""
    rows = [["task", "stated", "AUROC, mean", "AUROC by class", "AUROC of stated", "ECE before", "ECE after"]]
    for score in scores:
        classes = ", ".join(f"{label} {figure(value)}" for label, value in score.auroc.items())
        rows.append(
            [
                score.task,
                str(score.stated),
                defined(score.macro_auroc),
                classes,
                defined(score.auroc_stated),
                figure(score.before.error),
                figure(score.after.error),
            ]
        )
    return rows
