"""Prints annotated reports on pages, scans and reads them by OCR, and writes both texts for `synoptic evaluate`.

    .venv/bin/python benchmarks/ocr_extraction.py --texts FILE --gold FILE --folder FOLDER [--reports 60]
        [--engine tesserocr] [--condition "clean, 200 dpi"] [--not-of EW,OL]
    .venv/bin/synoptic evaluate --texts FOLDER/digital.jsonl --gold FOLDER/gold.jsonl
    .venv/bin/synoptic evaluate --texts "FOLDER/tesserocr, clean, 200 dpi.jsonl" --gold FOLDER/gold.jsonl

It may be stopped and called again: it skips the reports that were read. The folder then holds report text: keep it as
you keep the reports.
"""

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any

from ocr import as_png, errors
from ocr_scans import CONDITIONS, find_fonts, print_pages

from gateway.documents.ocr import OcrEngine, find_engine
from schemas.settings import IntakeSettings

_PAGE_GAP = "\n\n"


def annotated(options: argparse.Namespace) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Annotated reports that may be looked at, drawn by chance, with their annotations.

    Their quotes go, since the lines of a page break them.
    """
    texts = {row["patient"]: row for row in rows(options.texts)}
    chosen = []
    for gold in rows(options.gold):
        if gold["site"] not in options.not_of.split(","):
            values = {task: {"v": held["v"], "basis": held["basis"]} for task, held in gold["values"].items()}
            chosen.append((texts[gold["patient"]], gold | {"values": values}))
    Random(0).shuffle(chosen)  # noqa: S311 (a sample, no secret)
    return chosen[: options.reports]


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def scanned(engine: OcrEngine, condition: str, text: str, number: int, font: Path) -> tuple[str, str, list[float]]:
    """The report as it was printed and as it was read, with the confidence of each page."""
    pages = print_pages(text, font)
    found = [engine.read(as_png(CONDITIONS[condition](page.image, number)), 0) for page in pages]
    printed = _PAGE_GAP.join(page.text for page in pages)
    return printed, _PAGE_GAP.join(page.text for page in found), [page.confidence or 0.0 for page in found]


def main() -> None:
    """Read what was not read yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--reports", type=int, default=60)
    parser.add_argument("--engine", choices=("auto", "tesserocr", "rapidocr", "easyocr"), default="auto")
    parser.add_argument("--condition", choices=list(CONDITIONS), default="clean, 200 dpi")
    parser.add_argument("--not-of", default="", help="hospitals whose reports are not read, separated by commas")
    parser.add_argument("--fonts", type=Path, help="a folder of fonts; by default those that matplotlib ships")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    engine = find_engine(IntakeSettings(ocr_engine=options.engine, ocr_seconds=600))
    target = options.folder / f"{engine.name}, {options.condition}.jsonl"
    held = {row["patient"] for row in rows(target)}
    fonts = find_fonts(options.fonts)
    reports = annotated(options)
    for name, place in (("digital", 0), ("gold", 1)):
        path = options.folder / f"{name}.jsonl"
        printed = [pair[place] for pair in reports]
        if name == "digital":
            printed = [
                row | {"text": _PAGE_GAP.join(page.text for page in print_pages(row["text"], fonts[at % len(fonts)]))}
                for at, row in enumerate(printed)
            ]
        path.write_text("".join(json.dumps(row) + "\n" for row in printed), encoding="utf-8")
    with target.open("a", encoding="utf-8") as file:
        for number, (row, _) in enumerate(reports):
            if row["patient"] in held:
                continue
            font = fonts[number % len(fonts)]
            printed_text, text, confidences = scanned(engine, options.condition, row["text"], number, font)
            characters, words = errors(text, printed_text)
            measured = {"cer": characters, "wer": words, "confidences": confidences}
            file.write(json.dumps(row | {"text": text} | measured) + "\n")
            file.flush()
    engine.close()


if __name__ == "__main__":
    main()
