"""Decides which primaries a report is about, and of each: assertion, certainty, histology, procedure, therapy before.

A block (one side of the organ) is a primary where an undismissed assertion of cancer stands in it: not negated, not
history, not a metastasis. Where two sides are named, each needs an assertion in text of its own.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from schemas.findings import Assertion, Behaviour, Certainty, Side
from schemas.pack import AssertionRow, PackDefinition, PrimaryRules
from workers.reading.document import Block, Document, Span, merge_spans
from workers.reading.facts import Fact

_EVIDENCE_LIMIT = 3


@dataclass(frozen=True)
class PrimaryDecision:
    """What the report asserts of one block; `reported` is false where it makes no primary (benign, another organ)."""

    block: Block
    laterality: Side | None
    assertion: Assertion = Assertion.UNCERTAIN
    certainty: Certainty = Certainty.DEFINITE
    reported: bool = False
    alone: bool = False
    assertion_spans: tuple[Span, ...] = ()
    histology: str | None = None
    histology_spans: tuple[Span, ...] = ()
    behaviour: Behaviour | None = None
    procedure: str | None = None
    therapy_before: Literal["yes", "no", "unstated"] = "unstated"

    @property
    def key(self) -> str:
        """Organ and side: stable when the text is amended."""
        return f"{self.block.organ}-{self.laterality}" if self.laterality else self.block.organ


def find_primaries(
    document: Document, facts: Sequence[Fact], definition: PackDefinition, side: Side | None = None
) -> tuple[PrimaryDecision, ...]:
    """The primaries of the report, by side; `side` is the request's, used where the text names none."""
    return tuple(decision for decision in assess(document, facts, definition, side) if decision.reported)


def assess(
    document: Document, facts: Sequence[Fact], definition: PackDefinition, side: Side | None = None
) -> tuple[PrimaryDecision, ...]:
    """A verdict on every block, the benign ones included."""
    reader = _Assessor(document, facts, definition)
    if len(document.blocks) == 1:
        decisions = [reader.decide(document.blocks[0], whole=True)]
    else:
        decisions = [reader.decide(block, whole=False) for block in document.blocks]
        if any(decision.reported and not decision.alone for decision in decisions):
            decisions = [replace(decision, reported=decision.reported and not decision.alone) for decision in decisions]
        if not any(decision.reported for decision in decisions):
            decisions = [reader.decide(reader.likeliest_block(), whole=True)]
    return tuple(replace(decision, laterality=decision.laterality or side) for decision in decisions)


def of_this_specimen(facts: Iterable[Fact], assertion: Assertion, rules: PrimaryRules) -> tuple[Fact, ...]:
    """The facts that labels of a primary may rest on: not what an earlier specimen showed."""
    holding = [aside for aside in rules.set_aside if assertion in (aside.assertions or (assertion,))]
    return tuple(
        fact
        for fact in facts
        if not any(
            fact.kind in aside.kinds and (fact.section in aside.sections or fact.marks & set(aside.marks))
            for aside in holding
        )
    )


