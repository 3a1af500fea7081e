"""Attachments on a real FHIR server: a Binary is read whole, by either url, and its absence rejects the report alone."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from documents_made import LINES, pdf_of
from fhir_made import Person, settings_on, unique
from reports_made import TEXT, message, report

from gateway.intake import Intake
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import Settings

PDF = pdf_of(LINES, ("Addendum: HER2 negative",))


@pytest.fixture
def person(fhir_url: str) -> Iterator[Person]:
    """Somebody who stores attachments."""
    made = Person(fhir_url)
    yield made
    made.close()


@pytest.fixture
def intake(fhir_url: str) -> Iterator[Intake]:
    """Intake that knows the server."""
    made = Intake(Settings(fhir=settings_on(fhir_url)))
    yield made
    made.close()


def stored(person: Person, content: bytes, content_type: str) -> str:
    """Store a Binary; its literal reference."""
    data = base64.b64encode(content).decode()
    return person.put({"resourceType": "Binary", "id": unique("b"), "contentType": content_type, "data": data})


def text_at(intake: Intake, url: str, **more: Any) -> str:
    """The text of a report whose only form is that url."""
    found = intake.read(message(report(presentedForm=[{"url": url, **more}]))).report
    assert found is not None
    return found.text


def test_a_pdf_is_read_from_the_server_by_either_url(person: Person, intake: Intake, fhir_url: str) -> None:
    """Relative and absolute, of a version too, with the hash and size of its own bytes."""
    reference = stored(person, PDF, "application/pdf")
    digest = base64.b64encode(hashlib.sha1(PDF).digest()).decode()
    for url in (reference, f"{fhir_url}/{reference}", f"{reference}/_history/1"):
        text = text_at(intake, url, contentType="application/pdf", hash=digest, size=len(PDF))
        assert text.split("\n") == [*LINES, "", "Addendum: HER2 negative"]


def test_the_type_of_the_binary_holds_where_the_report_names_none(person: Person, intake: Intake) -> None:
    """Text with umlauts, and HTML."""
    assert text_at(intake, stored(person, TEXT.encode(), "text/plain; charset=utf-8")) == TEXT
    html = stored(person, "<p>Breast, mastectomy: Größe 2 cm</p>".encode(), "text/html;charset=utf-8")
    assert text_at(intake, html) == "Breast, mastectomy: Größe 2 cm"
    assert text_at(intake, html, contentType="text/html") == "Breast, mastectomy: Größe 2 cm"


def test_an_absent_or_deleted_binary_is_a_numbered_reject(person: Person, intake: Intake) -> None:
    """Never there, and there no longer."""
    deleted = stored(person, PDF, "application/pdf")
    person.delete(deleted)
    for url in (f"Binary/{unique('absent')}", deleted):
        for content_type in ("application/pdf", "text/plain", None):
            with pytest.raises(SynopticError) as caught:
                text_at(intake, url, **({"contentType": content_type} if content_type else {}))
            assert caught.value.code is Code.ATTACHMENT_NOT_FOUND
            assert caught.value.code.kind is Kind.REJECT
