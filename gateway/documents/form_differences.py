"""Tells where two forms of one report say different things: what stands in the same place, and cannot both hold.

Both are aligned by the words that each has once, then again between those. So a difference stands between words that are
the same. It counts where it is short, and each form has another number, side, status, degree, bound or category there, as
"2.3 cm" against "32 mm", or one of them alone a negation, within a line and with none near by in the other. Other words
(`telling_words.txt` has those that count), spelling, layout, labels, dates, and what only one form has are no difference:
a form may be worded anew, or say less. Longer stretches are another order of reading; gateway/documents/form_statements.py compares
what they state.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

TELLING_WORDS_FILE = Path(__file__).with_name("telling_words.txt")

_COMPARED = 400_000  # characters of each form
_LONGEST = 6  # words; a longer stretch is another order of reading
_DIFFERING_SHARE = 0.3  # of the words of a stretch that has no word once, as of pages that say the same again
_NEAR = 8  # words on either side, within which a negation of the other form may stand
_MOST_ROUNDS = 8
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[^\W\d_]{0,6}\.?"
_PASSING = re.compile(
    r"\b\d{1,4}([./-])\d{1,2}\1\d{1,4}\b|\b\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]m\b)?|\b(?:page|seite)\s+\d+(?:\s+(?:of|von)\s+\d+)?"
    r"|\bno\.\s{0,2}(?=[a-z]{0,4}[-/]?\d)"  # "accession no. S24-12"
    rf"|\b\d{{1,2}}\.?[ -]{_MONTH}[ -]\d{{2,4}}\b|\b{_MONTH}\s\d{{1,2}},?\s\d{{4}}\b",
    re.IGNORECASE,
)
_NUMBER = r"\d{1,4}(?:[.,]\d{1,3})?"
_LENGTH = re.compile(rf"(?<![\w.,]){_NUMBER}(?:\s?(?:[x×]|by)\s?{_NUMBER}){{0,2}}\s{{0,2}}-?([cm])m\b")
_PERCENT = re.compile(r"(?<=\d)\s{0,2}(?:percent|per cent|prozent|%)")
_WORD = re.compile(
    r"(^[ \t]*)?((?<!\w)\d\+(?!\w)|[^\W_]+(?:[.,]\d+)*%?|(?<=\w)(?:\+|-(?=[ ,;.)]))|[<>≤≥])", re.MULTILINE
)
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_CATEGORY = re.compile(r"[yprac]{0,2}([tnmg])([0-4x](?!\d).*|is.*)")
_WITHOUT_NOUGHT = re.compile(r"(?<![\w.])\.(?=\d)")  # ".6 cm"
_DIGIT = re.compile(r"\d")
_MARKER_END = re.compile(r"[.)]\s")
_CATEGORIES = "tnmg"
_NEGATION = ("status", "no")
_MICROMETRES = {"c": 10_000, "m": 1_000}

Told = tuple[str, str]  # what a word is about, and what it says of it


class _Word(NamedTuple):
    text: str
    line: int
    says_nothing: bool  # by itself: a label or an item's number
    told: Told | None


@dataclass(frozen=True)
class Comparison:
    """How many places of two texts contradict each other, and whether the first tells all that the second does."""

    contradictions: int
    holds_all: bool


def compare(one: str, other: str) -> Comparison:
    """Compare two forms word by word; neither order nor layout matters, nor which of the two is the first."""
    first, second = _words(min(one, other)), _words(max(one, other))
    places = list(_unequal(first, second))
    told = [(_told(first[begin:end]), _told(second[start:stop])) for begin, end, start, stop in places]
    lacking = any(its - mine if one <= other else mine - its for mine, its in told)
    return Comparison(sum(_contradict(first, second, *place) for place in places), not lacking)


def shared_share(one: str, other: str) -> float:
    """The share of the shorter text's words that the other has as well."""
    first, second = (Counter(word.text for word in _words(text)) for text in (one, other))
    return (first & second).total() / max(min(first.total(), second.total()), 1)


