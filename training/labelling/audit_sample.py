"""Draws the sample of an audit: blinded, and stratified by task, value and hospital, so that rare values are read too.

A question shows lines of the report and asks for a task's value; what the rules said goes into the key. The same texts,
rules and seed give the same sample.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from schemas.findings import Status
from schemas.pack import Task
from schemas.pack_loader import Pack
from training.labelling.audit import AuditItem, KeyEntry, choices, save_items, save_key
from training.labelling.coverage import anchored, lines_of
from training.labelling.run import TextReading
from workers.reading.document import Span
from workers.reading.report_reading import PrimaryReading

LIMIT = 2000
"""Characters of a report that one question shows."""
_GAP = "\n[…]\n"

Stratum = tuple[str, str, str]
"""Task, value and hospital."""


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


def write_sample(path: Path, drawn: Iterable[Candidate]) -> int:
    """Write the sample (CSV or JSON lines, by its suffix) and its key; the number of questions."""
    chosen = list(drawn)
    save_items(path, [one.item for one in chosen])
    save_key(path, [one.key for one in chosen])
    return len(chosen)
