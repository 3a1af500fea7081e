"""Bytes to text: byte order mark, declared charset, UTF-8, UTF-16 without a mark, then the likeliest of a few.

The declared charset wins unless the bytes contradict it: they are no text in it, or they are UTF-8 beyond chance where a
charset of single bytes was declared. What was declared wrongly is read as what it is, and said (`Decoded.note`). Guessed is
only among charsets of Western Europe, and a guess that gives no Western text is none.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.documents.content_type import DocumentKind, byte_order_mark, wide_without_mark
from schemas.errors import Code, SynopticError

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.I)
_LIKELY_CHARSETS = ["cp1252", "mac_roman", "cp850"]
_SAMPLE = 1 << 16  # bytes that a guess looks at
_BEFORE = 1 << 10
_BESIDE_LETTERS = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")
_LETTER = re.compile("[À-ÖØ-öø-ÿ’µ]")
_FOREIGN_WORD = re.compile(r"[^\W\d_\x00-\x7f]{3}")
_OF_TWO_BYTES = re.compile(rb"[\xa4\xa6\xa8\xac\xaf\xb6\xb8][A-Za-z]")  # Chinese; signs that begin no Western word
_CAPITAL_WITHIN = re.compile("[a-z][À-ÖØ-Þ]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_WIDENED_CHARSETS = {"iso8859-1": "cp1252"}  # what senders mean by it
_DOCUMENT_CHARSET = re.compile(
    r"ascii|utf-(?:8|16|32)(?:-[lb]e|-sig)?|(?:iso8859-|cp)\d+|mac-[a-z0-9]+|koi8-[rut]|gb\w+|big5\w*|shift_jis\w*|euc_\w+"
)
_WIDE = ("utf-16", "utf-32")
_NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_ISO_CONTROLS = re.compile(r"[\x00\x80-\x84\x86-\x9f]")


@dataclass(frozen=True, repr=False)
class Decoded:
    """A text, and what was wrong with the charset that was declared for it, if anything."""

    text: str
    note: str | None = None


def decode_text(data: bytes, kind: DocumentKind, charset: str | None) -> Decoded:
    """The text, never with a replacement; raises SYN-117 where no charset fits, SYN-132 where it ends within a character."""
    declared = charset or _declared_within(data, kind)
    named = _known(declared)
    mark, wide = byte_order_mark(data), wide_without_mark(data)
    trusted = None if named is None or _contradicted(data, named, wide) else _WIDENED_CHARSETS.get(named, named)
    for name in (mark, trusted, wide, "utf-8"):
        if name is not None and (text := _decoded(data, name)) is not None:
            return Decoded(text, _note(declared, named, name))
    _check_cut(data, named)
    for name in () if _OF_TWO_BYTES.search(data) else _guesses(data):
        if (text := _decoded(data, name)) is not None and _is_western(text):
            return Decoded(text, _note(declared, named, name) or f"no charset declared, guessed {name}")
    raise SynopticError(Code.UNDECODABLE_TEXT)


def _guesses(data: bytes) -> Iterator[str]:
    """The charset that the bytes look most like, then the others that they may be in."""
    import charset_normalizer

    telling = _NOT_ASCII.search(data)
    begin = max(telling.start() - _BEFORE, 0) if telling else 0
    sample = data[begin : begin + _SAMPLE]
    # Statistics take the one umlaut of a name for another page's sign, and the name would then not be known.
    spelling = [name for name in _LIKELY_CHARSETS if _spells(sample, name)]
    if spelling and (len(spelling) == 1 or spelling[0] == _LIKELY_CHARSETS[0]):
        yield spelling[0]
    best = charset_normalizer.from_bytes(sample, cp_isolation=_LIKELY_CHARSETS).best()
    if best is not None:
        yield best.encoding
        yield from _LIKELY_CHARSETS


def _spells(sample: bytes, charset: str) -> bool:
    """Whether every foreign sign beside a letter is a letter of Western Europe in that charset, small among small ones."""
    text = _decoded(sample, charset)
    beside = _BESIDE_LETTERS.findall(text) if text is not None else []
    return (
        bool(beside) and text is not None and not _CAPITAL_WITHIN.search(text) and all(map(_LETTER.fullmatch, beside))
    )


def _is_western(text: str) -> bool:
    """Whether a guess makes sense: EBCDIC, Chinese or Cyrillic bytes are rows of accented letters in any of these charsets."""
    return 2 * len(text.encode("ascii", "ignore")) >= len(text) and not _FOREIGN_WORD.search(text)


def _declared_within(data: bytes, kind: DocumentKind) -> str | None:
    """The charset that a document names itself."""
    found = None
    if kind is not DocumentKind.PLAIN:
        found = _XML_ENCODING.match(data[:400])
    if found is None and kind is DocumentKind.HTML:
        found = _META_CHARSET.search(data[:2048])
    return found[1].decode("ascii") if found else None


def _known(charset: str | None) -> str | None:
    """Python's name of the declared charset; None where there is none of that name that documents are written in."""
    try:
        name = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        return None
    return name if _DOCUMENT_CHARSET.fullmatch(name) else None


def _contradicted(data: bytes, named: str, wide: str | None) -> bool:
    """Whether the bytes are clearly another charset's, although they may decode in this one."""
    if named.startswith(_WIDE):
        other_order = wide is not None and named.startswith("utf-16") and wide not in (named, f"{named}-le")
        return other_order or b"\x00" not in data
    return not data.isascii() and _decoded(data, "utf-8") is not None


def _decoded(data: bytes, charset: str) -> str | None:
    """The text, if the bytes are one in this charset; controls of ISO 8859 are Windows' signs, wrongly declared."""
    try:
        text = data.decode(charset)
    except UnicodeDecodeError:
        return None
    return None if (_ISO_CONTROLS if charset.startswith("iso8859") else _NO_TEXT).search(text) else text


def _check_cut(data: bytes, named: str | None) -> None:
    """Raise SYN-132 where all is UTF-8, or the declared wide charset, but for a piece of a character at the end."""
    name = named if named is not None and named.startswith(_WIDE) else "utf-8"
    try:
        data.decode(name)
    except UnicodeDecodeError as error:
        is_last = error.end == len(data) and error.reason in ("unexpected end of data", "truncated data")
        if is_last and not data[: error.start].isascii():
            raise SynopticError(Code.CUT_DOCUMENT, "within a character") from None


def _note(declared: str | None, named: str | None, used: str) -> str | None:
    """What was wrong with the declaration; charsets go by Python's names, which no sender can choose."""
    if declared is None or (named is not None and _family(_WIDENED_CHARSETS.get(named, named)) == _family(used)):
        return None
    return f"declared as {named or 'an unknown charset'}, read as {_family(used)}"


def _family(charset: str) -> str:
    return re.sub(r"-(?:sig|[lb]e)$", "", codecs.lookup(charset).name)
