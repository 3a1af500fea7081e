"""Why something is removed: what each layer and rule claims, and which claim a removal goes by."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workers.privacy.privacy_rules import PrivacyRules, Word
from workers.privacy.spans import Span, windows

KNOWN, LISTED, LEARNED, AGAIN = "known", "listed", "learned", "again"
_PATTERN, _CONTEXT = "pattern", "context"
_REACH = 200

_Place = tuple[int | None, int | None]
"""Where a context says that a name starts and ends, as far as it says so."""


class Claim(NamedTuple):
    """A span that must go, its tag, and who says so."""

    start: int
    end: int
    tag: str
    reason: str

    @property
    def span(self) -> Span:
        """Without the reason."""
        return self.start, self.end, self.tag


def pattern_reason(key: str) -> str:
    """The reason of a pattern of the vocabulary."""
    return f"{_PATTERN}:{key}"


def claimed(spans: Sequence[Span], claims: Sequence[Claim]) -> list[Claim]:
    """A claim for each span (sorted, apart): KNOWN where the resource knows any of it, else as most of it is claimed."""
    ordered = sorted(claims)
    decided: list[Claim] = []
    first = 0
    for start, end, tag in spans:
        # Claims are cut and merged into spans, so that one that ends before a span touches no later one.
        while first < len(ordered) and ordered[first].end <= start:
            first += 1
        touching: list[Claim] = []
        for index in range(first, len(ordered)):
            if ordered[index].start >= end:
                break
            if ordered[index].end > start:
                touching.append(ordered[index])
        decided.append(Claim(start, end, tag, max(touching, key=lambda one: _weight(one, start, end)).reason))
    return decided


def _weight(claim: Claim, start: int, end: int) -> tuple[bool, int, int]:
    """Knowing outweighs any rule, then the share of the span; what comes again has a first finder, which tells more."""
    share = min(claim.end, end) - max(claim.start, start)
    return claim.reason == KNOWN, share, (AGAIN, LEARNED, claim.reason).index(claim.reason)


def context_claims(text: str, words: Sequence[Word], spans: Sequence[Span], rules: PrivacyRules) -> list[Claim]:
    """The names that contexts led to, each with its rule: the one that ends, or begins, where the name does."""
    if not spans:
        return []
    starts = [word.start for word in words]
    near: list[Word] = []
    for start, end in windows((span[:2] for span in spans), _REACH, len(text)):
        near += words[bisect_left(starts, start) : bisect_left(starts, end)]
    keys: dict[_Place, str] = {}
    for rule, match in rules.contexts.matches(text, near):
        if rule.shape is not None:
            place: _Place = match.span("value")
        else:
            place = (match.end(), None) if rule.before is not None else (None, match.start())
        keys.setdefault(place, rule.key)
    return [Claim(*span, _reason(keys, *span[:2])) for span in spans]


def _reason(keys: Mapping[_Place, str], start: int, end: int) -> str:
    """The rule that led to the name; contexts alone where it stands farther from its label than is looked."""
    places: tuple[_Place, ...] = ((start, end), (start, None), (None, end))
    return next((f"{_CONTEXT}:{keys[place]}" for place in places if place in keys), _CONTEXT)
