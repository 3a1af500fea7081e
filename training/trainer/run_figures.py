"""The figures of one training as PNG: its losses, and what its out-of-fold predictions are worth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from model.calibration import STATED, Calibration, Row, TaskCalibration, softmax, stated_probability
from model.prompt import LabelSet
from training.plots import Axis, confusion_figure, line_figure, reliability_figure
from training.trainer.run_log import RunLog

BINS = 10
PHASES = ("language", "backbone", "adapter")
NOTHING = "not stated"


def draw_run(
    work: Path, log: RunLog, label_set: LabelSet, rows: Mapping[str, Sequence[Row]], calibration: Calibration
) -> None:
    """Training curve, one confusion matrix a task, and the reliability of all tasks, into the work folder."""
    for phase in PHASES:
        series: dict[str, list[tuple[float, float]]] = {}
        for entry in log.epochs(f"final, {phase}"):
            for name in ("loss", "validation_loss"):
                if name in entry:
                    label = f"{name.replace('_', ' ')}, seed {entry['seed']}"
                    series.setdefault(label, []).append((entry["epoch"] + 1, entry[name]))
        if series:
            title = f"Training curve: {phase}"
            line_figure(work / f"training-curve-{phase}.png", title, series, Axis("epoch"), Axis("loss"))
    for task, classes in label_set.items():
        if rows.get(task):
            names = [*classes, NOTHING]
            counts = confusion(classes, rows[task], calibration.task(task))
            confusion_figure(work / f"confusion-{task}.png", f"{task}, hospitals held out", names, names, counts)
    curves = {
        task: reliability(rows[task], calibration.task(task), classes)
        for task, classes in label_set.items()
        if any(row.label is not None for row in rows.get(task, ()))
    }
    reliability_figure(work / "reliability.png", "Reliability, hospitals held out", curves)


def confusion(classes: Sequence[str], rows: Sequence[Row], calibration: TaskCalibration) -> list[list[int]]:
    """Counts of true by answered class; the last row and column are what states none."""
    counts = [[0] * (len(classes) + 1) for _ in range(len(classes) + 1)]
    for row in rows:
        stated = stated_probability(row.stated_logit, calibration.stated_temperature) >= STATED
        answered = max(range(len(classes)), key=row.class_logits.__getitem__) if stated else len(classes)
        counts[len(classes) if row.label is None else classes.index(row.label)][answered] += 1
    return counts


def reliability(
    rows: Sequence[Row], calibration: TaskCalibration, classes: Sequence[str]
) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and cases of each bin of confidence, over rows that state a value."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row in rows:
        if row.label is not None:
            probabilities = softmax(row.class_logits, calibration.temperature)
            best = max(probabilities)
            right, confidence = classes[probabilities.index(best)] == row.label, calibration.confidence(best)
            bins.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return [
        (sum(one for one, _ in found) / len(found), sum(right for _, right in found) / len(found), len(found))
        for _, found in sorted(bins.items())
    ]
