"""Tells in which labelled part of what was sent a label was found; where that is not clear, in none.

"A. Left breast, lumpectomy: ... B. Sentinel node: ...": the counts of nodes are of part B, the size of the tumour of
part A. What stands behind the last part may be of all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from schemas.findings import Assertion
from schemas.pack_loader import Pack
from workers.reading.document import Document, Passage
from workers.reading.facts import Fact
from workers.reading.labelling import TaskLabel


def with_specimens(
    labels: Mapping[str, TaskLabel], facts: Sequence[Fact], document: Document, assertion: Assertion, pack: Pack
) -> dict[str, TaskLabel]:
    """The labels, each with the letter of the part as its attribute `specimen`, where its evidence stands in one alone."""
    organ = pack.definition.segmentation.organ
    bearing = _bearing(facts, document, assertion, pack)
    found: dict[str, TaskLabel] = {}
    for key, label in labels.items():
        kinds = pack.labels.labels[key].found_in
        part = (
            _part(label, facts, document, bearing)
            if kinds and label.spans and "sample" not in label.attributes
            else None
        )
        found[key] = label
        if part is not None and part.part and part.kind in kinds and (part.kind != organ or part.part in bearing):
            found[key] = replace(label, attributes={**label.attributes, "specimen": part.part})
    return found


def _bearing(facts: Iterable[Fact], document: Document, assertion: Assertion, pack: Pack) -> set[str]:
    """The parts whose own text asserts the cancer."""
    rules = pack.definition.primaries
    asserting = {value for row in rules.rows if row.assertion is assertion for value in row.facts}
    parts = {
        document.passage_at(fact.start).part
        for fact in facts
        if fact.kind == "assertion" and fact.value in asserting and not fact.marks & set(rules.dismissed_by)
    }
    return {part for part in parts if part}


def _part(label: TaskLabel, facts: Sequence[Fact], document: Document, bearing: set[str]) -> Passage | None:
    """The passage of the one part that the evidence stands in."""
    passages = [document.passage_at(start) for start, _ in label.spans]
    leading = passages[0]
    if leading.part is None or {passage.part for passage in passages} - {leading.part, None}:
        return None
    several = leading.part in bearing and len(bearing) > 1
    return None if several and _trails(label, leading, facts, document) else leading


def _trails(label: TaskLabel, leading: Passage, facts: Sequence[Fact], document: Document) -> bool:
    """Whether the evidence may be said of all parts: behind the last of its section, where no other has its like."""
    parts = [passage.part for passage in document.passages if passage.section == leading.section and passage.part]
    kinds = {fact.kind for fact in facts if (fact.start, fact.end) in label.spans}
    elsewhere = {document.passage_at(fact.start).part for fact in facts if fact.kind in kinds} - {leading.part, None}
    return parts[-1] == leading.part and not elsewhere
