"""Characters that nobody sees are taken away from every kind of text, since they part words."""

from collections.abc import Iterator

import pytest

from gateway.documents.format_characters import without_format_characters
from gateway.documents.reader import DocumentReader
from schemas.settings import IntakeSettings


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    """One reader for all."""
    made = DocumentReader(IntakeSettings())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("mas\xadtec\u200btomy, p\u2060T2 \u202eN0\u202c", "mastectomy, pT2 N0"),
        ("inva\xad\nsive carcinoma", "invasive\ncarcinoma"),
        ("inva\xad\r\n  sive, pT2", "invasive\r\n, pT2"),
        ("Größe\xa02\u2009cm", "Größe\xa02\u2009cm"),
        ("2\xad\n3 cm", "2\n3 cm"),
    ],
)
def test_what_is_not_seen_goes(text: str, seen: str) -> None:
    """Soft hyphens, joiners and marks of direction; a broken word is whole on its first line, blanks stay."""
    assert without_format_characters(text) == seen


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        ("\ufeffinva\xadsive p\u200dT2", "text/plain"),
        ("<p>inva&shy;sive p&zwj;T2</p>", "text/html"),
        ("<text>inva&#173;sive p&#8205;T2</text>", "application/xml"),
        (r"{\rtf1 inva\u173 ?sive p\u8205 ?T2}", "text/rtf"),
    ],
)
def test_in_every_format(reader: DocumentReader, document: str, content_type: str) -> None:
    """Text, HTML, CDA and RTF alike."""
    assert reader.read(document.encode(), content_type).text == "invasive pT2"
