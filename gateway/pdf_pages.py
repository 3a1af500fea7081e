"""Reads PDFs with pdfium: text page by page from character boxes, and pages as images for OCR.

Runs only in the document process: a file of 0.4 MB can cost pdfium 800 MB, and a cyclic table can cost forever.
"""

import ctypes
import io
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.text_lines import Piece, join_lines
from schemas.errors import Code, SynopticError

MAXIMUM_PAGES = 200
OCR_DOTS_PER_INCH = 200
_MAXIMUM_PIXELS = 20_000_000
_MINIMUM_LETTERS = 20
_MINIMUM_READABLE_SHARE = 0.7
_STAMP_LETTERS = 200
_SCAN_AREA_SHARE = 0.5
_SLANT = 0.1
_PASSWORD_ERROR = 4
_SECURITY_ERROR = 5
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_PRIVATE_USE = range(0xE000, 0xF900)
_REPLACEMENT = 0xFFFD
_BREAK_HYPHEN = 0x0002  # pdfium's mark for a hyphen at the end of a line


def read_pages(data: bytes) -> list[dict[str, Any]]:
    """Each page's text, and whether it stands for the page ("usable") or the page needs OCR."""
    with _opened(data) as document:
        count = len(document)
        if count > MAXIMUM_PAGES:
            raise SynopticError(Code.TOO_MANY_PAGES, f"{count} pages, at most {MAXIMUM_PAGES}")
        return [_read_page(document, number) for number in range(count)]


def render_page(data: bytes, number: int) -> bytes:
    """One page as a PNG for OCR; large pages lose resolution rather than take all memory."""
    with _opened(data) as document:
        return _render(document[number])


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        encrypted = getattr(error, "err_code", None) in (_PASSWORD_ERROR, _SECURITY_ERROR)
        raise SynopticError(Code.ENCRYPTED_PDF if encrypted else Code.MALFORMED_PDF) from None
    try:
        document.init_forms()
        yield document
    except pdfium.PdfiumError:
        raise SynopticError(Code.MALFORMED_PDF) from None
    finally:
        document.close()


def _read_page(document: Any, number: int) -> dict[str, Any]:
    import pypdfium2.raw as raw

    page = document[number]
    try:
        if raw.FPDFPage_Flatten(page.raw, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS:
            page.close()  # what was filled into a form is part of the page now; text is read from a page loaded anew
            page = document[number]
        text = _page_text(page, raw)
        return {"text": text, "usable": _is_usable(text, _largest_image_share(page, raw))}
    finally:
        page.close()


def _page_text(page: Any, raw: Any) -> str:
    """The page's lines as they read in the direction of most of its text; what runs otherwise follows at the end."""
    text_page = page.get_textpage()
    try:
        characters = list(_characters(text_page.raw, raw))
    finally:
        text_page.close()
    turns = Counter(character.turn for character in characters if character.turn is not None and character.text != " ")
    main = max(turns, key=lambda turn: (turns[turn], -turn), default=0)
    lines = join_lines(_pieces(characters, main))
    aside = "".join(character.text for character in characters if character.turn != main).strip()
    return f"{lines}\n\n{aside}" if aside else lines


def _pieces(characters: list["_Character"], main: int) -> Iterator[Piece]:
    """The characters as pieces; a space is only a hint, since many PDFs place each word by itself, without any."""
    spaced = False
    for character in characters:
        if character.text == " ":
            spaced = True
        elif character.turn == main:
            yield Piece(character.text, *_upright(main, *character.box), spaced)
            spaced = False


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    turn: int | None  # quarter turns clockwise; None for slanting text, as a watermark's
    box: tuple[float, float, float, float]


def _characters(text_page: Any, raw: Any) -> Iterator[_Character]:
    box = raw.FS_RECTF()
    turn: int | None = 0
    for index in range(raw.FPDFText_CountChars(text_page)):
        code = raw.FPDFText_GetUnicode(text_page, index)
        if code == _BREAK_HYPHEN:
            code = ord("-")
        if code <= ord(" ") or chr(code).isspace():
            yield _Character(" ", turn, (0, 0, 0, 0))
        elif raw.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box)):
            turn = _quarter_turns(raw.FPDFText_GetCharAngle(text_page, index))
            yield _Character(_as_text(code), turn, (box.left, box.bottom, box.right, box.top))


def _quarter_turns(angle: float) -> int | None:
    turns = angle / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < _SLANT else None


def _as_text(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half of a surrogate pair cannot be encoded
    return chr(code).translate(_LIGATURES)


def _upright(turn: int, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
    """The box as read (left, top, right, bottom; y grows downwards), for text drawn by quarter turns clockwise."""
    if turn == 3:
        return bottom, left, top, right
    if turn == 2:
        return -right, bottom, -left, top
    if turn == 1:
        return -top, -right, -bottom, -left
    return left, -top, right, -bottom


def _is_usable(text: str, image_share: float) -> bool:
    """Whether the text layer stands for the page: readable, and not just the stamp on a scan."""
    characters = [character for character in text if not character.isspace()]
    letters = sum(character.isalnum() for character in characters)
    broken = sum(ord(character) in _PRIVATE_USE or ord(character) == _REPLACEMENT for character in characters)
    if characters and (len(characters) - broken) / len(characters) < _MINIMUM_READABLE_SHARE:
        return False
    if image_share >= _SCAN_AREA_SHARE:
        return letters >= _STAMP_LETTERS
    return letters >= _MINIMUM_LETTERS or image_share == 0


def _largest_image_share(page: Any, raw: Any) -> float:
    """The share of the page that its largest picture covers; a page without text but with drawing counts as one."""
    width, height = page.get_size()
    shares = [0.0]
    for item in page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        left, bottom, right, top = item.get_bounds() if hasattr(item, "get_bounds") else item.get_pos()
        shares.append(abs((right - left) * (top - bottom)) / max(width * height, 1.0))
    return max(shares)


def _render(page: Any) -> bytes:
    width, height = page.get_size()
    scale = OCR_DOTS_PER_INCH / 72
    pixels = max(width * height * scale * scale, 1.0)
    if pixels > _MAXIMUM_PIXELS:
        scale *= (_MAXIMUM_PIXELS / pixels) ** 0.5
    bitmap = page.render(scale=scale, grayscale=True)
    target = io.BytesIO()
    bitmap.to_pil().save(target, format="PNG", compress_level=1)
    return target.getvalue()
