"""A changed overlay reaches a real FHIR server by `synoptic mapping replay`: only what it concerns, one new version each."""

import os
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest
from fhir_made import Person, unique
from findings_made import SEAL, message
from typer.testing import CliRunner

from gateway.commands.mapping import app
from gateway.emission import EmissionHop
from gateway.stores.fhir_store import FhirStore
from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS, Reference
from schemas.settings import BusSettings, load_settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import Seal
from workers.runner import Runner

HEAD = "overlay: x\ntitle: Facility X\nversion: '1'\npack: breast\nsystems: {lab: https://x.example/lab}\n"
CHANGED = HEAD + "tables: {T.pathologic: {T2: +lab|T-TWO}, N.pathologic: {N0: null}}\n"


def test_only_what_a_changed_overlay_concerns_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fhir_url: str
) -> None:
    """Of three reports one gets a code and one loses a resource; the third stays as it is."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(HEAD)
    monkeypatch.setenv("SYNOPTIC_BUS__PATH", str(tmp_path / "bus.sqlite"))
    monkeypatch.setenv("SYNOPTIC_FHIR__BASE_URL", fhir_url)
    monkeypatch.setenv("SYNOPTIC_MAPPING__OVERLAYS", orjson.dumps([str(tmp_path)]).decode())
    monkeypatch.setattr("gateway.mapping_tools.live.load_seal", lambda settings: SEAL)
    monkeypatch.setattr(Seal, "close", lambda seal: None)  # it is every test's
    person, patient = Person(fhir_url), unique("patient")
    person.put({"resourceType": "Patient", "id": patient})
    about = {
        "subject": Reference(type="Patient", literal=f"Patient/{patient}"),
        "patient_key": uuid5(NAMESPACE_URL, patient),
    }
    reports = [unique(name) for name in ("coded", "withdrawn", "same")]
    for report in reports:
        person.put({"resourceType": "DiagnosticReport", "id": report, "status": "final", "code": {"text": "p"}})
    found = ({"T": "T2"}, {"T": "T1", "N": "N0"}, {"T": "T1"})
    values = [message(report=report, about=about, **one) for report, one in zip(reports, found, strict=True)]
    bus, settings = EmbeddedBus(tmp_path / "bus.sqlite"), load_settings()
    emission = Runner(EmissionHop(settings, FhirStore(settings.fhir), SEAL), bus, BusSettings())
    bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in values])
    emission.step(0.0)
    overlay.write_text(CHANGED)
    os.utime(overlay, (1_700_000_000, 1_700_000_000))

    def states() -> list[tuple[str, str, int]]:
        bundles = [orjson.loads(record.value) for record in bus.read(TOPIC_BUNDLES)]
        names = {entry["request"]["url"] for bundle in bundles for entry in bundle["entry"]}
        stored = [person.get(name) or {} for name in names if name.startswith("Observation/")]
        return sorted(
            (
                one["valueCodeableConcept"]["coding"][-1]["code"],
                one["status"],
                int(one["meta"]["versionId"]),
            )
            for one in stored
        )

    before = states()
    assert "replayed 2 of 3 reports; 1 would stay" in CliRunner().invoke(app, ["replay"]).output
    assert states() == before
    emission.step(0.0)
    after = states()
    assert [one for one in after if one not in before] == [
        ("1229947003", "entered-in-error", 2),
        ("T-TWO", "final", 2),
    ]
    assert len(after) == len(before)
    emission.close()
    bus.close()
    person.close()
