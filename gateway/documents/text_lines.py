"""Rebuilds lines from pieces of text with boxes, whatever order the PDF or the OCR engine gave them in.

Pieces that share a height belong to one line; a gap wider than a space becomes one space, a column's gap two, and a
gap of a whole line's height between lines becomes a blank line. Columns of prose are read one after the other
(gateway/documents/columns.py). A word broken by a hyphen at a line's end becomes one word, on the line where it began.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.documents.columns import Line, Piece, reading_order
from gateway.documents.hyphenation import SOFT_HYPHEN, hyphen_between
from gateway.documents.page_layout import PageLayout, Point, Run

_SPACE_SHARE = 0.17
_STATED_SPACE_SHARE = 0.05
_COLUMN_SHARE = 1.2
_BLANK_LINE_SHARE = 0.9
_DOUBLE_STRIKE_SHARE = 0.5  # of a character's width: the second of a narrow pair (ll, tt) stands a whole width off
_TOLERANCE_SHARE = 0.3  # of a line's height, about half a letter: what evidence drawn on the page may be off
_WORD_AT_END = re.compile(r"[^\W\d_]+[-\u2010\u00ad]$")
_WORD_AT_START = re.compile(r"[^\W\d_]+")
_LONGEST_WORD = 40

Token = tuple[str, Piece | None]  # a piece's text, or a space between pieces
_COLUMN_GAP: Token = ("  ", None)


def join_lines(pieces: Iterable[Piece], to_page: Callable[[float, float], Point]) -> PageLayout:
    """The text of a page, line by line, and where it stands; `to_page` leads from the pieces' points to thousandths."""
    written = _Written(to_page)
    previous: Line | None = None
    for block in reading_order(pieces):
        lines = [(line, list(_tokens(line.pieces))) for line in block]
        for index, (line, tokens) in enumerate(lines):
            if index + 1 < len(lines):
                _mend(tokens, lines[index + 1][1])
            if tokens:
                written.line(_break_between(previous, line), tokens)
                previous = line
    return PageLayout("".join(written.parts), tuple(written.runs))


def _break_between(previous: Line | None, line: Line) -> str:
    if previous is None:
        return ""
    gap = line.top - previous.bottom
    blank = gap > _BLANK_LINE_SHARE * min(line.bottom - line.top, previous.bottom - previous.top)
    return "\n\n" if blank else "\n"


def _tokens(pieces: Sequence[Piece]) -> Iterator[Token]:
    """The line's pieces from left to right, with the spaces between them."""
    previous: Piece | None = None
    for piece in sorted(pieces, key=lambda item: item.left):
        if previous is not None:
            height = min(piece.height, previous.height)
            if piece.text == previous.text and piece.left - previous.left < _DOUBLE_STRIKE_SHARE * (
                piece.right - piece.left
            ):
                continue  # bold print made by striking the same character twice
            gap = piece.left - previous.right
            if gap > _COLUMN_SHARE * height:
                yield _COLUMN_GAP
            elif gap > (_STATED_SPACE_SHARE if piece.spaced else _SPACE_SHARE) * height:
                yield " ", None
        yield piece.text, piece
        previous = piece


def _mend(tokens: list[Token], following: list[Token]) -> None:
    """Join a word that a hyphen breaks over two lines, on the first of them: the second loses its first word to it.

    Rows of a table stay as they are: the line below begins in another cell.
    """
    if _COLUMN_GAP in tokens and _COLUMN_GAP in following:
        return
    ending = _WORD_AT_END.search("".join(text for text, _ in tokens[-_LONGEST_WORD:]))
    moved = next((at for at, (_, piece) in enumerate(following) if piece is None), len(following))
    beginning = _WORD_AT_START.match("".join(text for text, _ in following[:moved]))
    if ending is None or beginning is None:
        return
    hyphen = hyphen_between(ending[0][:-1], ending[0][-1], beginning[0])
    if hyphen is None:
        return
    if not hyphen:
        _drop_last_character(tokens)
    tokens += following[:moved]
    del following[: moved + 1]


def _drop_last_character(tokens: list[Token]) -> None:
    text, piece = tokens.pop()
    if len(text) > 1:
        tokens.append((text[:-1], piece))


@dataclass
class _Stretch:
    """A run in the making: its pieces stand where a straight line through its characters expects them."""

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float
    least: float = 0.0  # bounds of the width a character may have, so that all borders stay within the tolerance
    most: float = float("inf")

    def takes(self, start: int, end: int, piece: Piece) -> bool:
        """Add a piece, `start` to `end` of the text, where the straight line still holds."""
        tolerance = _TOLERANCE_SHARE * piece.height
        shared = min(piece.bottom, self.bottom) - max(piece.top, self.top)
        least, most = self.least, self.most
        for at, x in ((self.end, self.right), (start, piece.left)):
            least = max(least, (x - self.left - tolerance) / (at - self.start))
            most = min(most, (x - self.left + tolerance) / (at - self.start))
        if shared <= 0 or not least <= (piece.right - self.left) / (end - self.start) <= most:
            return False
        self.end, self.right, self.least, self.most = end, max(piece.right, self.right), least, most
        self.top, self.bottom = min(self.top, piece.top), max(self.bottom, piece.bottom)
        return True


class _Written:
    """The text so far, with its runs."""

    def __init__(self, to_page: Callable[[float, float], Point]) -> None:
        self.parts: list[str] = []
        self.runs: list[Run] = []
        self._to_page = to_page
        self._length = 0

    def line(self, line_break: str, tokens: Sequence[Token]) -> None:
        """Add a line."""
        self._text(line_break)
        stretch: _Stretch | None = None
        for text, piece in tokens:
            end = self._length + len(text)
            if piece is not None and not (stretch is not None and stretch.takes(self._length, end, piece)):
                self._close(stretch)
                stretch = _Stretch(self._length, end, piece.left, piece.top, piece.right, piece.bottom)
            self._text(text)
        self._close(stretch)

    def _text(self, text: str) -> None:
        self.parts.append(text.replace(SOFT_HYPHEN, "-"))  # one that breaks no line was drawn as a hyphen
        self._length += len(text)

    def _close(self, stretch: _Stretch | None) -> None:
        if stretch is None:
            return
        beginning = self._to_page(stretch.left, stretch.top)
        ending = self._to_page(stretch.right, stretch.bottom)
        self.runs.append(Run.between(stretch.start, stretch.end, beginning, ending))
