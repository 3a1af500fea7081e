"""What layout costs: real report text laid out as PDF and read back, and reports with real line breaks.

    .venv/bin/python benchmarks/layout.py round-trip pathology_train.jsonl [--reports 60] [--except HOSPITAL,…] [--extract]
    .venv/bin/python benchmarks/layout.py real pathology_layout.jsonl --results JSONL [--reports 5352]

A round trip draws each report in one column, in two columns, with its words hyphenated, and with its labels and values as
a table; reads the PDF; and gives the character error (white space aside) and, with `--extract`, the share of findings that
are the same as those of the text itself. Real text goes through segmentation, slicing and hints: the share of reports
that yields more than one section, a line with an anchor, and a hint that is not "none". It may be stopped and called
again: what each row yielded is in the results, and is not read a second time.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from character_error import edit_distance, plain
from fpdf import FPDF

from gateway.documents.reader import DocumentReader, DocumentText
from schemas.pack_loader import Pack, load_pack
from schemas.settings import IntakeSettings, load_settings
from workers.reading.facts import read_facts
from workers.reading.hints import NONE, render_hints
from workers.reading.report_reading import PrimaryReading, read_report
from workers.reading.segment import segment
from workers.reading.slicing import slice_report

_SENTENCE = re.compile(r"(?<=[.:;])\s+(?=[A-Z])")
_LABEL = re.compile(r"([A-Z][\w /()-]{2,38}):\s+(\S.{0,78})")
_POINTS = {1: 10, 2: 9}
_LEFT, _TOP, _BOTTOM, _PAGE_WIDTH, _GUTTER = 15.0, 18.0, 280.0, 180.0, 10.0
_VALUE_INDENT = 70.0


class Sheet:
    """A PDF that is filled line by line, in one or two columns."""

    def __init__(self, columns: int) -> None:
        self._pdf = FPDF()
        self._pdf.set_font("Helvetica", size=_POINTS[columns])
        self._columns, self._column = columns, columns
        self._y = _BOTTOM
        self.width = (_PAGE_WIDTH - _GUTTER * (columns - 1)) / columns
        self.step = _POINTS[columns] * 0.45

    def line(self, *cells: tuple[float, str]) -> None:
        """Write cells, each so far from the left of the column, and go down a line."""
        if self._y + self.step > _BOTTOM:
            self._column += 1
            self._y = _TOP
            if self._column >= self._columns:
                self._pdf.add_page()
                self._column = 0
        for indent, text in cells:
            self._pdf.text(_LEFT + self._column * (self.width + _GUTTER) + indent, self._y, text)
        self._y += self.step

    def fits(self, text: str, indent: float = 0.0) -> bool:
        """True where the text is no wider than a column, so far from its left."""
        return bool(indent + self._pdf.get_string_width(text) <= self.width)

    def content(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())


def wrapped(text: str, sheet: Sheet, hyphenate: bool) -> Iterator[str]:
    """The text in lines that fit; where asked, a long word is broken by a hyphen to fill its line."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if sheet.fits(longer):
            line = longer
            continue
        if hyphenate and word.isalpha() and len(word) > 7:
            cuts = [cut for cut in range(3, len(word) - 2) if sheet.fits(f"{line} {word[:cut]}-")]
            if cuts:
                line, word = f"{line} {word[: cuts[-1]]}-", word[cuts[-1] :]
        yield line
        line = word
    yield line


def in_columns(text: str, columns: int, hyphenate: bool = False) -> bytes:
    """Prose in columns."""
    sheet = Sheet(columns)
    for line in wrapped(text, sheet, hyphenate):
        sheet.line((0, line))
    return sheet.content()


def as_table(text: str) -> bytes:
    """A line a sentence; a label and its value stand in two cells."""
    sheet = Sheet(1)
    for sentence in _SENTENCE.split(text):
        row = _LABEL.fullmatch(sentence)
        if row is not None and sheet.fits(row[2], indent=_VALUE_INDENT):
            sheet.line((0, f"{row[1]}:"), (_VALUE_INDENT, row[2]))
            continue
        for line in wrapped(sentence, sheet, hyphenate=False):
            sheet.line((0, line))
    return sheet.content()


LAYOUTS: dict[str, Callable[[str], bytes]] = {
    "one column": lambda text: in_columns(text, 1),
    "two columns": lambda text: in_columns(text, 2),
    "two columns, hyphenated": lambda text: in_columns(text, 2, hyphenate=True),
    "labels and values": as_table,
}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file of JSON lines; control characters within strings are let pass."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line, strict=False)


