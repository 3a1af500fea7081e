"""The whole way from raw reports to a calibrated checkpoint: read, vary, pre-train, adapt, cross-validate, calibrate.

Each finished fold leaves its predictions in the work folder, so an interrupted run goes on where it stopped. A fold's
backbone and adapter never see a report of the hospitals that it predicts.
"""

import hashlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
import torch

from model.backbone import BackboneShape, load_backbone, write_initial_backbone
from model.calibration import Calibration, Row, TaskCalibration, fit_calibration, softmax, stated_probability
from model.checkpoint import save_checkpoint
from model.classifier import Classifier, new_classifier
from model.engine import Prediction
from model.prompt import LabelSet, encode_prompt, prompt_format
from model.tokenizer import SequenceTokenizer, train_tokenizer
from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack
from training.dataset import GOLD, ReportReading, TrainingRow, hospital_folds, labelled_rows, read_labelled, varied_rows
from training.evaluation import decided, evaluate
from training.gold import LabelledReport, load_gold_reports, load_registry_reports
from training.recipe import Recipe
from training.score_tables import markdown
from training.trainer import EncodedRow, fit, fit_language, predict
from workers.hints import hint_vocabulary

Progress = Callable[[str], None]
RawPrediction = dict[str, tuple[float, list[float]]]
"""Task to the raw logit of the stated head and those of the class head."""


@dataclass(frozen=True)
class Sources:
    """Where reports and labels come from; `routed` says of a text whether the pack would be given it."""

    texts: Path
    gold: Path
    routed: Callable[[str], bool]

    def load(self, pack: Pack) -> tuple[LabelledReport, ...]:
        """The annotated reports, then those with registry values."""
        return (
            *load_gold_reports(self.texts, self.gold),
            *load_registry_reports(self.texts, self.gold, pack.definition, self.routed),
        )


@dataclass(frozen=True)
class Corpus:
    """All training rows, and a digest of everything that decides a fold's outcome."""

    readings: tuple[ReportReading, ...]
    rows: tuple[TrainingRow, ...]
    folds: Mapping[str, int]
    counts: Mapping[str, int]
    digest: str

    @property
    def gold(self) -> tuple[TrainingRow, ...]:
        """The annotated rows, on which adapters are trained and predictions are made."""
        return tuple(row for row in self.rows if row.source == GOLD)

    def held_out(self, fold: int) -> list[int]:
        """The positions in `gold` of the fold's hospitals."""
        return [index for index, row in enumerate(self.gold) if self.folds[row.hospital] == fold]


