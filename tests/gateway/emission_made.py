"""Builders for the tests of emission: mapped reports made by hand, and a world that applies plans as a store would."""

from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from gateway.stores.authorship import unversioned
from gateway.stores.reconciliation import Current, Incoming, Outcome, Plan, concerned, reconcile
from gateway.stores.resource_store import Stored, reference_of
from mappers.provenance import make_manifest
from schemas.messages import Action, Identifier, Reference, ReportContext, ReportVersion
from schemas.settings import Settings


def context(report: str = "report", day: int = 1, **changes) -> ReportContext:
    """The context of a report's version of that day."""
    plain = {
        "tenant": "default",
        "report_key": uuid5(NAMESPACE_URL, report),
        "patient_key": uuid5(NAMESPACE_URL, "patient"),
        "report_identifier": Identifier(system="https://hospital.example/accession", value=report),
        "report": Reference(type="DiagnosticReport", literal=f"DiagnosticReport/{report}"),
        "subject": Reference(type="Patient", literal="Patient/1"),
        "status": "final",
        "version": ReportVersion(issued=f"2024-05-{day:02d}T10:00:00Z"),
        "recorded": f"2024-05-{day:02d}T10:00:00Z",
    }
    return ReportContext(**{**plain, **changes})


def resource(name: str, value: str = "1") -> dict:
    """An Observation, or the patient's Condition where it is named so."""
    if name == "condition":
        return {
            "resourceType": "Condition",
            "id": name,
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "provisional"}]},
            "note": [{"text": value}],
        }
    return {"resourceType": "Observation", "id": name, "status": "final", "valueString": value}


def incoming(
    action: str = "replace",
    day: int = 1,
    names: str = "",
    value: str | None = None,
    report: str = "report",
    content: str | None = None,
    configuration: str = "configuration",
    received: float | None = None,
    **changes,
) -> Incoming:
    """A mapped version of a report with these resources (words of `names`); its content digest follows day and value."""
    stated = value or str(day)
    resources = tuple(resource(name, stated) for name in names.split())
    digest = content or f"{action} {day} {stated} {names}"
    manifest = make_manifest(
        context(report, day, **changes), resources, [], digest, configuration, {}, Settings(_env_file=None)
    )
    return Incoming(Action(action), resources, manifest, received)


@dataclass
class World:
    """A store in a dict: applies plans, counts versions, and lets a person edit."""

    resources: dict[str, Stored] = field(default_factory=dict)
    written: int = 0
    conflicts: list = field(default_factory=list)

    def put(self, resource: dict) -> None:
        """Write one resource as a new version."""
        self.written += 1
        versioned = {**resource, "meta": {**resource.get("meta", {}), "versionId": str(self.written)}}
        self.resources[reference_of(resource)] = Stored(versioned, str(self.written))

    def plan(self, report: Incoming) -> Plan:
        """Read and decide, as emission does."""
        name = reference_of(report.manifest)
        manifest = self.resources.get(name)
        wanted = concerned(manifest.resource if manifest else {}, report)
        stored = {key: value for key, value in self.resources.items() if key in wanted}
        provenances = tuple(
            item.resource
            for key, item in sorted(self.resources.items())
            if key.startswith("Provenance/")
            and {target.get("reference") for target in item.resource["target"]} & stored.keys()
        )
        return reconcile(report, Current(name, manifest, stored, provenances))

    def emit(self, report: Incoming) -> Plan:
        """Decide and write."""
        plan = self.plan(report)
        assert plan.outcome is Outcome.WRITE or not plan.puts
        for put in plan.puts:
            present = self.resources.get(reference_of(put.resource))
            assert put.expected == (present.version if present else None)
            self.put(put.resource)
        self.conflicts += plan.conflicts
        return plan

    def person_edits(self, reference: str, **changes) -> None:
        """A person changes a resource in place, keeping its extensions."""
        self.put({**self.resources[reference].resource, **changes})

    def states(self) -> dict[str, str]:
        """Each clinical resource's value, or "withdrawn"."""
        return {key: _state(item.resource) for key, item in self.resources.items() if not key.startswith("Provenance/")}

    def active(self) -> dict[str, str]:
        """The values of what is not withdrawn."""
        return {key: state for key, state in self.states().items() if state != "withdrawn"}

    def plain(self) -> dict[str, dict]:
        """Everything, without versions."""
        return {key: unversioned(item.resource) for key, item in self.resources.items()}


def _state(resource: dict) -> str:
    if resource["resourceType"] == "Condition":
        status = resource["verificationStatus"]["coding"][0]["code"]
        return "withdrawn" if status == "entered-in-error" else resource["note"][0]["text"]
    return "withdrawn" if resource["status"] == "entered-in-error" else resource["valueString"]