def round_trip(path: Path, count: int | None, left_out: set[str], extract: bool) -> None:
    """Draw, read, compare; print a row a layout."""
    chosen = [row["text"] for row in rows_of(path) if row.get("cancer_type") == "BRCA" and row["site"] not in left_out]
    texts = [plain(text.encode("latin-1", "replace").decode("latin-1")) for text in chosen[:count]]
    find = finder() if extract else None
    truth = [find(text) for text in texts] if find else []
    with closing(DocumentReader(IntakeSettings())) as reader:
        for name, draw in LAYOUTS.items():
            began = time.perf_counter()
            read = [reader.read(draw(text), "application/pdf") for text in texts]
            seconds = (time.perf_counter() - began) / sum(len(document.pages) for document in read)
            print(name, *figures(texts, read), f"{seconds:.2f} s a page", sep="\t")
            if find:
                pairs = [(find(document.text), expected) for document, expected in zip(read, truth, strict=True)]
                values = [(got.get(key), value) for got, expected in pairs for key, value in expected.items()]
                print("", f"{sum(got == value for got, value in values)} of {len(values)} findings the same", sep="\t")


def figures(texts: list[str], read: list[DocumentText]) -> Iterator[str]:
    """The character error, how many reports come back to the letter, and what the layout adds to the message."""
    wrong = [edit_distance(plain(document.text), text) for document, text in zip(read, texts, strict=True)]
    yield f"{100 * sum(wrong) / sum(map(len, texts)):.3f} % character error"
    yield f"{sum(not errors for errors in wrong)} of {len(texts)} exact"
    pages = [page for document in read for page in document.pages]
    size = sum(len(",".join(map(str, page.layout))) for page in pages) / len(pages)
    yield f"{size:.0f} bytes of layout and {sum(page.end - page.start for page in pages) / len(pages):.0f} of text a page"


def finder() -> Callable[[str], dict[str, str]]:
    """Extraction of a text as `synoptic extract` does it: primary and task to value and status."""
    from gateway.intake import Intake
    from gateway.sources import read_source
    from model.engine import load_engine
    from workers.extraction import Extractor
    from workers.privacy.sealing import passing_seal

    settings = load_settings()
    extractor = Extractor({"breast": load_pack("breast")}, load_engine(settings.model), passing_seal())
    intake = Intake(settings)

    def find(text: str) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "report.txt")
            path.write_text(text, encoding="utf-8")
            (source,) = read_source(path, settings, intake=intake)
        if source.report is None:
            return {}
        (findings,) = extractor.extract([source.report])
        return {
            f"{primary.key} {task}": f"{finding.value} {finding.status.value}"
            for primary in findings.primaries
            for task, finding in primary.findings.items()
        }

    return find


def real(path: Path, count: int | None, results: Path) -> None:
    """Segment, slice and hint the reports that the results lack, and print the shares over all."""
    pack = load_pack("breast")
    held = len(results.read_text(encoding="utf-8").splitlines()) if results.exists() else 0
    with results.open("a", encoding="utf-8") as target:
        for row in islice(rows_of(path), held, count):
            target.write(json.dumps(what_came_of(row["text"], pack)) + "\n")
            target.flush()
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    seen = Counter(name for row in rows for name in row)
    for name in ("several sections", "an anchor", "a primary", "a hint", "a crash"):
        print(name, f"{seen[name]} of {len(rows)}", f"{100 * seen[name] / len(rows):.1f} %", sep="\t")


def what_came_of(text: str, pack: Pack) -> list[str]:
    """What the text steps give for a report, or that they failed, and how."""
    try:
        return list(yielded(text, pack))
    except Exception as error:  # any failure is what the benchmark looks for
        return ["a crash", type(error).__name__]


def yielded(text: str, pack: Pack) -> Iterator[str]:
    """What the text steps give for a report."""
    document = segment(text, pack.definition.segmentation)
    if len(document.sections) > 1:
        yield "several sections"
    anchors = [anchor for task in pack.definition.tasks for anchor in task.anchors]
    if any(re.search(anchor, text, re.IGNORECASE) for anchor in anchors):
        yield "an anchor"
        slice_report(text, [(0, len(text))], anchors, 2, 4000)
    if read_report(text, pack):
        yield "a primary"
    every = PrimaryReading(key="", organ="", facts=read_facts(document, pack.facts))  # whatever organ they are of
    if any(hint.token.rpartition("=")[2] != NONE for hint in render_hints(every, pack)):
        yield "a hint"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["round-trip", "real"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--reports", type=int, help="the first so many; all without")
    parser.add_argument("--except", dest="left_out", default="", help="hospitals that nobody looks at, by commas")
    parser.add_argument("--extract", action="store_true", help="also compare what is extracted")
    parser.add_argument("--results", type=Path, default=Path("layout.jsonl"), help="what each row of `real` yielded")
    given = parser.parse_args()
    if given.what == "real":
        real(given.file, given.reports, given.results)
    else:
        round_trip(given.file, given.reports, set(given.left_out.split(",")), given.extract)


if __name__ == "__main__":
    main()
