"""All that a training learns from: labelled rows, unlabelled text, and which hospitals are held out together."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack
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
from training.reports.gold import Files, LabelledReport, load_gold_reports, load_registry_reports
from training.reports.unlabelled import UnlabelledText, read_unlabelled


@dataclass(frozen=True)
class Sources:
    """Where reports, labels and unlabelled text come from.

    `routed` says of a text whether the pack would be given it.
    """

    texts: Files
    gold: Files
    routed: Callable[[str], bool]
    unlabelled: tuple[Path, ...] = ()

    def load(self, pack: Pack) -> tuple[LabelledReport, ...]:
        """The annotated reports, then those with registry values."""
        return (
            *load_gold_reports(self.texts, self.gold, pack.definition),
            *load_registry_reports(self.texts, self.gold, pack.definition, self.routed),
        )


@dataclass(frozen=True)
class Corpus:
    """All training rows and texts, and a digest of everything that decides a fold's outcome."""

    readings: tuple[ReportReading, ...]
    rows: tuple[TrainingRow, ...]
    folds: Mapping[str, int]
    counts: Mapping[str, int]
    digest: str
    unlabelled: tuple[UnlabelledText, ...] = field(default=(), repr=False)

    @property
    def gold(self) -> tuple[TrainingRow, ...]:
        """The annotated rows, on which adapters are trained and predictions are made."""
        return tuple(row for row in self.rows if row.source == GOLD)

    def held_out(self, fold: int) -> list[int]:
        """The positions in `gold` of the fold's hospitals."""
        return [index for index, row in enumerate(self.gold) if self.folds[row.hospital] == fold]

    def without(self, fold: int) -> "Corpus":
        """What a classifier of that fold may see: no row and no text of the fold's hospitals."""
        return replace(
            self,
            rows=tuple(row for row in self.rows if self.folds.get(row.hospital) != fold),
            unlabelled=tuple(text for text in self.unlabelled if self.folds.get(text.hospital) != fold),
        )


def read_sources(sources: Sources, pack: Pack, recipe: Recipe) -> Corpus:
    """Read labelled and unlabelled files."""
    corpus = read_corpus(sources.load(pack), pack, recipe)
    unlabelled = read_unlabelled(sources.unlabelled)
    counts = {**corpus.counts, **({"unlabelled": len(unlabelled)} if unlabelled else {})}
    digest = digest_of([corpus.digest, *(f"{text.hospital} {text.text}" for text in unlabelled)])
    return replace(corpus, unlabelled=unlabelled, counts=counts, digest=digest)


def read_corpus(reports: Sequence[LabelledReport], pack: Pack, recipe: Recipe) -> Corpus:
    """Read every report, keep those with a primary and a label, and vary them; SYN-703 where nothing is left."""
    readings = [reading for reading in (read_labelled(report, pack) for report in reports) if reading.primary]
    labelled = labelled_rows(readings, pack)
    if not any(row.source == GOLD for row in labelled):
        raise SynopticError(Code.NOTHING_TO_TRAIN_ON, f"{len(reports)} reports, none with a primary and a label")
    varied, kept = varied_rows(readings, pack, recipe)
    folds = hospital_folds([row.hospital for row in labelled if row.source == GOLD], recipe.folds)
    recombined = recombined_rows(readings, pack, folds, recipe.recombined, recipe.seed)
    rows = about_tasks([*labelled, *varied, *recombined], recipe.tasks)
    content = [pack.digest, recipe.model_dump_json(), *(f"{row.prompt}{row.prompt.report}{row.labels}" for row in rows)]
    return Corpus(tuple(readings), rows, folds, {**Counter(row.source for row in rows), **kept}, digest_of(content))


def about_tasks(rows: Sequence[TrainingRow], tasks: Sequence[str]) -> tuple[TrainingRow, ...]:
    """The rows with nothing of other tasks in question and labels; all of them where no task is named."""
    if not tasks:
        return tuple(rows)
    kept = []
    for row in rows:
        labels = {task: value for task, value in row.labels.items() if task in tasks}
        classes = {task: names for task, names in row.prompt.classes.items() if task in tasks}
        if labels:
            kept.append(replace(row, prompt=replace(row.prompt, classes=classes), labels=labels))
    return tuple(kept)


def about_pack(pack: Pack, tasks: Sequence[str]) -> Pack:
    """The pack with only those tasks to be measured; all of them where none is named."""
    kept = tuple(task for task in pack.definition.tasks if not tasks or task.key in tasks)
    return replace(pack, definition=pack.definition.model_copy(update={"tasks": kept}))


def digest_of(content: Sequence[str]) -> str:
    """One digest of several texts."""
    return hashlib.sha256("\0".join(content).encode()).hexdigest()
