"""Cuts sections into passages by specimen letters and named sides, and gathers the specimens."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from schemas.findings import Side
from schemas.pack import Segmentation, SideWords
from workers.reading.document import Document, Passage, Section, Specimen, merge_spans

NamedSide = Literal["left", "right", "bilateral"]

_OPENER = re.compile(
    r"(?:\A|(?<=\n)|(?<=[.:;,)\"”]\s))[ \t]{0,40}"
    r"(?P<word>(?i:part|specimen)s?[ \t]{0,3}\#?[ \t]{0,3})?"
    r"(?:(?P<letter>[A-Z])|(?P<number>\d{1,2}))(?:\.?\)\.?|[.:]|[ \t][-–])(?:(?:[ \t]{1,20}|[ \t]{0,20}\n[ \t]{0,20})(?=\S)|(?=[(\"“]|[A-Z][a-z]|[A-Z]{3}))"
)
_HEAD_END = re.compile(r":|\.\s+(?=[A-Z\"“])|\n[ \t]{0,40}\n|;")
# The period of "Rt. breast" ends no sentence.
_SENTENCE_END = re.compile(
    r"(?<=[\w%)\]\"'])(?<!\b[RLrl][Tt])(?<!\b[RL])\.(?=\s)|\n[ \t]{0,40}\n|;|\n(?=[ \t]{0,40}[-•*])"
)
_HEAD_LENGTH = 200
_SENTENCE_REACH = 400
_OTHER = "other"


@dataclass(frozen=True)
class _Words:
    """A segmentation's patterns, compiled."""

    sides: tuple[tuple[NamedSide, re.Pattern[str]], ...]
    statements: tuple[tuple[NamedSide, re.Pattern[str]], ...]
    phrases: tuple[tuple[NamedSide, re.Pattern[str]], ...]
    switches: tuple[tuple[NamedSide, re.Pattern[str]], ...]
    mentions: re.Pattern[str] | None
    headers: re.Pattern[str] | None
    kinds: tuple[tuple[str, re.Pattern[str]], ...]
    foreign_kinds: frozenset[str]
    organ: re.Pattern[str] | None


@dataclass(frozen=True)
class _Item:
    """A stretch that one part letter, or one specimen line without a letter, opens."""

    start: int
    end: int
    part: str | None = None
    kind: str | None = None
    side: Side | None = None


def cut_passages(text: str, sections: tuple[Section, ...], segmentation: Segmentation) -> tuple[Passage, ...]:
    """The whole text as passages in order; a part's side holds wherever its letter returns."""
    words = _compiled(segmentation)
    numbered = _numbered(text)
    letters = frozenset(() if numbered else (letter for _, letter in part_labels(text, 0, len(text), segmentation)))
    itemised = [(section, _items(text, section, words, letters, numbered)) for section in sections]
    passages = _cut(text, itemised, replace(words, switches=()))
    if {"left", "right"} <= {passage.side for passage in passages}:
        passages = _cut(text, itemised, words)
    return tuple(passages) or (Passage(0, len(text), sections[0]),)


def _cut(text: str, itemised: list[tuple[Section, list[_Item]]], words: _Words) -> list[Passage]:
    part_sides = _part_sides(itemised)
    passages: list[Passage] = []
    for section, items in itemised:
        cut: list[Passage] = []
        for item in items:
            side = item.side or part_sides.get(item.part or "")
            cut.extend(_by_side(text, section, replace(item, side=side), words))
        passages.extend(_one_sided(text, section, cut, words))
    return passages


def gather_specimens(passages: tuple[Passage, ...]) -> tuple[Specimen, ...]:
    """Every part by its letter or number, with all stretches that describe it."""
    parts: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.part is not None:
            parts.setdefault(passage.part, []).append(passage)
    return tuple(
        Specimen(
            part=part,
            side=next((passage.side for passage in _by_rank(found) if passage.side), None),
            kind=next((passage.kind for passage in _by_rank(found) if passage.kind not in (None, _OTHER)), _OTHER),
            spans=merge_spans([(passage.start, passage.end) for passage in found]),
            foreign=all(passage.foreign for passage in found),
        )
        for part, found in sorted(parts.items(), key=lambda entry: (len(entry[0]), entry[0]))
    )


def _by_rank(passages: list[Passage]) -> list[Passage]:
    return sorted(passages, key=lambda passage: (-passage.section.priority, passage.start))


def _numbered(text: str) -> bool:
    """True where the parts are "PART 1:", "PART 2:", so that letters count the findings of a part."""
    return any(match["word"] and match["number"] for match in _OPENER.finditer(text))


