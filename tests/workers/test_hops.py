"""The contract that every hop passes, on the real hops."""

import base64
import json
from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from uuid import UUID

from hop_contract import hop_contract, record

from gateway.delayed import DelayedHop
from gateway.emission import EmissionHop
from gateway.intake import Intake
from gateway.registries.delivery import KafkaDelivery
from gateway.registries.hop import RegistryHop
from gateway.registries.ledger import Ledger
from gateway.registries.subscription import Definition, Subscription
from gateway.stores.folder_store import FolderStore
from model.calibration import Calibration
from model.engine import Prediction
from model.prompt import PromptInput
from schemas.messages import Action, Identifier, Reference, ReportContext, ReportText, ReportVersion
from schemas.pack_loader import load_pack
from schemas.settings import Settings
from workers.extraction import ExtractionHop, Extractor
from workers.privacy.sealing import Seal

SEAL = Seal(b"a secret of thirty-two characters")
TEXT = """FINAL DIAGNOSIS
Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2, 2.3 cm, pT2 pN0.
Estrogen receptor positive (90 %), progesterone receptor negative, HER2 negative (1+).
"""
BENIGN = "FINAL DIAGNOSIS\nRight breast, core biopsy: fibroadenoma. No evidence of malignancy.\n"


def diagnostic_report(text: str, **changes: object) -> bytes:
    """A FHIR report that holds the text."""
    resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:lab", "value": "S24-1234"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
        "subject": {"reference": "Patient/1", "identifier": {"system": "urn:mrn", "value": "4711"}},
        "issued": "2024-03-05T10:00:00Z",
        "presentedForm": [{"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}],
    }
    return json.dumps(resource | changes).encode()


def report_text(text: str, action: Action = Action.REPLACE) -> bytes:
    """What intake makes of a report."""
    context = ReportContext(
        tenant="default",
        report_key=UUID(int=1),
        patient_key=UUID(int=2),
        report_identifier=Identifier(system="urn:lab", value="S24-1234"),
        report=Reference(type="DiagnosticReport", literal="DiagnosticReport/1"),
        subject=Reference(type="Patient", literal="Patient/1"),
        status="final",
        version=ReportVersion(issued="2024-03-05T10:00:00Z"),
        recorded="2024-03-05T10:00:00Z",
    )
    report = ReportText(action=action, pack="breast", text=text, context=context, content_digest="digest")
    return report.model_dump_json().encode()


class EvenEngine:
    """Stands for the model: every class equally probable, nothing calibrated."""

    manifest = SimpleNamespace(
        require_pack=lambda _pack: None, name="even", model_digest="model", adapter_digest="adapter"
    )
    calibration = Calibration()

    def classify(self, prompts: Sequence[PromptInput]) -> list[dict[str, Prediction]]:
        """The same answer to every prompt, for the tasks whose classes it shows."""
        return [
            {
                task: Prediction(0.5, dict.fromkeys(classes, 1 / len(classes)))
                for task, classes in prompt.classes.items()
            }
            for prompt in prompts
        ]


def test_intake_keeps_the_contract():
    """Intake rejects bad bytes by number, and a report's text depends on nothing but the report."""
    registered = diagnostic_report("", status="registered")
    withdrawn = diagnostic_report(TEXT, status="entered-in-error")
    hop_contract(lambda: Intake(Settings(), seal=SEAL), [diagnostic_report(TEXT), registered, withdrawn])


def extraction() -> ExtractionHop:
    """The hop with the shipped pack and an engine that needs no model."""
    return ExtractionHop(Extractor({"breast": load_pack("breast")}, EvenEngine(), SEAL))


def test_extraction_keeps_the_contract():
    """Extraction rejects bad bytes by number, and its findings, the sealed part included, are the same every time."""
    hop_contract(extraction, [report_text(TEXT), report_text(BENIGN), report_text("", Action.WITHDRAW)])


def test_emission_keeps_the_contract(tmp_path):
    """Emission rejects bad bytes by number, and publishes the same Bundle whether or not it is there already."""
    (result,) = extraction().process([record(report_text(TEXT))])
    folders = count()
    hop_contract(
        lambda: EmissionHop(Settings(), FolderStore(tmp_path / str(next(folders))), SEAL), [result.outgoing[0].value]
    )


def test_the_hop_of_what_waits_keeps_the_contract(tmp_path):
    """What is due passes as emission would have it, and bad bytes are rejected by number there as well."""
    (result,) = extraction().process([record(report_text(TEXT))])
    folders = count()
    hop_contract(
        lambda: DelayedHop(EmissionHop(Settings(), FolderStore(tmp_path / str(next(folders))), SEAL), 15),
        [result.outgoing[0].value],
    )


class WholeEhr:
    """An EHR that has whatever is asked for."""

    def about(self, _report: dict) -> object:
        """A final report, and of all else no more than that it is there."""
        return lambda references: [_resource(*item["reference"].split("/")) for item in references]

    def written(self, _names: list[str]) -> list[dict]:
        """Of what Synoptic wrote, nothing but the Bundle is looked at."""
        return []

    def close(self) -> None:
        """Nothing is open."""


def _resource(kind: str, identifier: str) -> dict:
    more = {"status": "final", "subject": {"reference": "Patient/1"}} if kind == "DiagnosticReport" else {}
    return {"resourceType": kind, "id": identifier, **more}


def test_a_registry_keeps_the_contract(tmp_path):
    """It rejects bad bytes by number, and what goes to a registry's topic depends on nothing but the Bundle."""
    (findings,) = extraction().process([record(report_text(TEXT))])
    emission = EmissionHop(Settings(), FolderStore(tmp_path / "fhir"), SEAL)
    (published,) = emission.process([record(findings.outgoing[0].value)])
    target = Definition.model_validate({"deliver": {"kafka": {"topic": "registry.state"}}})
    subscription, folders = Subscription(name="state", definition=target), count()

    def registry() -> RegistryHop:
        ledger = Ledger(tmp_path / f"{next(folders)}.sqlite")
        return RegistryHop(subscription, KafkaDelivery("registry.state"), WholeEhr(), ledger, Settings())

    hop_contract(registry, [published.outgoing[0].value])
