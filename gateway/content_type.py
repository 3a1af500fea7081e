"""Which kind of document the bytes are: the declared type, the charset, and whether the bytes bear the type out."""

import mimetypes
import re
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import Code, SynopticError


class DocumentKind(StrEnum):
    """The kinds of document that have a reader, best first: the order among several presentedForms of one report."""

    PLAIN = "text/plain"
    HTML = "text/html"
    RTF = "application/rtf"
    PDF = "application/pdf"
    TIFF = "image/tiff"
    PNG = "image/png"
    JPEG = "image/jpeg"


_ALIASES = {
    "application/xhtml+xml": DocumentKind.HTML,
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
_HTML_START = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html\b)", re.I | re.S)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_LIKELY_CHARSETS = ["cp1252", "mac_roman", "cp850"]
_WIDENED_CHARSETS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252"}  # what senders mean by them


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
    if kind in (DocumentKind.PLAIN, DocumentKind.HTML):
        wrong = found is not None and not (kind is DocumentKind.HTML and found == DocumentKind.HTML)
        wide = _byte_order_mark(data) or (declared.charset or "").startswith(("utf-16", "utf-32"))
        if not wrong and b"\x00" in data and not wide:
            wrong, found = True, "binary"
    else:
        wrong = found != kind
    if wrong:
        raise SynopticError(Code.CONTENT_TYPE_MISMATCH, f"declared {kind.value}, found {found or 'something else'}")


def _sniff(data: bytes) -> str | None:
    if b"%PDF-" in data[:_PDF_WINDOW]:
        return DocumentKind.PDF
    for magic, name in _MAGIC:
        if data.lstrip(b"\r\n\t ")[: len(magic)] == magic if name == DocumentKind.RTF else data.startswith(magic):
            return name
    return DocumentKind.HTML if _HTML_START.match(data[:4096]) else None


def decode_text(data: bytes, kind: DocumentKind, charset: str | None) -> str:
    """Bytes to text: byte order mark, declared charset, UTF-8, then the likeliest of a few; never a replacement."""
    mark = _byte_order_mark(data)
    declared = charset
    if declared is None and kind is DocumentKind.HTML and (meta := _META_CHARSET.search(data[:2048])):
        declared = meta.group(1).decode("ascii").lower()
    declared = _WIDENED_CHARSETS.get(declared or "", declared)
    for name in (mark, declared, "utf-8"):
        if name is None:
            continue
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if not any("\ud800" <= character <= "\udfff" for character in text) and "\x00" not in text:
            return text
    import charset_normalizer

    best = charset_normalizer.from_bytes(data, cp_isolation=_LIKELY_CHARSETS).best()
    if best is None:
        raise SynopticError(Code.UNDECODABLE_TEXT)
    return str(best)


def _byte_order_mark(data: bytes) -> str | None:
    return next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
