"""The subprocess that reads images by OCR; the image is decoded here too, so that a picture bomb ends only this."""

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image, ImageFilter, ImageOps, ImageSequence

from gateway.columns import Piece
from gateway.limited_process import Handler, Header, serve
from gateway.page_layout import pack_runs
from gateway.text_lines import join_lines, whole_page
from schemas.errors import Code, SynopticError

MAXIMUM_FRAMES = 50
_MAXIMUM_PIXELS = 40_000_000
_LONGEST_SIDE = 2400  # A4 at 200 dpi; more costs memory and reads no better
_FORMATS = ("PNG", "JPEG", "TIFF")
_SINGLE_BLOCK = 6  # tesseract's page segmentation for one block of text; the default loses table rows

_WORD = re.compile(r"\S+")

Recognizer = Callable[[Image.Image], tuple[list[Piece], float | None]]


def prepare(arguments: tuple[str, ...]) -> Handler:
    """Load the engine before the first request, so that its seconds are the page's own."""
    recognize = _tesserocr(arguments[1]) if arguments[0] == "tesserocr" else _rapidocr()

    def handle(header: Header, data: bytes) -> tuple[Header, bytes]:
        image, frames = open_frame(data, header["frame"])
        pieces, confidence = recognize(image)
        layout = join_lines(pieces, whole_page(*image.size))
        answer = {"confidence": confidence, "frames": frames, "layout": pack_runs(layout.runs)}
        return answer, layout.text.encode()

    return handle


def open_frame(data: bytes, frame: int) -> tuple[Image.Image, int]:
    """One frame as grey on white, upright and of bounded size, and how many frames there are."""
    Image.MAX_IMAGE_PIXELS = None  # checked below, with a number of our own
    try:
        source = Image.open(io.BytesIO(data), formats=_FORMATS)
        frames = getattr(source, "n_frames", 1)
        if frames > MAXIMUM_FRAMES:
            raise SynopticError(Code.TOO_MANY_PAGES, f"{frames} pages, at most {MAXIMUM_FRAMES}")
        selected = ImageSequence.Iterator(source)[frame]
        if selected.width * selected.height > _MAXIMUM_PIXELS:
            raise SynopticError(Code.DOCUMENT_LIMIT, f"more than {_MAXIMUM_PIXELS} pixels")
        image = _flatten(ImageOps.exif_transpose(selected))
    except (OSError, ValueError, SyntaxError, IndexError, EOFError):
        raise SynopticError(Code.BAD_IMAGE) from None
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return image, frames


def frame_as_png(data: bytes, frame: int) -> bytes:
    """One frame as it is read, for a person to look at."""
    target = io.BytesIO()
    open_frame(data, frame)[0].save(target, format="PNG", compress_level=1)
    return target.getvalue()


def _flatten(image: Image.Image) -> Image.Image:
    """Grey on white: transparent paper would turn black otherwise."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("L")
    return image.convert("L")


def _rapidocr() -> Recognizer:
    import numpy
    from rapidocr import RapidOCR

    engine: Any = RapidOCR(params={"Global.log_level": "critical"})

    def recognize(image: Image.Image) -> tuple[list[Piece], float | None]:
        found = engine(numpy.asarray(image.convert("RGB")))
        if found.boxes is None or not len(found.boxes):
            return [], None
        pieces: list[Piece] = []
        for box, text in zip(found.boxes, found.txts, strict=True):
            horizontal, vertical = [float(x) for x, _ in box], [float(y) for _, y in box]
            pieces += _words(Piece(text, min(horizontal), min(vertical), max(horizontal), max(vertical)))
        return pieces, round(float(sum(found.scores)) / len(found.scores), 2)

    return recognize


def _words(line: Piece) -> Iterator[Piece]:
    """The words of a line that was read as a whole, each with its share of the line's width."""
    width = (line.right - line.left) / max(len(line.text), 1)
    for word in _WORD.finditer(line.text):
        left, right = line.left + word.start() * width, line.left + word.end() * width
        yield Piece(word.group(), left, line.top, right, line.bottom, spaced=word.start() > 0)


def _tesserocr(tessdata: str) -> Recognizer:
    import tesserocr

    interface: Any = tesserocr.PyTessBaseAPI(path=tessdata, lang="eng", psm=_SINGLE_BLOCK)

    def recognize(image: Image.Image) -> tuple[list[Piece], float | None]:
        interface.SetImage(image.filter(ImageFilter.MedianFilter(3)))  # takes the specks of a scan away
        interface.Recognize()
        pieces: list[Piece] = []
        for word in tesserocr.iterate_level(interface.GetIterator(), tesserocr.RIL.WORD):
            if word.BoundingBox(tesserocr.RIL.WORD) is not None:
                left, top, right, bottom = word.BoundingBox(tesserocr.RIL.WORD)
                text = str(word.GetUTF8Text(tesserocr.RIL.WORD)).strip()
                pieces.append(Piece(text, left, top, right, bottom, spaced=True))
        return pieces, round(interface.MeanTextConf() / 100, 2)

    return recognize


if __name__ == "__main__":
    serve(prepare)
