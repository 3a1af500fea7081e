"""What a learned tagger sees of a text: its words, their shapes and lists, and which stretches are worth a look.

A stretch is looked at only around a word that reports do not know, and it sees nothing beyond its own ends. So a text whose
findings were replaced by tags has, apart from the stretches that hold a tag, the same stretches as before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from workers.privacy.privacy_rules import PrivacyRules

_TOKEN = re.compile(r"\[[A-Z]+(?: \d{1,4})?\]|[^\W\d_]+|\d+|\n|[^\w\s]|_")
_REACH = 10
_LONGEST = 300
_REMEMBERED = 20_000
_LINE = "\n"
_EDGE = "^", "^", "^"
_AFFIXED = 4
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, sign or line break, and where it stands."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Every token of the text; a tag in brackets is one."""
    return [Token(match.group(), *match.span()) for match in _TOKEN.finditer(text)]


def stretches(tokens: Sequence[Token], rules: PrivacyRules) -> Iterator[Sequence[Token]]:
    """The surroundings of words that reports do not know, without those that hold a tag."""
    first = last = 0
    for index, token in enumerate(tokens):
        if _stands_out(token.text, rules):
            if index - _REACH > last:
                yield from _parts(tokens[first:last])
                first = index - _REACH
            last = index + _REACH + 1
    yield from _parts(tokens[first:last])


def _parts(stretch: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The stretch in pieces of bounded length; nothing of one with a tag."""
    if any(_is_tag(token.text) for token in stretch):
        return
    for start in range(0, len(stretch), _LONGEST):
        yield stretch[start : start + _LONGEST]


def _is_tag(written: str) -> bool:
    return written[0] == "[" and len(written) > 1


def _stands_out(written: str, rules: PrivacyRules) -> bool:
    """True for a tag, for a word that reports do not know, and for one with a capital that a list of names has."""
    if not written[0].isalpha():
        return _is_tag(written)
    key = written.lower()
    if len(key) == 1 or key in rules.never_names:
        return False
    if len(key) == 2:
        return written.istitle() and key in rules.all_names
    return key not in rules.report_words or (written.istitle() and key in rules.all_names)


@dataclass(frozen=True, slots=True)
class _Described:
    """A token's word, shape and lists, and all that is said of it alone."""

    word: str
    shape: str
    lists: str
    own: tuple[str, ...]


_NOWHERE = _Described(*_EDGE, ())


class Features:
    """Describes words by the lists that it is given; who trains a tagger gives shorter ones, so that it learns to do without."""

    def __init__(self, rules: PrivacyRules) -> None:
        words = rules.known_words
        self._lists = (
            ("g", rules.given_names.before_surname),
            ("G", rules.given_names.alone),
            ("p", rules.listed_names),
            ("r", rules.report_words),
            ("c", rules.prose_words),
            ("n", rules.never_names),
            ("t", words.titles),
            ("d", words.particles),
            ("o", words.organisation),
            ("s", words.streets.keys()),
        )
        self._described = lru_cache(maxsize=_REMEMBERED)(self._describe)

    def of(self, stretch: Sequence[Token]) -> list[list[str]]:
        """For each token the strings that describe it and its neighbours; in a stretch of one case, case says nothing."""
        one_case = not any(token.text[0].isupper() for token in stretch) or not any(
            token.text[1:].islower() for token in stretch
        )
        described = [self._described(token.text, one_case) for token in stretch]
        return [_around(described, index) for index in range(len(described))]

    def _describe(self, written: str, one_case: bool) -> _Described:
        if written == _LINE:
            return _Described("NL", "NL", "", ("w=NL",))
        word = written.lower()
        if written[0].isdigit():
            size = min(len(written), _MOST_DIGITS)
            year = "y" if len(written) == 4 and written[:2] in ("19", "20") else ""
            return _Described("0" * size + year, "0" * size, "0", (f"w={'0' * size}{year}", f"z={written[0] == '0'}"))
        if not written[0].isalpha():
            return _Described(word, word, "", (f"w={word}",))
        shape = _shape(written, one_case)
        lists = "".join(letter for letter, words in self._lists if word in words) or "-"
        own = [f"w={word}", f"s={shape}", f"l={lists}", f"sl={shape}{lists}"]
        if len(word) >= _AFFIXED:
            own += [f"p3={word[:3]}", *(f"e{size}={word[-size:]}" for size in (2, 3, 4))]
        if not word.isascii():
            own.append("foreign")
        return _Described(word, shape, lists, tuple(own))


def _around(described: Sequence[_Described], index: int) -> list[str]:
    def at(place: int) -> _Described:
        return described[place] if 0 <= place < len(described) else _NOWHERE

    two_before, before, here, after, two_after = (at(index + step) for step in range(-2, 3))
    return [
        *here.own,
        f"w-1={before.word}", f"w+1={after.word}", f"w-2={two_before.word}", f"w+2={two_after.word}",
        f"w-3={at(index - 3).word}", f"w+3={at(index + 3).word}",
        f"s-1={before.shape}", f"s+1={after.shape}", f"s-2={two_before.shape}", f"s+2={two_after.shape}",
        f"l-1={before.lists}", f"l+1={after.lists}", f"l-2={two_before.lists}", f"l+2={two_after.lists}",
        f"ss={before.shape}|{here.shape}|{after.shape}",
        f"s-={two_before.shape}|{before.shape}|{here.shape}",
        f"s+={here.shape}|{after.shape}|{two_after.shape}",
        f"l-={before.lists}|{here.lists}", f"l+={here.lists}|{after.lists}",
        f"wl-={before.word}|{here.shape}|{here.lists}", f"wl+={here.shape}|{here.lists}|{after.word}",
        f"ww-={two_before.word}|{before.word}", f"ww+={after.word}|{two_after.word}",
    ]  # fmt: skip


def _shape(written: str, one_case: bool) -> str:
    if one_case:
        return "n" if len(written) > 1 else "n1"
    if len(written) == 1:
        return "X" if written.isupper() else "x"
    if written.isupper():
        return "XX"
    return "Xx" if written.istitle() else "xx" if written.islower() else "xX"
