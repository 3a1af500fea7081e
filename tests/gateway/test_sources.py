"""Files as sources: each kind of file, and that a file's outcome depends on nothing but its bytes."""

from pathlib import Path

import pytest
from documents_made import LINES, pdf_of
from reports_made import TEXT, message, report

from gateway.sources import FILE_INSTANT, FILE_SYSTEM, FileContext, SourceReport, read_instant, read_source
from schemas.errors import Code
from schemas.settings import BusSettings, Settings


def sources(path: Path, subject: str | None = None, settings: Settings | None = None) -> list[SourceReport]:
    """What the file holds."""
    return list(read_source(path, settings or Settings(), FileContext(subject)))


def test_text_file_becomes_a_report_of_its_own_digest(tmp_path: Path) -> None:
    """The text is kept, nothing is invented, and a copy elsewhere is the same report."""
    (tmp_path / "one.txt").write_bytes(TEXT.encode())
    (tmp_path / "copy.txt").write_bytes(TEXT.encode())
    first, copy = (sources(tmp_path / name)[0].report for name in ("one.txt", "copy.txt"))
    assert first is not None
    assert first.text == TEXT
    assert first == copy
    assert first.context.report_identifier.system == FILE_SYSTEM
    assert (first.context.recorded, first.context.effective) == (FILE_INSTANT, None)
    assert first.context.report_key != first.context.patient_key


@pytest.mark.parametrize(
    ("subject", "literal", "system", "value"),
    [
        ("Patient/7", "Patient/7", None, None),
        ("https://clinic.example/mrn|4711", None, "https://clinic.example/mrn", "4711"),
        ("4711", None, FILE_SYSTEM, "4711"),
    ],
)
def test_subject_may_be_given(
    tmp_path: Path, subject: str, literal: str | None, system: str | None, value: str | None
) -> None:
    """A reference, a system with a value, or a bare value."""
    (tmp_path / "one.txt").write_bytes(TEXT.encode())
    (source,) = sources(tmp_path / "one.txt", subject)
    assert source.report is not None
    given = source.report.context.subject
    found = (given.literal, given.identifier and given.identifier.system, given.identifier and given.identifier.value)
    assert found == (literal, system, value)


@pytest.mark.parametrize(
    ("issued", "instant"),
    [
        ("2024-05-02", "2024-05-02T00:00:00Z"),
        ("2024-05-02T10:00:00+02:00", "2024-05-02T10:00:00+02:00"),
        ("2024-05-02T10:00:00.5Z", "2024-05-02T10:00:00.5Z"),
    ],
)
def test_a_given_date_is_the_reports_instant(tmp_path: Path, issued: str, instant: str) -> None:
    """A date or an instant orders the file's versions and is recorded; the file stays the same report."""
    (tmp_path / "one.txt").write_bytes(TEXT.encode())
    (undated,) = sources(tmp_path / "one.txt")
    (dated,) = read_source(tmp_path / "one.txt", Settings(), FileContext(issued=read_instant(issued)))
    assert undated.report is not None
    assert dated.report is not None
    assert (dated.report.context.recorded, dated.report.context.version.issued) == (instant, instant)
    assert dated.report.context.report_key == undated.report.context.report_key


@pytest.mark.parametrize(
    "issued", ["2024-13-02", "2024-05", "02.05.2024", "2024-05-02T10:00:00", "", "2024-05-02T25:00:00Z"]
)
def test_what_is_no_instant_is_refused(issued: str) -> None:
    """A date must exist, and a time must name its zone."""
    with pytest.raises(ValueError, match=r"expected|month|hour"):
        read_instant(issued)


def test_pdf_and_html_files_are_read_as_attachments_are(tmp_path: Path) -> None:
    """The extension stands for the contentType."""
    (tmp_path / "a.PDF").write_bytes(pdf_of(LINES))
    (tmp_path / "b.html").write_text("<p>Left breast, mastectomy</p><p>pT2</p>")
    (pdf,), (html,) = sources(tmp_path / "a.PDF"), sources(tmp_path / "b.html")
    assert pdf.report is not None
    assert html.report is not None
    assert pdf.report.text.split("\n") == list(LINES)
    assert html.report.text == "Left breast, mastectomy\npT2"


def test_each_line_of_ndjson_is_a_report_of_its_own(tmp_path: Path) -> None:
    """A line in error, an ignored one and a blank one leave the others alone."""
    lines = [message(report()), b"not json", b"", message(report(status="registered"))]
    (tmp_path / "many.ndjson").write_bytes(b"\n".join(lines))
    read = sources(tmp_path / "many.ndjson")
    assert [(item.name, bool(item.report), bool(item.error), bool(item.ignored)) for item in read] == [
        ("many.ndjson#1", True, False, False),
        ("many.ndjson#2", False, True, False),
        ("many.ndjson#4", False, False, True),
    ]


def test_file_and_message_give_the_same_text(tmp_path: Path) -> None:
    """A FHIR file goes the way of a message."""
    (tmp_path / "one.json").write_bytes(message(report()))
    (source,) = sources(tmp_path / "one.json")
    assert source.report is not None
    assert (source.report.text, source.report.context.report_identifier.value) == (TEXT, "S24-1234")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.docx", b"PK", Code.UNKNOWN_CONTENT_TYPE),
        ("noextension", b"x", Code.UNKNOWN_CONTENT_TYPE),
        ("a.pdf", b"not a pdf", Code.CONTENT_TYPE_MISMATCH),
        ("a.txt", b"", Code.NO_TEXT),
        ("a.json", b"{", Code.NOT_JSON),
        ("missing.txt", None, Code.UNREADABLE_FILE),
        ("missing.ndjson", None, Code.UNREADABLE_FILE),
    ],
)
def test_file_in_error_is_one_numbered_outcome(tmp_path: Path, name: str, content: bytes | None, code: Code) -> None:
    """Whatever is wrong with a file, it is one line and nothing is raised."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (source,) = sources(tmp_path / name)
    assert source.error is not None
    assert source.error.code is code


def test_large_file_is_refused_unread(tmp_path: Path) -> None:
    """Size is asked of the file system, and a long line of NDJSON never fills the memory."""
    settings = Settings(bus=BusSettings(maximum_message_bytes=100))
    for name in ("a.json", "a.ndjson"):
        (tmp_path / name).write_bytes(b" " * 1000 + b"{}\n" + message(report()))
        assert [item.error and item.error.code for item in sources(tmp_path / name, settings=settings)] == [
            Code.REPORT_TOO_LARGE,
            *([Code.REPORT_TOO_LARGE] if name == "a.ndjson" else []),
        ]
