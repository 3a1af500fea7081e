"""Several presentedForms: which is read, what is said of the choice, and that one damaged form rejects no report."""

import base64
import random
from collections.abc import Iterator

import pytest
from documents_made import LINES, image_of, pdf_of, pdf_of_scan
from reports_made import Resource, attachment, message, report

from gateway.documents.ocr import OcrPage
from gateway.documents.reader import DocumentReader
from gateway.intake import Intake, Reading
from schemas.errors import Code, SynopticError
from schemas.settings import IntakeSettings, Settings

LONG = "Left breast, mastectomy: invasive ductal carcinoma, pT2 pN0, ER positive, PR negative. " * 4
ROWS = "<table><tr><th>ER</th><th>PR</th></tr><tr><td>positive</td><td>negative</td></tr></table>"


class FixedEngine:
    """An engine that reads the same of every picture, and counts."""

    name = "fixed"

    def __init__(self) -> None:
        self.read_pages = 0

    def read(self, image: bytes, frame: int) -> OcrPage:
        """The same text for all."""
        self.read_pages += 1
        return OcrPage(f"scanned: {LONG}", 0.9, 1)

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def engine() -> FixedEngine:
    """An engine of its own."""
    return FixedEngine()


@pytest.fixture
def intake(engine: FixedEngine) -> Iterator[Intake]:
    """Intake with that engine."""
    made = Intake(Settings(), reader=DocumentReader(IntakeSettings(), engine))
    yield made
    made.close()


def form(content: bytes, content_type: str) -> Resource:
    """A presentedForm of these bytes."""
    return {"contentType": content_type, "data": base64.b64encode(content).decode()}


def read(intake: Intake, *forms: Resource) -> Reading:
    """What is read of them, in every order the same."""
    first = intake.read(message(report(presentedForm=list(forms))))
    assert first.report is not None
    shuffled = list(forms)
    random.Random(len(forms)).shuffle(shuffled)
    again = intake.read(message(report(presentedForm=shuffled))).report
    assert again is not None
    assert again.text == first.report.text
    return first


def test_of_forms_that_say_the_same_the_best_format_is_taken(intake: Intake) -> None:
    """Plain text before HTML, HTML before PDF, and the choice is said."""
    html = form(f"<p>{LONG}</p>".encode(), "text/html")
    found = read(intake, form(pdf_of((LONG,)), "application/pdf"), html, attachment(LONG))
    assert found.report is not None
    assert found.report.text == LONG
    assert found.notes == ("presentedForm 3 of 3 (text/plain) was taken: the best format of those that say the same",)


def test_of_one_format_the_longest_is_taken(intake: Intake) -> None:
    """An addendum stands in the later of two texts."""
    found = read(intake, attachment(LONG), attachment(f"{LONG}\nADDENDUM: HER2 FISH is not amplified."))
    assert found.report is not None
    assert found.report.text.endswith("not amplified.")


def test_a_stub_never_stands_for_the_report(intake: Intake, engine: FixedEngine) -> None:
    """The text that only points to the PDF says less than the PDF."""
    found = read(
        intake,
        attachment("Breast report: see attached document."),
        form(pdf_of(*[(line,) for line in LINES * 3]), "application/pdf"),
    )
    assert found.report is not None
    assert {page.reader for page in found.report.pages} == {"digital"}
    assert found.notes == ("presentedForm 2 of 2 (application/pdf) was taken: it says the most",)
    assert engine.read_pages == 0


def test_a_scan_is_opened_only_where_no_text_says_as_much_as_a_report(intake: Intake, engine: FixedEngine) -> None:
    """A picture beside a text costs no OCR; beside a stub it is read."""
    scan, picture = form(pdf_of_scan(LINES), "application/pdf"), form(image_of(LINES), "image/png")
    assert read(intake, scan, picture, attachment(LONG)).report.text == LONG
    assert engine.read_pages == 0
    found = read(intake, attachment("breast: see scan"), picture)
    assert found.report.text == f"scanned: {LONG}"
    assert [page.reader for page in found.report.pages] == ["ocr"]
    assert engine.read_pages > 0


def test_a_mixed_pdf_that_is_taken_is_read_whole(intake: Intake) -> None:
    """Its text layer decides, and its scanned pages come with it."""
    mixed = form(pdf_of_scan(LINES, first_page=LINES * 3), "application/pdf")
    found = read(intake, attachment("breast: see attached"), mixed)
    assert [page.reader for page in found.report.pages] == ["digital", "ocr"]


@pytest.mark.parametrize(
    ("damaged", "code"),
    [
        ({"contentType": "application/zip", "data": "UEs="}, Code.UNKNOWN_CONTENT_TYPE),
        ({"contentType": "text/plain", "data": "QQ=*"}, Code.BAD_BASE64),
        ({"contentType": "text/plain", "url": "https://ehr.example/Binary/1"}, Code.ATTACHMENT_BY_URL),
        (form(b"%PDF-1.7 x", "application/pdf"), Code.MALFORMED_PDF),
        (form(b"%PDF-1.7 x", "text/html"), Code.CONTENT_TYPE_MISMATCH),
        (attachment(LONG, size=1), Code.ATTACHMENT_MISMATCH),
        (attachment(" "), Code.NO_TEXT),
        (form(b"{\\rtf1 cut", "text/rtf"), Code.CUT_DOCUMENT),
    ],
)
def test_a_form_that_cannot_be_read_rejects_no_report_but_is_said(
    intake: Intake, damaged: Resource, code: Code
) -> None:
    """The other is read; alone, the damaged one is a reject."""
    text = "Left breast, mastectomy: invasive carcinoma"
    if damaged.get("url"):  # asked for only where what came along says too little
        text = "Left breast, mastectomy"
    found = intake.read(message(report(presentedForm=[damaged, attachment(text)])))
    assert found.report is not None
    assert found.report.text == text
    assert found.notes == (
        "presentedForm 2 of 2 (text/plain) was taken: the only one read",
        f"presentedForm 1 was not read: {code.label}",
    )
    for forms in ([damaged], [damaged, damaged]):
        with pytest.raises(SynopticError) as caught:
            intake.read(message(report(presentedForm=forms)))
        assert caught.value.code is code


