"""Asks every system about the same reports, through the real text steps, and scores them against the gold.

Systems: the naive regex baseline, the labelling rules alone, the classifier alone (its best class wherever it says
that a value is stated, as the reference system answers), and each decision policy (only what would be coded).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.calibration import Calibration
from model.engine import Engine, Prediction
from schemas.findings import Primary, Status
from schemas.pack import Policy
from schemas.pack_loader import Pack
from training.baselines import read_naively
from training.dataset import ReportReading, read_labelled, rule_value
from training.gold import LabelledReport
from training.resampling import Answers
from training.scoring import SystemScore, score_system
from workers.decision import decide, evidence_locator
from workers.prompting import build_prompts
from workers.reading import PrimaryReading

POLICIES: tuple[Policy, ...] = ("agreement", "classifier")
STATED = 0.5
"""From this P(stated) on, the classifier alone is taken to say that the report holds a value."""


@dataclass(frozen=True)
class Examined:
    """One report as the chain sees it; without a primary, or without a classifier, nothing is predicted or decided."""

    report: LabelledReport
    primary: PrimaryReading | None = field(repr=False)
    predictions: Mapping[str, Prediction] = field(default_factory=dict, repr=False)
    decided: Mapping[Policy, Primary] = field(default_factory=dict, repr=False)


def examine(
    reports: Sequence[LabelledReport],
    pack: Pack,
    engine: Engine | None,
    policies: Sequence[Policy] = POLICIES,
    done: Callable[[int], None] = lambda count: None,
) -> list[Examined]:
    """Every report through de-identification, reading, prompting, classification and decision."""
    examined = []
    for position, report in enumerate(reports, start=1):
        reading = read_labelled(report, pack)
        if reading.primary is not None and engine is not None:
            answers = engine.classify(build_prompts(reading.clean.text, reading.primary, pack))
            predictions = {task: answer for prompt in answers for task, answer in prompt.items()}
            examined.append(decided(reading, predictions, engine.calibration, pack, policies))
        else:
            examined.append(Examined(report, reading.primary))
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
    return Examined(reading.report, reading.primary, predictions, primaries)


def _under(pack: Pack, policy: Policy) -> Pack:
    """The pack under another policy."""
    return replace(pack, definition=pack.definition.model_copy(update={"policy": policy}))


def evaluate(examined: Sequence[Examined], pack: Pack, policies: Sequence[Policy] = POLICIES) -> list[SystemScore]:
    """The score of each system; those that need a checkpoint only where one was asked."""
    answers: dict[str, list[Answers]] = {
        "naive": [read_naively(one.report.text) for one in examined],
        "rules": [rule_answers(one) for one in examined],
    }
    if any(one.predictions for one in examined):
        answers["classifier alone"] = [classifier_answers(one) for one in examined]
        answers |= {f"policy {policy}": [coded_answers(one, policy) for one in examined] for policy in policies}
    reports = [one.report for one in examined]
    return [score_system(name, reports, given, pack.definition.tasks) for name, given in answers.items()]


def rule_answers(one: Examined) -> Answers:
    """The labelling rules' values."""
    return {task: rule_value(label) for task, label in one.primary.labels.items()} if one.primary else {}


def classifier_answers(one: Examined) -> Answers:
    """The classifier's best class wherever it holds a value for stated, with no threshold and no supporting span."""
    return {
        task: max(answer.probabilities, key=answer.probabilities.__getitem__) if answer.stated >= STATED else None
        for task, answer in one.predictions.items()
    }


def coded_answers(one: Examined, policy: Policy) -> Answers:
    """What a policy codes."""
    if policy not in one.decided:
        return {}
    return {
        task: finding.value if finding.status is Status.CODED else None
        for task, finding in one.decided[policy].findings.items()
    }
