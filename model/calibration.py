"""How sure is sure enough: temperatures, thresholds with a bound on the error, and classes that are only ever review.

Fitted on out-of-fold predictions over hospitals; kept beside the adapter as calibration.json.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from model.document_rule import DocumentCase, DocumentRule, fit_document_rule
from model.isotonic import Knots, choose_knots, map_confidence
from model.numerics import error_upper_bound, minimise
from model.verdict import SILENT, VerdictWeights, fit_verdict_weights
from schemas.frozen import Frozen
from schemas.pack import Policy, Target

# Few candidates on purpose: a threshold picked among hundreds would look better than it is.
CANDIDATES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
MINIMUM_CLASS_ROWS = 10
STATED = 0.5
"""From this P(stated) on, a value is more probably stated than not."""
READ = "read"
"""The verdict on whether a value is stated, where the labelling rules read one."""
POLICIES: tuple[Policy, ...] = ("agreement", "classifier")
_TEMPERATURES = (0.05, 20.0)


class TaskCalibration(Frozen):
    """One task: a value may be coded from `threshold` on (None: never) if P(stated) reaches `stated_threshold`.

    Where the labelling rules read the same value, `agreement_threshold` takes the place of `threshold`, and it is enough
    that a value is more probably stated than not: the rules have seen its wording. Thresholds are of the calibrated
    confidence: the probability of the best class, bent by `isotonic` where that was found to help.
    `class_verdict` and `stated_verdict` say what the rules' verdict is worth to the classifier; no decision uses them.
    """

    temperature: float = Field(default=1.0, gt=0)
    stated_temperature: float = Field(default=1.0, gt=0)
    isotonic: Knots = ()
    threshold: float | None = Field(default=None, ge=0, le=1)
    agreement_threshold: float | None = Field(default=None, ge=0, le=1)
    stated_threshold: float = Field(default=STATED, ge=0, le=1)
    review_only: tuple[str, ...] = ()
    class_verdict: VerdictWeights | None = None
    stated_verdict: VerdictWeights | None = None

    def confidence(self, probability: float) -> float:
        """How often the best class is right where it has this probability."""
        return map_confidence(self.isotonic, probability)

    def says_stated(self, policy: Policy, stated: float) -> bool:
        """True where the policy takes the classifier to say that the report holds a value."""
        return stated >= (STATED if policy == "agreement" else self.stated_threshold)

    def allows(self, policy: Policy, value: str, confidence: float, stated: float) -> bool:
        """True where the policy may code the classifier's best class at this confidence and P(stated)."""
        threshold = self.agreement_threshold if policy == "agreement" else self.threshold
        sure = threshold is not None and confidence >= threshold
        return sure and self.says_stated(policy, stated) and value not in self.review_only

    def told(self, stated: float, probabilities: Mapping[str, float], verdict: str | None) -> tuple[float, list[float]]:
        """P(stated) and the class probabilities after the rules' verdict, a class or None."""
        classes = list(probabilities.values())
        if self.class_verdict is not None:
            classes = self.class_verdict.told(classes, verdict)
        if self.stated_verdict is not None:
            stated = self.stated_verdict.told((stated, 1 - stated), READ if verdict else SILENT)[0]
        return stated, classes


class Calibration(Frozen):
    """calibration.json; a task that is missing here was never calibrated and can only be review.

    `documents` holds for a policy the rule that withholds a report as a whole, where one was found to buy accuracy.
    """

    tasks: dict[str, TaskCalibration] = Field(default_factory=dict)
    documents: dict[Policy, DocumentRule] = Field(default_factory=dict)

    def task(self, key: str) -> TaskCalibration:
        """The task's calibration, or the neutral one that codes nothing."""
        return self.tasks.get(key, TaskCalibration())


@dataclass(frozen=True)
class Row:
    """One out-of-fold prediction of one task.

    `label` is the true class, None where the report states none; `rules` is what the labelling rules read. `report`
    groups the rows of one report; where it is empty, no rule over whole reports can be fitted.
    """

    label: str | None
    class_logits: tuple[float, ...]
    stated_logit: float | None
    rules: str | None = None
    report: str = ""


@dataclass(frozen=True)
class Reading:
    """A row as its calibration reads it: the best class, the confidence in it, and P(stated)."""

    row: Row
    value: str
    confidence: float
    stated: float

    def disagrees(self, settled: TaskCalibration, policy: Policy) -> bool:
        """True where classifier and rules do not say the same, a value or nothing."""
        return self.row.rules != (self.value if settled.says_stated(policy, self.stated) else None)

    def coded(self, settled: TaskCalibration, policy: Policy) -> bool:
        """True where the policy would code it: the rules must have read something, under agreement the same."""
        supported = self.row.rules == self.value if policy == "agreement" else self.row.rules is not None
        return supported and settled.allows(policy, self.value, self.confidence, self.stated)


def fit_calibration(
    label_set: Mapping[str, Sequence[str]],
    rows: Mapping[str, Sequence[Row]],
    target: Target,
    minimum_class_rows: int = MINIMUM_CLASS_ROWS,
) -> Calibration:
    """Calibrate every task that has rows, then fit for each policy the rule over whole reports, if one helps."""
    known = {task: classes for task, classes in label_set.items() if rows.get(task)}
    settled = {task: fit_task(classes, rows[task], target, minimum_class_rows) for task, classes in known.items()}
    documents = {}
    for policy in POLICIES:
        cases = document_cases({task: (classes, rows[task]) for task, classes in known.items()}, settled, policy)
        rule = fit_document_rule(cases, target.confidence)
        if rule is not None:
            documents[policy] = rule
    return Calibration(tasks=settled, documents=documents)


