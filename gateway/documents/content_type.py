"""Which kind of document the bytes are: the declared type, its charset, and whether the bytes bear the type out."""

import mimetypes
import re
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import Code, SynopticError


class DocumentKind(StrEnum):
    """The kinds of document that have a reader, best first: the order among several presentedForms of one report."""

    PLAIN = "text/plain"
    HTML = "text/html"
    XML = "application/xml"
    RTF = "application/rtf"
    PDF = "application/pdf"
    TIFF = "image/tiff"
    PNG = "image/png"
    JPEG = "image/jpeg"


_ALIASES = {
    "application/xhtml+xml": DocumentKind.HTML,
    "text/xml": DocumentKind.XML,
    "application/hl7-sda+xml": DocumentKind.XML,
    "application/hl7-cda+xml": DocumentKind.XML,
    "application/hl7-v3+xml": DocumentKind.XML,
    "application/cda+xml": DocumentKind.XML,
    "text/rtf": DocumentKind.RTF,
    "application/x-rtf": DocumentKind.RTF,
    "application/x-pdf": DocumentKind.PDF,
    "image/jpg": DocumentKind.JPEG,
    "image/tif": DocumentKind.TIFF,
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"PK\x03\x04", "application/zip"),
    (b"GIF8", "image/gif"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0", "application/msword"),
)
_PDF_WINDOW = 1024  # readers accept a header this far in
_HTML_START = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*+<(?:!doctype\s+html|html\b)", re.I | re.S)
_XML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*|<\?.*?\?>\s*)*+<(?:[A-Za-z][\w.-]*:)?ClinicalDocument\b", re.S
)
_TEXTS = {  # what the bytes of a text may look like
    DocumentKind.PLAIN: frozenset[str](),
    DocumentKind.HTML: frozenset({DocumentKind.HTML}),
    DocumentKind.XML: frozenset({DocumentKind.XML, DocumentKind.HTML}),
}
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ZERO_SHARE = 0.4
_FEWEST_CHARACTERS = 4


@dataclass(frozen=True)
class ContentType:
    """A declared media type with a reader, and its charset if one was declared."""

    kind: DocumentKind
    charset: str | None = None


def parse_content_type(declared: str) -> ContentType:
    """Read a contentType; raises SYN-115 for a type without a reader."""
    essence, *parameters = (part.strip() for part in declared.split(";"))
    essence = essence.lower()
    kind = _ALIASES.get(essence) or (DocumentKind(essence) if essence in set(DocumentKind) else None)
    if kind is None:
        # The field is the sender's to fill: only a type of the standard library's list is sure to be no name.
        known = essence in mimetypes.MimeTypes().types_map[True].values()
        raise SynopticError(Code.UNKNOWN_CONTENT_TYPE, essence if known else "an unknown media type")
    charset = None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower() or None
    return ContentType(kind, charset)


def check_magic(data: bytes, declared: ContentType) -> None:
    """Raise SYN-116 where the bytes are clearly another kind of document than declared."""
    kind = declared.kind
    found = _sniff(data)
    if kind in _TEXTS:
        wrong = found is not None and found not in _TEXTS[kind]
        if not wrong and b"\x00" in data and not _is_wide(data, declared.charset):
            wrong, found = True, "binary"
    else:
        wrong = found != kind
    if wrong:
        raise SynopticError(Code.CONTENT_TYPE_MISMATCH, f"declared {kind.value}, found {found or 'something else'}")


def _is_wide(data: bytes, charset: str | None) -> bool:
    """Whether the zeros among the bytes belong to characters of two or four bytes."""
    wide = (charset or "").startswith(("utf-16", "utf-32"))
    return wide or byte_order_mark(data) is not None or wide_without_mark(data) is not None


def _sniff(data: bytes) -> str | None:
    if b"%PDF-" in data[:_PDF_WINDOW]:
        return DocumentKind.PDF
    for magic, name in _MAGIC:
        if data.lstrip(b"\r\n\t ")[: len(magic)] == magic if name == DocumentKind.RTF else data.startswith(magic):
            return name
    start = data[:4096].removeprefix(b"\xef\xbb\xbf")
    if _HTML_START.match(start):
        return DocumentKind.HTML
    return DocumentKind.XML if _XML_START.match(start) else None


def byte_order_mark(data: bytes) -> str | None:
    """The charset of the byte order mark that the bytes begin with."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)


def wide_without_mark(data: bytes) -> str | None:
    """UTF-16 by its zeros: every second byte of Western text is one, and none of the others is."""
    sample = data[:4096]
    even, odd = (sample[offset::2].count(0) for offset in (0, 1))
    half = len(sample) // 2
    if len(data) % 2 or half < _FEWEST_CHARACTERS:
        return None
    if even == 0 and odd > half * _ZERO_SHARE:
        return "utf-16-le"
    return "utf-16-be" if odd == 0 and even > half * _ZERO_SHARE else None
