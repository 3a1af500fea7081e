"""Emission over a FHIR server: how many requests a report takes, and what becomes of it when something goes wrong."""

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from fhir_made import Person, settings_on, unique
from findings_made import emit, make_hop, message
from servers.faulty_proxy import Answer, FaultyProxy, Seen, lose_answer, on

from gateway.stores.fhir_store import FhirStore
from gateway.stores.resource_store import Resource
from schemas.messages import Reference
from schemas.settings import Settings

VALUES = {"T": "T1", "N": "N0", "grade": "G2", "ER": "positive"}


class Listening(FaultyProxy):
    """The server, with a note of what kind each request was."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.kinds: list[str] = []

    def handle(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> tuple[Seen, Answer]:
        """Note the request and pass it on."""
        self.kinds.append(_kind(target, body))
        return super().handle(method, target, headers, body)


def _kind(target: str, body: bytes) -> str:
    if b'"type":"transaction"' in body:
        return "transaction"
    if b'"type":"batch"' in body:
        return "look-up" if b"_summary=count" in body else "read"
    return "search" if target.endswith("_search") else "other"


class Site:
    """A patient with one report on the server, and emission that knows the server already."""

    def __init__(self, url: str) -> None:
        """Write two versions of another report first: what is asked of a server once is asked."""
        self.person = Person(url)
        self.proxy = Listening(url)
        self.proxy.start()
        self.store = self.another_store()
        self.report = unique("report")
        other = unique("report")
        for day in (1, 2):
            self.emit(day, other)
        self.proxy.kinds.clear()

    def another_store(self) -> FhirStore:
        """A store that remembers nothing, as another process has it."""
        return FhirStore(settings_on(self.proxy.base_url))

    def emit(self, day: int = 1, report: str = "", store: FhirStore | None = None) -> Resource:
        """Emit that day's version of a report; its Bundle."""
        report = report or self.report
        patient, key = f"patient-of-{report}", uuid5(NAMESPACE_URL, f"patient of {report}")
        self.person.put({"resourceType": "Patient", "id": patient})
        self.person.put({"resourceType": "DiagnosticReport", "id": report, **_REPORT})
        subject = Reference(type="Patient", literal=f"Patient/{patient}")
        about = {"subject": subject, "patient_key": key}
        return emit(make_hop(store or self.store), message(day, report=report, about=about, **VALUES))

    def versions(self, bundle: Resource) -> dict[str, int]:
        """How many versions each resource of a Bundle has; Devices belong to every report."""
        names = [entry["request"]["url"] for entry in bundle["entry"]]
        return {name: len(self.person.versions(name)) for name in names if not name.startswith("Device/")}

    def close(self) -> None:
        """Release all."""
        self.store.close()
        self.proxy.stop()
        self.person.close()


_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_REPORT = {"status": "final", "code": {"text": "pathology"}}


@pytest.fixture
def site(fhir_url: str) -> Iterator[Site]:
    """A patient with a report."""
    site = Site(fhir_url)
    yield site
    site.close()


def test_a_new_report_takes_three_requests_and_makes_one_version_of_each(site: Site) -> None:
    """The look-up, one read of all that may stand there, and the transaction; the manifest comes with the rest."""
    bundle = site.emit()
    assert site.proxy.kinds == ["look-up", "read", "transaction"]
    versions = site.versions(bundle)
    assert {name.partition("/")[0] for name in versions} >= {"Condition", "Observation", "Provenance"}
    assert set(versions.values()) == {1}


def test_the_same_report_again_is_read_and_not_written(site: Site) -> None:
    """Another process that is offered it reads what the manifest names and who speaks of it, and makes no version."""
    first, store = site.emit(), site.another_store()
    site.proxy.kinds.clear()
    assert site.emit(store=store) == first
    assert site.proxy.kinds == ["look-up", "read", "read", "search"]
    assert set(site.versions(first).values()) == {1}
    store.close()


def test_an_amended_report_takes_one_transaction(site: Site) -> None:
    """What was looked up within a minute is not looked up again, and the manifest has one more version."""
    first = site.emit()
    site.proxy.kinds.clear()
    site.emit(day=2)
    assert site.proxy.kinds == ["read", "read", "search", "transaction"]
    assert site.versions(first)[first["entry"][-1]["request"]["url"]] == 2


def test_a_report_whose_answer_was_lost_is_found_written(site: Site) -> None:
    """Sent again, the transaction is refused; read again, the report is there: it is published, and written once."""
    fault = site.proxy.inject(on("POST", "^$", containing='"type":"transaction"'), lose_answer())
    bundle = site.emit()
    assert fault.happened == 1
    assert site.proxy.kinds.count("transaction") == 2
    assert set(site.versions(bundle).values()) == {1}
    assert site.emit() == bundle


def test_a_report_whose_manifest_was_deleted_is_written_again(site: Site) -> None:
    """A person who deletes a manifest does not keep its report out for ever, and what still stands is left alone."""
    bundle = site.emit()
    manifest = bundle["entry"][-1]["request"]["url"]
    site.person.delete(manifest)
    assert site.emit() == bundle
    versions = site.versions(bundle)
    assert versions.pop(manifest) == 3
    assert site.person.get(manifest) is not None
    assert set(versions.values()) == {1}


def test_reports_again_in_another_order_leave_one_version_each(site: Site) -> None:
    """Of every resource of a dozen reports, by a store that remembers nothing: benchmarks/replay.py does it with 1,000."""
    reports = [unique("report") for _ in range(12)]
    first = {report: site.emit(report=report) for report in reports}
    store = site.another_store()
    again = {report: site.emit(report=report, store=store) for report in reversed(reports)}
    store.close()
    assert again == first
    assert {count for bundle in first.values() for count in site.versions(bundle).values()} == {1}


def test_the_ehrs_own_condition_is_found_and_the_write_is_audited(fhir_url: str) -> None:
    """The server finds the patient's one such Condition, which Observations focus on; one AuditEvent tells of one write."""
    person, report, patient = Person(fhir_url), unique("report"), unique("patient")
    subject = {"reference": person.put({"resourceType": "Patient", "id": patient})}
    person.put({"resourceType": "DiagnosticReport", "id": report, **_REPORT})
    known = person.put(
        {
            "resourceType": "Condition",
            "id": unique("known"),
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}]},
            "bodySite": [{"coding": [{"system": "http://snomed.info/sct", "code": "80248007"}]}],
            "subject": subject,
        }
    )
    settings = Settings(_env_file=None, fhir=settings_on(fhir_url, condition="reference_existing", audit=True))
    hop = make_hop(FhirStore(settings.fhir), settings)
    about = {
        "subject": Reference(type="Patient", literal=f"Patient/{patient}"),
        "patient_key": uuid5(NAMESPACE_URL, patient),
    }
    first, again = (emit(hop, message(report=report, about=about, **VALUES)) for _ in range(2))
    names = [entry["request"]["url"] for entry in first["entry"]]
    assert again == first
    assert not any(name.startswith("Condition/") for name in names)
    focus = [item for name in names for item in (person.get(name) or {}).get("focus", [])]
    assert {item["reference"] for item in focus} >= {known}
    found = httpx.get(f"{fhir_url}/AuditEvent", params={"entity": f"DiagnosticReport/{report}"}).json()
    (audit,) = [entry["resource"] for entry in found["entry"]]
    own = {name for name in names if not name.startswith("Device/")}  # Devices stand there from other reports
    assert {item["what"]["reference"] for item in audit["entity"]} >= {*own, subject["reference"]}
    hop.close()
    person.close()
