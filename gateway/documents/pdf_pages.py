"""Reads PDFs with pdfium: text page by page from character boxes, and pages as images for OCR.

Runs only in the document process: a file of 0.4 MB can cost pdfium 800 MB, and a cyclic table can cost forever. Of a file
that was cut, pdfium shows the pages that it finds: a report without its last page looks whole, so its end is looked for.
"""

import ctypes
import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from gateway.documents.columns import Piece
from gateway.documents.page_layout import THOUSANDTHS, PageLayout, Point, Run, append_layouts, pack_runs
from gateway.documents.pdf_characters import Box, Character, read_characters
from gateway.documents.pdf_visibility import LEAST_CONTRAST, unseen_characters
from gateway.documents.text_lines import join_lines
from gateway.documents.text_quality import TextQuality
from schemas.errors import Code, SynopticError

MAXIMUM_PAGES = 200
OCR_DOTS_PER_INCH = 200
_MAXIMUM_PIXELS = 20_000_000
_MINIMUM_LETTERS = 20
STAMP_LETTERS = 200
"""Fewer on a scan are no text layer: an entry's stamp, a fax's header."""
_SCAN_AREA_SHARE = 0.5
_MOST_PICTURES = 50
_PASSWORD_ERROR = 4
_SECURITY_ERROR = 5
_END, _END_WINDOW = b"%%EOF", 4096  # bytes that may follow a file's end; viewers allow for 1,024


def read_pages(data: bytes) -> list[dict[str, Any]]:
    """Each page's text, and whether it stands for the page ("usable") or the page needs OCR; SYN-132 for a cut file."""
    with _opened(data) as document:
        if _END not in data[-_END_WINDOW:]:
            raise SynopticError(Code.CUT_DOCUMENT, "PDF without its end")
        count = len(document)
        if count > MAXIMUM_PAGES:
            raise SynopticError(Code.TOO_MANY_PAGES, f"{count} pages, at most {MAXIMUM_PAGES}")
        return [_read_page(document, number) for number in range(count)]


def render_page(data: bytes, number: int) -> tuple[bytes, bool]:
    """One page as a PNG for OCR, and whether it is blank; large pages lose resolution rather than take all memory."""
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
        to_page = _to_page(page, raw)
        characters, unseen = _seen_characters(page, raw, to_page)
        layout = _page_layout(characters, to_page)
        usable = _is_usable(layout.text, characters, page, unseen)
        return {"text": layout.text, "layout": pack_runs(layout.runs), "usable": usable, "unseen": unseen}
    finally:
        page.close()


def _seen_characters(page: Any, raw: Any, to_page: Callable[[float, float], Point]) -> tuple[list[Character], bool]:
    """The page's characters without those that nobody sees, and whether there were any of these."""
    text_page = page.get_textpage()
    try:
        drawn = list(read_characters(text_page.raw, raw))
        unseen = unseen_characters(page, text_page.raw, drawn, to_page)
    finally:
        text_page.close()
    return [character for character in drawn if character.number not in unseen], bool(unseen)


def _page_layout(characters: list[Character], to_page: Callable[[float, float], Point]) -> PageLayout:
    """The page's lines as they read in the direction of most of its text; what runs otherwise follows at the end."""
    counts = Counter(character.turn for character in characters if character.text != " ")
    turns = sorted((turn for turn in counts if turn is not None), key=lambda turn: (-counts[turn], turn))
    layouts = [join_lines(_pieces(characters, turn), _turned(turn, to_page)) for turn in turns]
    slanting = [character for character in characters if character.turn is None]
    return append_layouts([*layouts, _in_file_order(slanting, to_page)])


def _to_page(page: Any, raw: Any) -> Callable[[float, float], Point]:
    """Leads from the file's points to thousandths of the page as it is shown: cropped and turned."""
    left, top = _place(page, raw, 0, 0)
    (right_x, right_y), (foot_x, foot_y) = _place(page, raw, THOUSANDTHS, 0), _place(page, raw, 0, THOUSANDTHS)
    width, fall, slant, height = right_x - left, right_y - top, foot_x - left, foot_y - top
    share = THOUSANDTHS / ((width * height - fall * slant) or 1.0)
    return lambda x, y: (
        ((x - left) * height - (y - top) * slant) * share,
        ((y - top) * width - (x - left) * fall) * share,
    )


