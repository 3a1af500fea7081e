"""Files as sources: FHIR JSON and NDJSON, text, HTML, RTF, PDF and images, read by the same code as messages.

A plain file names no patient and no time: the caller may (FileContext). Without, report and subject are identified by
the file's own digest, and its instant is the Unix epoch: any clock would make the same file give other resources
tomorrow.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.documents.content_type import DocumentKind
from gateway.documents.reader import DocumentText
from gateway.fhir.identity import checked, derive_key, patient_key
from gateway.fhir.validation import INSTANT
from gateway.intake import Intake
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import Action, Identifier, Reference, ReportContext, ReportText, ReportVersion
from schemas.settings import Settings

FILE_SYSTEM = "urn:synoptic:file"
FILE_INSTANT = "1970-01-01T00:00:00Z"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SKIPPED_BYTES = 1 << 16
_FHIR_SUFFIXES = (".json",)
_FHIR_LINES_SUFFIXES = (".ndjson", ".jsonl")
_CONTENT_TYPES = {
    ".txt": DocumentKind.PLAIN,
    ".text": DocumentKind.PLAIN,
    ".html": DocumentKind.HTML,
    ".htm": DocumentKind.HTML,
    ".xhtml": DocumentKind.HTML,
    ".xml": DocumentKind.XML,
    ".cda": DocumentKind.XML,
    ".rtf": DocumentKind.RTF,
    ".pdf": DocumentKind.PDF,
    ".png": DocumentKind.PNG,
    ".jpg": DocumentKind.JPEG,
    ".jpeg": DocumentKind.JPEG,
    ".tif": DocumentKind.TIFF,
    ".tiff": DocumentKind.TIFF,
}
SOURCE_SUFFIXES = (*_FHIR_SUFFIXES, *_FHIR_LINES_SUFFIXES, *_CONTENT_TYPES)


@dataclass(frozen=True, repr=False)
class SourceReport:
    """One report of a file: read, in error, or ignored with the reason; `name` is the file's, with #line in NDJSON.

    `notes` are remarks on how the text was read, without a word of it.
    """

    name: str
    report: ReportText | None = None
    error: SynopticError | None = None
    ignored: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class FileContext:
    """What the caller knows of plain files, which carry no resource: whose they are, and when they were issued."""

    subject: str | None = None
    issued: str = FILE_INSTANT


UNKNOWN_CONTEXT = FileContext()


def read_instant(text: str) -> str:
    """A date (its first second, in UTC) or an instant with its time zone as FHIR writes it; raises ValueError."""
    instant = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    if not INSTANT.fullmatch(instant):
        raise ValueError("expected 2024-05-02 or 2024-05-02T10:00:00+02:00")
    datetime.fromisoformat(instant)
    return instant


def read_source(
    path: Path, settings: Settings, given: FileContext = UNKNOWN_CONTEXT, intake: Intake | None = None
) -> Iterator[SourceReport]:
    """Read each report of a file; give `intake` to keep its subprocesses from one file to the next."""
    own = intake or Intake(settings)
    try:
        yield from _read(path, settings, given, own)
    finally:
        if intake is None:
            own.close()


def _read(path: Path, settings: Settings, given: FileContext, intake: Intake) -> Iterator[SourceReport]:
    suffix = path.suffix.lower()
    try:
        if suffix in _FHIR_LINES_SUFFIXES:
            yield from _read_lines(path, settings.bus.maximum_message_bytes, intake)
        elif suffix in _CONTENT_TYPES:
            data = _read_bytes(path, settings.intake.maximum_attachment_bytes)
            document = intake.read_document(data, _CONTENT_TYPES[suffix].value)
            report = _report_of(data, document, settings, given, intake)
            yield SourceReport(path.name, report, notes=document.notes)
        elif suffix in _FHIR_SUFFIXES:
            yield _read_message(path.name, _read_bytes(path, settings.bus.maximum_message_bytes), intake)
        else:
            raise SynopticError(Code.UNKNOWN_CONTENT_TYPE, f"files named *{suffix}" if suffix else "no file extension")
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise
        yield SourceReport(path.name, error=error)


def _read_lines(path: Path, maximum: int, intake: Intake) -> Iterator[SourceReport]:
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(maximum + 1):
                number += 1
                if line.strip() or len(line) > maximum:
                    yield _read_message(f"{path.name}#{number}", line, intake)
                while line and not line.endswith(b"\n"):  # the rest of a line over the limit, never held whole
                    line = lines.readline(_SKIPPED_BYTES)
    except OSError as error:
        raise SynopticError(Code.UNREADABLE_FILE, error.strerror or "") from None


def _read_message(name: str, message: bytes, intake: Intake) -> SourceReport:
    try:
        reading = intake.read(message)
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise
        return SourceReport(name, error=error)
    return SourceReport(name, reading.report, ignored=reading.ignored, notes=reading.notes)


def _read_bytes(path: Path, maximum: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > maximum:
            raise SynopticError(Code.REPORT_TOO_LARGE, f"{size} bytes, at most {maximum}")
        return path.read_bytes()
    except OSError as error:
        raise SynopticError(Code.UNREADABLE_FILE, error.strerror or "") from None


def _report_of(
    data: bytes, document: DocumentText, settings: Settings, given: FileContext, intake: Intake
) -> ReportText:
    identifier = Identifier(system=FILE_SYSTEM, value=hashlib.sha256(data).hexdigest())
    patient = _subject(given.subject, identifier)
    context = ReportContext(
        tenant=settings.tenant,
        report_key=derive_key(settings.tenant, "report", identifier.system, identifier.value),
        patient_key=patient_key(settings.tenant, patient),
        report_identifier=identifier,
        report=Reference(type="DiagnosticReport", identifier=identifier),
        subject=patient,
        status="final",
        version=ReportVersion(issued=given.issued),
        recorded=given.issued,
    )
    return intake.assemble(Action.REPLACE, document, context)


def _subject(subject: str | None, file_identifier: Identifier) -> Reference:
    """`Patient/1`, `system|value` or a bare value as given; without one, the file stands for its own subject."""
    if subject is None:
        return Reference(type="Patient", identifier=file_identifier)
    checked(subject, "--subject")
    if subject.startswith("Patient/"):
        return Reference(type="Patient", literal=subject)
    system, separator, value = subject.rpartition("|")
    return Reference(type="Patient", identifier=Identifier(system=system if separator else FILE_SYSTEM, value=value))
