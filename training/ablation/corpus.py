"""The reports of an ablation, read once and kept, and what each variant is shown of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from model.prompt import Hint, PromptInput
from schemas.pack_loader import Pack
from training.ablation.variants import Variant
from training.dataset.corpus import Corpus, Sources, about_tasks, digest_of
from training.dataset.recombination import recombined_rows
from training.dataset.rows import (
    GOLD,
    ReportReading,
    TrainingRow,
    hospital_folds,
    labelled_rows,
    read_labelled,
    varied_rows,
)
from training.recipe import Recipe
from training.reports.gold import each_file
from training.reports.unlabelled import UnlabelledText
from training.trainer.run_log import RunLog

SLICE_CHARACTERS = 600
"""The longer slice, and a window from anywhere: about 150 tokens of the starter's vocabulary."""


PARTS = ("starter", "taught", "longer", "per_task")


@dataclass(frozen=True)
class ReadReports:
    """Rows as the starter asks, with a longer slice, and one a task; and each report's whole text.

    `taught` are the varied and recombined rows, from which the shared backbones learn.
    """

    starter: tuple[TrainingRow, ...] = field(repr=False)
    taught: tuple[TrainingRow, ...] = field(repr=False)
    longer: tuple[TrainingRow, ...] = field(repr=False)
    per_task: tuple[TrainingRow, ...] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    digest: str

    def rows(self, variant: Variant) -> tuple[TrainingRow, ...]:
        """The rows of one variant."""
        rows = self.per_task if variant.per_task else self.starter if variant.text == "starter" else self.longer
        return tuple(replace(row, prompt=self._prompt(row, variant)) for row in rows)

    def corpus(self, variant: Variant, folds: int, tasks: Sequence[str]) -> Corpus:
        """One variant's rows about some tasks, by hospital fold."""
        rows = about_tasks(self.rows(variant), tasks)
        # Every variant has the same folds, whichever rows it makes of a report.
        by_hospital = self._folds(folds)
        return Corpus((), rows, by_hospital, {}, digest_of([self.digest, str(variant), *tasks]))

    def silver_corpus(self, folds: int) -> Corpus:
        """What the shared backbones are taught on: all but gold; the whole texts are there for the tokenizer."""
        rows = tuple(row for row in (*self.starter, *self.taught) if row.source != GOLD)
        by_hospital = self._folds(folds)
        texts = tuple(UnlabelledText("", text) for text in self.texts.values())
        return Corpus((), rows, by_hospital, {}, self.digest, texts)

    def _folds(self, folds: int) -> dict[str, int]:
        return hospital_folds([row.hospital for row in self.starter if row.source == GOLD], folds)

    def _prompt(self, row: TrainingRow, variant: Variant) -> PromptInput:
        report = row.prompt.report
        whole = self.texts[row.patient]
        if variant.text == "full":
            report = whole
        if variant.text == "window":
            report = _from_anywhere(row.patient, whole, SLICE_CHARACTERS)
        return replace(row.prompt, report=report, hints=row.prompt.hints if variant.hints else ())


def _from_anywhere(patient: str, text: str, characters: int) -> str:
    """A stretch of a text that begins where chance has it, always the same for the same patient."""
    start = Random(patient).randrange(max(1, len(text) - characters))  # noqa: S311 - sampling, not security
    return text[start : start + characters]


def read_once(sources: Sources, pack: Pack, recipe: Recipe, work: Path, log: RunLog) -> ReadReports:
    """Read and vary every report, or take the rows that the same files, pack and quotas gave before."""
    files = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for given in (sources.texts, sources.gold)
        for path in each_file(given)
    ]
    quotas = recipe.variants_per_class, recipe.recombined, recipe.folds, recipe.seed
    digest = digest_of([pack.digest, *files, str(quotas)])
    path = work / "readings.json"
    kept = orjson.loads(path.read_bytes()) if path.is_file() else {}
    if kept.get("digest") != digest:
        kept = {"digest": digest, **_read(sources, pack, recipe)}
        path.write_bytes(orjson.dumps(kept))
        kept = orjson.loads(path.read_bytes())
    parts = {part: tuple(_row(row) for row in kept[part]) for part in PARTS}
    log.write("read", reports=len(kept["texts"]), rows=len(parts["starter"]), taught=len(parts["taught"]))
    return ReadReports(**parts, texts=kept["texts"], digest=digest)


def _read(sources: Sources, pack: Pack, recipe: Recipe) -> dict[str, Any]:
    readings = [reading for reading in (read_labelled(one, pack) for one in sources.load(pack)) if reading.primary]
    varied, _ = varied_rows(readings, pack, recipe)
    folds = hospital_folds([reading.report.hospital for reading in readings if reading.report.gold], recipe.folds)
    recombined = recombined_rows(readings, pack, folds, recipe.recombined, recipe.seed)
    return {
        "starter": _rows(readings, pack, {}),
        "taught": [_plain(row) for row in (*varied, *recombined)],
        "longer": _rows(readings, pack, {"slice_characters": SLICE_CHARACTERS}),
        "per_task": _rows(readings, pack, {"granularity": "per_task"}),
        "texts": {reading.report.patient: reading.clean.text for reading in readings},
    }


def _rows(readings: Sequence[ReportReading], pack: Pack, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows under a changed pack, as plain data."""
    changed = replace(pack, definition=pack.definition.model_copy(update=changes))
    return [_plain(row) for row in labelled_rows(readings, changed)]


def _plain(row: TrainingRow) -> dict[str, Any]:
    return {**asdict(row), "labels": dict(row.labels), "rules": dict(row.rules)}


def _row(kept: dict[str, Any]) -> TrainingRow:
    """A row from its plain data."""
    prompt = kept["prompt"]
    classes = {task: tuple(names) for task, names in prompt["classes"].items()}
    hints = tuple(Hint(**hint) for hint in prompt["hints"])
    return TrainingRow(**{**kept, "prompt": PromptInput(prompt["field"], classes, prompt["report"], hints)})