@cache
def _telling_words() -> dict[str, Told]:
    lines = TELLING_WORDS_FILE.read_text(encoding="utf-8").splitlines()
    entries = (line.partition(":") for line in lines if not line.startswith("#"))
    return {word: (about, said) for key, _, words in entries for about, said in [key.split()] for word in words.split()}


def _words(text: str) -> list[_Word]:
    """Words and numbers as they are compared, without dates, times, numbers of pages and the word for a number."""
    plain = _PASSING.sub(" ", unicodedata.normalize("NFKC", text[:_COMPARED])).replace("\xad", "").casefold()
    plain = _PERCENT.sub("%", _LENGTH.sub(_in_micrometres, _WITHOUT_NOUGHT.sub("0.", plain)))
    found: list[_Word] = []
    line, position = 0, 0
    for match in _WORD.finditer(plain):
        line += plain.count("\n", position, match.start(2))
        position = match.start(2)
        begins = match[1] is not None
        is_short = len(match[2]) == 1 or (len(match[2]) == 2 and match[2].isdigit())
        is_marker = begins and is_short and _MARKER_END.match(plain, match.end()) is not None
        says_nothing = is_marker or plain[match.end() : match.end() + 1] == ":"
        word = match[2].replace(",", ".")
        told = _what_it_tells(word)
        found.append(_Word("".join(told) if told else word, line, says_nothing, None if says_nothing else told))
    return found


def _in_micrometres(length: re.Match[str]) -> str:
    """Each number of a length: whole numbers with their unit are one word each."""
    numbers = re.findall(_NUMBER, length[0])
    scale = _MICROMETRES[length[1]]
    return " ".join(f"{int(Decimal(number.replace(',', '.')) * scale)}um" for number in numbers)


def _what_it_tells(word: str) -> Told | None:
    if known := _telling_words().get(word):
        return known
    if _PLAIN_NUMBER.fullmatch(word):
        return "number", format(Decimal(word).normalize(), "f")
    for unit in ("%", "um", "+"):
        if word.endswith(unit) and _PLAIN_NUMBER.fullmatch(word.removesuffix(unit)):
            return unit, format(Decimal(word.removesuffix(unit)).normalize(), "f")
    category = _CATEGORY.fullmatch(word)
    return (category[1], category[2]) if category else None


def _told(words: Sequence[_Word]) -> Counter[Told]:
    return Counter(word.told for word in words if word.told is not None)


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
        else:
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
    if min(begin, start) == 0 or end == len(first) or stop == len(second):
        return False  # a letterhead, or what was added at the end
    one, other = first[begin:end], second[start:stop]
    if len(one) == len(other):
        pairs = [(mine, its) for mine, its in zip(one, other, strict=True) if mine.text != its.text]
        if len(pairs) > max(_LONGEST, _DIFFERING_SHARE * len(one)):
            return False
        one, other = [mine for mine, _ in pairs], [its for _, its in pairs]
    elif max(len(one), len(other)) > _LONGEST:
        return False
    here, there = _told(one) - _told(other), _told(other) - _told(one)
    if any(_exclude(mine, its) for mine in here for its in there):
        return True
    if _NEGATION in there:
        first, begin, end, second, start, stop = second, start, stop, first, begin, end
    return _negates(first, begin, end) and _negations(first, begin, end) > _negations(second, start, stop)


def _exclude(one: Told, other: Told) -> bool:
    """Whether not both can hold; a category may be given more finely in one form than in the other (pT1, pT1c)."""
    (about, said), (about_other, said_other) = one, other
    if about != about_other or said == said_other:
        return False
    return about not in _CATEGORIES or not (said.startswith(said_other) or said_other.startswith(said))


def _negates(words: Sequence[_Word], begin: int, end: int) -> bool:
    """Whether a negation stands at a place, on a line with a word that both forms have."""
    lines = {words[begin - 1].line, words[end].line}
    return any(word.told == _NEGATION and word.line in lines for word in words[begin:end])


def _negations(words: Sequence[_Word], begin: int, end: int) -> int:
    """How often something is negated at a place and near it: "no invasion seen", "invasion: not seen"."""
    return sum(word.told == _NEGATION for word in words[max(begin - _NEAR, 0) : end + _NEAR])