def test_what_came_along_goes_before_what_must_be_fetched(intake: Intake) -> None:
    """A whole report beside a url is read without a word about the url."""
    found = read(intake, {"contentType": "application/pdf", "url": "https://ehr.example/Binary/1"}, attachment(LONG))
    assert found.notes == ("presentedForm 2 of 2 (text/plain) was taken: the only one read",)


FULL = """FINAL DIAGNOSIS
A. Left breast, mastectomy: Invasive ductal carcinoma, 2.3 cm, Nottingham grade 3 (score 8), pT2 pN0 (sn).
Lymphovascular invasion is not identified. The tumor is 0.6 cm from the closest margin.
Estrogen receptor: positive (95 %). Progesterone receptor: negative. HER2: negative (1+). Sentinel nodes: 0 of 3 positive.
"""
TABLE = """<h1>Mercy Hospital</h1><table><tr><td>Specimen<td>Mastectomy, left breast<tr><td>Diagnosis<td>Infiltrating ductal carcinoma
<tr><td>Tumour size<td>23 mm<tr><td>Nottingham grade<td>III<tr><td>LVI<td>Absent<tr><td>Stage<td>pT2 pN0(sn)
<tr><td>ER<td>pos, 95 percent<tr><td>PR<td>neg<tr><td>HER2<td>1+<tr><td>Nodes<td>0/3</table>"""


def test_a_form_worded_anew_is_no_contradiction(intake: Intake) -> None:
    """Grade III for 3, millimetres, a table for prose: both state the same, and a shorter summary too."""
    table = form(TABLE.encode(), "text/html")
    summary = attachment("Left breast: invasive ductal carcinoma, pT2 pN0, ER positive, PR negative, HER2 negative.")
    assert read(intake, form(pdf_of(tuple(FULL.splitlines())), "application/pdf"), table).report is not None
    assert read(intake, attachment(FULL), table, summary).report.text == FULL


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("ER<td>pos", "ER<td>neg"),
        ("left", "right"),
        ("23 mm", "32 mm"),
        ("pT2", "pT3"),
        ("ductal", "lobular"),
        ("95 percent", "40 percent"),
        ("HER2<td>1+", "HER2<td>3+"),
    ],
)
def test_a_form_worded_anew_must_state_the_same(intake: Intake, written: str, instead: str) -> None:
    """No word stands in the same place, but what the rules read of both differs."""
    assert written in TABLE
    other = form(TABLE.replace(written, instead).encode(), "text/html")
    with pytest.raises(SynopticError) as caught:
        intake.read(message(report(presentedForm=[attachment(FULL), other])))
    assert caught.value.code is Code.FORMS_CONTRADICT


def test_the_form_with_the_addendum_is_taken(intake: Intake) -> None:
    """Whatever its format, and though a marker that was pending or revised is stated otherwise there; a letterhead is no more."""
    text = FULL.replace("HER2: negative (1+)", "HER2: equivocal (2+)")
    lines = ("Mercy Hospital", *text.splitlines())
    addendum = ("ADDENDUM", "HER2 by in situ hybridization: amplified, positive.")
    found = read(intake, attachment(text), form(pdf_of((*lines, *addendum)), "application/pdf"))
    assert found.report is not None
    assert found.report.text.endswith("positive.")
    assert found.notes[0] == "presentedForm 2 of 2 (application/pdf) was taken: it holds all of form 1 and more"
    assert read(intake, attachment(text), form(pdf_of(lines), "application/pdf")).report.text == text


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (form(pdf_of(*[(LONG[:43], "ER 95 %, PR 0 %")] * 6), "application/pdf"), "differ in"),
        (form(f"<p>{LONG.replace('ER positive', 'ER negative')}</p>".encode(), "text/html"), "differ in"),
        (
            attachment("Dear colleague, thank you for sending this lady, whom we saw in our clinic last week. " * 4),
            "hold",
        ),
    ],
)
def test_forms_that_contradict_each_other_are_refused(intake: Intake, other: Resource, said: str) -> None:
    """Only the sender knows which holds; the reason counts the places and quotes none."""
    mine = (
        attachment(LONG)
        if said == "hold" or "html" in other["contentType"]
        else attachment("".join([LONG[:43], "\nER 0 %, PR 0 %\n"] * 6))
    )
    with pytest.raises(SynopticError) as caught:
        intake.read(message(report(presentedForm=[mine, other])))
    assert caught.value.code is Code.FORMS_CONTRADICT
    assert caught.value.detail.startswith(f"forms 1 and 2 {said}")
    assert "ER" not in caught.value.detail
