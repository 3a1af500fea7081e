"""OCR engines, each as its library answers: words with boxes, lines cut into words, and one confidence a page."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy
import pytest
from layouts_made import whole_page
from PIL import Image, ImageDraw, ImageFont

from gateway.documents.ocr_engines import load_recognizer
from gateway.documents.text_lines import join_lines

PAGE = Image.new("L", (400, 100), 255)
CORNERS = [[10, 20], [210, 22], [210, 42], [10, 40]]


def test_easyocr_reads_lines_with_its_own_weights_and_never_fetches_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is made for the folder of weights, without downloads; its lines become words with their share."""
    given: dict[str, Any] = {}

    def reader(languages: list[str], **options: Any) -> Any:
        given.update(options, languages=languages)
        return SimpleNamespace(readtext=lambda image, canvas_size: [(CORNERS, "pT2 pN0", 0.9), (CORNERS, "x", 0.1)])

    monkeypatch.setitem(sys.modules, "easyocr", _module("easyocr", Reader=reader))
    pieces, confidence = load_recognizer("easyocr", Path("weights"))(PAGE)
    assert (given["languages"], given["download_enabled"], given["model_storage_directory"]) == (
        ["en"],
        False,
        "weights",
    )
    assert [piece.text for piece in pieces] == ["pT2", "pN0", "x"]
    assert (pieces[0].left, pieces[0].top, pieces[0].bottom, pieces[1].right) == (10, 20, 42, 210)
    assert confidence == 0.8


def _page_with_a_line() -> Image.Image:
    page = Image.new("L", (1654, 2339), 250)
    page.paste(25, (600, 1000, 800, 1020))
    return page


def test_rapidocr_answers_nothing_for_an_empty_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page on which no line is found has no words and no confidence; one without ink is not looked at."""
    empty = SimpleNamespace(boxes=None, txts=None, scores=None)
    looked_at: list[Any] = []

    def find(image: Any) -> Any:
        looked_at.append(image)
        return empty

    monkeypatch.setitem(sys.modules, "rapidocr", _module("rapidocr", RapidOCR=lambda params: find))
    recognize = load_recognizer("rapidocr", None)
    assert recognize(PAGE) == recognize(_page_with_a_line()) == ([], None)
    assert [image.shape for image in looked_at] == [(79, 259, 3)]


def test_rapidocr_looks_at_what_is_printed_and_places_it_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty sheet around a line makes its engine lose the line: the sheet is cut off, and boxes are moved back."""
    corners = numpy.array([[[30, 30], [230, 30], [230, 50], [30, 50]]], dtype=float)
    found = SimpleNamespace(boxes=corners, txts=("pT2 pN0",), scores=(0.9,))
    monkeypatch.setitem(sys.modules, "rapidocr", _module("rapidocr", RapidOCR=lambda params: lambda image: found))
    pieces, _ = load_recognizer("rapidocr", None)(_page_with_a_line())
    assert [piece.text for piece in pieces] == ["pT2", "pN0"]
    assert (pieces[0].left, pieces[0].top, pieces[1].right, pieces[1].bottom) == (600, 1000, 800, 1020)


def test_a_short_line_alone_on_its_page_is_read_by_rapidocr() -> None:
    """As the last line of a report on a page of its own: it was lost."""
    page = Image.new("L", (1654, 2339), 250)
    ImageDraw.Draw(page).text((180, 180), "HER2: negative", font=ImageFont.load_default(28), fill=25)
    pieces, _ = load_recognizer("rapidocr", None)(page)
    assert [piece.text for piece in pieces] == ["HER2:", "negative"]


def test_tesserocr_gives_words_with_boxes_and_weighs_confidence_by_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word has its own box; a word without one is left out; a single letter weighs less than a word."""
    words = [_word("carcinoma", (10, 10, 90, 30), 90.0), _word("i", (95, 10, 99, 30), 10.0), _word("lost", None, 50.0)]
    monkeypatch.setitem(sys.modules, "tesserocr", _tesserocr(words))
    pieces, confidence = load_recognizer("tesserocr", Path("tessdata"))(PAGE)
    assert [(piece.text, piece.left, piece.bottom) for piece in pieces] == [("carcinoma", 12, 30), ("i", 97, 30)]
    assert confidence == 0.82


def test_words_whose_boxes_touch_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """In narrow capitals Tesseract's boxes touch: the words that it told apart keep their space."""
    words = [_word("HYPERPLASIA", (10, 10, 150, 34), 95.0), _word("AND", (150, 10, 190, 34), 95.0)]
    monkeypatch.setitem(sys.modules, "tesserocr", _tesserocr(words))
    pieces, _ = load_recognizer("tesserocr", Path("tessdata"))(PAGE)
    assert join_lines(pieces, whole_page(*PAGE.size)).text == "HYPERPLASIA AND"


def _word(text: str, box: tuple[int, int, int, int] | None, confidence: float) -> Any:
    return SimpleNamespace(
        BoundingBox=lambda level: box, GetUTF8Text=lambda level: text + " ", Confidence=lambda level: confidence
    )


def _tesserocr(words: list[Any]) -> ModuleType:
    interface = SimpleNamespace(
        SetVariable=lambda name, value: None,
        SetImage=lambda image: None,
        SetSourceResolution=lambda dots: None,
        Recognize=lambda: True,
        GetIterator=lambda: None,
        Clear=lambda: None,
    )
    return _module(
        "tesserocr",
        PyTessBaseAPI=lambda **options: interface,
        PSM=SimpleNamespace(SINGLE_BLOCK=6),
        RIL=SimpleNamespace(WORD=3),
        iterate_level=lambda iterator, level: words,
    )


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module
