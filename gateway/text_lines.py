"""Rebuilds lines from pieces of text with boxes, whatever order the PDF or the OCR engine gave them in.

Pieces that share a height belong to one line; a gap wider than a space becomes one space, a column's gap two, and a
gap of a whole line's height between lines becomes a blank line.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_SPACE_SHARE = 0.17
_STATED_SPACE_SHARE = 0.05
_COLUMN_SHARE = 1.2
_BLANK_LINE_SHARE = 0.9
_SAME_LINE_SHARE = 0.5
_DOUBLE_STRIKE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Piece:
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
class _Line:
    top: float
    bottom: float
    pieces: list[Piece]


def join_lines(pieces: Iterable[Piece]) -> str:
    """The text of a page, line by line."""
    lines = _group(pieces)
    parts: list[str] = []
    previous: _Line | None = None
    for line in lines:
        if previous is not None:
            gap = line.top - previous.bottom
            blank = gap > _BLANK_LINE_SHARE * min(line.bottom - line.top, previous.bottom - previous.top)
            parts.append("\n\n" if blank else "\n")
        parts.append(_join(line.pieces))
        previous = line
    return "".join(parts)


def _group(pieces: Iterable[Piece]) -> list[_Line]:
    lines: list[_Line] = []
    for piece in sorted(pieces, key=lambda item: ((item.top + item.bottom) / 2, item.left)):
        for line in reversed(lines[-3:]):
            shared = min(piece.bottom, line.bottom) - max(piece.top, line.top)
            if shared > _SAME_LINE_SHARE * min(piece.height, line.bottom - line.top):
                line.pieces.append(piece)
                break
        else:
            lines.append(_Line(piece.top, piece.bottom, [piece]))
    return sorted(lines, key=lambda line: line.top)


def _join(pieces: list[Piece]) -> str:
    parts: list[str] = []
    previous: Piece | None = None
    for piece in sorted(pieces, key=lambda item: item.left):
        if previous is not None:
            height = min(piece.height, previous.height)
            if piece.text == previous.text and piece.left - previous.left < _DOUBLE_STRIKE_SHARE * height:
                continue  # bold print made by striking the same character twice
            gap = piece.left - previous.right
            if gap > _COLUMN_SHARE * height:
                parts.append("  ")
            elif gap > (_STATED_SPACE_SHARE if piece.spaced else _SPACE_SHARE) * height:
                parts.append(" ")
        parts.append(piece.text)
        previous = piece
    return "".join(parts)
