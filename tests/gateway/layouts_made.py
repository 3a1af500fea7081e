"""Pieces of text with boxes, as a PDF or an OCR engine would give them."""

from gateway.documents.columns import Piece

WIDTH, HEIGHT = 600, 800


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
