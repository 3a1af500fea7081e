"""Pieces of text with boxes, as a PDF or an OCR engine would give them."""

from collections.abc import Callable

from gateway.documents.columns import Piece
from gateway.documents.page_layout import THOUSANDTHS, Point

WIDTH, HEIGHT = 600, 800


def whole_page(width: float, height: float) -> Callable[[float, float], Point]:
    """Places points of an upright page of this size, measured from its top left, in thousandths."""
    return lambda x, y: (x / width * THOUSANDTHS, y / height * THOUSANDTHS)


def characters(text: str, left: float, top: float, size: float = 10) -> list[Piece]:
    """One piece a character, none for spaces; letters differ in width."""
    pieces: list[Piece] = []
    spaced = False
    for sign in text:
        width = size * (0.22 if sign in "iljt.,' " else 0.6)
        if sign != " ":
            pieces.append(Piece(sign, left, top, left + width, top + size, spaced))
        spaced = sign == " "
        left += width
    return pieces


def paragraph(lines: list[str] | tuple[str, ...], left: float = 50, top: float = 50) -> list[Piece]:
    """The lines one below the other, 12 units apart."""
    return [piece for row, line in enumerate(lines) for piece in characters(line, left, top + 12 * row)]
