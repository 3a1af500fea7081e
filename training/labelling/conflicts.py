"""The queue of labels that wait for a person, because a report contradicts itself."""

from collections.abc import Iterator
from typing import Any

from schemas.findings import Status
from schemas.pack_loader import Pack
from training.labelling.run import TextReading, source_spans
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading

SURROUNDINGS = 60
"""Characters of an excerpt on each side of the evidence."""


def conflict_lines(reading: TextReading, pack: Pack, excerpts: bool = True) -> list[dict[str, Any]]:
    """One line for each label of the pack in review: every value that stands against another, with its places."""
    source = reading.source
    return [
        {
            "patient": source.patient,
            "report": source.report or None,
            "site": source.hospital or None,
            "primary": primary.key,
            "task": label.task,
            "rule": label.rule,
            "between_reports": False,
            "values": [
                _side(value, label, primary, reading, pack, excerpts) for value in (label.value, *label.conflicts)
            ],
        }
        for primary in reading.primaries
        for label in in_review(primary)
    ]


def in_review(primary: PrimaryReading) -> Iterator[TaskLabel]:
    """The labels of a primary that something in the report contradicts."""
    return (label for label in primary.labels.values() if label.status is Status.REVIEW)


def _side(
    value: str | None, label: TaskLabel, primary: PrimaryReading, reading: TextReading, pack: Pack, excerpts: bool
) -> dict[str, Any]:
    """One of the values: the rules of the facts behind it, and where they stand."""
    spans = label.support.get(value or "", ())
    kinds = {rule.kind for rule in pack.labels.labels[label.task].rules}
    rules = {fact.rule for fact in primary.facts if (fact.start, fact.end) in spans and fact.kind in kinds}
    side: dict[str, Any] = {
        "value": value,
        "facts": sorted(rules),
        "spans": source_spans(spans, reading.clean),
    }
    if excerpts:
        side["excerpts"] = [excerpt(reading.clean.text, start, end) for start, end in spans]
    return side


def excerpt(text: str, start: int, end: int, around: int = SURROUNDINGS) -> str:
    """The stretch with its surroundings on one line."""
    return " ".join(text[max(0, start - around) : end + around].split())
