"""Text that nobody sees on a PDF's page is not read: it is left out and said, or the page is read by OCR."""

from collections.abc import Iterator

import pytest
from documents_made import LINES, image_of, pdf_drawn
from fpdf import FPDF
from fpdf.enums import TextMode

from gateway.documents.ocr import OcrPage
from gateway.documents.pdf_pages import read_pages
from gateway.documents.reader import DocumentReader
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings

SEEN = "BT /F 11 Tf 50 700 Td (Left breast, mastectomy: invasive carcinoma) Tj ET "
UNSEEN = {
    "invisible mode": "BT /F 11 Tf 3 Tr 50 600 Td (pT4) Tj ET",
    "white on white": "1 1 1 rg BT /F 11 Tf 50 600 Td (pT4) Tj ET",
    "nearly white on white": "0.98 g BT /F 11 Tf 50 600 Td (pT4) Tj ET",
    "behind a bar": "BT /F 11 Tf 50 600 Td (pT4) Tj ET 0 g 45 595 40 16 re f",
    "behind a low bar": "BT /F 11 Tf 50 600 Td (pT4) Tj ET 0 g 48 596 40 13.5 re f",
    "off the page": "BT /F 11 Tf 50 900 Td (pT4) Tj ET BT /F 11 Tf -300 600 Td (pT4) Tj ET",
    "cut away": "q 0 0 20 20 re W n BT /F 11 Tf 50 600 Td (pT4) Tj ET Q",
    "too small": "BT /F 0.5 Tf 50 600 Td (pT4 and much more) Tj ET",
    "clear as glass": "/G gs BT /F 11 Tf 50 600 Td (pT4) Tj ET",
    "a layer that is off": "/OC /L BDC BT /F 11 Tf 50 600 Td (pT4) Tj ET EMC",
}
RESOURCES = "/ExtGState<</G<</ca 0/CA 0>>>>/Properties<</L 6 0 R>>"
LAYERS = "/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>"


class Engine:
    """Reads the same of every picture."""

    name = "fixed"

    def read(self, image: bytes, frame: int) -> OcrPage:
        """What the scan shows."""
        return OcrPage("Left breast: pT2 as the scan shows it", 0.9, 1)

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    """A reader with that engine."""
    made = DocumentReader(IntakeSettings(), Engine())
    yield made
    made.close()


def drawn(content: str) -> bytes:
    """A page of these operators, with a transparent state G and a layer L that is off."""
    return pdf_drawn(content, LAYERS, RESOURCES)


@pytest.mark.parametrize("unseen", UNSEEN.values(), ids=UNSEEN)
def test_what_nobody_sees_is_left_out(unseen: str) -> None:
    """However it is hidden; what stands beside it is read."""
    (page,) = read_pages(drawn(SEEN + unseen))
    assert (page["text"], page["unseen"]) == ("Left breast, mastectomy: invasive carcinoma", True)
    assert page["usable"]


@pytest.mark.parametrize(
    "seen",
    [
        "0.85 g BT /F 11 Tf 50 600 Td (pT2) Tj ET",
        "1 1 0 rg BT /F 11 Tf 50 600 Td (pT2) Tj ET",
        "0 g 40 590 90 20 re f 1 g BT /F 11 Tf 50 600 Td (pT2) Tj ET",
        "BT /F 5 Tf 50 600 Td (p) Tj 3 0 Td (T) Tj 3 0 Td (2) Tj ET",
        "BT /F 11 Tf 1 Tr 50 600 Td (pT2) Tj ET",
        "q BT /F 11 Tf 7 Tr 50 600 Td (pT2) Tj ET 0 0 600 800 re f Q",
        "BT /F 11 Tf 50 600 Td (pT2) Tj ET 0 g 40 601 60 2 re f",
    ],
)
def test_what_anybody_sees_is_kept(seen: str) -> None:
    """Pale, white on black, small, outlined, a clip that is filled, struck by a rule."""
    (page,) = read_pages(drawn(SEEN + seen))
    assert (page["text"].split("\n")[-1], page["unseen"]) == ("pT2", False)


