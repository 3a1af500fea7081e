"""Hostile files among sound ones: each ends as a text or a numbered reject, and every other report comes out."""

from collections.abc import Iterator

import pytest

from benchmarks.hostile_files import message_of, sound_form, wrong_pairings
from benchmarks.hostile_inputs import hostile_files
from gateway.documents.reader import DocumentReader
from gateway.intake import Intake
from schemas.errors import Kind
from schemas.messages import TOPIC_REPORTS
from schemas.settings import IntakeSettings, Settings
from workers.buses.bus import Record

AMONG = (
    "object streams within themselves",
    "pages that are their own children",
    "an update that was cut",
    "one page 100,000 times",
    "zeros among the letters",
    "elements 100,000 deep",
    "billion laughs",
    "an entity from a file",
    "groups left open",
    "base64 of rubbish",
    "another document's hash",
    "a size of 2,000,000,000",
)
READ = {"outlines in a circle", "encrypted, a password to change", "JavaScript, a launch and an embedded file"}


@pytest.fixture(scope="module")
def intake() -> Iterator[Intake]:
    """Intake that gives a document two seconds."""
    limits = IntakeSettings(pdf_seconds=2)
    made = Intake(Settings(intake=limits), reader=DocumentReader(limits))
    yield made
    made.close()


def record(form: dict[str, object], at: int) -> Record:
    """A report of that form."""
    return Record(TOPIC_REPORTS, 0, at, message_of(form, at))


def test_sound_reports_come_out_among_hostile_ones(intake: Intake) -> None:
    """One batch, a sound report behind each hostile one: every hostile one has a number, and no sound one is lost."""
    chosen = [hostile for hostile in hostile_files() if hostile.name in AMONG]
    assert len(chosen) == len(AMONG)
    forms = [form for hostile in chosen for form in (hostile.form(), sound_form())]
    results = intake.process([record(form, at) for at, form in enumerate(forms)])
    assert all(result.outgoing and result.error is None for result in results[1::2])
    ends = {hostile.name: result.error for hostile, result in zip(chosen, results[::2], strict=True)}
    assert all(error is not None and error.code.kind is Kind.REJECT for error in ends.values()), ends


def test_what_a_hostile_file_asks_for_is_not_done_but_its_text_is_read(intake: Intake) -> None:
    """Scripts, launches and circles beside the pages do not keep a text from being read."""
    chosen = [hostile for hostile in hostile_files() if hostile.name in READ]
    results = intake.process([record(hostile.form(), at) for at, hostile in enumerate(chosen)])
    assert [bool(result.outgoing) for result in results] == [True] * len(READ)


def test_a_document_of_another_type_than_declared_is_refused(intake: Intake) -> None:
    """In every pairing of the types that have a reader, pictures included: a number, and no reader is started for it."""
    pairs = list(wrong_pairings())
    results = intake.process([record(form, at) for at, (_, form) in enumerate(pairs)])
    ends = {
        name: result.error.code.label if result.error else "read"
        for (name, _), result in zip(pairs, results, strict=True)
    }
    assert {name for name, end in ends.items() if end == "read"} <= {
        "text/plain as text/html",
        "text/html as application/xml",
    }
    assert set(ends.values()) <= {"read", "SYN-116", "SYN-128"}
