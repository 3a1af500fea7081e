"""Documents to text: what each reader keeps, and that hostile documents end in a number."""

from collections.abc import Iterator

import pytest
from documents_made import LINES, image_of, pdf_bomb, pdf_of, pdf_of_objects, pdf_of_placed_words
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.charsets import decode_text
from gateway.documents.content_type import DocumentKind
from gateway.documents.reader import DocumentReader
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    """One reader for all tests, so that its subprocess starts once."""
    made = DocumentReader(IntakeSettings(pdf_seconds=5))
    yield made
    made.close()


def refusal(reader: DocumentReader, data: bytes, content_type: str) -> Code:
    """The number under which the document is refused."""
    with pytest.raises(SynopticError) as caught:
        reader.read(data, content_type)
    return caught.value.code


def test_plain_text_is_kept_to_the_character(reader: DocumentReader) -> None:
    """Line ends, tabs and trailing spaces stay, so that offsets count the source's own characters."""
    text = "Left breast\r\n\tpT2 pN0  \r\n"
    document = reader.read(text.encode(), "text/plain; charset=utf-8")
    assert document.text == text
    assert [(span.page, span.start, span.end, span.reader) for span in document.pages] == [(1, 0, len(text), "plain")]


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("Größe 2,3 cm – Müller".encode("cp1252"), "iso-8859-1"),
        ("Größe 2,3 cm – Müller".encode(), None),
        ("\ufeffGröße 2,3 cm – Müller".encode(), None),
        ("Größe 2,3 cm – Müller".encode("utf-16"), None),
        ("\ufeffGröße 2,3 cm – Müller".encode(), "iso-8859-1"),
        ("Größe 2,3 cm – Müller".encode("cp1252"), None),
        ("Größe 2,3 cm – Müller".encode("cp1252"), "utf-8"),
        ("Größe 2,3 cm – Müller".encode(), "no-such-charset"),
    ],
)
def test_text_is_decoded_by_mark_then_declaration_then_utf8_then_guess(data: bytes, charset: str | None) -> None:
    """Umlauts and dashes survive every usual encoding, rightly declared, wrongly declared or not declared."""
    assert decode_text(data, DocumentKind.PLAIN, charset).text == "Größe 2,3 cm – Müller"


def test_wide_text_without_a_mark_is_told_by_its_zeros(reader: DocumentReader) -> None:
    """UTF-16 without a byte order mark is text, declared or not; other bytes with zeros are binary."""
    for content_type in ("text/plain; charset=UTF-16LE", "text/plain"):
        assert reader.read("pT2 – Größe".encode("utf-16-le"), content_type).text == "pT2 – Größe"
    assert refusal(reader, b"pT2 \x00\x00 pN0 and more", "text/plain") is Code.CONTENT_TYPE_MISMATCH


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff")))
def test_utf8_text_comes_back_unchanged(text: str) -> None:
    """Any UTF-8 text is read as itself."""
    assert decode_text(text.encode(), DocumentKind.PLAIN, None).text == text


def test_html_blocks_become_lines_and_cells_stay_apart(reader: DocumentReader) -> None:
    """Headings, paragraphs and rows are lines; headers label the cells below, also where a word processor wraps them."""
    html = """<html><head><title>no</title></head><body><h2>FINAL  DIAGNOSIS</h2><p>Left <b>breast</b>,
      mastectomy.</p><table><tr><th>ER</th><th>PR</th></tr><tr><td><p>positive</p></td><td><p>negative</p></td></tr>
      </table>pT2<br/>pN0 (sn)<sup>1</sup></body></html>"""
    assert reader.read(html.encode(), "text/html").text.split("\n") == [
        "FINAL DIAGNOSIS",
        "Left breast, mastectomy.",
        "ER: positive  PR: negative",
        "pT2",
        "pN0 (sn)1",
    ]


def test_html_hides_what_a_browser_hides(reader: DocumentReader) -> None:
    """Script, style, comments and hidden elements never reach the text."""
    html = """<!DOCTYPE html><html><body><script>pT4</script><style>pT4</style><!-- pT4 --><p hidden>pT4</p>
      <div style="color:red; DISPLAY : none">pT4</div><template>pT4</template><p>pT1c &amp; pN0</p></body></html>"""
    assert reader.read(html.encode(), "application/xhtml+xml").text == "pT1c & pN0"