@pytest.mark.parametrize("sign", [".", "-", "|", "_", ":"])
def test_a_sign_of_one_stroke_is_kept(sign: str) -> None:
    """Its ink fills its own box, and losing a full stop would make 23 cm of 2.3."""
    (page,) = read_pages(drawn(f"BT /F 9 Tf 50 600 Td (2) Tj 30 0 Td ({sign}) Tj 30 0 Td (3 cm) Tj ET"))
    assert page["text"].split() == ["2", sign, "3", "cm"]


@pytest.mark.parametrize("turn", ["0 1 -1 0 300 300", "-1 0 0 -1 300 300", "0 -1 1 0 300 300", ".7 .7 -.7 .7 300 300"])
def test_turned_text_is_seen(turn: str) -> None:
    """On its side, upside down, and slanting."""
    (page,) = read_pages(drawn(f"BT /F 11 Tf {turn} Tm (mastectomy) Tj ET"))
    assert (page["text"], page["unseen"]) == ("mastectomy", False)


def test_a_sign_of_a_font_that_is_not_in_the_file_is_kept() -> None:
    """Pdfium's own fonts cannot draw it, other viewers' can; without it, "at least 20 %" would be "20 %"."""
    signs = "/Encoding<</Type/Encoding/Differences[65/greaterequal/uni2612]>>"
    content = "BT /F 11 Tf 50 600 Td (ki  A  20 %  B  ) Tj ET"
    (page,) = read_pages(pdf_drawn(content).replace(b"/BaseFont/Helvetica>>", f"/BaseFont/Helvetica{signs}>>".encode()))
    assert (page["text"].split(), page["unseen"]) == (["ki", "≥", "20", "%", "☒"], False)


def test_boxes_are_read_as_what_their_font_shows() -> None:
    """Word prints a ticked and an empty box as two letters of Wingdings."""
    content = rb"BT /F 11 Tf 50 600 Td (\376 o x) Tj ET"
    (page,) = read_pages(pdf_drawn(content.decode()).replace(b"/Helvetica", b"/ABCDEF+Wingdings-Regular"))
    assert page["text"] == "☑ ☐ ☒"


def test_a_page_as_long_as_a_scroll_is_read() -> None:
    """Letters are as large there as on any page, however small the whole looks."""
    document = FPDF(unit="pt", format=(600, 14000))
    document.add_page()
    document.set_font("Helvetica", size=10)
    document.text(50, 13900, "invasive carcinoma")
    (page,) = read_pages(bytes(document.output()))
    assert (page["text"], page["unseen"]) == ("invasive carcinoma", False)


def test_it_is_said(reader: DocumentReader) -> None:
    """With the page and without a word."""
    document = reader.read(drawn(SEEN + UNSEEN["white on white"]), "application/pdf")
    assert document.notes == ("text that nobody sees was left out of page 1",)


def test_the_layer_behind_a_scan_is_read_from_the_scan(reader: DocumentReader) -> None:
    """What another program took the picture for may be wrong; the picture is what a person sees."""
    document = FPDF()
    document.add_page()
    document.image(image_of(LINES, height=1000), x=0, y=0, w=210)
    document.set_font("Helvetica", size=11)
    with document.local_context(text_mode=TextMode.INVISIBLE):
        document.multi_cell(0, 6, "Left breast: pT4 as another program misread it. " * 8)
    read = reader.read(bytes(document.output()), "application/pdf")
    assert read.text == "Left breast: pT2 as the scan shows it"
    assert [page.reader for page in read.pages] == ["ocr"]


def test_a_page_with_nothing_but_unseen_text_goes_to_ocr(reader: DocumentReader) -> None:
    """Its print may be drawn by lines, with the words laid invisibly under it; a blank page is not even shown to OCR."""
    read = reader.read(drawn(UNSEEN["invisible mode"] + " 50 500 200 3 re f"), "application/pdf")
    assert [page.reader for page in read.pages] == ["ocr"]
    with pytest.raises(SynopticError) as caught:
        reader.read(drawn(UNSEEN["invisible mode"]), "application/pdf")
    assert caught.value.code is Code.NO_TEXT