def _items(text: str, section: Section, words: _Words, letters: frozenset[str], numbered: bool) -> list[_Item]:
    """The section cut at its part openers; what precedes the first belongs to no part."""
    openers = sorted(_openers(text, section, words, letters, numbered))
    starts = [start for start, _, _ in openers]
    items = [
        _Item(start, end, part, *_describe(text[start : min(end, head)], words))
        for (start, head, part), end in zip(openers, [*starts, section.end][1:], strict=True)
    ]
    first = starts[0] if starts else section.end
    return [_Item(section.start, first), *items] if first > section.start else items


def _openers(
    text: str, section: Section, words: _Words, letters: frozenset[str], numbered: bool
) -> Iterator[tuple[int, int, str | None]]:
    """Each opener as start, end of its first line and part; an unknown letter counts only before words of a specimen."""
    taken: set[int] = set()
    for match in _OPENER.finditer(text, section.body, section.end):
        part = match["letter"] or match["number"]
        head, closed = _head(text, match.end(), section.end)
        kind = _describe(text[match.end() : head], words)[0]
        if (kind is None and part not in letters) or (match["letter"] and numbered):
            continue
        listed = closed or match["word"] or section.key == "specimens" or kind in words.foreign_kinds
        if match["number"] and (letters or not listed):
            continue
        taken.add(match.end())
        yield match.start(), head, part
    if words.headers is None:
        return
    for match in words.headers.finditer(text, section.body, section.end):
        if match.start(1) not in taken and match.start(1) > section.start:
            yield match.start(1), match.end(), None


def _head(text: str, start: int, limit: int) -> tuple[int, bool]:
    """Where the first line of a part ends, and whether a colon ends it."""
    stop = min(limit, start + _HEAD_LENGTH)
    match = _HEAD_END.search(text, start + 2, stop) if start + 2 < stop else None
    return (match.start(), match.group() == ":") if match else (stop, False)


def _describe(head: str, words: _Words) -> tuple[str | None, Side | None]:
    """The kind and the side of a part by its first line; two sides in it are none, nor is the side of another organ."""
    kind = next((key for key, pattern in words.kinds if pattern.search(head)), None)
    sides = words.phrases if kind in words.foreign_kinds else words.sides
    return kind, _only(_named(sides, head, 0, len(head)))


def _only(named: Set[NamedSide]) -> Side | None:
    if named == {"left"}:
        return "left"
    return "right" if named == {"right"} else None


def names_other_side(text: str, start: int, end: int, side: Side | None, segmentation: Segmentation) -> bool:
    """True where the sentence around a stretch names a side of the organ that is not `side`."""
    first, last = _sentence_around(text, start, end)
    return bool(_named(_compiled(segmentation).phrases, text, first, last) - {side})


def concerns_other_side(
    document: Document, start: int, end: int, side: Side | None, segmentation: Segmentation
) -> bool:
    """True where the sentence around a stretch names another side, or the letter of another side's part."""
    words = _compiled(segmentation)
    passage = document.passage_at(start)
    first, last = _sentence_around(document.text, start, end)
    first, last = max(first, passage.start), max(end, min(last, passage.end))
    if _named(words.sides, document.text, first, last) - {side, "bilateral"}:
        return True
    others = {specimen.part for specimen in document.specimens if specimen.side not in (None, side)}
    found = words.mentions.finditer(document.text, first, last) if words.mentions else ()
    return any(match["part"] in others for match in found)


def _sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence begins and ends; one without an end is looked at so far only."""
    earliest, latest = max(0, start - _SENTENCE_REACH), min(len(text), end + _SENTENCE_REACH)
    first = max(earliest, *(text.rfind(mark, earliest, start) + 1 for mark in (". ", "\n", ";")))
    ends = [found for mark in (". ", "\n", ";") if (found := text.find(mark, end, latest)) >= 0]
    return first, min(ends, default=latest)


def part_labels(
    text: str, start: int, end: int, segmentation: Segmentation, numbers: bool = False
) -> Iterator[tuple[int, str]]:
    """Where a part's letter opens a description of a specimen, with the letter; or its number, closed by a colon."""
    words = _compiled(segmentation)
    for match in _OPENER.finditer(text, start, end):
        head, closed = _head(text, match.end(), end)
        label = match["number"] if numbers and closed else match["letter"]
        if label and _describe(text[match.end() : head], words)[0]:
            yield match.start(), label


