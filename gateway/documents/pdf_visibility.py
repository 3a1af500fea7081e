"""Tells which text of a PDF's page nobody sees: it is in the file, and must not be read into a report.

The page is rendered, and a word counts as seen where its place is not of one colour. So white text on white, text behind a
black bar, off the page, cut away by a clip or in a layer that is switched off is unseen, and so is what is smaller than
any print. Text in the invisible mode is unseen wherever it stands: over a scan it is what another program took the picture
for, and the picture itself can be read. Where only part of a word shows, all of it is kept, and so is a sign that pdfium
cannot draw, since its font is not in the file and its own fonts lack it ("≥", "☒"): other viewers show it.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from gateway.documents.page_layout import THOUSANDTHS, Point
from gateway.documents.pdf_characters import Box, Character

LEAST_CONTRAST = 12
"""Of 255, between ink and what is around it."""

_SHORTEST_SIDE = 1000  # points of the rendered page, 120 an inch of A4; of a page as long as a scroll too
_MOST_POINTS = 16_000_000
_LEAST_HEIGHT = 2.0  # of the rendered points: less than half a millimetre of A4
_MIDDLE = 0.3  # of a line's height, above and below which most letters have ink
_NO_INK = 0.005  # of a character's box; pdfium gives a sign that it cannot draw a thousandth
_FORM_DEPTH = 4


def unseen_characters(
    page: Any, text_page: Any, characters: Sequence[Character], to_page: Callable[[float, float], Point]
) -> frozenset[int]:
    """The numbers of the characters that nobody sees; `to_page` leads from their points to thousandths of the page."""
    if not characters:
        return frozenset()
    unpainted = set(_unpainted(page, text_page, characters))
    look = _Look(page, to_page)
    unseen = set(unpainted)
    for is_blank, group in groupby(characters, key=lambda character: character.text == " "):
        word = [character for character in group if character.number not in unpainted]
        if not is_blank and word and not look.shows(word, text_page):
            unseen.update(character.number for character in word)
    return frozenset(unseen)


def _unpainted(page: Any, text_page: Any, characters: Sequence[Character]) -> Iterator[int]:
    """The characters of text objects in the invisible mode."""
    import pypdfium2.raw as raw

    texts = page.get_objects(filter=(raw.FPDF_PAGEOBJ_TEXT,), max_depth=_FORM_DEPTH)
    invisible = {
        ctypes.addressof(text.raw.contents)
        for text in texts
        if raw.FPDFTextObj_GetTextRenderMode(text.raw) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
    }
    for character in characters if invisible else ():
        drawn_by = raw.FPDFText_GetTextObject(text_page, character.number)
        if drawn_by and ctypes.addressof(drawn_by.contents) in invisible:
            yield character.number


class _Look:
    """A page as it looks."""

    def __init__(self, page: Any, to_page: Callable[[float, float], Point]) -> None:
        width, height = (max(side, 1.0) for side in page.get_size())
        self._scale = min(_SHORTEST_SIDE / min(width, height), (_MOST_POINTS / (width * height)) ** 0.5)
        self._picture = page.render(scale=self._scale).to_pil()
        self._shades = self._picture.convert("L").tobytes()
        self._to_page = to_page

    def shows(self, word: Sequence[Character], text_page: Any) -> bool:
        """Whether the word is of a size that is printed, and anything differs in colour where it stands.

        The middle of its line tells of most words; a bar may be lower than the line, so the ink has the last word.
        """
        left, bottom, right, top = _around([character.box for character in word])
        first = word[0].box
        if max(first[2] - first[0], first[3] - first[1]) * self._scale < _LEAST_HEIGHT:
            return False
        across, down = (0.0, _MIDDLE * (top - bottom)) if word[0].turn in (0, 2) else (_MIDDLE * (right - left), 0.0)
        if self._differs((left + across, bottom + down, right - across, top - down), margin=0):
            return True
        inks = [_ink(text_page, character) for character in word]
        drawn = [ink for ink in inks if ink is not None]
        return len(drawn) < len(word) or self._differs(_around(drawn), margin=1)

    def _differs(self, box: Box, margin: int) -> bool:
        """Whether the place has more than one colour, so many rendered points around it included."""
        corners = self._to_page(box[0], box[3]), self._to_page(box[2], box[1])
        across = sorted(x * self._picture.width / THOUSANDTHS for x, _ in corners)
        down = sorted(y * self._picture.height / THOUSANDTHS for _, y in corners)
        left, right = max(int(across[0]) - margin, 0), min(int(across[1]) + 1 + margin, self._picture.width)
        top, bottom = max(int(down[0]) - margin, 0), min(int(down[1]) + 1 + margin, self._picture.height)
        if left >= right or top >= bottom:  # off the page
            return False
        middle = (top + bottom) // 2 * self._picture.width  # which alone tells of most words, and far sooner
        shades = self._shades[middle + left : middle + right]
        if max(shades) - min(shades) >= LEAST_CONTRAST:
            return True
        extremes = self._picture.crop((left, top, right, bottom)).getextrema()
        return any(most - least >= LEAST_CONTRAST for least, most in extremes)


def _around(boxes: Sequence[Box]) -> Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _ink(text_page: Any, character: Character) -> Box | None:
    """The box around a character's ink, or of its line's height where the font does not say; None for a missing font's."""
    import pypdfium2.raw as raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    found = raw.FPDFText_GetCharBox(text_page, character.number, left, right, bottom, top)
    least = _NO_INK * max(character.box[2] - character.box[0], character.box[3] - character.box[1])
    if found and right.value - left.value > least and top.value - bottom.value > least:
        return left.value, bottom.value, right.value, top.value
    drawn_by = raw.FPDFText_GetTextObject(text_page, character.number)
    font = raw.FPDFTextObj_GetFont(drawn_by) if drawn_by else None
    return None if font and not raw.FPDFFont_GetIsEmbedded(font) else character.box