def document_cases(
    rows: Mapping[str, tuple[Sequence[str], Sequence[Row]]], settled: Mapping[str, TaskCalibration], policy: Policy
) -> list[DocumentCase]:
    """One case a report that its rows name: the signs of doubt, and what the policy would code of it."""
    reports: dict[str, list[tuple[Reading, TaskCalibration]]] = {}
    for task, (classes, found) in rows.items():
        for row in found:
            if row.report:
                reports.setdefault(row.report, []).append((read(row, classes, settled[task]), settled[task]))
    cases = []
    for readings in reports.values():
        coded = [reading for reading, task in readings if reading.coded(task, policy)]
        cases.append(
            DocumentCase(
                disagreements=sum(reading.disagrees(task, policy) for reading, task in readings),
                certainty=math.prod(
                    reading.confidence * reading.stated
                    for reading, task in readings
                    if task.says_stated(policy, reading.stated)
                ),
                coded=len(coded),
                wrong=sum(reading.value != reading.row.label for reading in coded),
            )
        )
    return cases


def read(row: Row, classes: Sequence[str], settled: TaskCalibration) -> Reading:
    """One row under a calibration."""
    probabilities = softmax(row.class_logits, settled.temperature)
    best = max(range(len(classes)), key=probabilities.__getitem__)
    stated = stated_probability(row.stated_logit, settled.stated_temperature)
    return Reading(row, classes[best], settled.confidence(probabilities[best]), stated)


def fit_task(
    classes: Sequence[str], rows: Sequence[Row], target: Target, minimum_class_rows: int = MINIMUM_CLASS_ROWS
) -> TaskCalibration:
    """Fit temperatures, then the stated threshold, then the class thresholds on what passes the stated one.

    A class threshold counts a value given where none is stated as an error too: it bounds all false values. The
    agreement threshold is fitted on the rows where the rules read the class that the classifier finds best, whatever
    the stated threshold.
    """
    scaled = _fit_scale(classes, rows)
    counts = Counter(row.label for row in rows)
    review_only = tuple(name for name in classes if counts[name] < minimum_class_rows)
    readings = [read(row, classes, scaled) for row in rows]
    stated_threshold = choose_threshold(
        [reading.stated for reading in readings], [row.label is not None for row in rows], target
    )
    if stated_threshold is None:
        stated_threshold = STATED
    codable = [one for one in readings if one.value not in review_only]
    passed = [one for one in codable if one.stated >= stated_threshold]
    agreed = [one for one in codable if one.stated >= STATED and one.value == one.row.rules]
    threshold, agreement_threshold = (
        choose_threshold([one.confidence for one in chosen], [one.value == one.row.label for one in chosen], target)
        for chosen in (passed, agreed)
    )
    return scaled.model_copy(
        update={
            "threshold": threshold,
            "agreement_threshold": agreement_threshold,
            "stated_threshold": stated_threshold,
            "review_only": review_only,
        }
    )


def _fit_scale(classes: Sequence[str], rows: Sequence[Row]) -> TaskCalibration:
    """What turns logits into probabilities and confidences, and what the rules' verdict is worth; no thresholds yet."""
    index = {name: position for position, name in enumerate(classes)}
    stated = [row for row in rows if row.label is not None]
    labels = [index[row.label or ""] for row in stated]
    temperature = fit_temperature([row.class_logits for row in stated], labels)
    stated_temperature = fit_stated_temperature(rows)
    probabilities = [softmax(row.class_logits, temperature) for row in stated]
    best = [max(range(len(classes)), key=found.__getitem__) for found in probabilities]
    pairs = [(found[top], top == label) for found, top, label in zip(probabilities, best, labels, strict=True)]
    told = [
        (_logs(found), label, row.rules or SILENT)
        for found, label, row in zip(probabilities, labels, stated, strict=True)
    ]
    asked = [(stated_probability(row.stated_logit, stated_temperature), row) for row in rows]
    told_stated = [
        (_logs((score, 1 - score)), int(row.label is None), READ if row.rules else SILENT) for score, row in asked
    ]
    return TaskCalibration(
        temperature=temperature,
        stated_temperature=stated_temperature,
        isotonic=choose_knots(pairs),
        class_verdict=fit_verdict_weights(told, len(classes), (*classes, SILENT)),
        stated_verdict=fit_verdict_weights(told_stated, 2, (READ, SILENT)),
    )


def _logs(probabilities: Sequence[float]) -> list[float]:
    return [math.log(max(value, 1e-12)) for value in probabilities]


def choose_threshold(confidences: Sequence[float], correct: Sequence[bool], target: Target) -> float | None:
    """The lowest candidate above which the error, bounded at the target's confidence, is within the target."""
    for candidate in CANDIDATES:
        chosen = [right for confidence, right in zip(confidences, correct, strict=True) if confidence >= candidate]
        bound = error_upper_bound(len(chosen) - sum(chosen), len(chosen), target.confidence)
        if bound <= 1 - target.accuracy:
            return candidate
    return None


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 15) -> float:
    """The mean gap between confidence and accuracy over equal-width bins, weighted by their rows."""
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(confidences, correct, strict=True):
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    gaps = (abs(sum(confidence - right for confidence, right in group)) for group in grouped.values())
    return sum(gaps) / len(confidences) if confidences else 0.0


def fit_temperature(logits: Sequence[Sequence[float]], labels: Sequence[int]) -> float:
    """The temperature that makes the labels most likely; 1 without rows.

    A weak prior around 1 counts like part of a row: a few rows that are all right ask for certainty, and get none.
    """

    def loss(temperature: float) -> float:
        return math.log(temperature) ** 2 / 2 - sum(
            math.log(max(softmax(row, temperature)[label], 1e-12)) for row, label in zip(logits, labels, strict=True)
        )

    return minimise(loss, _TEMPERATURES) if labels else 1.0


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
