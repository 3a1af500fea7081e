"""Optical character recognition behind one small interface: rapidocr, tesserocr or EasyOCR, whichever is there.

docs/ocr.md says why in this order. An engine lives in a subprocess of its own with seconds and memory limits: loading one costs seconds, so it stays.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.documents.limited_process import LimitedProcess
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings

_TESSDATA_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
)
_LANGUAGE_FILES = ("eng.traineddata",)
_WEIGHT_FILES = ("craft_mlt_25k.pth", "english_g2.pth")
ORDER = ("rapidocr", "tesserocr", "easyocr")
"""The engines, by their measured error of characters: docs/ocr.md has it, and their seconds."""

USUAL_LEAST_CONFIDENCE = 0.85
LEAST_CONFIDENCE = {"rapidocr": 0.98}
"""Pages read with less than their engine's had two wrong characters of a hundred, and more (docs/ocr.md)."""


@dataclass(frozen=True, repr=False)
class OcrPage:
    """One page read by OCR; `confidence` is the mean over its words, `frames` how many pages the image has.

    `layout`: where its words stand, packed (gateway/documents/page_layout.py).
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

    def __init__(self, name: str, settings: IntakeSettings, data: Path | None = None) -> None:
        self.name = name
        arguments = (name, str(data)) if data else (name,)
        self._process = LimitedProcess(
            "gateway.documents.ocr_process", settings.ocr_seconds, settings.ocr_memory_mib, arguments
        )

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
    return _first_with(_LANGUAGE_FILES, candidates)


def find_weights() -> Path | None:
    """The folder that holds EasyOCR's English weights: below EASYOCR_MODULE_PATH, else below ~/.EasyOCR."""
    root = os.environ.get("EASYOCR_MODULE_PATH")
    return _first_with(_WEIGHT_FILES, [(Path(root) if root else Path.home() / ".EasyOCR") / "model"])


def _first_with(files: Sequence[str], folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in folders if all((folder / file).is_file() for file in files)), None)


def find_engine(settings: IntakeSettings) -> OcrEngine:
    """The engine that the settings ask for and the machine has; SYN-123 says what is missing where there is none."""
    wanted = settings.ocr_engine
    missing = []
    for name in ORDER if wanted == "auto" else (wanted,):
        if importlib.util.find_spec(name) is None:
            missing.append(f"{name} is not installed")
        elif name == "rapidocr":
            return ProcessEngine(name, settings)
        elif (data := find_tessdata() if name == "tesserocr" else find_weights()) is not None:
            return ProcessEngine(name, settings, data)
        else:
            missing.append(f"{name} lacks {' and '.join(_LANGUAGE_FILES if name == 'tesserocr' else _WEIGHT_FILES)}")
    raise SynopticError(Code.OCR_UNAVAILABLE, ", ".join(missing))
