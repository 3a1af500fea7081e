"""Reads typed facts with their spans from a document, by the rules of a pack.

Facts are raw and unreconciled: contradicting facts stand side by side. Labels follow in workers/reading/labelling.py.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import regex

from schemas.errors import Code, SynopticError
from schemas.findings import MAXIMUM_QUOTE_LENGTH
from schemas.pack_rules import ContextMark, FactRule, FactRules
from schemas.patterns import Pattern, compile_pattern
from workers.reading.conversion import Tables, convert, number
from workers.reading.places import IndexedText

RULE_TIMEOUT_SECONDS = 2.0


class SectionSpan(Protocol):
    """A stretch of the text under one header."""

    @property
    def key(self) -> str:
        """The kind of section."""

    @property
    def start(self) -> int:
        """The first character."""

    @property
    def end(self) -> int:
        """The character after the last."""


class SectionedText(Protocol):
    """A text cut into sections, ordered by start and without overlap."""

    @property
    def text(self) -> str:
        """The whole text."""

    @property
    def sections(self) -> Sequence[SectionSpan]:
        """Its sections."""


@dataclass(frozen=True)
class Fact:
    """Something that the report states, where it says so, and the rule that read it.

    `attributes` hold what the rule captured beside the value; `marks` name the contexts around it and `score` is the
    sum of their weights: how well the surroundings fit. `quote` is the wording, without runs of white space. `part` is the
    letter of the specimen described, where it is known to be another than the tumour's (workers/reading/report_reading.py), `focus` the
    tumour mass (workers/reading/foci.py).
    """

    kind: str
    value: str
    start: int
    end: int
    rule: str
    section: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    score: int = 0
    quote: str = field(default="", repr=False)
    part: str = ""
    focus: str = ""


def read_facts(document: SectionedText, rules: FactRules) -> tuple[Fact, ...]:
    """All facts of the document, ordered by place; the same text gives the same facts."""
    reader = reader_of(rules)
    return tuple(sorted(reader.read(document), key=lambda fact: (fact.start, fact.end, fact.kind, fact.rule)))


class FactReader:
    """The rules of one pack, compiled."""

    def __init__(self, rules: FactRules) -> None:
        self._rules = rules.rules
        self._patterns = {
            pattern: compile_pattern(pattern, rules.fragments) for mark in rules.marks for pattern in mark.patterns()
        }
        self._main: dict[str, Pattern] = {}
        for rule in self._rules:
            self._main[rule.name] = compile_pattern(rule.pattern, rules.fragments, rule.case_sensitive)
            for pattern in rule.patterns()[1:]:
                self._patterns[pattern] = compile_pattern(pattern, rules.fragments)
        self._ignored = [
            (ignored.name, ignored.kinds, compile_pattern(ignored.pattern, rules.fragments))
            for ignored in rules.ignored
        ]
        self._repairs = [
            (compile_pattern(repair.pattern, rules.fragments, repair.case_sensitive), repair.by)
            for repair in rules.repairs
        ]
        self._tables: Tables = {
            name: [(compile_pattern(pattern, rules.fragments), value) for pattern, value in table.items()]
            for name, table in rules.tables.items()
        }
        self._lists = {rule.name for rule in rules.rules if rule.in_turn}
        self._listed = {rule.kind for rule in rules.rules if rule.in_turn}
        self._marks: dict[str, list[ContextMark]] = {}
        for mark in rules.marks:
            for kind in mark.kinds:
                self._marks.setdefault(kind, []).append(mark)

    def repair(self, text: str) -> str:
        """The text as it is matched: same length, with the pack's repairs overwritten in place."""
        for pattern, by in self._repairs:
            text = pattern.sub(lambda match, by=by: match.expand(by).ljust(len(match[0]))[: len(match[0])], text)
        return text

    def read(self, document: SectionedText) -> Iterator[Fact]:
        """Facts, rule by rule; what a list of answers gives its names in turn, no other rule reads from the same words."""
        facts = list(self._matched(document))
        lists = [(fact.start, fact.end) for fact in facts if fact.rule in self._lists]
        for fact in facts:
            listed = fact.kind in self._listed and any(fact.start < end and start < fact.end for start, end in lists)
            if fact.rule in self._lists or not listed:
                yield fact

    def _matched(self, document: SectionedText) -> Iterator[Fact]:
        text = self.repair(document.text)
        indexed = IndexedText(text)
        ignored = list(self._ignored_spans(indexed))
        starts = [section.start for section in document.sections]
        # Rules that read the same lists share one search of the text.
        found: dict[Pattern, list[regex.Match[str]]] = {}
        for rule in self._rules:
            closed = [span for kinds, span in ignored if not kinds or rule.kind in kinds]
            pattern = self._main[rule.name]
            try:
                if rule.in_turn and pattern not in found:
                    found[pattern] = list(indexed.matches(pattern, RULE_TIMEOUT_SECONDS))
                for match in (
                    found[pattern]
                    if rule.in_turn
                    else indexed.matches(pattern, RULE_TIMEOUT_SECONDS, overlapped=rule.overlapped)
                ):
                    start, end = _trimmed(text, *(match.span(rule.evidence) if rule.evidence else match.span()))
                    if start < end and not any(start < last and first < end for first, last in closed):
                        index = bisect_right(starts, start) - 1
                        section = document.sections[index].key if index >= 0 else ""
                        fact = self._fact(rule, match, document, indexed, section, (start, end))
                        if fact:
                            yield fact
            except TimeoutError as error:
                raise SynopticError(Code.SLOW_RULE, rule.name) from error

    def _ignored_spans(self, indexed: IndexedText) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
        """What no rule of these kinds reads, or of any kind where none is named."""
        for name, kinds, pattern in self._ignored:
            try:
                yield from ((kinds, match.span()) for match in indexed.matches(pattern, RULE_TIMEOUT_SECONDS))
            except TimeoutError as error:
                raise SynopticError(Code.SLOW_RULE, name) from error

    def _fact(
        self,
        rule: FactRule,
        match: "regex.Match[str]",
        document: SectionedText,
        indexed: IndexedText,
        section: str,
        span: tuple[int, int],
    ) -> Fact | None:
        if section in rule.unless_sections or (rule.sections and section not in rule.sections):
            return None
        if not self._in_context(rule, match, indexed):
            return None
        captured = self._captures(rule, match)
        if captured is None:
            return None
        attributes = {name: template.format_map(captured) for name, template in rule.attributes.items()}
        found = self._marks_of(rule.kind, match, indexed)
        return Fact(
            kind=rule.kind,
            value=rule.value.format_map(captured),
            start=span[0],
            end=span[1],
            rule=rule.name,
            section=section,
            attributes={name: value for name, value in attributes.items() if value},
            marks=frozenset(mark.name for mark in found),
            score=sum(mark.score for mark in found),
            quote=" ".join(document.text[span[0] : span[1]].split())[:MAXIMUM_QUOTE_LENGTH],
        )

    def _captures(self, rule: FactRule, match: "regex.Match[str]") -> dict[str, str] | None:
        captured = {name: value or "" for name, value in match.groupdict().items()}
        if rule.only is not None:
            answers = _in_turn(match, rule.in_turn, self._patterns[rule.only])
            if answers is None:
                return None
            captured.update(answers)
        for name, converter in rule.captures.items():
            if captured[name]:
                value = convert(captured[name], converter, self._tables)
                if value is None:
                    return None
                captured[name] = value
        numbers = [number(captured[name]) or 0 for name in rule.ordered]
        if numbers != sorted(numbers):
            return None
        if rule.total:
            parts = [number(captured[name]) for name in rule.total]
            captured["total"] = str(sum(part for part in parts if part is not None))
        return captured

    def _in_context(self, rule: FactRule, match: "regex.Match[str]", indexed: IndexedText) -> bool:
        before, within, after = _surroundings(match, indexed.text, rule.window)
        wanted = ((rule.before, before), (rule.within, within), (rule.after, after))
        unwanted = ((rule.unless_before, before), (rule.unless_within, within), (rule.unless_after, after))
        return all(self._search(pattern, indexed, place) for pattern, place in wanted if pattern) and not any(
            self._search(pattern, indexed, place) for pattern, place in unwanted if pattern
        )

    def _search(self, pattern: str, indexed: IndexedText, place: tuple[int, int]) -> "regex.Match[str] | None":
        """The pattern's first match in this stretch of the text, taken for itself."""
        return next(indexed.matches_within(self._patterns[pattern], *place), None)

    def _marks_of(self, kind: str, match: "regex.Match[str]", indexed: IndexedText) -> list[ContextMark]:
        """The marks around the match; of each contest, the nearest."""
        found: list[ContextMark] = []
        nearest: dict[str, tuple[int, ContextMark]] = {}
        for mark in self._marks.get(kind, ()):
            distance = self._distance(mark, match, indexed)
            if distance is None:
                continue
            if not mark.contest:
                found.append(mark)
            elif mark.contest not in nearest or distance < nearest[mark.contest][0]:
                nearest[mark.contest] = (distance, mark)
        return [*found, *(mark for _, mark in nearest.values())]

    def _distance(self, mark: ContextMark, match: "regex.Match[str]", indexed: IndexedText) -> int | None:
        """Characters between the match and the mark's nearest words; None where they are not there."""
        before, within, after = _surroundings(match, indexed.text, mark.window)
        distances: list[int] = []
        if mark.within and self._search(mark.within, indexed, within):
            distances.append(0)
        if mark.before:
            ends = [found.end() for found in indexed.matches_within(self._patterns[mark.before], *before)]
            distances += [before[1] - before[0] - end for end in ends[-1:]]
        if mark.after and (found := self._search(mark.after, indexed, after)):
            distances.append(found.start())
        return min(distances, default=None)