class RunLog:
    """The run's record as JSON lines: what happened, when, with which figures, and no text of any report."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._begun = time.monotonic()

    def write(self, phase: str, **figures: Any) -> None:
        """Append one entry and show it."""
        entry = {"phase": phase, "seconds": round(time.monotonic() - self._begun, 1), **figures}
        with self._path.open("ab") as file:
            file.write(orjson.dumps(entry) + b"\n")
        structlog.get_logger().debug("training", **entry)
        self._progress(", ".join([phase, *(f"{key} {value}" for key, value in figures.items())]))


def train(sources: Sources, out: Path, pack: Pack, recipe: Recipe, progress: Progress) -> Path:
    """Make a checkpoint in `out`; the work folder beside it keeps the log and the out-of-fold predictions."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    log = RunLog(work / "log.jsonl", progress)
    reports = sources.load(pack)
    corpus = read_corpus(reports, pack, recipe)
    log.write("rows", **corpus.counts)
    workshop = Workshop(pack, recipe, work, log, _tokenizer(corpus, pack, recipe))
    predictions = workshop.cross_validate(corpus)
    calibration = fit_calibration(
        workshop.label_set, calibration_rows(corpus.gold, predictions), pack.definition.target
    )
    report = cross_validation_report(corpus, predictions, calibration, pack)
    (work / "cross-validation.md").write_text(report, encoding="utf-8")
    log.write("final")
    save_checkpoint(
        out,
        workshop.classifier(corpus.rows, "final"),
        workshop.tokenizer,
        pack=pack.definition,
        prompt_version=recipe.prompt_version,
        calibration=calibration,
        storage="float16",
    )
    log.write("done", bytes=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    return work


def read_corpus(reports: Sequence[LabelledReport], pack: Pack, recipe: Recipe) -> Corpus:
    """Read every report, keep those with a primary and a label, and vary them; SYN-703 where nothing is left."""
    readings = [reading for reading in (read_labelled(report, pack) for report in reports) if reading.primary]
    labelled = labelled_rows(readings, pack)
    if not any(row.source == GOLD for row in labelled):
        raise SynopticError(Code.NOTHING_TO_TRAIN_ON, f"{len(reports)} reports, none with a primary and a label")
    varied, kept = varied_rows(readings, pack, recipe)
    rows = (*labelled, *varied)
    folds = hospital_folds([row.hospital for row in labelled if row.source == GOLD], recipe.folds)
    content = [pack.digest, recipe.model_dump_json(), *(f"{row.prompt}{row.prompt.report}{row.labels}" for row in rows)]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()
    return Corpus(tuple(readings), rows, folds, {**Counter(row.source for row in rows), **kept}, digest)


def _tokenizer(corpus: Corpus, pack: Pack, recipe: Recipe) -> SequenceTokenizer:
    """A tokenizer learned from the prompts' report text, with the pack's hints as single tokens."""
    texts = [row.prompt.report for row in corpus.rows]
    return train_tokenizer(texts, hint_vocabulary(pack), recipe.vocabulary_size)


class Workshop:
    """Makes classifiers by one recipe: the same path for each fold and for the final one."""

    def __init__(self, pack: Pack, recipe: Recipe, work: Path, log: RunLog, tokenizer: SequenceTokenizer) -> None:
        self.tokenizer = tokenizer
        self.label_set: LabelSet = {task.key: task.classes for task in pack.definition.tasks}
        self._stated_heads = pack.definition.stated_heads
        self._recipe = recipe
        self._work = work
        self._log = log
        self._layout = prompt_format(recipe.prompt_version)

    def encode(self, rows: Sequence[TrainingRow]) -> list[EncodedRow]:
        """The rows as token ids."""
        return [EncodedRow(tuple(encode_prompt(row.prompt, self.tokenizer, self._layout)), row.labels) for row in rows]

    def cross_validate(self, corpus: Corpus) -> list[RawPrediction]:
        """For each gold row, in order, the prediction of a classifier that saw no report of its hospital."""
        folds = range(self._recipe.folds)
        waiting = [fold for fold in folds if self._finished(corpus, fold) is None]
        for first in range(0, len(waiting), self._recipe.processes):
            self._train_side_by_side(corpus, waiting[first : first + self._recipe.processes])
        predictions: dict[int, RawPrediction] = {}
        for fold in folds:
            found = self._finished(corpus, fold)
            if found is None:
                raise SynopticError(Code.TRAINING_FAILED, f"fold {fold}")
            predictions.update(zip(corpus.held_out(fold), found, strict=True))
        return [predictions[index] for index in range(len(corpus.gold))]

    def _train_side_by_side(self, corpus: Corpus, folds: Sequence[int]) -> None:
        """Train folds in processes of their own: a small model gains nothing from a second thread."""
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=self._fold, args=(corpus, fold)) for fold in folds]
        for child in children:
            child.start()
        for fold, child in zip(folds, children, strict=True):
            child.join()
            self._log.write(f"fold {fold}", finished=child.exitcode == 0)

    def _finished(self, corpus: Corpus, fold: int) -> list[RawPrediction] | None:
        """One fold's predictions, if they were made from the same corpus by the same recipe."""
        path = self._work / f"fold-{fold}.json"
        kept = orjson.loads(path.read_bytes()) if path.is_file() else {}
        if kept.get("digest") != corpus.digest:
            return None
        return [{task: (stated, logits) for task, (stated, logits) in row.items()} for row in kept["rows"]]

    def _fold(self, corpus: Corpus, fold: int) -> None:
        """Train without the fold's hospitals, and keep the predictions of their gold rows."""
        rows = [row for row in corpus.rows if corpus.folds.get(row.hospital) != fold]
        classifier = self.classifier(rows, f"fold {fold}")
        found = list(predict(classifier, self.encode([corpus.gold[index] for index in corpus.held_out(fold)])))
        content = orjson.dumps({"digest": corpus.digest, "rows": found})
        (self._work / f"fold-{fold}.json").write_bytes(content)

    def classifier(self, rows: Sequence[TrainingRow], name: str) -> Classifier:
        """Backbone by the language objective, then all parameters on every label; then adapter and heads on gold."""
        recipe, seed = self._recipe, self._recipe.seed
        torch.manual_seed(seed)
        folder = self._work / f"initial-backbone of {name}"
        shape = BackboneShape(
            hidden=recipe.hidden_size,
            layers=recipe.layers,
            heads=recipe.attention_heads,
            key_value_heads=recipe.attention_heads,
            intermediate=recipe.intermediate_size,
        )
        write_initial_backbone(folder, self.tokenizer, shape, seed)
        backbone = load_backbone(folder)
        encoded = self.encode(rows)
        if recipe.language.epochs:
            fit_language(
                backbone, [row.tokens for row in encoded], recipe.language, seed, self._log_of(name, "language")
            )
        full = Classifier(backbone, self.label_set, self._stated_heads)
        fit(full, encoded, [], recipe.backbone, recipe.weighted_tasks, seed, self._log_of(name, "backbone"))
        _round_to_half(backbone)
        adapted = new_classifier(backbone, self.label_set, stated_heads=self._stated_heads)
        adapted.heads.load_state_dict(full.heads.state_dict())
        adapted.stated_heads.load_state_dict(full.stated_heads.state_dict())
        training, validation = self._split([row for row in rows if row.source == GOLD])
        fit(
            adapted,
            self.encode(training),
            self.encode(validation),
            recipe.adapter,
            recipe.weighted_tasks,
            seed,
            self._log_of(name, "adapter"),
        )
        return adapted

    def _split(self, rows: Sequence[TrainingRow]) -> tuple[list[TrainingRow], list[TrainingRow]]:
        """Training and validation rows by patient, decided by a digest of the patient so that reruns agree."""
        share = self._recipe.validation_share

        def validates(row: TrainingRow) -> bool:
            return hashlib.sha256(row.patient.encode()).digest()[0] < share * 256

        return [row for row in rows if not validates(row)], [row for row in rows if validates(row)]

    def _log_of(self, name: str, phase: str) -> Callable[[dict[str, float | int | str]], None]:
        """A writer of one phase's epochs."""
        return lambda figures: self._log.write(f"{name}, {phase}", **figures)


