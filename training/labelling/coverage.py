"""Finds what no rule reads: lines that speak of a task whose label is missing, clustered by their wording.

A line speaks of a task where it holds one of the task's anchors; no rule reads it where no fact of the task's kinds
touches it. What remains of a missing label is a report that is silent, or one whose facts no label rule uses.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from schemas.findings import Status
from schemas.pack import Task
from schemas.pack_loader import Pack
from training.labelling.run import TextReading
from training.reports.near_duplicates import near_duplicates, normalised, signature
from workers.reading.document import Span
from workers.reading.facts import Fact, read_facts
from workers.reading.report_reading import PrimaryReading
from workers.reading.segment import segment

State = Literal["labelled", "unread", "unused", "silent", "no_primary"]
"""What became of a task: a label; lines that no rule reads; facts that no label rule uses; nothing said; no primary."""
STATES: tuple[State, ...] = ("labelled", "unread", "unused", "silent", "no_primary")

BEFORE, AFTER = 40, 60
"""Characters on each side of an anchor that make a line's wording."""
SHOWN = 100
"""Characters on each side of an anchor that an excerpt shows."""
EXCERPTS = 3
SIMILAR = 0.6
_LINE_END = re.compile(r"\n+|(?<=[\w)\]%]\.)[ \t]+(?=\S)")


@dataclass(frozen=True)
class UnreadLine:
    """A line that speaks of a task and that no rule reads; `anchor` is the rank of the anchor, 0 the most telling."""

    task: str
    anchor: int
    wording: str = field(repr=False)
    excerpt: str = field(repr=False)


@dataclass(frozen=True)
class ReportCoverage:
    """One report: what became of each task, and the lines that no rule reads."""

    hospital: str
    states: dict[str, State]
    lines: tuple[UnreadLine, ...] = field(default=(), repr=False)


@dataclass
class Cluster:
    """Lines of like wording: how many reports hold one, of which hospitals, with a few excerpts."""

    task: str
    anchor: int
    wording: str
    reports: int = 0
    hospitals: Counter[str] = field(default_factory=Counter)
    excerpts: list[str] = field(default_factory=list)

    def as_data(self, excerpts: bool = True) -> dict[str, Any]:
        """The cluster as plain data; without excerpts also without its wording, which is the report's."""
        shown = {"wording": self.wording, "excerpts": self.excerpts} if excerpts else {}
        counts = {"reports": self.reports, "hospitals": dict(self.hospitals.most_common())}
        return {"task": self.task, "anchor": self.anchor, **counts, **shown}


def coverage_of(reading: TextReading, pack: Pack) -> ReportCoverage:
    """Look at one report, whose principal primary's labels count."""
    tasks = pack.definition.tasks
    principal = next((primary for primary in reading.primaries if primary.principal), None)
    hospital = reading.source.hospital
    if principal is None:
        return ReportCoverage(hospital, {task.key: "no_primary" for task in tasks})
    text = reading.clean.text
    missing = [task for task in tasks if principal.labels[task.key].status is Status.NOT_STATED]
    facts = read_facts(segment(text, pack.definition.segmentation), pack.facts) if missing else ()
    states: dict[str, State] = {task.key: "labelled" for task in tasks}
    unread: list[UnreadLine] = []
    for task in missing:
        own = [fact for fact in facts if fact.kind in kinds_of(task, pack)]
        lines = list(_unread(task, text, own, principal))
        states[task.key] = "unread" if lines else "unused" if own else "silent"
        unread += lines
    return ReportCoverage(hospital, states, tuple(unread))


def kinds_of(task: Task, pack: Pack) -> frozenset[str]:
    """The kinds of fact from which a label of the task can follow."""
    return frozenset(rule.kind for rule in pack.labels.labels[task.key].rules)


def _unread(task: Task, text: str, facts: Sequence[Fact], primary: PrimaryReading) -> Iterator[UnreadLine]:
    """The lines of the primary's text with an anchor and without a fact, each once, by its most telling anchor."""
    for start, end in lines_of(text, primary.text_spans):
        if any(fact.start < end and start < fact.end for fact in facts):
            continue
        for rank, anchor in enumerate(_compiled(task.anchors)):
            if hit := anchor.search(text, start, end):
                wording = text[max(start, hit.start() - BEFORE) : min(end, hit.end() + AFTER)]
                shown = text[max(start, hit.start() - SHOWN) : min(end, hit.end() + SHOWN)]
                yield UnreadLine(task.key, rank, normalised(wording), " ".join(shown.split()))
                break


