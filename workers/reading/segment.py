"""Cuts a report into sections by its headers, specimens by their letters, and one block for each side.

Works on text with line breaks, on text that lost them (each old line ends in ". ") and on dictation without headers.
What the headers and sides look like is the pack's (`segmentation` in pack.yaml).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from schemas.findings import Side
from schemas.pack import SectionRule, Segmentation
from workers.reading.document import Block, Document, Section, Span, merge_spans
from workers.reading.specimens import cut_passages, gather_specimens, part_labels

_AFTER_HEADER = re.compile(r"[ \t]{0,20}(?:[:.]+|[-–](?=\s)|(?=\n)|$)[ \t]{0,20}")
_BEFORE_HEADER = re.compile(r"(?:^|\n|[.:;][ \t\"”)]|[*=#_|•-])[ \t*=#_|•-]{0,20}$")
_LOOK_BACK = 24
_LEADER = "..."


def segment(text: str, segmentation: Segmentation) -> Document:
    """The structure of `text`; an empty text has one empty section, one empty passage and one block."""
    sections = cut_sections(text, segmentation)
    passages = cut_passages(text, sections, segmentation)
    specimens = gather_specimens(passages)
    document = Document(text, sections, passages, specimens, ())
    return Document(text, sections, passages, specimens, _blocks(document, segmentation.organ))


def cut_sections(text: str, segmentation: Segmentation) -> tuple[Section, ...]:
    """The text under each header, in order; text before the first header is the opening section."""
    found = _headers(text, segmentation)
    starts = [start for start, _, _ in found]
    ends = [*starts, len(text)][1:]
    sections = [
        Section(rule.key, rule.priority, start, body, end, rule.shared, rule.one_side)
        for (start, body, rule), end in zip(found, ends, strict=True)
    ]
    if not starts or starts[0] > 0:
        first = starts[0] if starts else len(text)
        opening = Section(segmentation.opening_section, segmentation.opening_priority, 0, 0, first)
        sections.insert(0, opening)
    return tuple(_resumed(text, sections, segmentation))


def _resumed(text: str, sections: list[Section], segmentation: Segmentation) -> Iterator[Section]:
    """Sections, with a note in the middle of a list of parts ended where the next part goes on with the list."""
    interrupting = {rule.key for rule in segmentation.sections if rule.interrupts}
    numbers = not any(True for _ in part_labels(text, 0, len(text), segmentation))
    listing: Section | None = None
    last: str | None = None
    for section in sections:
        labels = list(part_labels(text, section.body, section.end, segmentation, numbers))
        if section.key not in interrupting:
            listing, last = section, _last(labels)
        following = next((start for start, label in labels if last and label == _next(last)), None)
        if section is listing or listing is None or following is None or following == section.body:
            yield section
            continue
        last = _last([(start, label) for start, label in labels if start >= following])
        yield replace(section, end=following)
        yield replace(listing, start=following, body=following, end=section.end)


def _last(labels: list[tuple[int, str]]) -> str | None:
    return max((label for _, label in labels), key=lambda label: (len(label), label), default=None)


def _next(label: str) -> str:
    return str(int(label) + 1) if label.isdigit() else chr(ord(label) + 1)


def _headers(text: str, segmentation: Segmentation) -> list[tuple[int, int, SectionRule]]:
    """Each header as start, end and rule; a header that the running section absorbs is text."""
    any_header, rules = _compiled(segmentation)
    found: list[tuple[int, int, SectionRule]] = []
    restated = _Restated()
    running = segmentation.opening_section
    position = 0
    while (candidate := any_header.search(text, position)) is not None:
        start = candidate.start()
        matches = [
            (match.end(), rule)
            for rule, pattern in rules
            if running in (rule.within or (running,)) and (match := pattern.match(text, start))
        ]
        end, rule = max(matches, key=lambda item: item[0], default=(start, None))
        after = _AFTER_HEADER.match(text, end)
        chained = bool(found) and not text[found[-1][1] : start].strip()
        if rule is None or after is None or not _is_header(text, start, end, after.group(), chained):
            position = _next_word(text, start)
            continue
        position = after.end()
        if not (found and rule.key in found[-1][2].absorbs):
            found.append((start, after.end(), restated.rule_of(rule)))
            running = found[-1][2].key
    return found


class _Restated:
    """Tells which headers after an addendum say again, in its name, what stood before it."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._running: SectionRule | None = None
        self._before: frozenset[str] = frozenset()

    def rule_of(self, rule: SectionRule) -> SectionRule:
        """The addendum's rule where the header belongs to one, else the header's own; called in the order of the text."""
        running = self._running
        if running and rule.key in running.restates and rule.key in self._before:
            return running
        if rule.restates:
            self._running, self._before = rule, frozenset(self._seen)
        elif running and not rule.interrupts and rule.key not in running.restates:
            self._running = None
        self._seen.add(rule.key)
        return rule


def _is_header(text: str, start: int, end: int, terminator: str, chained: bool) -> bool:
    """A header opens a line, sentence or another header's line; lower-case words need a colon or the line's end.

    What dots lead to an answer is a line of a list.
    """
    if _LEADER in terminator and text[end + len(terminator) : end + len(terminator) + 1].strip():
        return False
    header = text[start:end]
    opens_line = chained or _BEFORE_HEADER.search(text[max(0, start - _LOOK_BACK) : start]) is not None
    if not opens_line:
        return ":" in terminator and header.isupper() and " " in header.strip()
    return header[0].isupper() or ":" in terminator or not terminator.strip(" \t")


def _next_word(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position - 1].isalnum():
        position += 1
    return position


@cache
def _compiled(segmentation: Segmentation) -> tuple[re.Pattern[str], tuple[tuple[SectionRule, re.Pattern[str]], ...]]:
    """One pattern for any header, and one for each rule, each ending where a header may end."""
    closing = r"(?=[ \t]{0,20}(?:[:.\n]|[-–]\s|$))"
    rules = tuple(
        (rule, re.compile(rf"(?:{'|'.join(rule.headers)}){closing}", re.IGNORECASE)) for rule in segmentation.sections
    )
    everything = "|".join(header for rule in segmentation.sections for header in rule.headers)
    return re.compile(rf"(?<![\w/'’-])(?:{everything}){closing}", re.IGNORECASE), rules


def _blocks(document: Document, organ: str) -> tuple[Block, ...]:
    """One block for each side that the report names; one without a side where it names none."""
    named = {passage.side for passage in document.passages if passage.side is not None}
    sides: list[Side | None] = [*sorted(named)] or [None]
    return tuple(
        Block(
            key=f"{organ}-{side}" if side else organ,
            organ=organ,
            side=side,
            spans=_spans_of(document, side),
            parts=tuple(
                specimen.part
                for specimen in document.specimens
                if specimen.side in (side, None) and not specimen.foreign
            ),
        )
        for side in sides
    )


def _spans_of(document: Document, side: str | None) -> tuple[Span, ...]:
    return merge_spans(
        [
            (passage.start, passage.end)
            for passage in document.passages
            if not passage.foreign and (passage.side == side if passage.side is not None else passage.section.shared)
        ]
    )
