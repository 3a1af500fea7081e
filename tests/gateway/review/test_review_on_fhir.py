"""Review on a real FHIR server: the Task, the decision and its Provenance are taken, found and written once."""

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest
from emission_made import context
from fhir_made import Person, settings_on, unique
from findings_made import SEAL, emit, make_hop, message, record
from review_made import REPORT, T2, T, doubted, plain

from gateway.review.desk import ReviewDesk
from gateway.review.hop import ReviewHop
from gateway.review.tasks import Review
from gateway.stores.fhir_store import FhirStore
from gateway.stores.resource_store import Resource
from schemas.errors import Code
from schemas.messages import TOPIC_DECISIONS, Reference, Settlement, Verdict
from schemas.settings import Settings
from workers.hop import Result

VALUES = {**REPORT, "T": "T2?"}


class Site:
    """A patient with a report on the server, and a reviewer who is a Practitioner there."""

    def __init__(self, url: str) -> None:
        self.person = Person(url)
        self.settings = Settings(_env_file=None, fhir=settings_on(url))
        self.store = FhirStore(self.settings.fhir)
        self.hop = make_hop(self.store, self.settings)
        self.desk = ReviewDesk(self.settings, self.store, SEAL)
        self.report, patient = unique("report"), unique("patient")
        self.person.put({"resourceType": "Patient", "id": patient})
        self.person.put(
            {"resourceType": "DiagnosticReport", "id": self.report, "status": "final", "code": {"text": "p"}}
        )
        self.by = self.person.put({"resourceType": "Practitioner", "id": unique("ruth")})
        subject = Reference(type="Patient", literal=f"Patient/{patient}")
        self.about = {"subject": subject, "patient_key": uuid5(NAMESPACE_URL, patient)}

    def emit(self, day: int = 1, **values: str) -> dict[str, int]:
        """A version of the report; how many versions each of its resources has."""
        value = doubted(message(day, report=self.report, about=self.about, **plain(values)), values)
        names = [entry["request"]["url"] for entry in emit(self.hop, value)["entry"]]
        return {name: len(self.person.versions(name)) for name in names if not name.startswith("Device/")}

    @property
    def waiting(self) -> list[Review]:
        """What waits of this report; other tests' Tasks stand on the same server."""
        return [one for one in self.desk.waiting() if self.desk.context(one).report.literal.endswith(self.report)]

    def decide(self, verdict: str, by: str = "") -> Result:
        """Decide the one item that waits."""
        (review,) = self.waiting
        reviewer = Reference(type="Practitioner", literal=by or self.by)
        settlement = Settlement(verdict=Verdict(verdict), by=reviewer, decided="2024-06-01T08:00:00Z")
        decision = self.desk.decision(review, settlement)
        sealed = SEAL.enclose(decision.model_dump_json().encode(), context().patient_key)
        (result,) = ReviewHop(self.hop).process([record(sealed, TOPIC_DECISIONS)])
        return result

    def close(self) -> None:
        """Release all."""
        self.hop.close()
        self.person.close()


@pytest.fixture
def site(fhir_url: str) -> Iterator[Site]:
    """A report that nothing is known of."""
    site = Site(fhir_url)
    yield site
    site.close()


def written(result: Result) -> list[Resource]:
    """The resources that a decision published."""
    assert result.error is None
    return [entry["resource"] for entry in orjson.loads(result.outgoing[0].value)["entry"]]


def test_an_accepted_value_is_written_once_and_found_by_its_verifier(site: Site) -> None:
    """The server takes Task, value and verification; the report again makes no version of anything."""
    site.emit(**VALUES)
    (review,) = site.waiting
    task = site.person.get(review.reference)
    assert task is not None
    assert (task["status"], len(site.person.versions(review.reference))) == ("requested", 1)
    (observation,) = (
        one for one in written(site.decide("accept")) if one.get("code", {}).get("coding", [{}])[0].get("code") == T
    )
    stored = site.person.get(f"Observation/{observation['id']}")
    assert stored is not None
    assert stored["valueCodeableConcept"]["coding"][0]["code"] == T2
    found = site.store.provenances_of([f"Observation/{observation['id']}"])
    assert site.by in {agent["who"].get("reference") for one in found for agent in one["agent"]}
    completed = site.person.get(review.reference)
    assert completed is not None
    assert (completed["status"], site.waiting) == ("completed", [])
    before = site.emit(**VALUES)
    assert site.emit(**VALUES) == before
    assert before[f"Observation/{observation['id']}"] == 1


def test_a_conflict_is_settled_against_the_version_that_was_shown(site: Site) -> None:
    """The report's value replaces the person's by a guarded write, and stays."""
    plainly = {**REPORT, "T": "T2"}
    names = site.emit(**plainly)
    edited = next(
        one
        for name in names
        if name.startswith("Observation/") and (one := site.person.get(name) or {})["code"]["coding"][0]["code"] == T
    )
    site.person.put({**edited, "valueCodeableConcept": {"text": "another"}})
    site.emit(2, **{**REPORT, "T": "T3"})
    assert [one.item.kind for one in site.waiting] == ["conflict"]
    written(site.decide("accept"))
    stored = site.person.get(f"Observation/{edited['id']}")
    assert stored is not None
    assert stored["valueCodeableConcept"]["coding"][0]["code"] == "1229859000"
    assert site.waiting == []


def test_a_reviewer_whom_the_server_does_not_hold_is_told_at_once(site: Site) -> None:
    """The decision is not sent: the server would not take the Provenance."""
    site.emit(**VALUES)
    with pytest.raises(Exception, match=Code.NO_REVIEWER.label):
        site.decide("accept", by="Practitioner/nobody-here")