def _part_sides(itemised: list[tuple[Section, list[_Item]]]) -> dict[str, Side]:
    """The side of each part, as the section of the highest priority names it."""
    best: dict[str, tuple[int, Side]] = {}
    for section, items in itemised:
        for item in items:
            if item.part and item.side and (item.part not in best or section.priority > best[item.part][0]):
                best[item.part] = (section.priority, item.side)
    return {part: side for part, (_, side) in best.items()}


def _by_side(text: str, section: Section, item: _Item, words: _Words) -> list[Passage]:
    """The item cut where a sentence names a side.

    In an item with a side such a sentence stands alone; in one without, it holds until another side is named. A switch
    ("Right tumor:") ends the item's own side.
    """
    if item.kind in words.foreign_kinds and not (words.organ and words.organ.search(text, item.start, item.end)):
        return [Passage(item.start, item.end, section, item.part, item.kind, None, foreign=True)]
    passages: list[Passage] = []
    home = running = item.side
    for start, end, switch in _pieces(text, section, item.start, item.end, words):
        side = switch or home or running
        if switch:
            home, running = (home if switch == home else None), switch
        elif named := _named(words.phrases, text, start, end):
            only = _only(named)
            side = only if only or not home else home
            running = home or only
        last = passages[-1] if passages else None
        if last and last.side == side:
            passages[-1] = replace(last, end=end)
        else:
            passages.append(Passage(start, end, section, item.part, item.kind, side))
    return passages


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    for match in _SENTENCE_END.finditer(text, start, end):
        yield position, match.end()
        position = match.end()
    if position < end:
        yield position, end


def _pieces(text: str, section: Section, start: int, end: int, words: _Words) -> Iterator[tuple[int, int, Side | None]]:
    """Sentences, cut where they switch to a side, with that side."""
    for first, last in _sentences(text, start, end):
        switches = sorted(
            (match.start(), side)
            for side, pattern in words.switches
            if side != "bilateral"
            for match in pattern.finditer(text, first, last)
            if match.group().endswith(":") or not text[max(first, section.body) : match.start()].strip(" \t\n-•*")
        )
        starts: list[tuple[int, Side | None]] = [(first, None), *switches]
        for (position, side), (stop, _) in zip(starts, [*switches, (last, None)], strict=True):
            if position < stop:
                yield position, stop, side


def _one_sided(text: str, section: Section, passages: list[Passage], words: _Words) -> list[Passage]:
    """In a section that speaks of one tumour, its statement of side, or the only side named, holds for all of it."""
    if not section.one_side:
        return passages
    stated = _only(_named(words.statements, text, section.start, section.end))
    switched = {switch for _, _, switch in _pieces(text, section, section.start, section.end, words) if switch}
    if stated and switched <= {stated}:
        return [Passage(section.start, section.end, section, side=stated)]
    only = _only({passage.side for passage in passages if passage.side})
    return [passage if passage.foreign else replace(passage, side=only) for passage in passages] if only else passages


def _named(patterns: tuple[tuple[NamedSide, re.Pattern[str]], ...], text: str, start: int, end: int) -> set[NamedSide]:
    return {side for side, pattern in patterns if pattern.search(text, start, end)}


@cache
def _compiled(segmentation: Segmentation) -> _Words:
    def either(patterns: tuple[str, ...]) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)

    def by_side(words: SideWords) -> tuple[tuple[NamedSide, re.Pattern[str]], ...]:
        named: tuple[tuple[NamedSide, tuple[str, ...]], ...] = (
            ("left", words.left),
            ("right", words.right),
            ("bilateral", words.bilateral),
        )
        return tuple((side, either(patterns)) for side, patterns in named if patterns)

    headers = segmentation.specimen_headers
    return _Words(
        sides=by_side(segmentation.sides),
        statements=by_side(segmentation.side_statements),
        phrases=by_side(segmentation.side_phrases),
        switches=by_side(segmentation.side_switches) if segmentation.side_switches else (),
        mentions=re.compile(segmentation.part_mentions, re.IGNORECASE) if segmentation.part_mentions else None,
        headers=re.compile(
            rf"(?:\A|(?<=\n)|(?<=[.;:]\s))[ \t]{{0,40}}({'|'.join(f'(?:{header})' for header in headers)})",
            re.IGNORECASE,
        )
        if headers
        else None,
        kinds=tuple((kind.key, either(kind.words)) for kind in segmentation.specimen_kinds),
        foreign_kinds=frozenset(kind.key for kind in segmentation.specimen_kinds if kind.excluded),
        organ=either(segmentation.organ_words) if segmentation.organ_words else None,
    )