def _place(page: Any, raw: Any, across: int, down: int) -> Point:
    """A point of the page as it is shown, in thousandths, in the file's points."""
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDF_DeviceToPage(page.raw, 0, 0, THOUSANDTHS, THOUSANDTHS, 0, across, down, x, y)
    return x.value, y.value


def _pieces(characters: list[Character], turn: int) -> Iterator[Piece]:
    """The characters of one direction; a space is only a hint, since many PDFs place each word by itself, without any."""
    spaced = False
    for character in characters:
        if character.text == " ":
            spaced = True
        elif character.turn == turn:
            yield Piece(character.text, *_upright(turn, *character.box), spaced)
            spaced = False


def _in_file_order(characters: list[Character], to_page: Callable[[float, float], Point]) -> PageLayout:
    """Text that slants, as a watermark does, as the file has it: its words with the boxes around them."""
    parts: list[str] = []
    runs: list[Run] = []
    length = 0
    for is_space, group in groupby(characters, key=lambda character: character.text == " "):
        word = list(group)
        text = "".join(character.text for character in word)
        if not is_space:
            lefts, bottoms, rights, tops = zip(*(character.box for character in word), strict=True)
            corners = to_page(min(lefts), max(tops)), to_page(max(rights), min(bottoms))
            runs.append(Run.between(length, length + len(text), *corners))
        elif length:
            text = " "
        parts.append(text)
        length += len(text)
    return PageLayout("".join(parts).rstrip(), tuple(runs))


def _upright(turn: int, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
    """The box as read (left, top, right, bottom; y grows downwards), for text drawn by quarter turns clockwise."""
    if turn == 3:
        return bottom, left, top, right
    if turn == 2:
        return -right, bottom, -left, top
    if turn == 1:
        return -top, -right, -bottom, -left
    return left, -top, right, -bottom


def _turned(turn: int, to_page: Callable[[float, float], Point]) -> Callable[[float, float], Point]:
    """Leads from the points of a box as read (`_upright`) to the page."""
    match turn:
        case 3:
            return lambda x, y: to_page(y, x)
        case 2:
            return lambda x, y: to_page(-x, y)
        case 1:
            return lambda x, y: to_page(-y, -x)
        case _:
            return lambda x, y: to_page(x, -y)


def _is_usable(text: str, characters: list[Character], page: Any, unseen: bool) -> bool:
    """Whether the text layer stands for the page: readable, and not just the stamp on a scan or the letterhead above it."""
    if not TextQuality.of(text).is_readable:
        return False
    width, height = page.get_size()
    pictures = sorted(_pictures(page), key=_area)
    if sum(map(_area, pictures)) >= _SCAN_AREA_SHARE * width * height:  # a scan may be cut into strips
        return _letters_on(pictures[-_MOST_PICTURES:], characters) >= STAMP_LETTERS
    letters = sum(character.isalnum() for character in text)
    return letters >= _MINIMUM_LETTERS or not (pictures or unseen)


def _pictures(page: Any) -> Iterator[Box]:
    import pypdfium2.raw as raw

    for item in page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        yield item.get_bounds()


def _area(box: Box) -> float:
    left, bottom, right, top = box
    return abs((right - left) * (top - bottom))


def _letters_on(pictures: list[Box], characters: list[Character]) -> int:
    """How many letters stand on the pictures, as they do before a picture that is the page's background."""
    return sum(
        any(left <= one.box[0] <= right and bottom <= one.box[1] <= top for left, bottom, right, top in pictures)
        for one in characters
        if one.text.isalnum()
    )


def _render(page: Any) -> tuple[bytes, bool]:
    width, height = page.get_size()
    scale = OCR_DOTS_PER_INCH / 72
    pixels = max(width * height * scale * scale, 1.0)
    if pixels > _MAXIMUM_PIXELS:
        scale *= (_MAXIMUM_PIXELS / pixels) ** 0.5
    picture = page.render(scale=scale, grayscale=True).to_pil()
    darkest, lightest = picture.getextrema()
    target = io.BytesIO()
    picture.save(target, format="PNG", compress_level=1)
    return target.getvalue(), lightest - darkest < LEAST_CONTRAST
