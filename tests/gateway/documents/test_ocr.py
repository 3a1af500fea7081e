"""OCR: which engine is taken, and that a scan ends as text with its reader and confidence."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents_made import LINES, image_of, pdf_of_scan
from fpdf import FPDF
from PIL import Image

from gateway.documents.ocr import OcrPage, find_engine, find_tessdata
from gateway.documents.ocr_process import open_frame
from gateway.documents.reader import DocumentReader
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings


class SpokenEngine:
    """An engine that answers what it is told, and notes what it was shown."""

    name = "spoken"

    def __init__(self, *pages: str) -> None:
        self.pages = pages
        self.shown: list[tuple[bytes, int]] = []

    def read(self, image: bytes, frame: int) -> OcrPage:
        """The next page."""
        self.shown.append((image[:8], frame))
        return OcrPage(self.pages[frame], 0.9, len(self.pages))

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    """A reader with the engine whose weights are in its package, so that every machine reads the same."""
    made = DocumentReader(IntakeSettings(ocr_engine="rapidocr"))
    yield made
    made.close()


@pytest.mark.slow
def test_scanned_page_after_a_digital_one_is_read_by_ocr(reader: DocumentReader) -> None:
    """A mixed PDF is read page by page, each by its own reader, and no space between words is lost."""
    document = reader.read(pdf_of_scan(LINES, first_page=("Page one has a text layer of its own.",)), "application/pdf")
    assert [span.reader for span in document.pages] == ["digital", "ocr"]
    scanned = document.text[document.pages[1].start : document.pages[1].end]
    assert scanned.split("\n") == list(LINES)
    assert document.pages[1].confidence is not None
    assert document.pages[1].confidence > 0.8


LETTERHEAD = "University Hospital, Department of Pathology, Example Street 12, Exampletown; Director: a professor. " * 3


@pytest.mark.parametrize(
    ("strips", "width", "scan", "reader"),
    [
        (1, 200, "Invasive carcinoma of the left breast. " * 12, "ocr"),
        (8, 200, "Invasive carcinoma of the left breast. " * 12, "ocr"),
        (1, 200, LETTERHEAD + "Fig. 1", "digital"),
        (1, 100, "Invasive carcinoma of the left breast. " * 12, "digital"),
    ],
    ids=["below a letterhead", "in strips", "tissue", "small"],
)
def test_a_scan_below_a_letterhead_is_read(strips: int, width: int, scan: str, reader: str) -> None:
    """However long the letterhead, and into however many strips the scan is cut; a picture of tissue changes nothing."""
    document = FPDF()
    document.set_auto_page_break(False)
    document.add_page()
    document.set_font("Helvetica", size=8)
    document.multi_cell(0, 4, LETTERHEAD)
    for strip in range(strips):
        document.image(Image.new("L", (200, 200), 99), x=5, y=60 + 200 / strips * strip, w=width, h=200 / strips)
    read = DocumentReader(IntakeSettings(), SpokenEngine(scan)).read(bytes(document.output()), "application/pdf")
    assert [page.reader for page in read.pages] == [reader]


def test_frames_of_an_image_are_pages() -> None:
    """A fax of two frames gives two pages, in order."""
    engine = SpokenEngine("First page", "Second page")
    document = DocumentReader(IntakeSettings(), engine).read(image_of(LINES, "TIFF"), "image/tiff")
    assert document.text == "First page\n\nSecond page"
    assert [(span.page, span.reader, span.confidence) for span in document.pages] == [(1, "ocr", 0.9), (2, "ocr", 0.9)]
    assert [frame for _, frame in engine.shown] == [0, 1]


@pytest.mark.parametrize(
    ("engine", "least", "doubtful"),
    [("spoken", 0.85, False), ("spoken", 0.95, True), ("spoken", None, False), ("rapidocr", None, True), ("rapidocr", 0.9, False)],
)  # fmt: skip
def test_a_page_read_with_less_confidence_than_asked_is_doubtful(
    engine: str, least: float | None, doubtful: bool
) -> None:
    """The page says so itself; where nothing is asked for, each engine has a bound of its own."""
    spoken = SpokenEngine("Breast, left.")
    spoken.name = engine
    reader = DocumentReader(IntakeSettings(ocr_least_confidence=least), spoken)
    (page,) = reader.read(image_of(LINES), "image/png").pages
    reader.close()
    assert page.doubtful is doubtful


def test_scan_reaches_the_engine_as_a_picture() -> None:
    """A page without a text layer is rendered, not handed over as PDF."""
    engine = SpokenEngine("a page")
    reader = DocumentReader(IntakeSettings(), engine)
    assert reader.read(pdf_of_scan(LINES), "application/pdf").text == "a page"
    assert engine.shown == [(b"\x89PNG\r\n\x1a\n", 0)]
    reader.close()


def test_picture_bomb_is_refused_by_its_size_alone() -> None:
    """Twenty kilobytes that unfold to 100 million pixels are refused before they are unfolded."""
    target = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(target, format="PNG")
    assert len(target.getvalue()) < 200_000
    with pytest.raises(SynopticError) as caught:
        open_frame(target.getvalue(), 0)
    assert caught.value.code is Code.DOCUMENT_LIMIT


def test_transparent_paper_is_white() -> None:
    """Black letters on transparent paper stay readable."""
    target = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(target, format="PNG")
    image, frames = open_frame(target.getvalue(), 0)
    assert (image.getextrema(), frames) == ((255, 255), 1)


def test_tessdata_is_found_by_its_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TESSDATA_PREFIX may name the folder or its parent; without English data it does not count."""
    folder = tmp_path / "tessdata"
    folder.mkdir()
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert find_tessdata() != folder
    (folder / "eng.traineddata").touch()
    assert find_tessdata() == folder


def test_engine_choice_follows_the_measured_error_and_obeys_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine with the fewest errors that is installed, and another one where it is asked for."""
    (tmp_path / "eng.traineddata").touch()
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert find_engine(IntakeSettings()).name == "rapidocr"
    assert find_engine(IntakeSettings(ocr_engine="tesserocr")).name == "tesserocr"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rapidocr" else name)
    assert find_engine(IntakeSettings()).name == "tesserocr"


def test_easyocr_without_its_weights_is_refused_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EasyOCR would fetch its weights from the network: it counts only where both files lie in its folder."""
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "craft_mlt_25k.pth").touch()
    with pytest.raises(SynopticError) as caught:
        find_engine(IntakeSettings(ocr_engine="easyocr"))
    assert caught.value.code is Code.OCR_UNAVAILABLE
    assert "english_g2.pth" in caught.value.one_line()
    assert "docs/ocr.md" in caught.value.one_line()
    (tmp_path / "model" / "english_g2.pth").touch()
    assert find_engine(IntakeSettings(ocr_engine="easyocr")).name == "easyocr"


def test_missing_engine_is_a_reject_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine a scan is rejected by number, and the gateway goes on."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SynopticError) as caught:
        find_engine(IntakeSettings())
    assert caught.value.code is Code.OCR_UNAVAILABLE
    assert "rapidocr is not installed, tesserocr is not installed" in caught.value.one_line()
    assert "extra `ocr`" in caught.value.one_line()
