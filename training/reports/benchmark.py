"""The open benchmark: annotations without a word of the reports, and the public texts that they belong to.

A row holds the patient's barcode, the digest of the text that was read, and for each task value, basis, and place and
digest of the words that decide it. `training.reports.gold.load_gold_reports` joins rows and texts, and holds the digests.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import Code, SynopticError
from training.reports.gold import CIRCUMSTANCES, GoldValue, LabelledReport, digest

CORPUS_COLUMNS = ("patient_filename", "text")
"""The columns of TCGA_Reports.csv as Kefeli and Tatonetti published it: barcode with the file's id, and the text."""


def benchmark_row(report: LabelledReport) -> dict[str, Any]:
    """One report's annotation without any of its words."""
    return {
        "patient": report.patient,
        "site": report.hospital,
        "text_sha256": digest(report.text),
        **{name: name in report.circumstances for name in CIRCUMSTANCES},
        "side": report.side,
        "values": {task: _value(value, report.text) for task, value in report.gold.items()},
    }


def write_benchmark(reports: Sequence[LabelledReport], out: Path) -> None:
    """Write the rows as JSON lines, ordered by patient so that a rebuilt file is the same."""
    ordered = sorted(reports, key=lambda report: report.patient)
    _write([benchmark_row(report) for report in ordered], out)


def corpus_rows(corpus: Path) -> Iterator[dict[str, str]]:
    """The published corpus as rows of patient, hospital and text; raises SYN-701 where it has other columns."""
    # A report is one cell, which may be longer than the csv module's limit.
    csv.field_size_limit(sys.maxsize)
    try:
        with corpus.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if not set(CORPUS_COLUMNS) <= set(reader.fieldnames or ()):
                raise SynopticError(Code.BAD_TRAINING_FILE, f"{corpus.name}: no columns {', '.join(CORPUS_COLUMNS)}")
            for row in reader:
                patient = row["patient_filename"].partition(".")[0]
                site = "".join(patient.split("-")[1:2])
                yield {"patient": patient, "site": site, "text": row["text"]}
    except (OSError, UnicodeDecodeError) as error:
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{corpus.name}: {type(error).__name__}") from None


def write_texts(corpus: Path, out: Path) -> int:
    """Write the published corpus as the text file that evaluation reads; returns how many reports it has."""
    rows = list(corpus_rows(corpus))
    _write(rows, out)
    return len(rows)


def _value(value: GoldValue, text: str) -> dict[str, Any]:
    start, end = value.span or (None, None)
    words = digest(text[start:end]) if value.span else None
    return {"v": value.value, "basis": value.basis, "start": start, "end": end, "quote_sha256": words}


def _write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Raises SYN-752 where the folder cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    except OSError as error:
        raise SynopticError(Code.UNWRITABLE_FOLDER, error.strerror or "") from None
