"""OCR engines, each as its library answers: words with boxes, lines cut into words, and one confidence a page."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from gateway.ocr_engines import load_recognizer

PAGE = Image.new("L", (400, 100), 255)
CORNERS = [[10, 20], [210, 22], [210, 42], [10, 40]]


def test_easyocr_reads_lines_with_its_own_weights_and_never_fetches_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is made for the folder of weights, without downloads; its lines become words with their share."""
    given: dict[str, Any] = {}

    def reader(languages: list[str], **options: Any) -> Any:
        given.update(options, languages=languages)
        return SimpleNamespace(readtext=lambda image, batch_size: [(CORNERS, "pT2 pN0", 0.9), (CORNERS, "x", 0.1)])

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


def test_rapidocr_answers_nothing_for_an_empty_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page on which no line is found has no words and no confidence."""
    empty = SimpleNamespace(boxes=None, txts=None, scores=None)
    monkeypatch.setitem(sys.modules, "rapidocr", _module("rapidocr", RapidOCR=lambda params: lambda image: empty))
    assert load_recognizer("rapidocr", None)(PAGE) == ([], None)


def test_tesserocr_gives_words_with_boxes_and_weighs_confidence_by_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word has its own box; a word without one is left out; a single letter weighs less than a word."""
    words = [_word("carcinoma", (10, 10, 90, 30), 90.0), _word("i", (95, 10, 99, 30), 10.0), _word("lost", None, 50.0)]
    interface = SimpleNamespace(
        SetImage=lambda image: None,
        SetSourceResolution=lambda dots: None,
        Recognize=lambda: True,
        GetIterator=lambda: None,
        Clear=lambda: None,
    )
    library = _module(
        "tesserocr",
        PyTessBaseAPI=lambda **options: interface,
        PSM=SimpleNamespace(SINGLE_BLOCK=6),
        RIL=SimpleNamespace(WORD=3),
        iterate_level=lambda iterator, level: words,
    )
    monkeypatch.setitem(sys.modules, "tesserocr", library)
    pieces, confidence = load_recognizer("tesserocr", Path("tessdata"))(PAGE)
    assert [(piece.text, piece.left, piece.bottom) for piece in pieces] == [("carcinoma", 10, 30), ("i", 95, 30)]
    assert confidence == 0.82


def _word(text: str, box: tuple[int, int, int, int] | None, confidence: float) -> Any:
    return SimpleNamespace(
        BoundingBox=lambda level: box, GetUTF8Text=lambda level: text + " ", Confidence=lambda level: confidence
    )


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module
