"""All that a training learns from: labelled rows, unlabelled text, and which hospitals are held out together."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack
from training.dataset.lazy import chosen, mapped
from training.dataset.recombination import recombined_rows
from training.dataset.rows import (
    GOLD,
    REGISTRY,
    ReportReading,
    TrainingRow,
    hospital_folds,
    labelled_rows,
    read_labelled,
    varied_rows,
)
from training.recipe import Recipe
from training.reports.gold import Files, LabelledReport, each_file, load_gold_reports, load_registry_reports
from training.reports.unlabelled import UnlabelledText, read_unlabelled


class Material(Protocol):
    """What a corpus is made of: report texts with labels, or a dataset on disk."""

    def corpus(self, pack: Pack, recipe: Recipe) -> "Corpus":
        """All rows and texts to learn from."""
        ...


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
            *(load_gold_reports(self.texts, self.gold, pack.definition) if each_file(self.gold) else ()),
            *load_registry_reports(self.texts, self.gold, pack.definition, self.routed),
        )

    def corpus(self, pack: Pack, recipe: Recipe) -> "Corpus":
        """Every report read, varied and recombined, and the unlabelled text."""
        return with_unlabelled(read_corpus(self.load(pack), pack, recipe), self.unlabelled)


@dataclass(frozen=True)
class Corpus:
    """All training rows and texts, and a digest of everything that decides a fold's outcome.

    `best` is the source of the surest labels: adapters learn from these rows, and folds are judged by them. Rows of
    the patients in `validation` stop an adapter's training early; where it is None, a share of all patients does.
    `readings` are the reports behind the rows, where there are any.
    """

    readings: tuple[ReportReading, ...]
    rows: Sequence[TrainingRow]
    folds: Mapping[str, int]
    counts: Mapping[str, int]
    digest: str
    unlabelled: tuple[UnlabelledText, ...] = field(default=(), repr=False)
    best: str = GOLD
    validation: Collection[str] | None = field(default=None, repr=False)

    @cached_property
    def judged(self) -> Sequence[TrainingRow]:
        """The rows with the surest labels, for which predictions are made."""
        return chosen(self.rows, lambda row: row.source == self.best)

    def held_out(self, fold: int) -> list[int]:
        """The positions in `judged` of the fold's hospitals."""
        return [index for index, row in enumerate(self.judged) if self.folds[row.hospital] == fold]

    def without(self, fold: int) -> "Corpus":
        """What a classifier of that fold may see: no row and no text of the fold's hospitals."""
        return replace(
            self,
            rows=chosen(self.rows, lambda row: self.folds.get(row.hospital) != fold),
            unlabelled=tuple(text for text in self.unlabelled if self.folds.get(text.hospital) != fold),
        )


def with_unlabelled(corpus: Corpus, files: Sequence[Path]) -> Corpus:
    """The corpus with the unlabelled text of some files."""
    unlabelled = read_unlabelled(files)
    counts = {**corpus.counts, **({"unlabelled": len(unlabelled)} if unlabelled else {})}
    digest = digest_of([corpus.digest, *(f"{text.hospital} {text.text}" for text in unlabelled)])
    return replace(corpus, unlabelled=unlabelled, counts=counts, digest=digest)


def read_corpus(reports: Sequence[LabelledReport], pack: Pack, recipe: Recipe) -> Corpus:
    """Read every report, keep those with a primary and a label, and vary them; SYN-703 where nothing is left."""
    readings = [reading for reading in (read_labelled(report, pack) for report in reports) if reading.primary]
    labelled = labelled_rows(readings, pack)
    best = surest({row.source for row in labelled})
    varied, kept = varied_rows(readings, pack, recipe)
    folds = hospital_folds([row.hospital for row in labelled if row.source == best], recipe.folds)
    recombined = recombined_rows(readings, pack, folds, recipe.recombined, recipe.seed)
    rows = about_tasks([*labelled, *varied, *recombined], recipe.tasks)
    content = [pack.digest, recipe.model_dump_json(), *(f"{row.prompt}{row.prompt.report}{row.labels}" for row in rows)]
    counts = {**Counter(row.source for row in rows), **kept}
    return Corpus(tuple(readings), rows, folds, counts, digest_of(content), best=best)


def surest(sources: Collection[str]) -> str:
    """The source with the surest labels: annotators, else a registry; SYN-703 where there is neither."""
    for source in (GOLD, REGISTRY):
        if source in sources:
            return source
    raise SynopticError(Code.NOTHING_TO_TRAIN_ON, "no report with a primary and a label of an annotator or a registry")


def about_tasks(rows: Sequence[TrainingRow], tasks: Sequence[str]) -> Sequence[TrainingRow]:
    """The rows with nothing of other tasks in question and labels; all of them where no task is named."""

    def narrowed(row: TrainingRow) -> TrainingRow:
        labels = {task: value for task, value in row.labels.items() if task in tasks}
        classes = {task: names for task, names in row.prompt.classes.items() if task in tasks}
        return replace(row, prompt=replace(row.prompt, classes=classes), labels=labels)

    return mapped(chosen(rows, lambda row: any(task in tasks for task in row.labels)), narrowed) if tasks else rows


def about_pack(pack: Pack, tasks: Sequence[str]) -> Pack:
    """The pack with only those tasks to be measured; all of them where none is named."""
    kept = tuple(task for task in pack.definition.tasks if not tasks or task.key in tasks)
    return replace(pack, definition=pack.definition.model_copy(update={"tasks": kept}))


def digest_of(content: Sequence[str]) -> str:
    """One digest of several texts."""
    return hashlib.sha256("\0".join(content).encode()).hexdigest()
