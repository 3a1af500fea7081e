"""Slices a report around anchors: windows of whole lines, the most telling anchors first, in reading order."""

import re
from collections.abc import Sequence
from functools import cache

from workers.reading.document import Span, merge_spans

_LINE_END = re.compile(r"\n+|(?<=[\w)\]%\"]{2}\.)[ \t]+(?=\S)")
_JOINT = "\n"


def slice_report(text: str, spans: Sequence[Span], anchors: Sequence[str], lines: int, limit: int | None = None) -> str:
    """The lines of `spans` that lie within `lines` lines of an anchor, joined in reading order.

    `anchors` are regular expressions by priority. Where `limit` (characters) cannot hold every window, those of earlier
    anchors stay. Without any anchor in the text, the first lines stand for it. Text that lost its line breaks has a
    line for each sentence.
    """
    pieces = [piece for start, end in merge_spans(list(spans)) for piece in _lines(text, start, end)]
    ranked = _rank_lines(text, pieces, tuple(anchors), lines)
    chosen: set[int] = set()
    length = 0
    for index in ranked or range(len(pieces)):
        start, end = pieces[index]
        length += end - start + len(_JOINT)
        if limit is not None and length - len(_JOINT) > limit:
            break
        chosen.add(index)
    return _JOINT.join(text[start:end] for start, end in (pieces[index] for index in sorted(chosen)))


def _lines(text: str, start: int, end: int) -> list[Span]:
    """The stretch cut at line breaks and after full stops, without the white space between."""
    pieces: list[Span] = []
    position = start
    for match in _LINE_END.finditer(text, start, end):
        pieces.append((position, match.start()))
        position = match.end()
    pieces.append((position, end))
    return [piece for piece in (_trimmed(text, *piece) for piece in pieces) if piece[0] < piece[1]]


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _rank_lines(text: str, pieces: Sequence[Span], anchors: tuple[str, ...], lines: int) -> list[int]:
    """Line numbers, best first: lines that hold the first anchor, their neighbours, then the next anchor's."""
    ranked: dict[int, None] = {}
    for pattern in _compiled(anchors):
        hits = [index for index, (start, end) in enumerate(pieces) if pattern.search(text, start, end)]
        for distance in range(lines + 1):
            reached = (near for hit in hits for near in ((hit,) if not distance else (hit - distance, hit + distance)))
            ranked.update(dict.fromkeys(near for near in reached if 0 <= near < len(pieces)))
    return list(ranked)


@cache
def _compiled(anchors: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(anchor, re.IGNORECASE) for anchor in anchors)
