"""Charsets of text: declared ones win unless the bytes contradict them, undeclared ones are told, cut texts refused."""

import pytest

from gateway.documents.charsets import decode_text
from gateway.documents.content_type import DocumentKind
from gateway.documents.reader import DocumentReader
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings

TEXT = "Größe 2,3 cm – Müller, 5 € je Schnitt, Œuvre"


@pytest.mark.parametrize(
    ("charset", "encoded_as"),
    [
        ("utf-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("windows-1252", "cp1252"),
        ("iso-8859-1", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16le", "utf-16-le"),
        ("utf-16be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("gb18030", "gb18030"),
    ],
)
def test_the_declared_charset_is_read_without_a_remark(charset: str, encoded_as: str) -> None:
    """Whatever the charset, if the bytes are in it there is nothing to say."""
    decoded = decode_text(TEXT.encode(encoded_as), DocumentKind.PLAIN, charset)
    assert (decoded.text, decoded.note) == (TEXT, None)


def test_latin_9_differs_from_windows_in_its_signs() -> None:
    """The same bytes are a euro and an OE in one, and a currency sign and a fraction in the other."""
    data = "Größe 5 € Œ".encode("iso-8859-15")
    assert decode_text(data, DocumentKind.PLAIN, "ISO-8859-15").text == "Größe 5 € Œ"
    assert decode_text(data, DocumentKind.PLAIN, "windows-1252").text == "Größe 5 ¤ ¼"


@pytest.mark.parametrize(
    ("declared", "encoded_as", "note"),
    [
        ("iso-8859-1", "utf-8", "declared as iso8859-1, read as utf-8"),
        ("windows-1252", "utf-8", "declared as cp1252, read as utf-8"),
        ("us-ascii", "utf-8", "declared as ascii, read as utf-8"),
        ("utf-16", "utf-8", "declared as utf-16, read as utf-8"),
        ("utf-8", "utf-16-le", "declared as utf-8, read as utf-16"),
        ("utf-16le", "utf-16-be", None),
        ("utf-8", "cp1252", "declared as utf-8, read as cp1252"),
        ("iso-8859-15", "cp1252", "declared as iso8859-15, read as cp1252"),
        ("Anna Muster", "utf-8", "declared as an unknown charset, read as utf-8"),
        ("punycode", "utf-8", "declared as an unknown charset, read as utf-8"),
        ("rot13", "utf-8", "declared as an unknown charset, read as utf-8"),
        (None, "cp1252", "no charset declared, guessed cp1252"),
        (None, "utf-16-le", None),
        (None, "utf-16-be", None),
        (None, "utf-8", None),
    ],
)
def test_what_the_bytes_contradict_is_read_as_what_it_is_and_said(
    declared: str | None, encoded_as: str, note: str | None
) -> None:
    """The text is right whatever was declared, and the remark names charsets, not what the sender wrote."""
    decoded = decode_text(TEXT.encode(encoded_as), DocumentKind.PLAIN, declared)
    assert (decoded.text, decoded.note) == (TEXT, note)


@pytest.mark.parametrize(
    ("data", "charset", "code"),
    [
        (TEXT.encode()[:-1] + "é".encode()[:1], None, Code.CUT_DOCUMENT),
        ("Größe".encode()[:4] + "ß".encode()[:1], "utf-8", Code.CUT_DOCUMENT),
        (TEXT.encode("utf-16")[:-1], "utf-16", Code.CUT_DOCUMENT),
        (b"pT2\x00\x00", None, Code.UNDECODABLE_TEXT),
    ],
)
def test_what_is_no_text_or_half_a_character_is_refused(data: bytes, charset: str | None, code: Code) -> None:
    """A text cut within a character is known to be cut; one with zeros is none."""
    with pytest.raises(SynopticError) as caught:
        decode_text(data, DocumentKind.PLAIN, charset)
    assert caught.value.code is code


def test_remarks_come_with_the_document() -> None:
    """Who reads a document learns what was wrong with its charset, for markup too."""
    reader = DocumentReader(IntakeSettings())
    for content_type in ("text/plain; charset=us-ascii", "text/html; charset=us-ascii"):
        document = reader.read("Größe 2 cm".encode(), content_type)
        assert (document.text, document.notes) == ("Größe 2 cm", ("declared as ascii, read as utf-8",))
    reader.close()


@pytest.mark.parametrize("charset", ["cp1252", "cp850", "mac_roman"])
def test_a_single_umlaut_in_a_name_is_read_as_it_was_written(charset: str) -> None:
    """The name that the resource knows would not be found in a text that is guessed wrongly."""
    words = "Patient: Müller, Jürgen. Carcinoma of the left breast, pT1c pN0. Jürgen Müller returns for surgery."
    assert decode_text(words.encode(charset), DocumentKind.PLAIN, None).text == words


@pytest.mark.parametrize(
    "charset", ["cp037", "cp500", "cp273", "gb18030", "big5", "shift_jis", "cp1251", "koi8-r", "cp1253"]
)
def test_what_is_no_western_text_is_never_guessed(charset: str) -> None:
    """EBCDIC, Chinese, Japanese, Cyrillic and Greek are read where they are declared, and refused where they are not."""
    foreign = {"cp1251": "опухоль груди", "koi8-r": "опухоль груди", "cp1253": "καρκίνος του μαστού"}
    text = f"Left breast, mastectomy: {foreign.get(charset, '' if charset.startswith('cp') else '癌症病理報告')} 2.3 cm, pT2"
    data = text.encode(charset)
    assert decode_text(data, DocumentKind.PLAIN, charset).text == text
    with pytest.raises(SynopticError) as caught:
        decode_text(data, DocumentKind.PLAIN, None)
    assert caught.value.code is Code.UNDECODABLE_TEXT


@pytest.mark.parametrize("charset", ["cp1252", "mac_roman"])
def test_micrometres_are_no_accented_letter(charset: str) -> None:
    """The sign stands before a letter, and is one byte in both; code page 850 has an "Á" there."""
    assert decode_text("depth 200 µm".encode(charset), DocumentKind.PLAIN, None).text == "depth 200 µm"
