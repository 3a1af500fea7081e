"""Everything that one evaluation measures: scores, groups of reports, probabilities, curves, comparisons.

The same object makes the tables, the JSON and the figures, so that none of them says more than the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.calibration import Calibration
from schemas.pack import Policy, Task
from schemas.pack_loader import Pack
from training.evaluation.systems import CLASSIFIER, POLICIES, RULES, Examined, system_answers, system_confidences
from training.measures.comparison import Comparison, compare, comparison_rows
from training.measures.curves import RiskCoverage, risk_coverages, risk_rows
from training.measures.probabilities import ProbabilityScore, probability_rows, probability_scores
from training.measures.score_tables import Rows, as_data, summary_rows, tables, task_rows
from training.measures.scoring import SystemScore, score_system
from training.plots import confusion_figure, reliability_figure, risk_coverage_figure

HELD_BACK, REST = "held-back hospitals", "other hospitals"
DOUBTED, SURE = "reports with a doubt of the annotator", "reports without a doubt"
DRAWN = (RULES, CLASSIFIER)
"""The systems whose confusion matrices are drawn."""


@dataclass(frozen=True)
class Question:
    """What is asked besides the figures of all reports.

    `held_back` names hospitals to report apart, `mean_over` the tasks of the mean macro F1 (none: those that the gold
    can measure).
    """

    policies: Sequence[Policy] = POLICIES
    held_back: Sequence[str] = ()
    mean_over: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """The figures of one evaluation; each group has the same systems over some of the reports."""

    tasks: tuple[Task, ...]
    scores: tuple[SystemScore, ...]
    groups: dict[str, tuple[SystemScore, ...]]
    probabilities: tuple[ProbabilityScore, ...]
    curves: tuple[RiskCoverage, ...]
    comparisons: tuple[Comparison, ...]

    def tables(self) -> dict[str, Rows]:
        """All tables by their titles."""
        found = tables(self.scores)
        for name, scores in self.groups.items():
            title = f"Over {scores[0].reports} {name}"
            found[title] = summary_rows(scores)
            if name in (HELD_BACK, REST):
                found[f"{title}, by task"] = task_rows(scores)
        if self.probabilities:
            found["Probabilities of the classifier alone"] = probability_rows(self.probabilities)
            found["Risk against coverage"] = risk_rows(self.curves)
        for comparison in self.comparisons:
            found[f"{comparison.second} against {comparison.first}"] = comparison_rows(comparison)
        return found

    def data(self) -> dict[str, Any]:
        """All figures as plain data."""
        return {
            "systems": as_data(self.scores),
            "groups": {name: as_data(scores) for name, scores in self.groups.items()},
            "probabilities": [score.model_dump(mode="json") for score in self.probabilities],
            "risk_coverage": [curve.model_dump(mode="json") for curve in self.curves],
            "comparisons": [_comparison_data(comparison) for comparison in self.comparisons],
        }

    def draw(self, folder: Path) -> None:
        """Confusion matrices, reliability and risk against coverage as PNG files."""
        for score in self.scores:
            if score.system in DRAWN:
                for task, counted in zip(self.tasks, score.tasks, strict=True):
                    names = [*task.classes, "no value"]
                    path = folder / f"confusion-{_file_name(score.system)}-{task.key}.png"
                    confusion_figure(path, f"{task.key}, {score.system}", names, names, counted.confusion)
        for probability in self.probabilities:
            stages = {"before temperature": probability.before, "after": probability.after}
            curves = {
                f"{name} (ECE {stage.error:.3f})": [(one.confidence, one.accuracy, one.cases) for one in stage.bins]
                for name, stage in stages.items()
            }
            reliability_figure(folder / f"reliability-{probability.task}.png", probability.task, curves)
        for task_name in dict.fromkeys(curve.task for curve in self.curves):
            lines = {
                curve.system: [(point.coverage, point.risk) for point in curve.points]
                for curve in self.curves
                if curve.task == task_name
            }
            risk_coverage_figure(folder / f"risk-coverage-{_file_name(task_name)}.png", task_name, lines)


def measure(
    examined: Sequence[Examined],
    pack: Pack,
    calibration: Calibration | None = None,
    question: Question | None = None,
    other: tuple[str, Sequence[Examined]] | None = None,
) -> Measured:
    """Measure every system; `other` is a second checkpoint's name and its view of the same reports, to compare with."""
    asked = question or Question()
    tasks = pack.definition.tasks
    answers = system_answers(examined, asked.policies)
    reports = [one.report for one in examined]

    def scores(places: Sequence[int]) -> tuple[SystemScore, ...]:
        chosen = [reports[place] for place in places]
        return tuple(
            score_system(name, chosen, [given[place] for place in places], tasks, mean_over=asked.mean_over)
            for name, given in answers.items()
        )

    overall = scores(range(len(reports)))
    compared = asked.mean_over or [task.task for task in overall[0].compared]
    pairs = [((RULES, CLASSIFIER), (answers[RULES], answers[CLASSIFIER]))] if CLASSIFIER in answers else []
    if other is not None:
        name, view = other
        others = system_answers(view, asked.policies)
        pairs += [
            ((f"{system} of {name}", system), (others[system], answers[system]))
            for system in answers
            if others.get(system, answers[system]) != answers[system]
        ]
    return Measured(
        tasks=tasks,
        scores=overall,
        groups={name: scores(places) for name, places in _groups(examined, asked.held_back).items()},
        probabilities=tuple(
            probability_scores(reports, [one.predictions for one in examined], calibration, tasks)
            if calibration is not None and CLASSIFIER in answers
            else ()
        ),
        curves=tuple(
            curve
            for name, given in system_confidences(examined).items()
            for curve in risk_coverages(name, reports, given, tasks)
        ),
        comparisons=tuple(compare(names, reports, given, tasks, compared) for names, given in pairs),
    )


def _groups(examined: Sequence[Examined], held_back: Sequence[str]) -> dict[str, list[int]]:
    """The positions of the reports of each group; a division with an empty side is left out."""
    divisions = (
        ((HELD_BACK, REST), [one.report.hospital in held_back for one in examined]),
        ((DOUBTED, SURE), ["doubt" in one.report.circumstances for one in examined]),
    )
    groups = {}
    for (inside, outside), belongs in divisions:
        if any(belongs) and not all(belongs):
            groups[inside] = [place for place, here in enumerate(belongs) if here]
            groups[outside] = [place for place, here in enumerate(belongs) if not here]
    return groups


def _comparison_data(comparison: Comparison) -> dict[str, Any]:
    return {
        "first": comparison.first,
        "second": comparison.second,
        "tasks": [{**task.model_dump(mode="json"), "p_value": task.p_value} for task in comparison.tasks],
    }


def _file_name(name: str) -> str:
    return name.replace(" ", "-")
