"""The subprocess that reads images by OCR; the image is decoded here too, so that a picture bomb ends only this."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PIL import Image, ImageOps, ImageSequence

from gateway.documents.limited_process import Handler, Header, serve
from gateway.documents.page_layout import pack_runs
from gateway.documents.page_turning import turn_of, turned, turned_back
from gateway.documents.text_lines import join_lines
from schemas.errors import Code, SynopticError

if TYPE_CHECKING:
    from gateway.documents.ocr_engines import EngineName

MAXIMUM_FRAMES = 50
_MAXIMUM_PIXELS = 40_000_000
_LONGEST_SIDE = 2400  # A4 at 200 dpi; more costs memory and reads no better
_FORMATS = ("PNG", "JPEG", "TIFF")


def prepare(arguments: tuple[str, ...]) -> Handler:
    """Load the engine (its name, and its data where it needs any) before the first request: those seconds are its own."""
    from gateway.documents.ocr_engines import load_recognizer  # with numpy, which who only opens images need not have
    from gateway.documents.page_repair import repair

    name, *data = arguments
    recognize = load_recognizer(cast("EngineName", name), Path(data[0]) if data else None)

    def handle(header: Header, image: bytes) -> tuple[Header, bytes]:
        opened, frames = open_frame(image, header["frame"])
        page = repair(opened)
        pieces, confidence = recognize(page.image)
        quarters = turn_of(opened, pieces, lambda turned_page: recognize(turned_page)[0])
        if quarters:
            page = repair(turned(opened, quarters))
            pieces, confidence = recognize(page.image)
        layout = join_lines(pieces, turned_back(page.to_page, quarters))
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


if __name__ == "__main__":
    serve(prepare)
