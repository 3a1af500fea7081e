"""Optical character recognition behind one small interface: tesserocr where its data is found, else rapidocr.

An engine lives in a subprocess of its own with seconds and memory limits: loading one costs seconds, so it stays.
"""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.limited_process import LimitedProcess
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings

_TESSDATA_FOLDERS = ("/usr/share/tesseract-ocr/*/tessdata", "/usr/share/tessdata", "/usr/local/share/tessdata")
_LANGUAGE_FILE = "eng.traineddata"


@dataclass(frozen=True, repr=False)
class OcrPage:
    """One page read by OCR; `confidence` is the mean over its words, `frames` how many pages the image has.

    `layout`: where its words stand, packed (gateway/page_layout.py).
    """

    text: str
    confidence: float | None
    frames: int
    layout: tuple[int, ...] = ()


class OcrEngine(Protocol):
    """Reads one page of an image."""

    name: str

    def read(self, image: bytes, frame: int) -> OcrPage:
        """The text of the frame (0-based); raises a numbered reject for a bad image or a passed limit."""
        ...

    def close(self) -> None:
        """End the engine; a later read starts it again."""
        ...


class ProcessEngine:
    """An engine in a limited subprocess."""

    def __init__(self, name: str, settings: IntakeSettings, tessdata: Path | None = None) -> None:
        self.name = name
        arguments = (name, str(tessdata)) if tessdata else (name,)
        self._process = LimitedProcess("gateway.ocr_process", settings.ocr_seconds, settings.ocr_memory_mib, arguments)

    def read(self, image: bytes, frame: int) -> OcrPage:
        """The text of one frame."""
        answer, text = self._process.request({"frame": frame}, image)
        return OcrPage(text.decode(), answer["confidence"], answer["frames"], tuple(answer["layout"]))

    def close(self) -> None:
        """End the subprocess."""
        self._process.close()


def find_tessdata() -> Path | None:
    """The first folder that holds English tesseract data: TESSDATA_PREFIX, then the usual places."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    candidates = [Path(prefix), Path(prefix) / "tessdata"] if prefix else []
    for pattern in _TESSDATA_FOLDERS:
        candidates.extend(sorted(Path("/").glob(pattern.lstrip("/")), reverse=True))
    return next((folder for folder in candidates if (folder / _LANGUAGE_FILE).is_file()), None)


def find_engine(settings: IntakeSettings) -> OcrEngine:
    """The engine that the settings ask for and the machine has; raises SYN-123 where there is none."""
    wanted = settings.ocr_engine
    tessdata = find_tessdata()
    if wanted in ("auto", "tesserocr") and tessdata and importlib.util.find_spec("tesserocr"):
        return ProcessEngine("tesserocr", settings, tessdata)
    if wanted in ("auto", "rapidocr") and importlib.util.find_spec("rapidocr"):
        return ProcessEngine("rapidocr", settings)
    raise SynopticError(Code.OCR_UNAVAILABLE, f"intake.ocr_engine is {wanted}")
