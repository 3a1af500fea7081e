"""The characters of a PDF's page as pdfium has them: each with its letters, its direction and its box."""

import ctypes
import math
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.documents.format_characters import FORMAT_CHARACTERS
from gateway.documents.hyphenation import SOFT_HYPHEN
from gateway.documents.symbol_fonts import symbols_of

_SLANT = 0.1
_LONGEST_NAME = 64
_LIGATURES = range(0xFB00, 0xFB07)
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_INVISIBLE = frozenset(FORMAT_CHARACTERS) - {SOFT_HYPHEN}  # which was drawn as a hyphen
_BREAK_HYPHEN = 0x0002  # pdfium's mark for a hyphen at the end of a line

Box = tuple[float, float, float, float]


class Character(NamedTuple):
    """A character of the page: its number there, its letters (a space for any blank), and the box of its line's height.

    `turn` counts quarter turns clockwise, None for slanting text, as a watermark's. The box is left, bottom, right, top, in
    the page's points.
    """

    number: int
    text: str
    turn: int | None
    box: Box


def read_characters(text_page: Any, raw: Any) -> Iterator[Character]:
    """The characters in the order of the file."""
    box = raw.FS_RECTF()
    turn: int | None = 0
    for number in range(raw.FPDFText_CountChars(text_page)):
        code = raw.FPDFText_GetUnicode(text_page, number)
        if code == _BREAK_HYPHEN:
            code = ord("-")
        text = (symbols_of(_font(text_page, raw, number)) or {}).get(code) or _as_text(code)
        if text == " ":
            yield Character(number, " ", turn, (0, 0, 0, 0))
        elif text and raw.FPDFText_GetLooseCharBox(text_page, number, ctypes.byref(box)):
            turn = _quarter_turns(raw.FPDFText_GetCharAngle(text_page, number))
            yield Character(number, text, turn, (box.left, box.bottom, box.right, box.top))


def _font(text_page: Any, raw: Any, number: int) -> str:
    """The name of the font that a character is drawn in; empty for a blank that pdfium added."""
    name, flags = ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_int()
    found = raw.FPDFText_GetFontInfo(text_page, number, name, _LONGEST_NAME, flags)
    return name.value.decode("latin-1") if found else ""


@lru_cache(maxsize=64)
def _quarter_turns(angle: float) -> int | None:
    turns = angle / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < _SLANT else None


@lru_cache(maxsize=1024)
def _as_text(code: int) -> str:
    """A sign as its letters: ligatures and full-width forms spelled out, blanks as a space, what nobody sees as nothing."""
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half of a surrogate pair cannot be encoded
    sign = chr(code)
    if code <= ord(" ") or sign.isspace():
        return " "
    if sign in _INVISIBLE:
        return ""
    return unicodedata.normalize("NFKC", sign) if code in _LIGATURES or code in _FULL_WIDTH else sign
