"""How findings are shown to people and scripts: the JSON line, the text block and the table row of a report.

The JSON line is a stable interface (docs/interfaces.md); `stage` is computed here, since it never travels in findings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.documents.page_layout import boxes
from mappers.staging import stage_primary
from schemas.errors import SynopticError
from schemas.findings import Evidence, Finding, Primary, Status
from schemas.messages import Action, PageSpan, ReportFindings, ReportText
from schemas.pack_loader import Pack
from schemas.settings import MappingSettings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SHOWN_QUOTE = 44
_PLAIN_WIDTH = 200
_MINIMUM_WIDTH = 8
_READERS = {"digital": "text layer", "ocr": "OCR"}


@dataclass(frozen=True)
class Refusal:
    """A numbered error as shown: its label, and its message on one line."""

    code: str
    message: str

    @classmethod
    def of(cls, error: SynopticError) -> "Refusal":
        """The refusal that an error shows as."""
        return cls(error.code.label, error.one_line())


@dataclass(frozen=True)
class Extracted:
    """The outcome of one source document: findings, an error, or a reason to ignore it."""

    source: str
    report: ReportText | None = None
    findings: ReportFindings | None = None
    error: Refusal | None = None
    ignored: str | None = None

    @property
    def outcome(self) -> str:
        """One of extracted, withdrawn, ignored, rejected."""
        if self.error is not None:
            return "rejected"
        if self.ignored is not None:
            return "ignored"
        return "withdrawn" if self.findings and self.findings.action is Action.WITHDRAW else "extracted"


def json_line(extracted: Extracted, packs: dict[str, Pack], choices: MappingSettings) -> dict[str, Any]:
    """The line that `synoptic extract --format jsonl` prints; `choices` decide which stage is shown."""
    report, findings, error = extracted.report, extracted.findings, extracted.error
    identifier = report.context.report_identifier if report else None
    return {
        "source": extracted.source,
        "report": f"{identifier.system or ''}|{identifier.value}" if identifier else None,
        "pack": report.pack if report else None,
        "outcome": extracted.outcome,
        "error": {"code": error.code, "message": error.message} if error else None,
        "primaries": [
            _primary(primary, packs[findings.pack], choices, report.pages if report else ())
            for primary in findings.primaries
        ]
        if findings
        else [],
        "pages": [_page(page) for page in report.pages] if report else [],
    }


def _page(page: PageSpan) -> dict[str, Any]:
    return {"page": page.page, "reader": page.reader, "confidence": page.confidence}


def _primary(primary: Primary, pack: Pack, choices: MappingSettings, pages: Sequence[PageSpan]) -> dict[str, Any]:
    stage = stage_primary(primary, pack.staging, choices).stage
    return {
        "key": primary.key,
        "laterality": primary.laterality,
        "principal": primary.principal,
        "assertion": primary.assertion.value,
        "histology": primary.histology,
        "procedure": primary.procedure,
        "findings": {key: _finding(finding, pages) for key, finding in primary.findings.items()},
        "stage": stage.model_dump() if stage else None,
        "foci": [
            {
                "key": focus.key,
                "histology": focus.histology,
                "findings": {key: _finding(finding, pages) for key, finding in focus.findings.items()},
            }
            for focus in primary.foci
        ],
    }


def _finding(finding: Finding, pages: Sequence[PageSpan]) -> dict[str, Any]:
    return {
        "value": finding.value,
        "detail": finding.detail,
        "status": finding.status.value,
        "basis": finding.basis.value if finding.basis else None,
        "probability": None if finding.probability is None else round(finding.probability, 2),
        "evidence": [_evidence(evidence, pages) for evidence in finding.evidence],
    }


def _evidence(evidence: Evidence, pages: Sequence[PageSpan]) -> dict[str, Any]:
    """The quote and its place; `boxes` only where the document has pages on which it stands."""
    found = [box for page in pages for box in boxes(page, evidence.start, evidence.end)]
    return evidence.model_dump() | ({"boxes": found} if found else {})


def reader_name(page: PageSpan) -> str:
    """Who read a page, and how sure it was."""
    sure = "" if page.confidence is None else f" {page.confidence:.2f}"
    return _READERS.get(page.reader, page.reader) + sure


def readers_line(pages: Sequence[PageSpan]) -> str:
    """Who read which pages: `page 1 text layer, page 2 OCR 0.93`."""
    return ", ".join(f"page {page.page} {reader_name(page)}" for page in pages)


def rows(extracted: Extracted, packs: dict[str, Pack], choices: MappingSettings) -> Iterator[dict[str, str]]:
    """One table row a primary, and one a further mass: values with confidence, stage and the first words of the evidence."""
    line = json_line(extracted, packs, choices)
    base = {"source": extracted.source, "outcome": extracted.outcome}
    if line["error"]:
        yield base | {"note": line["error"]["code"]}
        return
    if not line["primaries"]:
        yield base | {"note": extracted.ignored or ("taken back" if extracted.outcome == "withdrawn" else "no cancer")}
    for primary in line["primaries"]:
        stage = primary["stage"]
        shown = (
            "" if not stage else stage["group"] + (f" if {stage['conditional_on']}" if stage["conditional_on"] else "")
        )
        yield base | {"primary": primary["key"], "stage": shown} | _cells(primary)
        for focus in primary["foci"]:
            yield base | {"primary": f"{primary['key']} focus {focus['key']}"} | _cells(focus)


def _cells(mass: dict[str, Any]) -> dict[str, str]:
    """The histology and the values of a primary or of a further mass."""
    found = {key: _cell(finding) for key, finding in mass["findings"].items()}
    return {"histology": mass["histology"] or ""} | found


def table(extracted: Iterable[Extracted], packs: dict[str, Pack], choices: MappingSettings) -> "Table":
    """A rich table with a row a primary: values with their probability, a question mark on what is in review."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    tasks = list(dict.fromkeys(task.key for pack in packs.values() for task in pack.definition.tasks))
    shown = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, collapse_padding=True)
    for column in ("source", "primary", "histology", *tasks, "stage"):
        shown.add_column(column, no_wrap=column == "primary", min_width=_MINIMUM_WIDTH, overflow="fold")
    for one in extracted:
        for row in rows(one, packs, choices):
            named = row.get("primary") or " ".join((row["outcome"], row["note"])).removeprefix("extracted ")
            cells = [row.get(column, "") for column in ("histology", *tasks, "stage")]
            shown.add_row(*(Text(cell) for cell in (row["source"].removesuffix(".json"), named, *cells)))
    return shown


