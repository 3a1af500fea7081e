"""Tells where two forms of one report say different things: the words and numbers that stand in the same place and differ.

Both are aligned by the words that each has once, then again between those. What only one of them has is no difference: a
letterhead, labels repeated in a table, a page's header. So a difference stands between words that are the same, is short,
and is neither a label, a date or time, an item's number nor an abbreviation of what the other has. A word or two that only
one has count too where they stand on a line with others ("no residual carcinoma"). Longer stretches in another order are
columns, and no difference.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

_COMPARED = 400_000  # characters of each form
_LONGEST = 6  # words; a longer stretch is another order of reading
_DIFFERING_SHARE = 0.3  # of the words of a stretch that has no word once, as of pages that say the same again
_LONGEST_INSERTION = 2
_MOST_ROUNDS = 8
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[^\W\d_]{0,6}\.?"
_PASSING = re.compile(
    r"\b\d{1,4}([./-])\d{1,2}\1\d{1,4}\b|\b\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]m\b)?|\b(?:page|seite)\s+\d+(?:\s+(?:of|von)\s+\d+)?"
    rf"|\b\d{{1,2}}\.?[ -]{_MONTH}[ -]\d{{2,4}}\b|\b{_MONTH}\s\d{{1,2}},?\s\d{{4}}\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"(^[ \t]*)?([^\W_]+(?:[.,]\d+)*|(?<=\w)(?:\+|-(?=[ ,;.)]))|[<>≤≥])", re.MULTILINE)
_WITHOUT_NOUGHT = re.compile(r"(?<![\w.])\.(?=\d)")  # ".6 cm"
_DIGIT = re.compile(r"\d")
_MARKER_END = re.compile(r"[.)]\s")


class _Word(NamedTuple):
    text: str
    line: int
    says_nothing: bool  # by itself: a label or an item's number


def contradictions(one: str, other: str) -> int:
    """How many places of the two texts say different things; neither order nor layout matters."""
    first, second = _words(one), _words(other)
    return sum(_contradict(first, second, *place) for place in _unequal(first, second))


def shared_share(one: str, other: str) -> float:
    """The share of the shorter text's words that the other has as well."""
    first, second = (Counter(word.text for word in _words(text)) for text in (one, other))
    return (first & second).total() / max(min(first.total(), second.total()), 1)


def _words(text: str) -> list[_Word]:
    """Words and numbers as they are compared, without dates, times and numbers of pages."""
    plain = _PASSING.sub(" ", unicodedata.normalize("NFKC", text[:_COMPARED])).replace("\xad", "").casefold()
    plain = _WITHOUT_NOUGHT.sub("0.", plain)
    found: list[_Word] = []
    line, position = 0, 0
    for match in _WORD.finditer(plain):
        line += plain.count("\n", position, match.start(2))
        position = match.start(2)
        begins = match[1] is not None
        is_marker = begins and len(match[2]) <= 2 and _MARKER_END.match(plain, match.end()) is not None
        found.append(_Word(match[2].replace(",", "."), line, is_marker or plain[match.end() : match.end() + 1] == ":"))
    return found


def _unequal(first: Sequence[_Word], second: Sequence[_Word]) -> Iterator[tuple[int, int, int, int]]:
    """The places (begin and end in the one, begin and end in the other) between words that are the same in both."""
    to_do = [(0, len(first), 0, len(second), 0)]
    while to_do:
        begin, end, start, stop, rounds = to_do.pop()
        while begin < end and start < stop and first[begin].text == second[start].text:
            begin, start = begin + 1, start + 1
        while begin < end and start < stop and first[end - 1].text == second[stop - 1].text:
            end, stop = end - 1, stop - 1
        pairs = list(_same(first, second, range(begin, end), range(start, stop))) if rounds < _MOST_ROUNDS else []
        labels = [(at, place) for at, place in pairs if first[at].says_nothing and second[place].says_nothing]
        if pairs := labels or pairs:
            at = [(begin - 1, start - 1), *_in_one_order(pairs), (end, stop)]
            to_do += ((a + 1, c, b + 1, d, rounds + 1) for (a, b), (c, d) in pairwise(at))
        elif min(begin, start) > 0 and end < len(first) and stop < len(second):
            yield begin, end, start, stop


def _same(first: Sequence[_Word], second: Sequence[_Word], here: range, there: range) -> Iterator[tuple[int, int]]:
    """Places of words that each has once, as a label or beside another that is the same; a number may have moved."""
    counts, others = (Counter(words[at].text for at in places) for words, places in ((first, here), (second, there)))
    places = {second[at].text: at for at in there if others[second[at].text] == 1}
    for at in here:
        text = first[at].text
        place = places.get(text) if counts[text] == 1 and not _DIGIT.search(text) else None
        if place is not None and (
            (first[at].says_nothing and second[place].says_nothing)
            or _text(first, at - 1) == _text(second, place - 1)
            or _text(first, at + 1) == _text(second, place + 1)
        ):
            yield at, place


def _text(words: Sequence[_Word], at: int) -> str:
    return words[at].text if 0 <= at < len(words) else ""


def _in_one_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most of the pairs that come in the same order in both texts."""
    ends: list[int] = []  # of the longest run of each length, its last place
    tops: list[int] = []
    before: list[int | None] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        ends[length : length + 1], tops[length : length + 1] = [place], [number]
        before.append(tops[length - 1] if length else None)
    chosen: list[tuple[int, int]] = []
    at: int | None = tops[-1] if tops else None
    while at is not None:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]


def _contradict(first: Sequence[_Word], second: Sequence[_Word], begin: int, end: int, start: int, stop: int) -> bool:
    one, other = first[begin:end], second[start:stop]
    if not one or not other:
        return _is_within_line(first, begin, end) or _is_within_line(second, start, stop)
    if _joined(one) == _joined(other):
        return False
    if len(one) == len(other):
        pairs = [(mine, its) for mine, its in zip(one, other, strict=True) if mine.text != its.text]
        if len(pairs) > max(_LONGEST, _DIFFERING_SHARE * len(one)):
            return False
        one, other = [mine for mine, _ in pairs], [its for _, its in pairs]
    elif max(len(one), len(other)) > _LONGEST:
        return False
    else:
        common = {word.text for word in one} & {word.text for word in other}
        one, other = ([word for word in words if word.text not in common] for words in (one, other))
    here, there = ([word.text for word in words if not word.says_nothing] for words in (one, other))
    return bool(here and there) and not _abbreviate(here, there)


def _is_within_line(words: Sequence[_Word], begin: int, end: int) -> bool:
    """Whether a few words that the other form lacks stand on a line with others, each of them a word of its own."""
    inserted = words[begin:end]
    return (
        0 < len(inserted) <= _LONGEST_INSERTION
        and (words[begin - 1].line == inserted[0].line or words[end].line == inserted[-1].line)
        and all(len(word.text) > 1 and word.text.isalpha() and not word.says_nothing for word in inserted)
    )


def _joined(words: Sequence[_Word]) -> str:
    """The letters, wherever a line or a hyphen broke a word."""
    return "".join(word.text for word in words)


def _abbreviate(here: Sequence[str], there: Sequence[str]) -> bool:
    """Whether each word begins one of the other form, or the other way round, as "neg" does "negative"; never numbers."""
    pairs = list(zip(here, there, strict=False))
    return len(here) == len(there) and all(
        one.isalpha() and other.isalpha() and (one.startswith(other) or other.startswith(one)) for one, other in pairs
    )
