"""Finds the order in which the parts of a page are read: columns of prose one after the other, everything else line by line.

A gutter is a vertical strip that many lines in a row leave free, with lines of prose on both sides of it. A table of
labels and values has such a strip as well, but its labels are short or differ in length: its rows stay lines.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

_SAME_LINE_SHARE = 0.5
_GUTTER_SHARE = 0.8  # of a letter's height, at least, between two columns
_MINIMUM_LINES = 3  # of each column, and so many of both together:
_MINIMUM_OF_BOTH = 10
_PROSE_FILL = 0.72  # the median width of a column's lines, against the widest
_PROSE_CHARACTERS = 20
_LABELS_SHARE = 0.3  # of a column's lines may end in a colon
_CANDIDATES = 12


class Piece(NamedTuple):
    """A character or a run of text with its box; `top` < `bottom`, as on screen; `spaced`: the source had a space."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    spaced: bool = False

    @property
    def height(self) -> float:
        """The box's height, never zero."""
        return max(self.bottom - self.top, 0.1)


@dataclass(slots=True)
class Line:
    """Pieces that share a height."""

    top: float
    bottom: float
    pieces: list[Piece]


def group_lines(pieces: Iterable[Piece]) -> list[Line]:
    """The pieces as lines from top to bottom, each over the whole width."""
    lines: list[Line] = []
    for piece in sorted(pieces, key=lambda item: ((item.top + item.bottom) / 2, item.left)):
        for line in reversed(lines[-3:]):
            shared = min(piece.bottom, line.bottom) - max(piece.top, line.top)
            if shared > _SAME_LINE_SHARE * min(piece.height, line.bottom - line.top):
                line.pieces.append(piece)
                break
        else:
            lines.append(Line(piece.top, piece.bottom, [piece]))
    return sorted(lines, key=lambda line: line.top)


def reading_order(pieces: Iterable[Piece]) -> Iterator[list[Line]]:
    """The pieces in blocks of lines, in the order in which they are read."""
    grouped = group_lines(pieces)
    lines = [_Stretches.of(line.pieces) for line in grouped]
    gutter = _widest_gutter(lines)
    if gutter is None:
        yield grouped
        return
    above, band, below = lines[: gutter.first], lines[gutter.first : gutter.last], lines[gutter.last :]
    yield from reading_order([piece for line in above for piece in line.pieces])
    yield from reading_order([piece for line in band for piece in line.pieces if piece.left < gutter.x])
    yield from reading_order([piece for line in band for piece in line.pieces if piece.left >= gutter.x])
    yield from reading_order([piece for line in below for piece in line.pieces])


@dataclass(frozen=True, slots=True)
class _Stretches:
    """A line's pieces from left to right, and where its stretches without a gap begin and end."""

    pieces: list[Piece]
    starts: list[float]
    ends: list[float]

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "_Stretches":
        ordered = sorted(pieces, key=lambda piece: piece.left)
        starts, ends = [ordered[0].left], [ordered[0].right]
        for piece in ordered[1:]:
            if piece.left - ends[-1] > _GUTTER_SHARE * piece.height:
                starts.append(piece.left)
                ends.append(piece.right)
            else:
                ends[-1] = max(ends[-1], piece.right)
        return cls(ordered, starts, ends)

    def leaves_free(self, x: float) -> bool:
        """True where no stretch crosses x."""
        return all(end <= x or start >= x for start, end in zip(self.starts, self.ends, strict=True))


@dataclass(frozen=True, slots=True)
class _Gutter:
    x: float
    first: int
    last: int
    weight: int


def _widest_gutter(lines: Sequence[_Stretches]) -> _Gutter | None:
    """The gutter with the most text beside it: its place, and the lines from `first` to before `last` that it parts."""
    found: list[_Gutter] = []
    for x in _candidates(lines):
        first = 0
        for last in range(len(lines) + 1):
            if last < len(lines) and lines[last].leaves_free(x):
                continue
            if last - first >= _MINIMUM_LINES:
                band = lines[first:last]
                left = [[piece for piece in line.pieces if piece.left < x] for line in band]
                right = [[piece for piece in line.pieces if piece.left >= x] for line in band]
                enough = sum(map(bool, left)) + sum(map(bool, right)) >= _MINIMUM_OF_BOTH
                if enough and _is_prose(left) and _is_prose(right):
                    found.append(_Gutter(x, first, last, min(sum(map(len, left)), sum(map(len, right)))))
            first = last + 1
    return max(found, key=lambda gutter: gutter.weight, default=None)


def _candidates(lines: Sequence[_Stretches]) -> list[float]:
    """Places just left of where many stretches begin, as those of a column do."""
    starts: Counter[int] = Counter()
    for line in lines:
        starts.update({round(start) for start in line.starts})
    height = median(piece.height for line in lines for piece in line.pieces) if lines else 0.0
    aligned = Counter({x: starts[x - 1] + starts[x] + starts[x + 1] for x in starts})
    return [x - _GUTTER_SHARE * height / 2 for x, count in aligned.most_common(_CANDIDATES) if count >= _MINIMUM_LINES]


def _is_prose(column: Sequence[Sequence[Piece]]) -> bool:
    """True where the column's lines are many, long, about as wide as each other, and no labels."""
    lines = [line for line in column if line]
    if len(lines) < _MINIMUM_LINES:
        return False
    widths = [max(piece.right for piece in line) - line[0].left for line in lines]
    characters = median(sum(len(piece.text) for piece in line) for line in lines)
    labels = sum(line[-1].text.endswith(":") for line in lines)
    return (
        median(widths) >= _PROSE_FILL * max(widths)
        and characters >= _PROSE_CHARACTERS
        and labels <= _LABELS_SHARE * len(lines)
    )