class _Assessor:
    """The facts of one document, read by the pack's rules for primaries."""

    def __init__(self, document: Document, facts: Sequence[Fact], definition: PackDefinition) -> None:
        self._document = document
        self._definition = definition
        self._rules: PrimaryRules = definition.primaries
        self._facts = tuple(fact for fact in facts if fact.section not in self._rules.silent_sections)
        self._all_facts = tuple(facts)
        self._priority = {section.key: section.priority for section in definition.segmentation.sections}
        self._about_organ = self._is_about_organ()

    def decide(self, block: Block, whole: bool) -> PrimaryDecision:
        """The verdict on a block, from all of its text (`whole`) or only from what names its side."""
        standing = self._standing("assertion", block, whole)
        row, support = self._first_row(self._settled(standing or self._of_both_sides()))
        decision = PrimaryDecision(block=block, laterality=block.side)
        if row is None:
            return decision
        doubted = all(fact.marks & set(self._rules.provisional_by) for fact in support)
        behaviour = row.behaviour or self._behaviour(row.assertion, support)
        histology = self._histology(self._standing("histology", block, whole), behaviour)
        return replace(
            decision,
            assertion=row.assertion,
            certainty=Certainty.PROVISIONAL if doubted else row.certainty,
            reported=row.reported,
            alone=row.alone,
            assertion_spans=_spans(support),
            histology=histology[0].value if histology else None,
            histology_spans=_spans(histology),
            behaviour=behaviour,
            procedure=self._procedure(block),
            therapy_before=self._therapy_before(block),
        )

    def likeliest_block(self) -> Block:
        """Where no side's own text decides: the only side that was sampled, else the whole text without a side."""
        quiet = (*self._rules.silent_sections, *self._rules.weak_sections)
        sampled = {p.side for p in self._document.passages if p.side and p.section.key not in quiet} or {
            p.side for p in self._document.passages if p.side and p.section.key not in self._rules.silent_sections
        }
        if len(sampled) == 1:
            return next(block for block in self._document.blocks if block.side in sampled)
        organ = self._definition.segmentation.organ
        spans = merge_spans([(p.start, p.end) for p in self._document.passages if p.section.shared and not p.foreign])
        parts = tuple(specimen.part for specimen in self._document.specimens)
        return Block(key=organ, organ=organ, side=None, spans=spans, parts=parts)

    def _standing(self, kind: str, block: Block, whole: bool) -> list[Fact]:
        """Facts of a kind that no mark dismisses; weak sections count only where no other has any of the kind.

        What dismisses "invasive ductal carcinoma" dismisses the "ductal carcinoma" in it.
        """
        found = [
            fact
            for fact in self._facts
            if fact.kind == kind and (self._is_in(fact, block) if whole else self._is_own(fact, block))
        ]
        strong = [fact for fact in found if fact.section not in self._rules.weak_sections]
        dismissed = [fact for fact in found if fact.marks & set(self._rules.dismissed_by)]
        return _outside(strong or found, dismissed)

    def _of_both_sides(self) -> list[Fact]:
        """What the report asserts of both sides at once; no mark dismisses it."""
        pattern = self._definition.segmentation.both_sides
        stretches = (
            [match.span() for match in re.finditer(pattern, self._document.text, re.IGNORECASE)] if pattern else []
        )
        return [
            fact
            for fact in self._facts
            if fact.kind == "assertion"
            and not fact.marks & set(self._rules.dismissed_by)
            and any(fact.start < end and start < fact.end for start, end in stretches)
        ]

    def _settled(self, asserting: list[Fact]) -> list[Fact]:
        """What is asserted, less what merely told sections add to a diagnosis that leaves no cancer."""
        for section in self._rules.deciding_sections:
            said = {fact.value for fact in asserting if fact.section == section}
            if said and said <= set(self._rules.settled_by):
                yielding = set(self._rules.yielding_sections) - {section}
                return [fact for fact in asserting if fact.section not in yielding]
            if said:
                break
        return asserting

    def _first_row(self, asserting: list[Fact]) -> tuple[AssertionRow | None, list[Fact]]:
        values = {fact.value for fact in asserting}
        for row in self._rules.rows:
            support = [
                fact
                for fact in asserting
                if fact.value in row.facts and self._document.passage_at(fact.start).kind not in row.unless_kinds
            ]
            if row.organ and not self._about_organ:
                support = [fact for fact in support if self._is_in_organ(fact)]
            if support and not values & set(row.unless):
                return row, self._ranked(support)
        return None, []

    def _behaviour(self, assertion: Assertion, support: list[Fact]) -> Behaviour | None:
        if assertion == Assertion.PRIMARY_IN_SITU:
            return "in_situ"
        if assertion not in (Assertion.PRIMARY_INVASIVE, Assertion.RECURRENCE):
            return None
        micro = all(fact.attributes.get("extent") == self._rules.micro_extent for fact in support)
        return "microinvasive" if micro else "invasive"

    def _histology(self, standing: list[Fact], behaviour: Behaviour | None) -> list[Fact]:
        """The facts of the type that the ranking section names first; a mixed type outranks its parts, any an unspecific."""
        order = list(self._rules.behaviours)
        wanted = "invasive" if behaviour == "microinvasive" else behaviour
        fitting = self._ranked(fact for fact in standing if self._rules.behaviours.get(fact.value) == wanted)
        fitting = [fact for fact in fitting if fact.value not in self._rules.unspecific] or fitting
        if not fitting:
            return []
        section = fitting[0].section
        best = min((fact for fact in fitting if fact.section == section), key=lambda fact: order.index(fact.value))
        return [fact for fact in fitting if fact.value == best.value]

    def _procedure(self, block: Block) -> str | None:
        found = {
            fact.value
            for fact in self._facts
            if fact.kind == "procedure" and self._is_in(fact, block) and not fact.marks & set(self._rules.dismissed_by)
        }
        return next((procedure for procedure in self._rules.procedures if procedure in found), None)

    def _therapy_before(self, block: Block) -> Literal["yes", "no", "unstated"]:
        """Therapy is told in the clinical history too, so every section of the block counts."""
        values = {fact.value for fact in self._all_facts if fact.kind == "therapy_before" and self._is_in(fact, block)}
        if "yes" in values:
            return "yes"
        return "no" if "no" in values else "unstated"

    def _is_about_organ(self) -> bool:
        """True where the report names the pack's organ more often than others."""
        named = [
            fact.value
            for fact in self._facts
            if fact.kind == "organ" and not fact.marks & set(self._rules.dismissed_by)
        ]
        own, other = named.count(self._rules.own_organ), named.count(self._rules.other_organ)
        return own > other

    def _is_in_organ(self, fact: Fact) -> bool:
        """True where the specimen that the fact describes is the pack's organ, whatever else was sent with it."""
        passage = self._document.passage_at(fact.start)
        return passage.part is not None and passage.kind == self._definition.segmentation.organ

    def _is_in(self, fact: Fact, block: Block) -> bool:
        return block.holds(fact.start, fact.end)

    def _is_own(self, fact: Fact, block: Block) -> bool:
        return self._document.passage_at(fact.start).side == block.side and self._is_in(fact, block)

    def _ranked(self, facts: Iterable[Fact]) -> list[Fact]:
        return sorted(facts, key=lambda fact: (-self._priority.get(fact.section, 0), fact.start))


def _outside(facts: list[Fact], dismissed: list[Fact]) -> list[Fact]:
    """The facts that lie in none of the dismissed ones, which are ordered by start."""
    starts = [fact.start for fact in dismissed]
    reaches = list(accumulate((fact.end for fact in dismissed), max))
    before = [bisect_right(starts, fact.start) for fact in facts]
    return [fact for fact, count in zip(facts, before, strict=True) if not count or reaches[count - 1] < fact.end]


def _spans(facts: Sequence[Fact]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys((fact.start, fact.end) for fact in facts))[:_EVIDENCE_LIMIT]
