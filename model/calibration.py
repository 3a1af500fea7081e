"""How sure is sure enough: temperatures, thresholds with a bound on the error, and classes that are only ever review.

Fitted on out-of-fold predictions over hospitals; kept beside the adapter as calibration.json.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from schemas.frozen import Frozen
from schemas.pack import Target

# Few candidates on purpose: a threshold picked among hundreds would look better than it is.
CANDIDATES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
MINIMUM_CLASS_ROWS = 10
_TEMPERATURES = (0.05, 20.0)


class TaskCalibration(Frozen):
    """One task: a value may be coded from `threshold` on (None: never) if P(stated) reaches `stated_threshold`.

    `agreement_threshold` takes the place of `threshold` where the labelling rules read the same value.
    """

    temperature: float = Field(default=1.0, gt=0)
    stated_temperature: float = Field(default=1.0, gt=0)
    threshold: float | None = Field(default=None, ge=0, le=1)
    agreement_threshold: float | None = Field(default=None, ge=0, le=1)
    stated_threshold: float = Field(default=0.5, ge=0, le=1)
    review_only: tuple[str, ...] = ()


class Calibration(Frozen):
    """calibration.json; a task that is missing here was never calibrated and can only be review."""

    tasks: dict[str, TaskCalibration] = Field(default_factory=dict)

    def task(self, key: str) -> TaskCalibration:
        """The task's calibration, or the neutral one that codes nothing."""
        return self.tasks.get(key, TaskCalibration())


@dataclass(frozen=True)
class Row:
    """One out-of-fold prediction of one task.

    `label` is the true class, None where the report states none; `rules` is what the labelling rules read.
    """

    label: str | None
    class_logits: tuple[float, ...]
    stated_logit: float | None
    rules: str | None = None


def fit_calibration(
    label_set: Mapping[str, Sequence[str]],
    rows: Mapping[str, Sequence[Row]],
    target: Target,
    minimum_class_rows: int = MINIMUM_CLASS_ROWS,
) -> Calibration:
    """Calibrate every task that has rows."""
    return Calibration(
        tasks={
            task: fit_task(classes, rows[task], target, minimum_class_rows)
            for task, classes in label_set.items()
            if rows.get(task)
        }
    )


def fit_task(
    classes: Sequence[str], rows: Sequence[Row], target: Target, minimum_class_rows: int = MINIMUM_CLASS_ROWS
) -> TaskCalibration:
    """Fit temperatures, then the stated threshold, then the class thresholds on what passes the stated one.

    A class threshold counts a value given where none is stated as an error too: it bounds all false values. The
    agreement threshold is fitted on the rows where the rules read the class that the classifier finds best.
    """
    index = {name: position for position, name in enumerate(classes)}
    stated = [row for row in rows if row.label is not None]
    temperature = fit_temperature([row.class_logits for row in stated], [index[row.label or ""] for row in stated])
    stated_temperature = fit_stated_temperature(rows)
    counts = Counter(row.label for row in stated)
    review_only = tuple(name for name in classes if counts[name] < minimum_class_rows)

    scores = [stated_probability(row.stated_logit, stated_temperature) for row in rows]
    stated_threshold = choose_threshold(scores, [row.label is not None for row in rows], target)
    if stated_threshold is None:
        stated_threshold = 0.5
    passed: list[tuple[float, bool, bool]] = []
    for row, score in zip(rows, scores, strict=True):
        probabilities = softmax(row.class_logits, temperature)
        best = max(range(len(classes)), key=probabilities.__getitem__)
        if score >= stated_threshold and classes[best] not in review_only:
            passed.append((probabilities[best], classes[best] == row.label, classes[best] == row.rules))
    agreed = [(confidence, right) for confidence, right, same in passed if same]
    return TaskCalibration(
        temperature=temperature,
        stated_temperature=stated_temperature,
        threshold=choose_threshold([row[0] for row in passed], [row[1] for row in passed], target),
        agreement_threshold=choose_threshold([row[0] for row in agreed], [row[1] for row in agreed], target),
        stated_threshold=stated_threshold,
        review_only=review_only,
    )


def choose_threshold(confidences: Sequence[float], correct: Sequence[bool], target: Target) -> float | None:
    """The lowest candidate above which the error, bounded at the target's confidence, is within the target."""
    for candidate in CANDIDATES:
        chosen = [right for confidence, right in zip(confidences, correct, strict=True) if confidence >= candidate]
        bound = error_upper_bound(len(chosen) - sum(chosen), len(chosen), target.confidence)
        if bound <= 1 - target.accuracy:
            return candidate
    return None


def error_upper_bound(errors: int, trials: int, confidence: float) -> float:
    """The exact one-sided Clopper-Pearson upper bound on an error rate; 1 where nothing was tried."""
    if errors >= trials:
        return 1.0
    low, high = errors / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _binomial_tail(errors, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 15) -> float:
    """The mean gap between confidence and accuracy over equal-width bins, weighted by their rows."""
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(confidences, correct, strict=True):
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    gaps = (abs(sum(confidence - right for confidence, right in group)) for group in grouped.values())
    return sum(gaps) / len(confidences) if confidences else 0.0


def fit_temperature(logits: Sequence[Sequence[float]], labels: Sequence[int]) -> float:
    """The temperature that makes the labels most likely; 1 without rows."""

    def loss(temperature: float) -> float:
        return -sum(
            math.log(max(softmax(row, temperature)[label], 1e-12)) for row, label in zip(logits, labels, strict=True)
        )

    return _minimise(loss) if labels else 1.0


def fit_stated_temperature(rows: Sequence[Row]) -> float:
    """The temperature of the stated head; 1 where there is none."""
    two_sided = [((row.stated_logit, 0.0), int(row.label is None)) for row in rows if row.stated_logit is not None]
    return fit_temperature([logits for logits, _ in two_sided], [label for _, label in two_sided])


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Class probabilities at a temperature."""
    highest = max(logits)
    weights = [math.exp((logit - highest) / temperature) for logit in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


def stated_probability(logit: float | None, temperature: float = 1.0) -> float:
    """P(stated); 1 where the checkpoint has no stated heads."""
    return 1.0 if logit is None else softmax((logit, 0.0), temperature)[0]


def _binomial_tail(errors: int, trials: int, rate: float) -> float:
    """The probability of at most `errors` errors in `trials`, by logarithms so that thousands of rows do not overflow."""
    if rate >= 1:
        return 0.0
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(count + 1)
            - math.lgamma(trials - count + 1)
            + (count * math.log(rate) if count else 0.0)
            + (trials - count) * math.log1p(-rate)
        )
        for count in range(errors + 1)
    )


def _minimise(loss: Callable[[float], float]) -> float:
    """Golden-section search over the logarithm of the temperature, where the loss has one valley."""
    low, high = (math.log(limit) for limit in _TEMPERATURES)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(math.exp(left)) < loss(math.exp(right)):
            high = right
        else:
            low = left
    return round(math.exp((low + high) / 2), 4)
