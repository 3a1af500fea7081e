"""Spans of a text that get a tag: cut at their separators, without what must stay, and merged with their neighbours."""

import re
from collections.abc import Iterable, Sequence

from workers.reading.document import merge_spans

Span = tuple[int, int, str]
"""Start, end and tag."""

_MERGEABLE = re.compile(r"[\s,.'’\-]{0,4}")
_SEPARATORS = frozenset(" \t\r\n,.;'’-")
_SEPARATORS_AFTER = _SEPARATORS - {"."}


def trim(text: str, span: Span) -> Span:
    """The span without separators at its ends, which a cut leaves there."""
    start, end, tag = span
    while start < end and text[start] in _SEPARATORS:
        start += 1
    while end > start and text[end - 1] in _SEPARATORS_AFTER:
        end -= 1
    return start, end, tag


def subtract(spans: Iterable[Span], kept: Sequence[tuple[int, int]]) -> list[Span]:
    """The spans without the parts that overlap `kept` (sorted, apart)."""
    left: list[Span] = []
    ordered = sorted(spans)
    first = 0
    for start, end, tag in ordered:
        while first < len(kept) and kept[first][1] <= start:
            first += 1
        at = start
        for index in range(first, len(kept)):
            kept_start, kept_end = kept[index]
            if kept_start >= end:
                break
            if kept_start > at:
                left.append((at, kept_start, tag))
            at = max(at, kept_end)
        if at < end:
            left.append((at, end, tag))
    return left


def merge(text: str, spans: Iterable[Span]) -> list[Span]:
    """Sorted spans apart from each other: overlapping ones become one, and so do neighbours of one class."""
    merged: list[Span] = []
    for start, end, tag in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged:
            last_start, last_end, last_tag = merged[-1]
            beside = tag == last_tag == "NAME" and start >= last_end
            if start < last_end or (beside and _MERGEABLE.fullmatch(text, last_end, start)):
                merged[-1] = (last_start, max(last_end, end), last_tag)
                continue
        merged.append((start, end, tag))
    return merged


def windows(places: Iterable[tuple[int, int]], reach: int, length: int) -> tuple[tuple[int, int], ...]:
    """The surroundings of all places, sorted and apart from each other."""
    around = [(max(0, start - reach), min(length, end + reach)) for start, end in places]
    return merge_spans(around)
