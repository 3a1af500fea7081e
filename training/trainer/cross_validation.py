"""Predictions for each row with the surest labels by a classifier that saw nothing of its hospital, and what they say.

Each finished fold leaves its predictions in the work folder, so an interrupted run goes on where it stopped.
"""

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import orjson

from model.calibration import Calibration, Row, TaskCalibration, softmax, stated_probability
from model.engine import Prediction
from schemas.errors import Code, SynopticError
from schemas.pack import Task
from schemas.pack_loader import Pack
from training.dataset.corpus import Corpus
from training.dataset.lazy import picked
from training.dataset.rows import TrainingRow
from training.evaluation.systems import CLASSIFIER, RULES, Examined, best_answer, decided
from training.measures.scoring import SystemScore, score_system
from training.recipe import Recipe
from training.reports.gold import NOT_STATED, GoldValue, LabelledReport
from training.trainer.loop import new_accelerator, predict
from training.trainer.run_log import RunLog
from training.trainer.workshop import Workshop

RawPrediction = dict[str, tuple[float, list[float]]]
"""Task to the raw logit of the stated head and those of the class head."""


class CrossValidation:
    """The folds of one run."""

    def __init__(self, workshop: Workshop, recipe: Recipe, work: Path, log: RunLog) -> None:
        self._workshop = workshop
        self._recipe = recipe
        self._work = work
        self._log = log

    def predictions(self, corpus: Corpus) -> list[RawPrediction]:
        """For each judged row, in order, the prediction of a classifier that saw no report of its hospital."""
        folds = range(self._recipe.folds)
        waiting = [fold for fold in folds if self._finished(corpus, fold) is None]
        together = self._processes()
        for first in range(0, len(waiting), together):
            self._train_side_by_side(corpus, waiting[first : first + together])
        predictions: dict[int, RawPrediction] = {}
        for fold in folds:
            found = self._finished(corpus, fold)
            if found is None:
                raise SynopticError(Code.TRAINING_FAILED, f"fold {fold}")
            predictions.update(zip(corpus.held_out(fold), found, strict=True))
        return [predictions[index] for index in range(len(corpus.judged))]

    def _processes(self) -> int:
        """How many folds train at once: an accelerator, or devices under one launcher, take them one by one."""
        accelerator = new_accelerator()
        alone = accelerator.device.type == "cpu" and accelerator.num_processes == 1
        return self._recipe.processes if alone else 1

    def _train_side_by_side(self, corpus: Corpus, folds: Sequence[int]) -> None:
        """Train one fold here, or several in processes of their own: a small model gains nothing from a thread."""
        if len(folds) == 1:
            self._fold(corpus, folds[0])
            return
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=self._fold, args=(corpus, fold)) for fold in folds]
        for child in children:
            child.start()
        for fold, child in zip(folds, children, strict=True):
            child.join()
            self._log.write(f"fold {fold}", finished=child.exitcode == 0)

    def _finished(self, corpus: Corpus, fold: int) -> list[RawPrediction] | None:
        """One fold's predictions, if they were made from the same corpus by the same recipe."""
        path = self._path(fold)
        kept = orjson.loads(path.read_bytes()) if path.is_file() else {}
        if kept.get("digest") != corpus.digest:
            return None
        return [{task: (stated, logits) for task, (stated, logits) in row.items()} for row in kept["rows"]]

    def _fold(self, corpus: Corpus, fold: int) -> None:
        """Train without the fold's hospitals, and keep the predictions of their judged rows."""
        name = f"fold {fold}"
        classifier = self._workshop.classifier(corpus.without(fold), name)
        held_out = picked(corpus.judged, corpus.held_out(fold))
        found = list(predict(classifier, self._workshop.encode(held_out)))
        accelerator = new_accelerator()
        if accelerator.is_main_process:
            self._path(fold).write_bytes(orjson.dumps({"digest": corpus.digest, "rows": found}))
            self._workshop.forget(name)
        accelerator.wait_for_everyone()

    def _path(self, fold: int) -> Path:
        return self._work / f"fold-{fold}.json"


def examined(
    corpus: Corpus, predictions: Sequence[RawPrediction], calibration: Calibration, pack: Pack
) -> list[Examined]:
    """The gold reports as every system sees them, each classified without its own hospital."""
    by_patient: dict[str, dict[str, Prediction]] = {}
    for row, prediction in zip(corpus.judged, predictions, strict=True):
        found = by_patient.setdefault(row.patient, {})
        found.update(
            {
                task: calibrated(*prediction[task], row.prompt.classes[task], calibration.task(task))
                for task in row.prompt.classes
            }
        )
    return [
        decided(reading, by_patient[reading.report.patient], calibration, pack)
        for reading in corpus.readings
        if reading.report.patient in by_patient
    ]


def row_scores(
    corpus: Corpus, predictions: Sequence[RawPrediction], calibration: Calibration, tasks: Sequence[Task]
) -> list[SystemScore]:
    """Rules and classifier against the judged rows' own labels, where no report stands behind them to be decided."""
    reports, read, answered = [], [], []
    for row, prediction in zip(corpus.judged, predictions, strict=True):
        labels = {task: GoldValue(value or NOT_STATED, row.source) for task, value in row.labels.items()}
        reports.append(LabelledReport(row.patient, row.hospital, "", labels))
        read.append(row.rules)
        answers: dict[str, str | None] = {}
        for task in row.labels:
            found = calibrated(*prediction[task], row.prompt.classes[task], calibration.task(task))
            answers[task] = best_answer(found.stated, found.probabilities, calibration.task(task))[0]
        answered.append(answers)
    return [score_system(name, reports, given, tasks) for name, given in ((RULES, read), (CLASSIFIER, answered))]


def calibrated(
    stated: float, logits: Sequence[float], classes: Sequence[str], calibration: TaskCalibration
) -> Prediction:
    """Raw logits as the engine would answer them."""
    probabilities = softmax(logits, calibration.temperature)
    return Prediction(
        stated_probability(stated, calibration.stated_temperature), dict(zip(classes, probabilities, strict=True))
    )


def calibration_rows(rows: Sequence[TrainingRow], predictions: Sequence[RawPrediction]) -> dict[str, list[Row]]:
    """Out-of-fold predictions by task, each with the label's class or None, what the rules read, and its report."""
    found: dict[str, list[Row]] = {}
    for row, prediction in zip(rows, predictions, strict=True):
        for task, value in row.labels.items():
            stated, classes = prediction[task]
            found.setdefault(task, []).append(Row(value, tuple(classes), stated, row.rules.get(task), row.patient))
    return found
