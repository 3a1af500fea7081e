"""Documents to text: plain, HTML, RTF, PDF with a text layer, scans by OCR; page by page, with who read which page.

The text is what was read: plain text keeps its line ends and spaces (a byte order mark and signs that nobody sees go), and
the offsets of evidence count its characters. Everything that a hostile file could exhaust runs in a subprocess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from gateway.charsets import decode_text
from gateway.content_type import ContentType, DocumentKind, check_magic, parse_content_type
from gateway.format_characters import without_format_characters
from gateway.known_identifiers import people_identifiers
from gateway.limited_process import LimitedProcess
from gateway.ocr import OcrEngine, OcrPage, find_engine
from gateway.text_quality import TextQuality
from schemas.errors import Code, SynopticError
from schemas.messages import KnownIdentifier, PageSpan
from schemas.settings import IntakeSettings

_PAGE_GAP = "\n\n"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, repr=False)
class DocumentText:
    """A document's text, its pages, and what is to be said of how it was read, without a word of it.

    `known`: identifiers that the document states of itself, to be removed from its text.
    """

    text: str
    pages: tuple[PageSpan, ...] = ()
    notes: tuple[str, ...] = ()
    known: tuple[KnownIdentifier, ...] = ()


@dataclass
class _Pages:
    least_confidence: float = 0.0
    parts: list[str] = field(default_factory=list)
    spans: list[PageSpan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    length: int = 0

    def add(
        self, number: int, text: str, reader: str, layout: Sequence[int] = (), confidence: float | None = None
    ) -> None:
        if self.parts:
            self.parts.append(_PAGE_GAP)
            self.length += len(_PAGE_GAP)
        self.spans.append(
            PageSpan(
                page=number,
                start=self.length,
                end=self.length + len(text),
                reader=reader,
                confidence=confidence,
                doubtful=confidence is not None and confidence < self.least_confidence,
                layout=tuple(layout),
            )
        )
        self.parts.append(text)
        self.length += len(text)

    def document(self) -> DocumentText:
        return DocumentText("".join(self.parts), tuple(self.spans), tuple(self.notes))


class DocumentReader:
    """Reads documents within the limits of the settings; holds the subprocesses, so close it."""

    def __init__(self, settings: IntakeSettings, engine: OcrEngine | None = None) -> None:
        self._settings = settings
        self._process = LimitedProcess("gateway.document_process", settings.pdf_seconds, settings.pdf_memory_mib)
        self._engine = engine

    def read(self, data: bytes, content_type: str) -> DocumentText:
        """The document's text; raises a numbered reject where it cannot be read."""
        return self._checked(data, content_type, scans=True)

    def read_layer(self, data: bytes, content_type: str) -> DocumentText:
        """As `read`, but of a PDF its text layer alone."""
        return self._checked(data, content_type, scans=False)

    def render(self, data: bytes, content_type: str, page: int) -> bytes:
        """A page (0-based) of a PDF or an image as a PNG, as it was read."""
        is_pdf = parse_content_type(content_type).kind is DocumentKind.PDF
        return self._process.request({"operation": "render" if is_pdf else "frame", "page": page}, data)[1]

    def close(self) -> None:
        """End the subprocesses."""
        self._process.close()
        if self._engine is not None:
            self._engine.close()

    def _checked(self, data: bytes, content_type: str, scans: bool) -> DocumentText:
        declared = parse_content_type(content_type)
        if len(data) > self._settings.maximum_attachment_bytes:
            raise SynopticError(
                Code.ATTACHMENT_TOO_LARGE,
                f"{len(data)} bytes, at most {self._settings.maximum_attachment_bytes}",
            )
        check_magic(data, declared)
        document = self._read(data, declared, scans)
        if not document.text.strip():
            raise SynopticError(Code.NO_TEXT, f"an empty {declared.kind.value} document")
        return document

    def _read(self, data: bytes, declared: ContentType, scans: bool) -> DocumentText:
        match declared.kind:
            case DocumentKind.PLAIN:
                decoded = decode_text(data, declared.kind, declared.charset)
                return _one_page(decoded.text, "plain", decoded.note)
            case DocumentKind.HTML | DocumentKind.XML:
                return self._read_markup(data, declared)
            case DocumentKind.RTF:
                return _one_page(self._process.request({"operation": "rtf"}, data)[1].decode(), "plain")
            case DocumentKind.PDF:
                return self._read_pdf(data, scans)
            case _:
                return self._read_image(data)

    def _read_markup(self, data: bytes, declared: ContentType) -> DocumentText:
        decoded = decode_text(data, declared.kind, declared.charset)
        operation = "html" if declared.kind is DocumentKind.HTML else "xml"
        answer, content = self._process.request({"operation": operation}, decoded.text.encode())
        known = people_identifiers(answer.get("people", ()))
        if "embedded" not in answer:
            return replace(_one_page(content.decode(), "html", decoded.note), known=known)
        if parse_content_type(answer["embedded"]).kind is DocumentKind.XML:
            raise SynopticError(Code.UNKNOWN_XML, "a document within a document")
        return replace(self.read(content, answer["embedded"]), known=known)

    def _read_pdf(self, data: bytes, scans: bool) -> DocumentText:
        answer, _ = self._process.request({"operation": "pdf"}, data)
        pages = _Pages(self._settings.ocr_least_confidence)
        if unseen := [str(number) for number, page in enumerate(answer["pages"], start=1) if page["unseen"]]:
            _log.warning("text that nobody sees was left out", pages=len(unseen))
            pages.notes.append(f"text that nobody sees was left out of page {', '.join(unseen)}")
        for index, page in enumerate(answer["pages"]):
            scan = self._read_scan(data, index) if scans and not page["usable"] else None
            if scan is not None and _says_more(scan.text, page["text"]):
                pages.add(index + 1, scan.text, "ocr", scan.layout, scan.confidence)
            else:
                pages.add(index + 1, page["text"], "digital", page["layout"])
        return pages.document()

    def _read_scan(self, data: bytes, index: int) -> OcrPage:
        return self._ocr().read(self.render(data, DocumentKind.PDF.value, index), 0)

    def _read_image(self, data: bytes) -> DocumentText:
        pages = _Pages(self._settings.ocr_least_confidence)
        frame, frames = 0, 1
        while frame < frames:
            page = self._ocr().read(data, frame)
            pages.add(frame + 1, page.text, "ocr", page.layout, page.confidence)
            frame, frames = frame + 1, page.frames
        return pages.document()

    def _ocr(self) -> OcrEngine:
        if self._engine is None:
            self._engine = find_engine(self._settings)
        return self._engine


def _says_more(scan: str, layer: str) -> bool:
    """Whether what OCR read stands for the page rather than a text layer that did not look usable."""
    if not scan.strip():
        return not layer.strip()
    return TextQuality.of(scan).is_readable or not TextQuality.of(layer).is_readable


def _one_page(text: str, reader: str, note: str | None = None) -> DocumentText:
    pages = _Pages(notes=[note] if note else [])
    pages.add(1, without_format_characters(text), reader)
    return pages.document()