def _round_to_half(backbone: torch.nn.Module) -> None:
    """Round the weights as they will be stored, so that adapter, heads and calibration fit what is loaded again."""
    for parameter in backbone.parameters():
        parameter.data = parameter.data.half().float()


def cross_validation_report(
    corpus: Corpus, predictions: Sequence[RawPrediction], calibration: Calibration, pack: Pack
) -> str:
    """The figures of every system on the gold reports, each classified without its own hospital."""
    by_patient: dict[str, dict[str, Prediction]] = {}
    for row, prediction in zip(corpus.gold, predictions, strict=True):
        found = by_patient.setdefault(row.patient, {})
        found.update(
            {
                task: calibrated(*prediction[task], row.prompt.classes[task], calibration.task(task))
                for task in row.prompt.classes
            }
        )
    examined = [
        decided(reading, by_patient[reading.report.patient], calibration, pack)
        for reading in corpus.readings
        if reading.report.patient in by_patient
    ]
    return markdown(evaluate(examined, pack))


def calibrated(
    stated: float, logits: Sequence[float], classes: Sequence[str], calibration: TaskCalibration
) -> Prediction:
    """Raw logits as the engine would answer them."""
    probabilities = softmax(logits, calibration.temperature)
    return Prediction(
        stated_probability(stated, calibration.stated_temperature), dict(zip(classes, probabilities, strict=True))
    )


def calibration_rows(rows: Sequence[TrainingRow], predictions: Sequence[RawPrediction]) -> dict[str, list[Row]]:
    """Out-of-fold predictions by task, each with the gold's class or None, and what the rules read."""
    found: dict[str, list[Row]] = {}
    for row, prediction in zip(rows, predictions, strict=True):
        for task, value in row.labels.items():
            stated, classes = prediction[task]
            found.setdefault(task, []).append(Row(value, tuple(classes), stated, row.rules.get(task)))
    return found
