"""Measures OCR engines on scans made from report text: character and word error, seconds and memory a page.

    .venv/bin/python benchmarks/ocr.py read --texts FILE --engine rapidocr [--pages 6] [--not-of EW,OL] --results JSONL
    .venv/bin/python benchmarks/ocr.py table --results JSONL

`read` may be stopped and called again: it skips what the results hold. `--without shadow` leaves out a repair of the
page (gateway/documents/page_repair.py), `--without all` every one. Errors are counted on text whose white space is one space.
Seconds are those of the processor, so that other work on the machine weighs little; memory is the process's peak.
"""

import argparse
import io
import json
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocr_scans import CONDITIONS, PrintedPage, find_fonts, print_pages
from PIL import Image
from rapidfuzz.distance import Levenshtein

from gateway.documents.ocr import find_tessdata, find_weights
from gateway.documents.ocr_engines import EngineName, load_recognizer
from gateway.documents.ocr_process import open_frame
from gateway.documents.page_repair import STEPS, repair
from gateway.documents.text_lines import join_lines

Row = dict[str, Any]


def printed(texts: Path, hidden: set[str], pages: int, fonts: list[Path]) -> Iterator[tuple[str, int, PrintedPage]]:
    """The first full page of the first breast reports that may be looked at, each in a font of its own turn."""
    found = 0
    for line in texts.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["cancer_type"] != "BRCA" or row["site"] in hidden:
            continue
        sheets = print_pages(row["text"], fonts[found % len(fonts)])
        if len(sheets) > 1:
            yield row["patient"], found, sheets[0]
            found += 1
        if found == pages:
            return


def errors(read: str, written: str) -> tuple[float, float]:
    """Character and word error: edits for each character, or word, of what was written."""
    read_words, written_words = read.split(), written.split()
    characters = Levenshtein.distance(" ".join(read_words), " ".join(written_words)) / len(" ".join(written_words))
    return characters, Levenshtein.distance(read_words, written_words) / len(written_words)


def as_png(image: Image.Image) -> bytes:
    """The scan as a file."""
    target = io.BytesIO()
    image.save(target, format="PNG", compress_level=1)
    return target.getvalue()


def read_pages(options: argparse.Namespace) -> None:
    """Read every page in every condition that the results lack."""
    held = {(row["variant"], row["condition"], row["page"]) for row in results(options.results)}
    name: EngineName = options.engine
    recognize = load_recognizer(name, {"tesserocr": find_tessdata, "easyocr": find_weights}.get(name, lambda: None)())
    steps = {key: step for key, step in STEPS.items() if options.without not in (key, "all")}
    variant = name + (f", without {options.without}" if options.without else "")
    conditions = options.conditions.split(";") if options.conditions else list(CONDITIONS)
    fonts = find_fonts(options.fonts)
    with options.results.open("a", encoding="utf-8") as target:
        for patient, number, page in printed(options.texts, set(options.not_of.split(",")), options.pages, fonts):
            for condition in conditions:
                if (variant, condition, patient) in held:
                    continue
                scan = as_png(CONDITIONS[condition](page.image, number))
                began, processor = time.perf_counter(), time.process_time()
                repaired = repair(open_frame(scan, 0)[0], steps)
                pieces, confidence = recognize(repaired.image)
                text = join_lines(pieces, repaired.to_page).text
                spent = time.process_time() - processor, time.perf_counter() - began
                characters, words = errors(text, page.text)
                row = {
                    "variant": variant,
                    "condition": condition,
                    "page": patient,
                    "cer": characters,
                    "wer": words,
                    "confidence": confidence,
                    "processor_seconds": spent[0],
                    "seconds": spent[1],
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
                target.write(json.dumps(row) + "\n")
                target.flush()


def results(path: Path) -> list[Row]:
    """What was measured so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def print_table(options: argparse.Namespace) -> None:
    """Print the means by condition and variant."""
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in results(options.results):
        cells[row["condition"], row["variant"]].append(row)
    print("| condition | engine | pages | CER % | worst | WER % | confidence | processor s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    order = list(CONDITIONS)
    for (condition, variant), rows in sorted(cells.items(), key=lambda cell: (order.index(cell[0][0]), cell[0][1])):
        mean = {key: statistics.mean(row[key] or 0.0 for row in rows) for key in ("cer", "wer", "confidence")}
        print(
            f"| {condition} | {variant} | {len(rows)} | {100 * mean['cer']:.2f} | "
            f"{100 * max(row['cer'] for row in rows):.2f} | {100 * mean['wer']:.2f} | {mean['confidence']:.2f} | "
            f"{statistics.mean(row['processor_seconds'] for row in rows):.1f} | "
            f"{max(row['peak_mib'] for row in rows):.0f} |"
        )


def main() -> None:
    """Read pages, or print what was read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("read", "table"))
    parser.add_argument("--results", type=Path, required=True, help="JSON lines, one page and condition each")
    parser.add_argument("--texts", type=Path, help="JSON lines with patient, site, cancer_type and text")
    parser.add_argument("--not-of", default="", help="hospitals whose reports are not read, separated by commas")
    parser.add_argument("--engine", choices=("tesserocr", "rapidocr", "easyocr"), default="tesserocr")
    parser.add_argument("--without", choices=("all", *STEPS), help="leave out this repair of the page")
    parser.add_argument("--conditions", help="separated by semicolons; by default all")
    parser.add_argument("--fonts", type=Path, help="a folder of fonts; by default those that matplotlib ships")
    parser.add_argument("--pages", type=int, default=6)
    options = parser.parse_args()
    read_pages(options) if options.action == "read" else print_table(options)


if __name__ == "__main__":
    main()
