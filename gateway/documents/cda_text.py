"""XML to text: the title, the section titles and the narrative blocks of a CDA document, in their order.

What the entries hold beside them is coded, and is no report text; whom the header names is known to be removed from it
(gateway/documents/cda_people.py). The XML parser builds no tree, knows no entities but XML's own, and loads nothing.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.parsers import expat

from gateway.documents.cda_people import HeaderPeople
from gateway.documents.html_text import html_to_text
from gateway.documents.page_styles import hides
from gateway.documents.text_writer import TextWriter
from gateway.fhir.parsing import Resource
from schemas.errors import Code, SynopticError

_DOCUMENT = "ClinicalDocument"
_ROOTS = frozenset({_DOCUMENT, "structuredBody", "section", "text"})
_MARKUP_ROOTS = frozenset({"html", "div"})
_SECTION_PARTS = {"title": "h2", "text": "div"}
_SHOWN_AS = {"paragraph": "p", "item": "li", "content": "span"}
_TERM = "dt"
_WHITESPACE = re.compile(r"\s+")


@dataclass(frozen=True, repr=False)
class CdaText:
    """A document's text; or, where its body is another document, that one's bytes and contentType; and whom it names."""

    text: str = ""
    embedded: bytes | None = None
    content_type: str = ""
    people: tuple[Resource, ...] = ()


def xml_to_text(xml: str) -> CdaText:
    """Read a CDA document or narrative block, or XHTML sent as XML.

    Raises SYN-127 for XML of another kind, and SYN-128 for what is not well-formed or declares entities.
    """
    parser = expat.ParserCreate()
    reader = _Reader()
    parser.buffer_text = True
    parser.StartElementHandler = reader.enter
    parser.EndElementHandler = reader.leave
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise SynopticError(Code.MALFORMED_XML, f"line {error.lineno}, column {error.offset}") from None
    except _MarkupError:
        return CdaText(html_to_text(xml))
    return reader.result()


class _MarkupError(Exception):
    """The root element is HTML's."""


def _refuse_entity(*_declaration: object) -> None:
    raise SynopticError(Code.MALFORMED_XML, "it declares entities")


class _Reader:
    """Follows the elements of one document."""

    def __init__(self) -> None:
        self._writer = TextWriter()
        self._people = HeaderPeople()
        self._open: list[str] = []  # the elements around, from the root
        self._shown: list[str] = []  # of those within a narrative block, what the writer took them for
        self._preformatted = 0
        self._skipped = 0
        self._is_document = False
        self._embedded: list[str] | None = None
        self._media: Mapping[str, str] = {}

    def enter(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(":")[2]
        parent = self._open[-1] if self._open else None
        if parent is None:
            if local in _MARKUP_ROOTS:
                raise _MarkupError
            self._is_document = local in _ROOTS
        self._is_document |= local == _DOCUMENT
        self._open.append(local)
        if not self._shown:
            self._people.enter(self._open, attributes)
        if self._skipped or (self._shown and _is_hidden(attributes)):
            self._skipped += 1
        elif self._shown:
            self._show(_shown_as(local, parent, attributes), attributes)
        elif local in _SECTION_PARTS and (parent in ("section", None) or (parent == _DOCUMENT and local == "title")):
            self._show(_SECTION_PARTS[local], attributes)
        elif local == "text" and parent == "nonXMLBody":
            self._embedded, self._media = [], attributes

    def leave(self, _name: str) -> None:
        """An element ends."""
        if not self._shown:
            self._people.leave(self._open)
        self._open.pop()
        if self._skipped:
            self._skipped -= 1
        elif self._shown:
            tag = self._shown.pop()
            self._preformatted -= tag == "pre"
            self._writer.leave(tag)
            if tag == _TERM:
                self._writer.enter("dd")

    def text(self, content: str) -> None:
        """Text of the innermost element."""
        if self._shown and not self._skipped:
            self._writer.text(content, self._preformatted > 0)
        elif self._embedded is not None and self._open[-2:] == ["nonXMLBody", "text"]:
            self._embedded.append(content)
        elif not self._shown:
            self._people.text(self._open, content)

    def result(self) -> CdaText:
        """What was read."""
        if not self._is_document:
            raise SynopticError(Code.UNKNOWN_XML, "neither CDA nor XHTML")
        if self._embedded is None:
            return CdaText(self._writer.result(), people=self._people.result())
        return replace(_embedded("".join(self._embedded), self._media), people=self._people.result())

    def _show(self, tag: str, attributes: dict[str, str]) -> None:
        self._writer.enter(tag, attributes)
        self._preformatted += tag == "pre"
        self._shown.append(tag)


def _shown_as(local: str, parent: str | None, attributes: Mapping[str, str]) -> str:
    """The HTML element that a narrative element is shown as; an item's caption is the term that it is about."""
    if local == "list":
        return "ol" if attributes.get("listType") == "ordered" else "ul"
    if local == "caption" and parent == "item":
        return _TERM
    return _SHOWN_AS.get(local, local)


def _is_hidden(attributes: Mapping[str, str]) -> bool:
    return attributes.get("revised") == "delete" or hides(attributes.get("style", ""))


def _embedded(content: str, media: Mapping[str, str]) -> CdaText:
    """A body that is no XML: text as it stands, or another document in base64."""
    declared = media.get("mediaType", "text/plain")
    if media.get("representation") != "B64":
        return CdaText(embedded=content.encode(), content_type=f"{declared}; charset=utf-8")
    try:
        return CdaText(embedded=base64.b64decode(_WHITESPACE.sub("", content), validate=True), content_type=declared)
    except (binascii.Error, ValueError):
        raise SynopticError(Code.BAD_BASE64) from None
