"""CDA to text: section titles and narrative in their order, bodies in other formats, and XML that is refused."""

import base64

import pytest

from gateway.documents.cda_text import xml_to_text
from gateway.documents.reader import DocumentReader
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings


def clinical_document(body: str, prolog: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    """A CDA document with a header that names a patient."""
    header = (
        "<title>Pathology report</title><recordTarget><patientRole><patient><name><given>Anna</given></name></patient>"
        "</patientRole></recordTarget><component><structuredBody>"
    )
    return f'{prolog}<ClinicalDocument xmlns="urn:hl7-org:v3">{header}{body}</structuredBody></component></ClinicalDocument>'


def section(title: str, text: str, more: str = "") -> str:
    """A section with its narrative block and coded entries."""
    entry = (
        '<entry><observation><code displayName="hidden"/><text>coded</text><title>coded</title></observation></entry>'
    )
    return f"<component><section><code/><title>{title}</title><text>{text}</text>{entry}{more}</section></component>"


NARRATIVE = """
  <paragraph>Left <content styleCode="Bold">breast</content>, mastectomy.<br/>See note<footnoteRef/></paragraph>
  <content revised="delete">pT4</content><content ID="a"/>
  <list listType="ordered"><item>pT2</item><item><caption>Nodes</caption> pN0</item></list>
  <list><item>grade 2 &amp; clear margins</item></list>
  <table><thead><tr><th>Marker</th><th>Result</th></tr></thead><tbody><tr><td>ER</td><td>positive</td></tr>
  <tr><td/><td/></tr><tr><td>PR</td><td>negative</td></tr></tbody></table>"""


def refusal(xml: str) -> Code:
    """The number under which the XML is refused."""
    with pytest.raises(SynopticError) as caught:
        xml_to_text(xml)
    return caught.value.code


def test_titles_and_narrative_are_read_in_their_order() -> None:
    """Sections within sections come in their places; the header, coded entries and deleted words do not come."""
    inner = section("Margins", "clear")
    document = clinical_document(section("Diagnosis", NARRATIVE, inner) + section("Comment", "none"))
    assert xml_to_text(document).text.split("\n") == [
        "Pathology report",
        "Diagnosis",
        "Left breast, mastectomy.",
        "See note",
        "1. pT2",
        "2. Nodes: pN0",
        "- grade 2 & clear margins",
        "Marker: ER  Result: positive",
        "Marker: PR  Result: negative",
        "Margins",
        "clear",
        "Comment",
        "none",
    ]


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<text><paragraph>pT1c</paragraph></text>", "pT1c"),
        ("<section><title>Diagnosis</title><text>pT1c</text></section>", "Diagnosis\npT1c"),
        ("<c:section xmlns:c='urn:hl7-org:v3'><c:text><c:paragraph>pT1c</c:paragraph></c:text></c:section>", "pT1c"),
        (f"<message><wrapped>{clinical_document(section('A', 'pT1c'), '')}</wrapped></message>", "Pathology report\nA\npT1c"),
        ('<div xmlns="http://www.w3.org/1999/xhtml"><p>pT1c</p><p style="display:none">pT4</p></div>', "pT1c"),
    ],
)  # fmt: skip
def test_narrative_blocks_wrapped_documents_and_xhtml_are_read(xml: str, text: str) -> None:
    """A block alone, one with a prefix, a document within a message, and XHTML sent as XML."""
    assert xml_to_text(xml).text == text


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<Container><ResultText>pT1c</ResultText></Container>", Code.UNKNOWN_XML),
        ('<DiagnosticReport xmlns="http://hl7.org/fhir"/>', Code.UNKNOWN_XML),
        (clinical_document(section("A", "pT1c"))[:-30], Code.MALFORMED_XML),
        (clinical_document(section("A", "pT1c &undeclared;")), Code.MALFORMED_XML),
        ('<!DOCTYPE a [<!ENTITY b "x">]><text>&b;</text>', Code.MALFORMED_XML),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><text>&b;</text>', Code.MALFORMED_XML),
        ('<!DOCTYPE a [<!ENTITY % b SYSTEM "http://x.example/"> %b;]><text/>', Code.MALFORMED_XML),
        ("<text>pT1c</text><text>", Code.MALFORMED_XML),
        ("", Code.MALFORMED_XML),
        ("<component><nonXMLBody><text representation='B64'>!</text></nonXMLBody></component>", Code.UNKNOWN_XML),
    ],
)
def test_other_and_hostile_xml_is_refused(xml: str, code: Code) -> None:
    """Other vocabularies, cut files, entities of any kind."""
    assert refusal(xml) is code


