"""The report's text: the best presentedForm, else the conclusion, else the text of its results.

All presentedForms of one report say the same (FHIR requires it), so one is read: the first with data of the best kind,
in the order of `content_type.DocumentKind`: plain text, HTML, RTF, PDF, TIFF, PNG, JPEG. A form that is damaged is a reject,
never a reason to read another: somebody should know.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any

from gateway.content_type import DocumentKind, parse_content_type
from gateway.documents import DocumentReader, DocumentText
from gateway.fhir_json import ReportResources, Resource
from schemas.errors import Code, SynopticError
from schemas.messages import PageSpan

_WHITESPACE = str.maketrans("", "", " \t\r\n")
_PREFERENCE = {kind: rank for rank, kind in enumerate(DocumentKind)}


def read_narrative(resources: ReportResources, reader: DocumentReader, maximum_bytes: int) -> DocumentText:
    """The text with its pages; raises a numbered reject where the report holds none that can be read."""
    form = _best_form(resources.report.get("presentedForm") or [])
    if form is not None:
        return reader.read(attachment_bytes(form, maximum_bytes), form["contentType"])
    text = resources.report.get("conclusion") or "\n".join(_results(resources))
    if not text.strip():
        raise SynopticError(Code.NO_TEXT, "no presentedForm, conclusion or result with text")
    return DocumentText(text, (PageSpan(page=1, start=0, end=len(text), reader="plain"),))


def _best_form(forms: list[Resource]) -> Resource | None:
    best: tuple[int, Resource] | None = None
    fault: SynopticError | None = None
    for form in forms:
        try:
            rank = _rank(form)
        except SynopticError as error:
            fault = fault or error
            continue
        if best is None or rank < best[0]:
            best = rank, form
    if best is None and fault is not None:
        raise fault
    return best[1] if best else None


def _rank(form: Resource) -> int:
    if not form.get("data"):
        if form.get("url"):
            raise SynopticError(Code.ATTACHMENT_BY_URL)
        raise SynopticError(Code.NO_TEXT, "a presentedForm without data")
    if not form.get("contentType"):
        raise SynopticError(Code.UNKNOWN_CONTENT_TYPE, "no contentType")
    return _PREFERENCE[parse_content_type(form["contentType"]).kind]


def attachment_bytes(form: Resource, maximum_bytes: int) -> bytes:
    """An attachment's bytes, once its size is allowed and its hash and size agree; too much is refused undecoded."""
    data: str = form["data"]
    declared = form.get("size")
    if len(data) // 4 * 3 > maximum_bytes + 2 or (declared or 0) > maximum_bytes:
        raise SynopticError(Code.ATTACHMENT_TOO_LARGE, f"at most {maximum_bytes} bytes")
    try:
        packed = data.translate(_WHITESPACE).encode("ascii")
        content = binascii.a2b_base64(packed, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SynopticError(Code.BAD_BASE64) from None
    if len(packed) % 4:  # padding to spare, which the decoder lets pass
        raise SynopticError(Code.BAD_BASE64)
    if declared is not None and declared != len(content):
        raise SynopticError(Code.ATTACHMENT_MISMATCH, f"{len(content)} bytes, its size says {declared}")
    expected = form.get("hash")
    digest = hashlib.sha1(content, usedforsecurity=False).digest()  # FHIR prescribes SHA-1 here
    if expected is not None and expected.translate(_WHITESPACE) != base64.b64encode(digest).decode():
        raise SynopticError(Code.ATTACHMENT_MISMATCH, "its SHA-1 differs from its hash")
    return content


def _results(resources: ReportResources) -> Iterator[str]:
    """One line a result, in the report's order: its name, value and notes."""
    for reference in resources.report.get("result") or []:
        observation = resources.resolve(reference)
        if observation and observation["resourceType"] == "Observation":
            name, value = _concept_text(observation.get("code")), _value_text(observation)
            notes = [note["text"] for note in observation.get("note") or [] if note.get("text")]
            said = " ".join(part for part in (value, *notes) if part)
            if said:
                yield f"{name}: {said}" if name else said


def _value_text(observation: Resource) -> str:
    if observation.get("valueString"):
        return str(observation["valueString"])
    if quantity := observation.get("valueQuantity"):
        parts = (quantity.get("comparator"), quantity.get("value"), quantity.get("unit") or quantity.get("code"))
        return " ".join(str(part) for part in parts if part is not None)
    if observation.get("valueInteger") is not None:
        return str(observation["valueInteger"])
    return _concept_text(observation.get("valueCodeableConcept"))


def _concept_text(concept: Any) -> str:
    concept = concept or {}
    displays = (coding.get("display") for coding in concept.get("coding") or [])
    return concept.get("text") or next((display for display in displays if display), "")