def reader_of(rules: FactRules) -> FactReader:
    """The compiled reader of these rules; compiled once for each set."""
    return _reader(_Identity(rules))


class _Identity:
    """A cache key that compares rules by identity, since comparing them by value costs more than reading a report."""

    def __init__(self, rules: FactRules) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.rules is self.rules


@cache
def _reader(identity: _Identity) -> FactReader:
    return FactReader(identity.rules)


def _in_turn(match: "regex.Match[str]", groups: Sequence[str], wanted: Pattern) -> dict[str, str] | None:
    """The wanted name of the first list, and what stands at its place in the other lists of equal length."""
    lists = {group: match.captures(group) for group in groups}
    names = lists[groups[0]]
    place = next((index for index, name in enumerate(names) if wanted.search(name)), None)
    if place is None or any(len(answers) != len(names) for answers in lists.values()):
        return None
    return {group: answers[place] for group, answers in lists.items()}


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space at its ends."""
    wording = text[start:end]
    return start + len(wording) - len(wording.lstrip()), end - len(wording) + len(wording.rstrip())


def _surroundings(
    match: "regex.Match[str]", text: str, window: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """The stretches of the text before the match, of the match and after it."""
    start, end = match.span()
    return (max(0, start - window), start), (start, end), (end, min(end + window, len(text)))
