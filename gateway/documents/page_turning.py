"""Finds how a page lies that was scanned on its side or upside down, by reading it in every direction.

A page that reads well as it came costs nothing. Any other is read three times more, turned and at half its size, and lies
as it gives far the most known words; so neither a poor page nor one in another language is turned by chance. A word counts
only where its box is wider than high: some engines read lines on their side, but in no order.
"""

import re
from collections.abc import Callable, Iterable

from PIL import Image

from gateway.documents.columns import Piece
from gateway.documents.common_words import common_words
from gateway.documents.page_layout import THOUSANDTHS, Point

QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
"""The turns that are tried, counter-clockwise, the first by 90 degrees."""

_WORD = re.compile(r"[^\W\d_]{4,}")
_LEGIBLE_SHARE = 0.3  # of the longer words; upright pages of reports have 0.5 and more
_FEWEST_WORDS = 3
_TIMES_MORE = 2

ToPage = Callable[[float, float], Point]


def turn_of(image: Image.Image, read: Iterable[Piece], recognize: Callable[[Image.Image], Iterable[Piece]]) -> int:
    """By how many quarter turns counter-clockwise the page must be turned to be read; `read`: what it reads as it is."""
    upright, words = _known_words(read)
    if upright >= _FEWEST_WORDS and upright >= _LEGIBLE_SHARE * words:
        return 0
    small = image.resize((max(image.width // 2, 1), max(image.height // 2, 1)), Image.Resampling.BOX)
    found = {turn: _known_words(recognize(turned(small, turn)))[0] for turn in range(1, len(QUARTERS) + 1)}
    best = max(found, key=lambda turn: found[turn])
    return best if found[best] >= _FEWEST_WORDS + _TIMES_MORE * upright else 0


def turned(image: Image.Image, quarters: int) -> Image.Image:
    """The page so many quarter turns counter-clockwise."""
    return image.transpose(QUARTERS[quarters - 1]) if quarters else image


def turned_back(to_page: ToPage, quarters: int) -> ToPage:
    """Leads to the page as it came, in thousandths, from what leads to the turned one."""

    def as_it_came(x: float, y: float) -> Point:
        across, down = to_page(x, y)
        for _ in range(quarters):
            across, down = THOUSANDTHS - down, across
        return across, down

    return as_it_came


def _known_words(pieces: Iterable[Piece]) -> tuple[int, int]:
    """How many of the longer words are known and stand upright, and how many words there are."""
    known = words = 0
    for piece in pieces:
        for word in _WORD.findall(piece.text.lower()):
            words += 1
            known += word in common_words() and piece.right - piece.left > piece.bottom - piece.top
    return known, words
