"""The report's text: its presentedForm, else conclusion and results together, else its own narrative.

A conclusion sums up what results state one by one, so both are read. The narrative (`text.div`) repeats the resource,
patient and all, and is the last resort.
"""

from collections.abc import Sequence

from gateway.documents.attachments import Attachments
from gateway.documents.content_type import DocumentKind
from gateway.documents.format_characters import without_format_characters
from gateway.documents.presented_forms import read_presented_form
from gateway.documents.reader import DocumentReader, DocumentText
from gateway.documents.result_text import concept_texts, result_lines
from gateway.fhir.parsing import ReportResources, Resource
from schemas.errors import Code, SynopticError
from schemas.messages import PageSpan
from schemas.pack_loader import Pack

_EMPTY = "empty"


def read_narrative(
    resources: ReportResources, reader: DocumentReader, attachments: Attachments, packs: Sequence[Pack]
) -> DocumentText:
    """The text with its pages; raises a numbered reject where the report holds none that can be read.

    `packs` tell whether several forms of the report state the same.
    """
    report = resources.report
    if forms := report.get("presentedForm"):
        return read_presented_form(forms, resources, reader, attachments, packs)
    text = without_format_characters("\n".join([*_conclusion(report), *result_lines(resources)]))
    reader.check_length(text)
    if text.strip():
        return DocumentText(text, (PageSpan(page=1, start=0, end=len(text), reader="plain"),))
    narrative = report.get("text") or {}
    if narrative.get("div") and narrative.get("status") != _EMPTY:
        read = reader.read(narrative["div"].encode(), DocumentKind.HTML.value)
        return DocumentText(read.text, read.pages, (*read.notes, "only the report's own narrative holds text"))
    raise SynopticError(Code.NO_TEXT, "no presentedForm, conclusion or result with text")


def _conclusion(report: Resource) -> list[str]:
    """The conclusion, and its codes' words unless it holds them."""
    conclusion = report.get("conclusion") or ""
    said = conclusion.lower()
    coded = [text for text in concept_texts(report.get("conclusionCode")) if text.lower() not in said]
    return [part for part in (conclusion, *coded) if part.strip()]
