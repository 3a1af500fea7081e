"""The AuditEvent of each write: one where something was written, valid, and with references alone."""

import json
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class
from findings_made import emit, make_hop, message, record
from review_made import REPORT, Site

from gateway.stores.folder_store import FolderStore
from schemas.settings import FhirSettings, Settings
from workers.received import RECEIVED

SETTINGS = Settings(_env_file=None, fhir=FhirSettings(audit=True))
NOW = 1714644000.5


@pytest.fixture
def site(tmp_path) -> Site:
    """A site that wants AuditEvents, with a clock that stands."""
    site = Site(tmp_path / "fhir")
    site.hop = make_hop(FolderStore(site.folder), SETTINGS, clock=lambda: NOW)
    return site


def events(folder: Path) -> list[dict]:
    """The AuditEvents that were written."""
    return [json.loads(path.read_text()) for path in (folder / "AuditEvent").glob("*.json")]


def test_a_write_leaves_one_event_and_a_replay_none(site):
    """What was read and written, by the Devices of the manifest; the same report again writes nothing."""
    for _ in range(2):
        site.emit(**REPORT)
    (event,) = events(site.folder)
    get_fhir_model_class("AuditEvent").model_validate(event)
    named = {entity["what"]["reference"] for entity in event["entity"]}
    assert {"DiagnosticReport/report", "Patient/1"} < named
    assert {f"Observation/{one}" for one in site.resources("Observation")} <= named
    assert all(agent["who"]["reference"].startswith(("Device/", "Organization/")) for agent in event["agent"])
    assert [agent["requestor"] for agent in event["agent"]] == [True, True, False]


def test_run_times_are_in_the_event_alone(site):
    """It says from when the report came in until it was written; nothing else that is written does."""
    (result,) = site.hop.process([record(message(1, **REPORT), headers=((RECEIVED, f"{NOW - 2:.3f}"),))])
    assert result.error is None
    (event,) = events(site.folder)
    assert event["period"] == {"start": "2024-05-02T09:59:58.500Z", "end": "2024-05-02T10:00:00.500Z"}
    assert event["recorded"] == "2024-05-02T10:00:00.500Z"


def test_a_decision_is_its_persons(site):
    """The reviewer is the agent who asked for the write."""
    site.emit(**{**REPORT, "T": "T2?"})
    before = len(events(site.folder))
    site.decide("T", "accept")
    assert len(events(site.folder)) == before + 1
    asking = [
        [agent["who"].get("reference") for agent in one["agent"] if agent["requestor"]] for one in events(site.folder)
    ]
    assert ["Practitioner/ruth"] in asking


def test_no_event_is_published_or_written_unasked(tmp_path):
    """Subscribers get none, and a site that does not ask for them has none."""
    bundle = emit(make_hop(FolderStore(tmp_path / "with"), SETTINGS), message(1, **REPORT))
    assert "AuditEvent" not in json.dumps(bundle)
    emit(make_hop(FolderStore(tmp_path / "without")), message(1, **REPORT))
    assert events(tmp_path / "without") == []
