"""Documents to text: plain, HTML, RTF, PDF with a text layer, scans by OCR; page by page, with who read which page.

The text is what was read: plain text keeps its line ends and spaces (a byte order mark and signs that nobody sees go), and
the offsets of evidence count its characters. Everything that a hostile file could exhaust runs in a subprocess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.documents.charsets import decode_text
from gateway.documents.content_type import ContentType, DocumentKind, check_magic, parse_content_type
from gateway.documents.format_characters import without_format_characters
from gateway.documents.limited_process import Header, LimitedProcess
from gateway.documents.ocr import LEAST_CONFIDENCE, USUAL_LEAST_CONFIDENCE, OcrEngine, OcrPage, find_engine
from gateway.documents.page_layout import PageLayout, pack_runs, unpack_runs
from gateway.documents.pdf_pages import STAMP_LETTERS
from gateway.documents.running_lines import joined_pages
from gateway.documents.text_quality import TextQuality
from gateway.known_identifiers import people_identifiers
from schemas.errors import Code, SynopticError
from schemas.messages import KnownIdentifier, PageSpan
from schemas.settings import IntakeSettings

_MORE_IN_PICTURE = 1.2  # times the letters of the text layer; a picture of tissue adds a few misread ones
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


@dataclass(frozen=True, repr=False)
class _ReadPage:
    """One page, by whom it was read, and how sure that was."""

    layout: PageLayout
    reader: str
    confidence: float | None = None
    doubtful: bool = False


def _document(pages: Sequence[_ReadPage], *notes: str) -> DocumentText:
    """The pages one after the other."""
    parts: list[str] = []
    spans: list[PageSpan] = []
    start = 0
    for number, (page, (gap, layout)) in enumerate(
        zip(pages, joined_pages([page.layout for page in pages]), strict=True), start=1
    ):
        parts += (gap, layout.text)
        start += len(gap)
        spans.append(
            PageSpan(
                page=number,
                start=start,
                end=start + len(layout.text),
                reader=page.reader,
                confidence=page.confidence,
                doubtful=page.doubtful,
                layout=tuple(pack_runs(layout.runs)),
            )
        )
        start += len(layout.text)
    return DocumentText("".join(parts), tuple(spans), notes)


class DocumentReader:
    """Reads documents within the limits of the settings; holds the subprocesses, so close it."""

    def __init__(self, settings: IntakeSettings, engine: OcrEngine | None = None) -> None:
        self._settings = settings
        self._process = LimitedProcess(
            "gateway.documents.document_process", settings.pdf_seconds, settings.pdf_memory_mib
        )
        self._engine = engine

    def read(self, data: bytes, content_type: str) -> DocumentText:
        """The document's text; raises a numbered reject where it cannot be read."""
        return self._checked(data, content_type, scans=True)

    def read_layer(self, data: bytes, content_type: str) -> DocumentText:
        """As `read`, but of a PDF its text layer alone."""
        return self._checked(data, content_type, scans=False)

    def check_length(self, text: str) -> None:
        """Raise SYN-134 for what is no report: every step reads the text from one end to the other."""
        if len(text) > self._settings.maximum_text_characters:
            raise SynopticError(Code.TEXT_TOO_LONG, f"at most {self._settings.maximum_text_characters} characters")

    def render(self, data: bytes, content_type: str, page: int) -> bytes:
        """A page (0-based) of a PDF or an image as a PNG, as it was read."""
        is_pdf = parse_content_type(content_type).kind is DocumentKind.PDF
        return self._picture(data, page, "render" if is_pdf else "frame")[1]

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
        self.check_length(document.text)
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
        pages = [self._pdf_page(data, index, page, scans) for index, page in enumerate(answer["pages"])]
        unseen = [str(number) for number, page in enumerate(answer["pages"], start=1) if page["unseen"]]
        if not unseen:
            return _document(pages)
        _log.warning("text that nobody sees was left out", pages=len(unseen))
        return _document(pages, f"text that nobody sees was left out of page {', '.join(unseen)}")

    def _pdf_page(self, data: bytes, index: int, page: Header, scans: bool) -> _ReadPage:
        if scans and not page["usable"]:
            shown, picture = self._picture(data, index, "render")
            scan = None if shown["blank"] else self._ocr().read(picture, 0)  # no engine is started for a blank page
            if scan is not None and _says_more(scan.text, page["text"]):
                return self._scanned(scan)
        return _ReadPage(PageLayout(page["text"], tuple(unpack_runs(page["layout"]))), "digital")

    def _picture(self, data: bytes, page: int, operation: str) -> tuple[Header, bytes]:
        return self._process.request({"operation": operation, "page": page}, data)

    def _read_image(self, data: bytes) -> DocumentText:
        pages: list[_ReadPage] = []
        frames = 1
        while len(pages) < frames:
            scan = self._ocr().read(data, len(pages))
            pages.append(self._scanned(scan))
            frames = scan.frames
        return _document(pages)

    def _scanned(self, scan: OcrPage) -> _ReadPage:
        least = self._settings.ocr_least_confidence
        if least is None:
            least = LEAST_CONFIDENCE.get(self._ocr().name, USUAL_LEAST_CONFIDENCE)
        doubtful = scan.confidence is not None and scan.confidence < least
        return _ReadPage(PageLayout(scan.text, tuple(unpack_runs(scan.layout))), "ocr", scan.confidence, doubtful)

    def _ocr(self) -> OcrEngine:
        if self._engine is None:
            self._engine = find_engine(self._settings)
        return self._engine


def _says_more(scan: str, layer: str) -> bool:
    """Whether what OCR read stands for the page rather than a text layer that did not look usable.

    A layer as long as a text's is that of a page with a picture, unless OCR finds a report in that.
    """
    if not scan.strip():
        return not layer.strip()
    is_readable = TextQuality.of(layer).is_readable
    if is_readable and (letters := _letters(layer)) >= STAMP_LETTERS:
        return _letters(scan) >= _MORE_IN_PICTURE * letters
    return TextQuality.of(scan).is_readable or not is_readable


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _one_page(text: str, reader: str, note: str | None = None) -> DocumentText:
    page = _ReadPage(PageLayout(without_format_characters(text)), reader)
    return _document([page], *([note] if note else []))
