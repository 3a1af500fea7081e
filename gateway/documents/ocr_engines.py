"""The OCR engines that the subprocess loads: each answers an image's words with their boxes, and how sure it is.

All read English. docs/ocr.md has what each costs and how well it reads.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy
from PIL import Image

from gateway.documents.columns import Piece

EngineName = Literal["tesserocr", "rapidocr", "easyocr"]
Recognizer = Callable[[Image.Image], tuple[list[Piece], float | None]]
"""Reads a grey image; the confidence (0 to 1) is the mean over its characters, None where there is none."""

_DOTS_PER_INCH = 200
_DETECTION_SIDE = 1280  # points of the longer side that lines are looked for in; they are read from the page itself
_WORD_INSET = 0.1  # of its height, on either side: Tesseract's boxes of words in narrow print touch each other
_NEVER_PRINTED = "©"  # what Tesseract takes some fonts' crossed 0 for: "©.8 cm"
_INK = 0.125  # of the way from the lightest shade to the darkest
_INK_MARGIN = 30
_WORD = re.compile(r"\S+")

Corners = Sequence[Sequence[float]]
_Line = tuple[Corners, str, float]


def load_recognizer(name: EngineName, data: Path | None) -> Recognizer:
    """Load an engine; `data` is the folder of its language data or weights, where it needs one."""
    match name:
        case "tesserocr":
            return _tesserocr(str(data))
        case "rapidocr":
            return _rapidocr()
        case "easyocr":
            return _easyocr(str(data))


def _tesserocr(tessdata: str) -> Recognizer:
    os.environ["OMP_THREAD_LIMIT"] = "1"  # its threads wait for each other more than they work
    import tesserocr

    interface: Any = tesserocr.PyTessBaseAPI(path=tessdata, lang="eng", psm=tesserocr.PSM.SINGLE_BLOCK)
    interface.SetVariable("tessedit_char_blacklist", _NEVER_PRINTED)

    def recognize(image: Image.Image) -> tuple[list[Piece], float | None]:
        interface.SetImage(image)
        interface.SetSourceResolution(_DOTS_PER_INCH)
        interface.Recognize()
        words: list[Piece] = []
        sure: list[tuple[float, str]] = []
        for word in tesserocr.iterate_level(interface.GetIterator(), tesserocr.RIL.WORD):
            box = word.BoundingBox(tesserocr.RIL.WORD)
            if box is not None:
                text = str(word.GetUTF8Text(tesserocr.RIL.WORD)).strip()
                left, top, right, bottom = box
                inset = _WORD_INSET * (bottom - top)
                words.append(Piece(text, left + inset, top, right - inset, bottom, spaced=True))
                sure.append((word.Confidence(tesserocr.RIL.WORD) / 100, text))
        interface.Clear()
        return words, _mean(sure)

    return recognize


def _rapidocr() -> Recognizer:
    """Without the model that turns lines about, which turns some that stand upright; threads cost more than they save.

    It looks at what is printed of a page alone: a short line by itself is lost to it on an empty sheet.
    """
    from rapidocr import RapidOCR

    engine: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTION_SIDE,
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
    )

    def recognize(image: Image.Image) -> tuple[list[Piece], float | None]:
        place = _printed(image)
        if place is None:
            return [], None
        found = engine(numpy.asarray(image.crop(place).convert("RGB")))
        if found.boxes is None or not len(found.boxes):
            return [], None
        return _read_lines(zip(found.boxes + place[:2], found.txts, found.scores, strict=True))

    return recognize


def _printed(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box of the page that holds all its ink, with a margin; None for a blank page."""
    shades = numpy.asarray(image)
    darkest, lightest = int(shades.min()), int(shades.max())
    is_ink = shades < lightest - _INK * (lightest - darkest)
    down, across = (numpy.flatnonzero(is_ink.any(axis=axis)).tolist() for axis in (1, 0))
    if not down:
        return None
    left, top = max(across[0] - _INK_MARGIN, 0), max(down[0] - _INK_MARGIN, 0)
    return left, top, min(across[-1] + _INK_MARGIN, image.width), min(down[-1] + _INK_MARGIN, image.height)


def _easyocr(weights: str) -> Recognizer:
    import easyocr

    # its own folder of networks is under the home folder, which a service may not have
    reader: Any = easyocr.Reader(
        ["en"],
        gpu=False,
        model_storage_directory=weights,
        user_network_directory=weights,
        download_enabled=False,
        verbose=False,
    )

    def recognize(image: Image.Image) -> tuple[list[Piece], float | None]:
        return _read_lines(reader.readtext(numpy.asarray(image), canvas_size=_DETECTION_SIDE))

    return recognize


def _read_lines(lines: Iterator[_Line] | Sequence[_Line]) -> tuple[list[Piece], float | None]:
    """The words of lines that an engine read as wholes."""
    pieces: list[Piece] = []
    sure: list[tuple[float, str]] = []
    for corners, text, confidence in lines:
        across, down = [float(x) for x, _ in corners], [float(y) for _, y in corners]
        pieces += _words(Piece(text, min(across), min(down), max(across), max(down)))
        sure.append((float(confidence), text))
    return pieces, _mean(sure)


def _words(line: Piece) -> Iterator[Piece]:
    """The words of a line, each with its share of the line's width."""
    width = (line.right - line.left) / max(len(line.text), 1)
    for word in _WORD.finditer(line.text):
        left, right = line.left + word.start() * width, line.left + word.end() * width
        yield Piece(word.group(), left, line.top, right, line.bottom, spaced=word.start() > 0)


def _mean(sure: Sequence[tuple[float, str]]) -> float | None:
    """The mean confidence over characters, so that a speck read as a letter weighs little."""
    characters = sum(len(text) for _, text in sure)
    return round(sum(confidence * len(text) for confidence, text in sure) / characters, 2) if characters else None
