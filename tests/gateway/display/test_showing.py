"""Evidence drawn on the pages of a report, or marked in its text."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents_made import LINES, pdf_of
from PIL import Image, ImageChops
from test_presentation import extracted, of_two_masses

from gateway.display.evidence_html import evidence_page
from gateway.display.evidence_marks import COLOURS, Mark, marks_of, marks_on_page, summaries_of
from gateway.display.evidence_picture import PAGE_WIDTH, PageTitle, draw_page
from gateway.display.presentation import Extracted
from gateway.display.showing import KeepingReader, show_evidence
from gateway.documents.page_layout import Run, pack_runs
from schemas.errors import Code, SynopticError
from schemas.findings import Assertion, Evidence, Finding, Primary, Status
from schemas.messages import PageSpan
from schemas.settings import IntakeSettings

TITLE = PageTitle("report.pdf", "page 1 of 1", "text layer")


@pytest.fixture(scope="module")
def reader() -> Iterator[KeepingReader]:
    """One reader for all tests, so that its subprocess starts once."""
    made = KeepingReader(IntakeSettings(pdf_seconds=5))
    yield made
    made.close()


def read_from_pdf(reader: KeepingReader, *tasks: str) -> Extracted:
    """A report read from a PDF in which each of these strings is evidence of a task of its name."""
    document = reader.read(pdf_of(LINES), "application/pdf")
    one = extracted()
    findings = {}
    for task in tasks:
        start = document.text.index(task)
        evidence = Evidence(quote=task, start=start, end=start + len(task), page=1)
        findings[task] = Finding(value=task, status=Status.CODED, probability=0.9, evidence=(evidence,))
    primary = Primary(key="breast-left", organ="breast", assertion=Assertion.PRIMARY_INVASIVE, findings=findings)
    report = one.report.model_copy(update={"text": document.text, "pages": document.pages})
    return Extracted("report.pdf", report, one.findings.model_copy(update={"primaries": (primary,)}))


def white_page() -> bytes:
    """An empty page."""
    target = io.BytesIO()
    Image.new("L", (700, 990), 255).save(target, format="PNG")
    return target.getvalue()


def test_pages_of_a_pdf_are_drawn_with_their_evidence(reader: KeepingReader, tmp_path: Path) -> None:
    """One picture a page, in which the evidence is tinted exactly where it is printed."""
    (picture,) = show_evidence(tmp_path, read_from_pdf(reader, "pT2", "pN0"), reader)
    (plain,) = show_evidence(tmp_path / "plain", read_from_pdf(reader), reader)
    assert picture.name == "report.pdf.page-1.png"
    with Image.open(picture) as drawn, Image.open(plain) as empty:
        page = (0, 116, PAGE_WIDTH, 700)
        left, top, _, bottom = ImageChops.difference(drawn.crop(page), empty.crop(page)).getbbox()
    assert 300 < left < 380
    assert 120 < top < bottom < 200


def test_a_document_that_says_the_same_elsewhere_on_its_page_is_not_taken_for_it(reader: KeepingReader) -> None:
    """A PDF and the same lines one line lower, both read before either is shown."""
    upper, lower = (pdf_of(lines) for lines in (LINES, ("", *LINES)))
    first, second = (reader.read(data, "application/pdf") for data in (upper, lower))
    assert first.text == second.text
    report = extracted().report
    assert report is not None
    shown = report.model_copy(update={"text": first.text, "pages": first.pages})
    assert reader.page_image(shown, 1) == reader.render(upper, "application/pdf", 0)


def test_text_without_pages_is_marked_in_html(reader: KeepingReader, tmp_path: Path) -> None:
    """A text report becomes one HTML page with each quote in the colour of its status."""
    (page,) = show_evidence(tmp_path, extracted(), reader)
    html = page.read_text(encoding="utf-8")
    assert page.name == "one.txt.html"
    assert '<b class="coded" title="0.99">T T2 (pT2)</b><mark class="coded">pT2</mark>' in html
    assert "not stated: ER" in html


def test_what_was_rejected_is_not_shown(reader: KeepingReader, tmp_path: Path) -> None:
    """Without a text there is nothing to draw, and no folder is made."""
    assert show_evidence(tmp_path / "none", Extracted("x.pdf"), reader) == []
    assert not (tmp_path / "none").exists()


def test_folder_that_cannot_be_written_is_a_numbered_error(reader: KeepingReader, tmp_path: Path) -> None:
    """A file in the folder's place is said by number."""
    (tmp_path / "taken").touch()
    with pytest.raises(SynopticError) as caught:
        show_evidence(tmp_path / "taken", extracted(), reader)
    assert caught.value.code is Code.UNWRITABLE_FOLDER


