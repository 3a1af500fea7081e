"""Measures the labelling rules on a blinded, stratified sample that a person reads.

The sample shows lines of the report and asks for a task's value; what the rules said lies in a key file of its own.
Strata are task, value and hospital, so that rare values are read too; the estimate of noise weighs each answer by the
labels that it stands for. The same texts, rules and seed give the same sample.
"""

import csv
import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from model.numerics import error_upper_bound
from schemas.errors import Code, SynopticError
from schemas.findings import Status
from schemas.pack import PackDefinition, Task
from schemas.pack_loader import Pack
from training.coverage import anchored, lines_of
from training.label_run import TextReading
from workers.document import Span
from workers.reading import PrimaryReading

CONFIDENCE = 0.95
LIMIT = 2000
"""Characters of a report that one question shows."""
_MISSING = (Status.NOT_STATED, Status.PENDING, Status.NOT_PERFORMED, Status.NOT_ASSESSABLE)
_FIELDS = ("id", "patient", "site", "primary", "task", "question", "choices", "text", "answer")
_GAP = "\n[…]\n"

Stratum = tuple[str, str, str]
"""Task, value and hospital."""


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


@dataclass(frozen=True, order=True)
class Candidate:
    """A label that may be drawn; the least `draw` of its stratum is first."""

    draw: str
    item: AuditItem = field(compare=False)
    key: KeyEntry = field(compare=False)

    @property
    def stratum(self) -> Stratum:
        """Task, value and hospital."""
        return self.key.task, self.key.value, self.item.site


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


def candidates(reading: TextReading, pack: Pack, seed: int) -> list[Candidate]:
    """Every label of a report's principal primary that may be drawn; those in review are the conflict queue's."""
    found = []
    for primary in reading.primaries:
        for task in pack.definition.tasks if primary.principal else ():
            label = primary.labels[task.key]
            if label.status is Status.REVIEW:
                continue
            source = reading.source
            named = f"{source.patient} {source.report} {primary.key} {task.key}"
            draw = hashlib.sha256(f"{seed} {named}".encode()).hexdigest()
            said = label.value if label.status is Status.CODED and label.value else label.status.value
            item = AuditItem(
                id=draw[:12],
                patient=source.patient,
                site=source.hospital,
                primary=primary.key,
                task=task.key,
                question=task.title,
                choices=" ".join(choices(task)),
                text=shown_text(reading.clean.text, primary, label.spans, task),
            )
            found.append(Candidate(draw, item, KeyEntry(item.id, task.key, said, label.rule)))
    return found


def choices(task: Task) -> tuple[str, ...]:
    """The answers that a person may give."""
    return (*task.classes, *(status.value for status in _MISSING))


def shown_text(text: str, primary: PrimaryReading, evidence: Sequence[Span], task: Task) -> str:
    """The lines around the evidence, then those that speak of the task, each with its neighbours, up to LIMIT.

    Evidence comes first only where room is short, so that the form does not tell a value from its absence.
    """
    lines = list(lines_of(text, primary.text_spans))
    telling = [at for at, line in enumerate(lines) if any(line[0] < end and start < line[1] for start, end in evidence)]
    telling += anchored(text, lines, task.anchors)
    chosen: set[int] = set()
    length = 0
    for at in (near for middle in telling or range(len(lines)) for near in (middle, middle - 1, middle + 1)):
        if at in chosen or not 0 <= at < len(lines):
            continue
        length += lines[at][1] - lines[at][0]
        if length > LIMIT and chosen:
            break
        chosen.add(at)
    shown, last = "", -1
    for at in sorted(chosen):
        shown += ("\n" if at == last + 1 else _GAP) if shown else ""
        shown += text[slice(*lines[at])].strip()
        last = at
    return shown


class AuditSample:
    """Draws from strata as candidates pass by: of each stratum only the first draws are held."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: dict[Stratum, list[tuple[int, Candidate]]] = {}
        self._population: dict[Stratum, int] = {}

    def add(self, candidate: Candidate) -> None:
        """Consider one label."""
        held = self._held.setdefault(candidate.stratum, [])
        self._population[candidate.stratum] = self._population.get(candidate.stratum, 0) + 1
        # A heap of negated draws: the candidate to give up first is on top.
        heapq.heappush(held, (-int(candidate.draw, 16), candidate))
        if len(held) > self._size:
            heapq.heappop(held)

    def drawn(self) -> list[Candidate]:
        """Up to `size` labels a task: value by value, and within a value hospital by hospital, in turn."""
        chosen: list[Candidate] = []
        for task in sorted({task for task, _, _ in self._held}):
            waiting: dict[str, list[Candidate]] = {}
            for value in sorted({value for own, value, _ in self._held if own == task}):
                strata = [held for (own, said, _), held in self._held.items() if (own, said) == (task, value)]
                waiting[value] = _in_turn([sorted(one for _, one in held) for held in strata])
            chosen += _in_turn(list(waiting.values()))[: self._size]
        counts: dict[Stratum, int] = {}
        for one in chosen:
            counts[one.stratum] = counts.get(one.stratum, 0) + 1
        weighed = [
            replace(one, key=replace(one.key, weight=self._population[one.stratum] / counts[one.stratum]))
            for one in chosen
        ]
        # Not in order of values, which would tell them.
        return sorted(weighed)


def _in_turn(queues: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """One of each queue, then the next of each; the queues in order of their first draw."""
    ordered = sorted((queue for queue in queues if queue), key=lambda queue: queue[0])
    longest = max((len(queue) for queue in ordered), default=0)
    return [queue[at] for at in range(longest) for queue in ordered if at < len(queue)]


def key_path(sample: Path) -> Path:
    """The key file beside a sample."""
    return sample.with_suffix(".key.jsonl")


def write_sample(path: Path, drawn: Iterable[Candidate]) -> int:
    """Write the sample (CSV or JSON lines, by its suffix) and its key; the number of questions."""
    chosen = list(drawn)
    save_items(path, [one.item for one in chosen])
    key_path(path).write_bytes(b"".join(orjson.dumps(vars(one.key)) + b"\n" for one in chosen))
    return len(chosen)


def save_items(path: Path, items: Sequence[AuditItem]) -> None:
    """Write the questions with their answers; a file that is cut short never takes the place of a whole one."""
    unfinished = path.with_name(path.name + ".unfinished")
    if path.suffix.lower() == ".csv":
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _FIELDS)
            writer.writeheader()
            writer.writerows(vars(item) for item in items)
    else:
        unfinished.write_bytes(b"".join(orjson.dumps(vars(item)) + b"\n" for item in items))
    unfinished.replace(path)


def load_items(path: Path) -> list[AuditItem]:
    """The questions of a sample with the answers given so far; SYN-742 where the file is none."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows: list[dict[str, Any]] = list(csv.DictReader(file))
        else:
            rows = [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        return [AuditItem(**{name: str(row.get(name) or "") for name in _FIELDS}) for row in rows]
    except (OSError, ValueError, AttributeError, csv.Error):
        raise SynopticError(Code.BAD_AUDIT, path.name) from None


def load_key(sample: Path) -> dict[str, KeyEntry]:
    """What the rules said, by the item's id."""
    path = key_path(sample)
    try:
        entries = [KeyEntry(**orjson.loads(line)) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, TypeError):
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