@pytest.fixture
def reader():
    """A reader of its own."""
    made = DocumentReader(IntakeSettings(pdf_seconds=3))
    yield made
    made.close()


def body_of(content: bytes, media: str) -> bytes:
    """A CDA document whose body is another document."""
    encoded = base64.encodebytes(content).decode()
    body = f'<component><nonXMLBody><text mediaType="{media}" representation="B64">{encoded}</text></nonXMLBody></component>'
    return f'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>x</title>{body}</ClinicalDocument>'.encode()


def test_a_body_in_another_format_is_read_as_what_it_is(reader: DocumentReader) -> None:
    """RTF in base64, and text as it stands; a document within it that is XML again goes no further."""
    assert reader.read(body_of(rb"{\rtf1 pT1c}", "text/rtf"), "text/xml").text == "pT1c"
    plain = (
        b"<ClinicalDocument><component><nonXMLBody><text>pT1c\n  pN0</text></nonXMLBody></component></ClinicalDocument>"
    )
    assert reader.read(plain, "application/hl7-cda+xml").text == "pT1c\n  pN0"
    for content, media, code in (
        (b"<text>x</text>", "text/xml", Code.UNKNOWN_XML),
        (b"x", "application/pdf", Code.CONTENT_TYPE_MISMATCH),
        (b"x", "application/msword", Code.UNKNOWN_CONTENT_TYPE),
    ):
        with pytest.raises(SynopticError) as caught:
            reader.read(body_of(content, media), "application/xml")
        assert caught.value.code is code


def test_bombs_end_within_the_limits(reader: DocumentReader) -> None:
    """Entities that multiply are refused unread, endless nesting costs no recursion, and the next document is read."""
    laughs = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><ClinicalDocument>&l11;</ClinicalDocument>'
    with pytest.raises(SynopticError) as caught:
        reader.read(bomb.encode(), "application/xml")
    assert caught.value.code is Code.MALFORMED_XML
    deep = b"<text>" + b"<content>" * 100_000 + b"pT1c" + b"</content>" * 100_000 + b"</text>"
    assert reader.read(deep, "application/xml").text == "pT1c"


def test_the_charset_of_the_declaration_holds(reader: DocumentReader) -> None:
    """XML names its own encoding, and a byte order mark goes before it."""
    for prolog, charset in (("ISO-8859-1", "latin-1"), ("UTF-16", "utf-16"), ("windows-1252", "cp1252")):
        document = f'<?xml version="1.0" encoding="{prolog}"?><text>Größe 2 cm</text>'
        read = reader.read(document.encode(charset), "text/xml")
        assert (read.text, read.notes) == ("Größe 2 cm", ())


PEOPLE = """<recordTarget><patientRole><id extension="7712345" root="1.2.3"/><id root="1.2.4"/>
  <addr><streetAddressLine>12 Elm Street</streetAddressLine><city>Springfield</city><postalCode>62704</postalCode></addr>
  <telecom value="tel:+1-555-0100"/><patient><name use="L"><prefix>Mrs.</prefix><given>Anna</given><given>Maria</given>
  <family>Petersen</family></name><birthTime value="19540312"/></patient>
  <providerOrganization><name>Breast Center</name></providerOrganization></patientRole></recordTarget>
  <legalAuthenticator><time value="2024"/><assignedEntity><assignedPerson><name>Ruth Quill MD</name></assignedPerson>
  </assignedEntity></legalAuthenticator>"""


def test_whom_the_header_names_is_known() -> None:
    """The patient's names, numbers, birth date, address and telecom, who signed, and what is a place's name as such."""
    document = clinical_document(section("Diagnosis", "pT2")).replace("<title>", f"{PEOPLE}<title>", 1)
    reader = DocumentReader(IntakeSettings())
    try:
        read = reader.read(document.encode(), "application/xml")
    finally:
        reader.close()
    assert read.text == "Pathology report\nDiagnosis\npT2"
    assert {(item.kind, item.value) for item in read.known} == {
        ("ID", "7712345"),
        ("LOCATION", "12 Elm Street"),
        ("LOCATION", "Springfield"),
        ("LOCATION", "62704"),
        ("CONTACT", "+1-555-0100"),
        *(("NAME", name) for name in ("Anna", "Maria", "Petersen", "Anna Maria Petersen", "Mrs. Anna Maria Petersen")),
        ("DATE", "1954-03-12"),
        ("LOCATION", "Breast Center"),
        *(("NAME", name) for name in ("Ruth Quill MD", "Ruth", "Quill")),
    }