def test_html_marks_may_overlap_and_hold_no_markup_of_the_report() -> None:
    """Evidence of two values shares a stretch, and what looks like a tag in the report stays text."""
    marks = [Mark("T", "T2", "coded", "", 0, 6), Mark("N", "N0", "review", "unsure", 3, 9)]
    html = evidence_page("a<b.txt", "pT2<i>N0 x", marks, [])
    assert "<i>" not in html
    assert html.count("<mark") == 3
    assert "a&lt;b.txt" in html


def test_value_read_twice_on_a_line_has_one_label() -> None:
    """Two quotes of one value on one line are two boxes of one mark; another value in the same box shares it."""
    layout = tuple(pack_runs([Run(0, 3, 100, 100, 130, 115), Run(4, 8, 140, 100, 180, 115)]))
    page = PageSpan(page=1, start=0, end=8, reader="digital", layout=layout)
    twice = [Mark("nodes", "2", "coded", "", 0, 3), Mark("nodes", "2", "coded", "", 4, 8)]
    assert [(len(found), len(marks)) for found, marks in marks_on_page(twice, page)] == [(2, 1)]
    shared = [Mark("T", "T2", "coded", "", 0, 3), Mark("N", "N0", "coded", "", 0, 3)]
    assert [(len(found), len(marks)) for found, marks in marks_on_page(shared, page)] == [(1, 2)]


def test_a_further_mass_is_marked_with_its_name() -> None:
    """So that its grade is not taken for that of the largest."""
    assert [(mark.task, mark.value) for mark in marks_of(of_two_masses()) if "focus" in mark.task] == [
        ("grade focus 2", "G1")
    ]


def test_evidence_within_evidence_of_the_same_value_has_no_mark_of_its_own() -> None:
    """Of "HER2: negative (1+)" the score's second piece, "negative (1+)", is left out; other values of the words stay."""
    spans = {"HER2_ihc": ((0, 19), (6, 19)), "HER2": ((0, 14),)}
    findings = {
        task: Finding(
            value="1+", status=Status.CODED, evidence=tuple(Evidence(quote="x", start=a, end=b) for a, b in ends)
        )
        for task, ends in spans.items()
    }
    primary = Primary(key="breast", organ="breast", assertion=Assertion.PRIMARY_INVASIVE, findings=findings)
    one = extracted()
    marks = marks_of(Extracted("x", one.report, one.findings.model_copy(update={"primaries": (primary,)})))
    assert [(mark.task, mark.start) for mark in marks] == [("HER2", 0), ("HER2 ihc", 0)]


def test_labels_stand_beside_the_page_and_apart_from_each_other() -> None:
    """Many values on one line make the margin longer, never the page narrower, and a review is drawn in its colour."""
    box = ((100, 900, 200, 920),)
    placed = [
        (box, [Mark(f"task {number}", "value", "review", "rules and classifier disagree", 0, 1)]) for number in range(9)
    ]
    with Image.open(io.BytesIO(draw_page(white_page(), TITLE, placed, []))) as picture:
        assert picture.height > 116 + 990 * PAGE_WIDTH // 700
        margin = picture.crop((PAGE_WIDTH + 34, 1900, PAGE_WIDTH + 40, picture.height))
        assert COLOURS["review"] in {colour for _, colour in margin.getcolors()}


def test_marks_tell_the_sides_apart_where_there_are_two() -> None:
    """A report of both breasts names the side with each task, and summarises each."""
    one = extracted(primaries=2)
    assert {mark.task for mark in marks_of(one)} == {"T breast-left", "T breast-right"}
    assert [summary.unsaid for summary in summaries_of(one)] == [("ER",), ("ER",)]