def test_html_declares_no_entities(reader: DocumentReader) -> None:
    """Neither a file of the machine nor a billion laughs comes in by way of a document type."""
    entities = '<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b "pT4"><!ENTITY c "&b;&b;&b;&b;">'
    html = f'<?xml version="1.0"?><!DOCTYPE html [{entities}]><html><body>pT1c &a; &c;</body></html>'
    assert reader.read(html.encode(), "application/xhtml+xml").text == "pT1c &a; &c;"


def test_html_keeps_preformatted_lines_and_declared_charset(reader: DocumentReader) -> None:
    """A pre element keeps its lines, and a meta charset decides where the type names none."""
    html = '<html><head><meta charset="windows-1252"></head><body><pre>Größe:  2 cm\n  pT1c</pre></body></html>'
    assert reader.read(html.encode("cp1252"), "text/html").text == "Größe:  2 cm\n  pT1c"


def test_rich_text_is_read_with_umlauts_and_tabs(reader: DocumentReader) -> None:
    """RTF gives its text; embedded pictures and generator notes do not."""
    rtf = rb"{\rtf1\ansi\ansicpg1252{\*\generator Riched20;}M\'fcller\par ER\tab positive{\pict\pngblip 8950}\par}"
    assert reader.read(rtf, "text/rtf").text.split() == ["Müller", "ER", "positive"]


def test_digital_pdf_gives_exact_lines_and_pages(reader: DocumentReader) -> None:
    """Each page's span covers that page's lines."""
    document = reader.read(pdf_of(LINES, ("Addendum: HER2 negative",)), "application/pdf")
    assert [document.text[span.start : span.end].split("\n") for span in document.pages] == [
        list(LINES),
        ["Addendum: HER2 negative"],
    ]
    assert {span.reader for span in document.pages} == {"digital"}


def test_pdf_that_places_each_word_alone_gives_exact_lines(reader: DocumentReader) -> None:
    """Lines are rebuilt from boxes where the file has neither spaces nor order."""
    assert reader.read(pdf_of_placed_words(LINES), "application/pdf").text.split("\n") == list(LINES)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_page_reads_as_it_is_shown(reader: DocumentReader, rotation: int) -> None:
    """A page that is turned for display, with its text turned back, gives the lines that a person sees."""
    assert reader.read(_turned(rotation), "application/pdf").text == "Left breast, mastectomy specimen\npT2 pN0"


def test_slanting_watermark_stays_out_of_the_lines(reader: DocumentReader) -> None:
    """A stamp across the page is kept, after the lines that it crosses."""
    document = FPDF()
    document.add_page()
    document.set_font("Helvetica", size=11)
    for line in LINES:
        document.cell(0, 6, line)
        document.ln()
    with document.rotation(30, 40, 20):
        document.set_font("Helvetica", size=40)
        document.text(10, 30, "DRAFT COPY")
    text = reader.read(bytes(document.output()), "application/pdf").text
    assert text == "\n".join(LINES) + "\n\nDRAFT COPY"


def test_bold_by_double_strike_and_raised_letters_read_once(reader: DocumentReader) -> None:
    """A character struck twice counts once, and a raised or lowered one stays in its line."""
    document = FPDF()
    document.add_page()
    document.set_font("Helvetica", size=12)
    for shift in (0, 0.15):
        document.text(20 + shift, 20, "Tumor stage")
    document.text(20, 30, "pT")
    document.set_font("Helvetica", size=8)
    document.text(25, 31, "1c")
    document.set_font("Helvetica", size=12)
    document.text(35, 30, "confirmed")
    assert reader.read(bytes(document.output()), "application/pdf").text.split("\n\n") == [
        "Tumor stage",
        "pT1c  confirmed",
    ]


