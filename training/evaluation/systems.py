"""Asks every system about the same reports, through the real text steps, and scores them against the gold.

Systems: the naive regex baseline, the labelling rules alone, the classifier alone (its best class wherever it says
that a value is stated, as the reference system answers; the rules' verdict is not among its inputs), the classifier
that is told the rules' verdict and weighs it as its calibration found it worth, and each decision policy (only what
would be coded).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.calibration import STATED, Calibration, TaskCalibration
from model.engine import Engine, Prediction
from schemas.findings import Primary, Status
from schemas.pack import Policy
from schemas.pack_loader import Pack
from training.dataset.rows import ReportReading, rule_value
from training.evaluation.naive import read_naively
from training.measures.curves import Confidences
from training.measures.resampling import Answers
from training.measures.scoring import SystemScore, score_system
from training.reports.gold import LabelledReport
from workers.decision import decide, evidence_locator
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import PrimaryReading

POLICIES: tuple[Policy, ...] = ("agreement", "classifier")
NAIVE, RULES, CLASSIFIER, TOLD = "naive", "rules", "classifier alone", "classifier, told the rules' verdict"
POLICY = "policy {}"


@dataclass(frozen=True)
class Examined:
    """One report as the chain sees it; without a primary, or without a classifier, nothing is predicted or decided.

    `alone` and `told` are the classifier's answers with their confidences, without and with the rules' verdict; a
    calibration that never learned what a verdict is worth tells nothing.
    """

    report: LabelledReport
    primary: PrimaryReading | None = field(repr=False)
    predictions: Mapping[str, Prediction] = field(default_factory=dict, repr=False)
    decided: Mapping[Policy, Primary] = field(default_factory=dict, repr=False)
    alone: Confidences = field(default_factory=dict, repr=False)
    told: Confidences = field(default_factory=dict, repr=False)


def examine(
    readings: Sequence[ReportReading],
    pack: Pack,
    engine: Engine | None,
    policies: Sequence[Policy] = POLICIES,
    done: Callable[[int], None] = lambda count: None,
) -> list[Examined]:
    """Every report, as it was read, through prompting, classification and decision; `done` counts them."""
    examined = []
    for position, reading in enumerate(readings, start=1):
        if reading.primary is not None and engine is not None:
            answers = engine.classify(build_prompts(reading.clean.text, reading.primary, pack))
            predictions = {task: answer for prompt in answers for task, answer in prompt.items()}
            examined.append(decided(reading, predictions, engine.calibration, pack, policies))
        else:
            examined.append(Examined(reading.report, reading.primary))
        done(position)
    return examined


def decided(
    reading: ReportReading,
    predictions: Mapping[str, Prediction],
    calibration: Calibration,
    pack: Pack,
    policies: Sequence[Policy] = POLICIES,
) -> Examined:
    """A report with its predictions, decided under each policy."""
    if reading.primary is None:
        return Examined(reading.report, None)
    locate = evidence_locator(reading.report.text, reading.clean, ())
    primaries = {
        policy: decide(reading.primary, predictions, calibration, _under(pack, policy), locate) for policy in policies
    }
    read = _rule_values(reading.primary)
    alone = {
        task: best_answer(found.stated, found.probabilities, calibration.task(task))
        for task, found in predictions.items()
    }
    told = {}
    for task, found in predictions.items():
        if calibration.task(task).class_verdict is None:
            continue
        stated, classes = calibration.task(task).told(found.stated, found.probabilities, read.get(task))
        told[task] = best_answer(stated, dict(zip(found.probabilities, classes, strict=True)), TaskCalibration())
    return Examined(reading.report, reading.primary, predictions, primaries, alone, told)


def best_answer(
    stated: float, probabilities: Mapping[str, float], calibration: TaskCalibration
) -> tuple[str | None, float]:
    """The best class where a value is held for stated, and the confidence in it."""
    value, probability = max(probabilities.items(), key=lambda item: item[1])
    return (value if stated >= STATED else None), calibration.confidence(probability) * stated


def _rule_values(primary: PrimaryReading) -> dict[str, str | None]:
    return {task: rule_value(label) for task, label in primary.labels.items()}


def _under(pack: Pack, policy: Policy) -> Pack:
    """The pack under another policy."""
    return replace(pack, definition=pack.definition.model_copy(update={"policy": policy}))


def evaluate(examined: Sequence[Examined], pack: Pack, policies: Sequence[Policy] = POLICIES) -> list[SystemScore]:
    """The score of each system; those that need a checkpoint only where one was asked."""
    reports = [one.report for one in examined]
    return [
        score_system(name, reports, given, pack.definition.tasks)
        for name, given in system_answers(examined, policies).items()
    ]


def system_answers(examined: Sequence[Examined], policies: Sequence[Policy] = POLICIES) -> dict[str, list[Answers]]:
    """What each system says of each report."""
    answers: dict[str, list[Answers]] = {
        NAIVE: [read_naively(one.report.text) for one in examined],
        RULES: [rule_answers(one) for one in examined],
    }
    if any(one.predictions for one in examined):
        answers[CLASSIFIER] = [_values(one.alone) for one in examined]
        if any(one.told for one in examined):
            answers[TOLD] = [_values(one.told) for one in examined]
        answers |= {POLICY.format(policy): [coded_answers(one, policy) for one in examined] for policy in policies}
    return answers


def system_confidences(examined: Sequence[Examined]) -> dict[str, list[Confidences]]:
    """The answers and confidences of the systems that can say how sure they are; none without a checkpoint.

    The agreement policy answers where rules and classifier name the same class, whatever its threshold.
    """
    if not any(one.predictions for one in examined):
        return {}
    agreed: list[Confidences] = [
        {task: answer for task, answer in one.alone.items() if answer[0] == rule_answers(one).get(task)}
        for one in examined
    ]
    told = {TOLD: [one.told for one in examined]} if any(one.told for one in examined) else {}
    return {CLASSIFIER: [one.alone for one in examined], **told, POLICY.format("agreement"): agreed}


def rule_answers(one: Examined) -> Answers:
    """The labelling rules' values."""
    return _rule_values(one.primary) if one.primary else {}


def coded_answers(one: Examined, policy: Policy) -> Answers:
    """What a policy codes."""
    if policy not in one.decided:
        return {}
    return {
        task: finding.value if finding.status is Status.CODED else None
        for task, finding in one.decided[policy].findings.items()
    }


def _values(answers: Confidences) -> Answers:
    return {task: value for task, (value, _) in answers.items()}