def wide_console() -> "Console":
    """Standard output: as wide as the terminal, or wide enough for a plain table where there is none."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


def _cell(finding: dict[str, Any]) -> str:
    status = finding["status"]
    if status == Status.NOT_STATED:
        return "–"
    if status not in (Status.CODED, Status.REVIEW):
        return str(status).replace("_", " ")
    value = finding["detail"] or finding["value"] or "?"
    shown = f"{value} {finding['probability']:.2f}" if finding["probability"] is not None else value
    return shown if status == Status.CODED else f"{shown} ?"


def evidence_lines(extracted: Extracted) -> Iterator[str]:
    """For each finding of each primary and further mass: the task, its value, and where the report says so."""
    if extracted.findings is None:
        return
    for primary in extracted.findings.primaries:
        yield from _evidence_lines(primary.key, primary.findings)
        for focus in primary.foci:
            yield from _evidence_lines(f"{primary.key} focus {focus.key}", focus.findings)


def _evidence_lines(mass: str, findings: Mapping[str, Finding]) -> Iterator[str]:
    for key, finding in findings.items():
        for evidence in finding.evidence[:1]:
            quote = evidence.quote if len(evidence.quote) <= _SHOWN_QUOTE else evidence.quote[: _SHOWN_QUOTE - 1] + "…"
            said = f"{key} {finding.detail or finding.value or ''}  “{' '.join(quote.split())}”"
            yield f"{mass}  {said}  {evidence.start}–{evidence.end}"