@pytest.mark.parametrize("with_appearance", [True, False])
def test_values_filled_into_a_form_are_read(reader: DocumentReader, with_appearance: bool) -> None:
    """A form field's value is text of the page, whether the sender drew it or left that to the viewer."""
    label, value = "BT /F 11 Tf 10 700 Td (HER2:) Tj ET", "/Tx BMC BT /F 11 Tf 2 4 Td (negative) Tj ET EMC"
    appearance = "/AP<</N 6 0 R>>" if with_appearance else ""
    fonts = "/Font<</F 5 0 R>>"
    pdf = pdf_of_objects(
        f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[7 0 R]/DA(/F 11 Tf 0 g)/DR<<{fonts}>>>>>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Annots[7 0 R]/Resources<<{fonts}>>>>",
        f"<</Length {len(label)}>>\nstream\n{label}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"<</Type/XObject/Subtype/Form/BBox[0 0 200 16]/Resources<<{fonts}>>/Length {len(value)}>>\nstream\n{value}\nendstream",
        f"<</Type/Annot/Subtype/Widget/FT/Tx/T(x)/V(negative)/DA(/F 11 Tf 0 g)/F 4/Rect[60 696 260 712]{appearance}>>",
    )
    assert reader.read(pdf, "application/pdf").text.split() == ["HER2:", "negative"]


@pytest.mark.parametrize("tree", ["/Kids[2 0 R]/Count 5", "/Kids[2 0 R]/Count 2147483647", "/Kids[]/Count 0"])
def test_pages_that_lead_nowhere_are_malformed(reader: DocumentReader, tree: str) -> None:
    """A page tree that holds itself, claims more than there is, or holds nothing."""
    pdf = pdf_of_objects("<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages{tree}>>")
    assert refusal(reader, pdf, "application/pdf") is Code.MALFORMED_PDF


