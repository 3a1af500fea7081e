"""The files of an audit and its score: questions without the rules' answers, the key beside them, agreement and noise.

training/labelling/audit_sample.py draws the questions.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from model.numerics import error_upper_bound
from schemas.errors import Code, SynopticError
from schemas.findings import Status
from schemas.pack import PackDefinition, Task
from training.reports.json_lines import each_line

CONFIDENCE = 0.95
_MISSING = (Status.NOT_STATED, Status.PENDING, Status.NOT_PERFORMED, Status.NOT_ASSESSABLE)
_FIELDS = ("id", "patient", "site", "primary", "task", "question", "choices", "text", "answer")
_REQUIRED = ("id", "task", "question")
_STEERS_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class AuditItem:
    """One question: lines of a report, and a task whose value is asked; nothing of what the rules said."""

    id: str
    patient: str
    site: str
    primary: str
    task: str
    question: str
    choices: str
    text: str = field(repr=False)
    answer: str = ""


@dataclass(frozen=True)
class KeyEntry:
    """What the rules said of one item, by which rule, and how many labels the item stands for."""

    id: str
    task: str
    value: str
    rule: str | None
    weight: float = 1.0


@dataclass(frozen=True)
class AuditScore:
    """How often a person agrees with the rules on one task, with the exact interval at CONFIDENCE.

    `noise` is the share of wrong labels among all, each answer weighed by the labels it stands for; `confusions` counts
    each disagreement as what the rules said and what the person answered.
    """

    task: str
    answered: int
    agreed: int
    low: float
    high: float
    noise: float
    confusions: dict[str, int]


def choices(task: Task) -> tuple[str, ...]:
    """The answers that a person may give."""
    return (*task.classes, *(status.value for status in _MISSING))


def key_path(sample: Path) -> Path:
    """The key file beside a sample, named after the whole of its name."""
    return sample.with_name(sample.name + ".key.jsonl")


def prepare_sample(path: Path) -> None:
    """Make the folder of a sample to come; SYN-743 for another suffix, or where it or its key lies there already."""
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise SynopticError(Code.AUDIT_NOT_WRITTEN, f"{path.name}: neither .csv nor .jsonl")
    if path.exists() or key_path(path).exists():
        raise SynopticError(Code.AUDIT_NOT_WRITTEN, f"{path.name}: it or its key exists already")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SynopticError(Code.AUDIT_NOT_WRITTEN, f"{path.name}: {error.strerror}") from None


def save_key(sample: Path, entries: Iterable[KeyEntry]) -> None:
    """Write what the rules said beside the sample."""
    _write(key_path(sample), b"".join(orjson.dumps(vars(entry)) + b"\n" for entry in entries))


def save_items(path: Path, items: Sequence[AuditItem]) -> None:
    """Write the questions with their answers; no spreadsheet takes a cell of a report for a formula."""
    if path.suffix.lower() == ".csv":
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, _FIELDS)
        writer.writeheader()
        writer.writerows({name: _as_cell(value) for name, value in vars(item).items()} for item in items)
        _write(path, table.getvalue().encode())
    else:
        _write(path, b"".join(orjson.dumps(vars(item)) + b"\n" for item in items))


def _write(path: Path, content: bytes) -> None:
    """For the owner alone, since it comes of reports; what is cut short never takes the place of a whole file."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    unfinished.replace(path)


def _as_cell(value: str) -> str:
    return f"'{value}" if value.startswith(_STEERS_A_SPREADSHEET) else value


def _from_cell(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_STEERS_A_SPREADSHEET) else cell


def load_items(path: Path) -> list[AuditItem]:
    """The questions of a sample with the answers given so far; SYN-742 where a row is no question."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows: list[dict[str, Any]] = [
                    {name: _from_cell(row.get(name) or "") for name in _FIELDS} for row in csv.DictReader(file)
                ]
        else:
            rows = [line.row for line in each_line(path, Code.BAD_AUDIT)]
        items = [AuditItem(**{name: str(row.get(name) or "") for name in _FIELDS}) for row in rows]
    except (OSError, ValueError, csv.Error):
        raise SynopticError(Code.BAD_AUDIT, path.name) from None
    if not all(getattr(item, name) for item in items for name in _REQUIRED):
        raise SynopticError(Code.BAD_AUDIT, f"{path.name}: a row without {', '.join(_REQUIRED)}")
    return items


def load_key(sample: Path) -> dict[str, KeyEntry]:
    """What the rules said, by the item's id."""
    path = key_path(sample)
    try:
        entries = [KeyEntry(**line.row) for line in each_line(path, Code.BAD_AUDIT)]
    except TypeError:
        raise SynopticError(Code.BAD_AUDIT, path.name) from None
    return {entry.id: entry for entry in entries}


def understood(answer: str, task: Task) -> str | None:
    """The choice that an answer means, None where it means none: any case, a unique beginning, or a form such as TX."""
    given = answer.strip().lower()
    if not given:
        return None
    forms = {
        **{name.lower(): name for name in choices(task)},
        **{form.lower(): to for form, to in task.missing.items()},
    }
    if given in forms:
        return forms[given]
    begun = {name for name in choices(task) if name.lower().startswith(given)}
    return begun.pop() if len(begun) == 1 else None


def score(items: Iterable[AuditItem], key: Mapping[str, KeyEntry], pack: PackDefinition) -> list[AuditScore]:
    """Agreement and label noise of each task with an answer, in the pack's order; what means no choice is left out."""
    scores = []
    held = list(items)
    for task in pack.tasks:
        pairs = [
            (key[item.id], answer)
            for item in held
            if item.task == task.key and item.id in key and (answer := understood(item.answer, task)) is not None
        ]
        if pairs:
            scores.append(_score(task.key, pairs))
    return scores


def _score(task: str, pairs: Sequence[tuple[KeyEntry, str]]) -> AuditScore:
    wrong = [(entry, answer) for entry, answer in pairs if entry.value != answer]
    trials, errors = len(pairs), len(wrong)
    one_sided = (1 + CONFIDENCE) / 2
    confusions: dict[str, int] = {}
    for entry, answer in wrong:
        name = f"{entry.value} → {answer}"
        confusions[name] = confusions.get(name, 0) + 1
    return AuditScore(
        task=task,
        answered=trials,
        agreed=trials - errors,
        low=1 - error_upper_bound(errors, trials, one_sided),
        high=error_upper_bound(trials - errors, trials, one_sided),
        noise=sum(entry.weight for entry, _ in wrong) / sum(entry.weight for entry, _ in pairs),
        confusions=confusions,
    )
