"""Searches a text for many patterns, faster: each is tried only where its first letters stand, with the same matches."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache

import regex

from schemas.patterns import Pattern
from workers.reading.openings import EDGE, LONGEST, PLAIN, WORD, openings

_WORD_START = regex.compile(r"(?<![a-z0_])[a-z0_]")
# Trying one place costs as much as passing over so many.
_PLACES_PASSED = 35


class IndexedText:
    """A text with the places of its letters."""

    def __init__(self, text: str) -> None:
        self.text = text
        plain = text.translate(PLAIN)
        self._anywhere = _Places(plain, range(len(plain)))
        self._words = _Places(plain, (match.start() for match in _WORD_START.finditer(plain)))
        odd = () if text.isascii() else [at for at, sign in enumerate(text) if not sign.isascii()]
        self._odd = {near for at in odd for near in range(max(0, at - LONGEST + 1), at + 1)}
        self._plain = plain
        self._starts: dict[Pattern, list[int] | None] = {}
        self._shared: dict[frozenset[str], list[int]] = {}

    def matches(self, pattern: Pattern, timeout: float, overlapped: bool = False) -> "Iterator[regex.Match[str]]":
        """What `pattern.finditer` gives; raises TimeoutError where a match takes longer than `timeout` seconds."""
        starts = self._starts_of(pattern)
        if starts is None or len(starts) > len(self.text) / _PLACES_PASSED:
            yield from pattern.finditer(self.text, overlapped=overlapped, timeout=timeout)
            return
        last = 0
        for start in starts:
            if start >= last and (match := pattern.match(self.text, start, timeout=timeout)):
                yield match
                last = start + 1 if overlapped else match.end()

    def matches_within(self, pattern: Pattern, start: int, end: int) -> "Iterator[regex.Match[str]]":
        """What `pattern.finditer` gives of `text[start:end]` for itself, where a word that is cut begins anew."""
        starts = self._starts_of(pattern)
        if starts is None:
            yield from pattern.finditer(self.text[start:end])
            return
        places = starts[bisect_left(starts, start) : bisect_left(starts, end)]
        if 0 < start < end and self._plain[start] in WORD and self._plain[start - 1] in WORD:
            places = [start, *places]
        last = start
        stretch = self.text[start:end] if places else ""
        for place in places:
            if place >= last and (match := pattern.match(stretch, place - start)):
                yield match
                last = start + match.end()

    def _starts_of(self, pattern: Pattern) -> list[int] | None:
        """The places, in order, where a match can start; None where the pattern may begin with anything."""
        if pattern not in self._starts:
            found = openings(pattern.pattern)
            if found is not None and found not in self._shared:
                anywhere, words = _parted(found)
                starts = self._odd.union(self._anywhere.of(anywhere), self._words.of(words))
                self._shared[found] = sorted(starts)
            self._starts[pattern] = None if found is None else self._shared[found]
        return self._starts[pattern]


class _Places:
    """Places by the letters that stand there."""

    def __init__(self, plain: str, places: Iterable[int]) -> None:
        self._starts: dict[str, list[int]] = {}
        for at in places:
            self._starts.setdefault(plain[at : at + LONGEST], []).append(at)
        self._longer: dict[str, list[str]] = {}
        for letters in self._starts:
            for length in range(1, min(len(letters) + 1, LONGEST)):
                self._longer.setdefault(letters[:length], []).append(letters)
        self._known = frozenset(self._starts) | frozenset(self._longer)

    def of(self, wanted: frozenset[str]) -> list[int]:
        """The places where one of these openings stands."""
        found: list[int] = []
        for letters in wanted & self._known:
            found += self._starts.get(letters, ())
            for longer in self._longer.get(letters, ()):
                found += self._starts[longer]
        return found


@cache
def _parted(found: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The openings that may stand anywhere, and those that begin a word."""
    words = {opening for opening in found if opening[0] == EDGE and opening[1] in WORD}
    return frozenset(opening.removeprefix(EDGE) for opening in found - words), frozenset(word[1:] for word in words)