def _turned(rotation: int) -> bytes:
    matrices = {90: "0 1 -1 0 300 100", 180: "-1 0 0 -1 500 300", 270: "0 -1 1 0 300 500"}
    rows = [(0, "Left breast, mastectomy specimen"), (-14, "pT2 pN0")]
    content = "q " + matrices[rotation] + " cm BT /F 11 Tf "
    for drop, row in rows:
        content += f"1 0 0 1 0 {drop} Tm ({row}) Tj "
    content += "ET Q"
    return pdf_of_objects(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/Rotate {rotation}/MediaBox[0 0 600 800]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R>>>>>>",
        f"<</Length {len(content)}>>\nstream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


@pytest.mark.parametrize(
    ("data", "content_type", "code"),
    [
        (b"", "text/plain", Code.NO_TEXT),
        (b" \r\n\t", "text/plain", Code.NO_TEXT),
        (b"<html><body><script>x</script></body></html>", "text/html", Code.NO_TEXT),
        (b"text", "application/msword", Code.UNKNOWN_CONTENT_TYPE),
        (b"text", "Anna Muster", Code.UNKNOWN_CONTENT_TYPE),
        (b"text", "application/pdf", Code.CONTENT_TYPE_MISMATCH),
        (b"text", "image/png", Code.CONTENT_TYPE_MISMATCH),
        (b"%PDF-1.7 ...", "text/plain", Code.CONTENT_TYPE_MISMATCH),
        (b"{\\rtf1 pT2}", "text/plain", Code.CONTENT_TYPE_MISMATCH),
        (b"<html><body>pT2</body></html>", "text/plain", Code.CONTENT_TYPE_MISMATCH),
        (b"PK\x03\x04....", "text/html", Code.CONTENT_TYPE_MISMATCH),
        (b"pT2\x00\x01", "text/plain", Code.CONTENT_TYPE_MISMATCH),
        (b"%PDF-1.7 nothing else", "application/pdf", Code.MALFORMED_PDF),
    ],
)
def test_what_cannot_be_read_has_a_number(reader: DocumentReader, data: bytes, content_type: str, code: Code) -> None:
    """Empty, unknown, mislabelled and broken documents are told apart."""
    assert refusal(reader, data, content_type) is code


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/xml"])
def test_comments_without_end_are_looked_through_once(reader: DocumentReader, content_type: str) -> None:
    """What stands before the root of markup is told apart without trying every way to cut it into comments."""
    data = b"<!---->" * 500 + b"<p>pT1c</p>"
    if content_type == "text/plain":
        assert reader.read(data, content_type).text == data.decode()
    elif content_type == "text/html":
        assert reader.read(data, content_type).text == "pT1c"
    else:
        assert refusal(reader, data, content_type) is Code.UNKNOWN_XML


def test_refusal_names_no_content_type_that_is_not_one(reader: DocumentReader) -> None:
    """A contentType may hold anything, so only a media type is shown."""
    with pytest.raises(SynopticError) as caught:
        reader.read(b"x", "Anna Muster")
    assert "Muster" not in str(caught.value)


def test_encrypted_pdf_has_its_own_number(reader: DocumentReader) -> None:
    """A password is not a malformation."""
    assert refusal(reader, pdf_of(LINES, password="secret"), "application/pdf") is Code.ENCRYPTED_PDF


def test_pdf_of_too_many_pages_is_refused(reader: DocumentReader) -> None:
    """Page limits hold before any page is read."""
    assert refusal(reader, pdf_of(*[("x",)] * 201), "application/pdf") is Code.TOO_MANY_PAGES


def test_pdf_bomb_is_refused_and_the_reader_lives_on(reader: DocumentReader) -> None:
    """Eleven kilobytes that unfold without end cost one request, and the next document is read."""
    assert refusal(reader, pdf_bomb(), "application/pdf") is Code.DOCUMENT_LIMIT
    assert reader.read(pdf_of(LINES), "application/pdf").text.split("\n") == list(LINES)


def test_html_that_exhausts_its_parser_is_refused_in_time() -> None:
    """Nesting without end meets the seconds of the settings, and the next document is read."""
    reader = DocumentReader(IntakeSettings(pdf_seconds=0.5))
    assert refusal(reader, b"<div>" * 200_000 + b"x", "text/html") is Code.DOCUMENT_LIMIT
    assert reader.read(b"<p>pT2</p>", "text/html").text == "pT2"
    reader.close()


def test_size_limit_comes_before_reading() -> None:
    """What is over the limit is refused, whatever it holds."""
    reader = DocumentReader(IntakeSettings(maximum_attachment_bytes=10))
    assert refusal(reader, b"%PDF-" + b"x" * 6, "application/pdf") is Code.ATTACHMENT_TOO_LARGE


def test_damaged_image_is_refused(reader: DocumentReader) -> None:
    """A picture with the right first bytes and nothing after them is a bad image."""
    assert refusal(reader, image_of(LINES)[:60], "image/png") is Code.BAD_IMAGE


def test_a_pdf_that_was_cut_is_refused_rather_than_read_in_part(reader: DocumentReader) -> None:
    """Viewers repair it and show fewer pages, and nobody could tell; blanks and rubbish behind the end are usual."""
    whole = pdf_of(*[(f"page {number}", "Left breast, pT2 pN0") for number in range(6)])
    assert reader.read(whole + b"\r\n \0" * 100, "application/pdf").text.count("pT2") == 6
    for tenths in range(1, 10):
        cut = refusal(reader, whole[: len(whole) * tenths // 10], "application/pdf")
        assert cut in (Code.CUT_DOCUMENT, Code.MALFORMED_PDF)
    cut_update = whole + b"\n99 0 obj\n<</Length 9000>>\nstream\n" + b"x" * 6000
    assert refusal(reader, cut_update, "application/pdf") is Code.CUT_DOCUMENT


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "text/rtf"])
def test_a_text_longer_than_any_report_is_refused(content_type: str) -> None:
    """In whatever format: the steps after this one would read it for hours."""
    short = DocumentReader(IntakeSettings(maximum_text_characters=20))
    long = "Left breast, mastectomy"
    document = f"{{\\rtf1 {long}}}" if content_type == "text/rtf" else long
    try:
        assert refusal(short, document.encode(), content_type) is Code.TEXT_TOO_LONG
        assert short.read(document.replace(", mastectomy", "").encode(), content_type).text == "Left breast"
    finally:
        short.close()