def lines_of(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """The stretches cut at line breaks and after full stops, which stand for the breaks that a text has lost."""
    for first, last in spans:
        start = first
        for end in _LINE_END.finditer(text, first, last):
            yield start, end.start()
            start = end.end()
        yield start, last


def anchored(text: str, lines: Sequence[Span], anchors: tuple[str, ...]) -> list[int]:
    """The positions of the lines that hold an anchor, those of the most telling anchor first."""
    return [
        at for anchor in _compiled(anchors) for at, (start, end) in enumerate(lines) if anchor.search(text, start, end)
    ]


@cache
def _compiled(anchors: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(anchor, re.IGNORECASE) for anchor in anchors)


class Coverage:
    """Adds reports up: states by task and hospital, and lines by wording, of which each is held once.

    Of hospitals held back only the states are counted.
    """

    def __init__(self, held_back: Sequence[str] = ()) -> None:
        self._held_back = frozenset(held_back)
        self.states: dict[str, dict[str, Counter[str]]] = {}
        self._wordings: dict[tuple[str, int, str], Cluster] = {}

    def add(self, report: ReportCoverage) -> None:
        """Count one report; a wording counts once for each report that holds it."""
        for task, state in report.states.items():
            self.states.setdefault(task, {}).setdefault(report.hospital, Counter())[state] += 1
        if report.hospital in self._held_back:
            return
        for key in dict.fromkeys((line.task, line.anchor, line.wording) for line in report.lines):
            cluster = self._wordings.setdefault(key, Cluster(*key))
            cluster.reports += 1
            cluster.hospitals[report.hospital] += 1
        for line in report.lines:
            excerpts = self._wordings[line.task, line.anchor, line.wording].excerpts
            if len(excerpts) < EXCERPTS and line.excerpt not in excerpts:
                excerpts.append(line.excerpt)

    def clusters(self) -> list[Cluster]:
        """Wordings joined to the most frequent one that they resemble; by task, anchor and number of reports."""
        joined: list[Cluster] = []
        for task, anchor in sorted({(task, anchor) for task, anchor, _ in self._wordings}):
            found = [one for key, one in self._wordings.items() if key[:2] == (task, anchor)]
            joined += _joined(sorted(found, key=lambda one: (-one.reports, one.wording)))
        order = list(self.states)
        return sorted(joined, key=lambda one: (order.index(one.task), one.anchor, -one.reports, one.wording))


def _joined(found: Sequence[Cluster]) -> list[Cluster]:
    """Clusters of one task and anchor, the most frequent first, with near-duplicates of each added to it."""
    leaders: dict[int, int] = {}
    for leader, position in near_duplicates([signature(one.wording, run=1) for one in found], SIMILAR):
        if leader not in leaders and position not in leaders.values():
            leaders.setdefault(position, leader)
    total = {
        position: Cluster(one.task, one.anchor, one.wording)
        for position, one in enumerate(found)
        if position not in leaders
    }
    for position, one in enumerate(found):
        cluster = total[leaders.get(position, position)]
        cluster.reports += one.reports
        cluster.hospitals.update(one.hospitals)
        cluster.excerpts += one.excerpts[: EXCERPTS - len(cluster.excerpts)]
    return list(total.values())


def shares(coverage: Coverage) -> list[dict[str, Any]]:
    """How many reports have no label, and why, by task: of all hospitals, then of each, the largest first."""
    found = []
    for task, hospitals in coverage.states.items():
        parts = sorted(hospitals.items(), key=lambda item: (-item[1].total(), item[0]))
        for hospital, counts in [("all", sum(hospitals.values(), Counter())), *parts]:
            reasons: dict[str, int] = {state: counts[state] for state in STATES[1:]}
            without = counts.total() - counts["labelled"]
            line = {"task": task, "hospital": hospital, "reports": counts.total(), "without_label": without}
            found.append({**line, "share": round(without / counts.total(), 4), **reasons})
    return found
