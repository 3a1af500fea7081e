"""Writes what evidence looks like: a picture of each page of a PDF or image, an HTML page for what has only text."""

from pathlib import Path

from gateway.display.evidence_html import evidence_page
from gateway.display.evidence_marks import marks_of, marks_on_page, summaries_of
from gateway.display.presentation import Extracted, reader_name
from gateway.documents.content_type import DocumentKind, parse_content_type
from gateway.documents.reader import DocumentReader, DocumentText
from gateway.private_files import write_private
from schemas.messages import PageSpan, ReportText
from schemas.settings import IntakeSettings

_PAGED = frozenset({DocumentKind.PDF, DocumentKind.TIFF, DocumentKind.PNG, DocumentKind.JPEG})
_KEPT_DOCUMENTS = 64  # more than are read ahead of their extraction


class KeepingReader(DocumentReader):
    """A document reader that can show the pages of what it read last; a scan may say the same as a PDF, elsewhere."""

    def __init__(self, settings: IntakeSettings) -> None:
        super().__init__(settings)
        self._kept: dict[tuple[str, tuple[PageSpan, ...]], tuple[bytes, str]] = {}

    def read(self, data: bytes, content_type: str) -> DocumentText:
        """Read, and keep the bytes of a document with pages to show."""
        return self._keep(super().read(data, content_type), data, content_type)

    def read_layer(self, data: bytes, content_type: str) -> DocumentText:
        """The same, without OCR."""
        return self._keep(super().read_layer(data, content_type), data, content_type)

    def _keep(self, document: DocumentText, data: bytes, content_type: str) -> DocumentText:
        if parse_content_type(content_type).kind in _PAGED and any(page.layout for page in document.pages):
            self._kept[document.text, document.pages] = data, content_type
            if len(self._kept) > _KEPT_DOCUMENTS:
                self._kept.pop(next(iter(self._kept)))
        return document

    def page_image(self, report: ReportText, number: int) -> bytes:
        """A page (1-based) of the report's document as a PNG."""
        data, content_type = self._kept[report.text, report.pages]
        return self.render(data, content_type, number - 1)

    def can_show(self, report: ReportText) -> bool:
        """True where the report came from a document with pages to show."""
        return (report.text, report.pages) in self._kept


def show_evidence(folder: Path, extracted: Extracted, reader: KeepingReader) -> list[Path]:
    """Write `<source>.page-1.png` and so on, or `<source>.html`; nothing where no text was read.

    Raises SYN-752 where the folder cannot be written. What it writes is PHI: it shows the document.
    """
    report = extracted.report
    if report is None or not report.text:
        return []
    pages = _pictures(extracted, report, reader) if reader.can_show(report) else _html(extracted, report)
    for name, content in pages.items():
        write_private(folder / name, content)
    return [folder / name for name in pages]


def _pictures(extracted: Extracted, report: ReportText, reader: KeepingReader) -> dict[str, bytes]:
    from gateway.display.evidence_picture import PageTitle, draw_page

    marks = marks_of(extracted)
    pictures: dict[str, bytes] = {}
    for page in report.pages:
        title = PageTitle(extracted.source, f"page {page.page} of {len(report.pages)}", reader_name(page))
        summaries = list(summaries_of(extracted)) if page is report.pages[0] else []
        image = reader.page_image(report, page.page)
        name = f"{extracted.source}.page-{page.page}.png"
        pictures[name] = draw_page(image, title, marks_on_page(marks, page), summaries)
    return pictures


def _html(extracted: Extracted, report: ReportText) -> dict[str, bytes]:
    page = evidence_page(extracted.source, report.text, marks_of(extracted), list(summaries_of(extracted)))
    return {f"{extracted.source}.html": page.encode()}
