"""The marks that show on a document why each value was read: task, value, status, and where in the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.display.presentation import Extracted
from gateway.documents.page_layout import Box, boxes
from schemas.findings import Evidence, Finding, Primary, Status
from schemas.messages import PageSpan

COLOURS = {Status.CODED.value: (10, 125, 85), Status.REVIEW.value: (200, 90, 0), "read": (60, 80, 160)}
MEANINGS = {
    Status.CODED.value: "coded: sent as a value",
    Status.REVIEW.value: "review: a person decides",
    "read": "read by rules: no value of its own",
}


@dataclass(frozen=True)
class Mark:
    """One value with one piece of its evidence; `kind` is a key of `COLOURS`."""

    task: str
    value: str
    kind: str
    note: str
    start: int
    end: int

    def is_within(self, other: "Mark") -> bool:
        """Whether the other says the same of more text."""
        wider = other.start <= self.start and self.end <= other.end and self != other
        return wider and (self.task, self.value) == (other.task, other.value)


@dataclass(frozen=True)
class Summary:
    """What heads the page: a primary, and the tasks of which its report says nothing."""

    primary: str
    unsaid: tuple[str, ...]


def marks_of(extracted: Extracted) -> list[Mark]:
    """A mark for each piece of evidence, but those within another of the same value, in the order of the text."""
    primaries = extracted.findings.primaries if extracted.findings else ()
    found = dict.fromkeys(mark for primary in primaries for mark in _marks(primary, several=len(primaries) > 1))
    whole = [mark for mark in found if not any(mark.is_within(other) for other in found)]
    return sorted(whole, key=lambda mark: (mark.start, mark.end))


def _marks(primary: Primary, several: bool) -> Iterator[Mark]:
    """Those of the primary, then of each further mass; what the primary has of that mass alone is marked there."""
    side = f" {primary.laterality or primary.key}" if several else ""
    for evidence in primary.histology_evidence:
        yield _mark("histology" + side, primary.histology or "", "read", "", evidence)
    for focus in (None, *(one.key for one in primary.foci)):
        mass = f"{side} focus {focus}" if focus else side
        for task, finding in primary.told_of(focus).items():
            for evidence in finding.evidence:
                kind = finding.status.value if finding.status.value in COLOURS else "read"
                yield _mark(task + mass, _value(finding), kind, _note(finding), evidence)


def _mark(task: str, value: str, kind: str, note: str, evidence: Evidence) -> Mark:
    return Mark(task.replace("_", " "), value, kind, note, evidence.start, evidence.end)


def _value(finding: Finding) -> str:
    value = finding.value or finding.status.value.replace("_", " ")
    unit = finding.attributes.get("unit")
    shown = f"{value} {unit}" if unit else value
    return shown if finding.detail in (None, value) else f"{shown} ({finding.detail})"


def _note(finding: Finding) -> str:
    sure = "" if finding.probability is None else f"{finding.probability:.2f}"
    return "; ".join(part for part in (sure, finding.reason) if part)


def summaries_of(extracted: Extracted) -> Iterator[Summary]:
    """One line a primary: side, assertion, histology; and what the report does not say of it."""
    for primary in extracted.findings.primaries if extracted.findings else ():
        named = (primary.key, primary.assertion.value.replace("_", " "), primary.histology, primary.procedure)
        unsaid = tuple(task for task, finding in primary.findings.items() if finding.status is Status.NOT_STATED)
        yield Summary(", ".join(part for part in named if part), unsaid)


def marks_on_page(marks: Sequence[Mark], page: PageSpan) -> list[tuple[tuple[Box, ...], list[Mark]]]:
    """The marks of a page by the boxes they share, from top to bottom; a value read twice on a line is one mark there."""
    by_line: dict[tuple[str, str, int], tuple[Mark, list[Box]]] = {}
    for mark in marks:
        found = boxes(page, mark.start, mark.end)
        if found:
            by_line.setdefault((mark.task, mark.value, found[0][3]), (mark, []))[1].extend(found)
    placed: dict[tuple[Box, ...], list[Mark]] = {}
    for mark, on_line in by_line.values():
        placed.setdefault(tuple(dict.fromkeys(on_line)), []).append(mark)
    return sorted(placed.items(), key=lambda item: (item[0][0][1], item[0][0][0]))
