"""Findings of one report become its FHIR resources, their manifest and one transaction Bundle."""

from collections.abc import Mapping as Map
from dataclasses import dataclass
from uuid import UUID

from mappers.companion import make_companion
from mappers.identity import CANONICAL, derived_id
from mappers.mapping import Missing, Owners, map_primary
from mappers.profiles import check_resources
from mappers.provenance import configuration_digest, make_devices, make_manifest
from mappers.references import Resource
from mappers.specimens import SpecimenChoice, choose_specimens
from mappers.staging import stage_variables
from mappers.variables import Variables, primary_variables
from schemas.errors import Code, SynopticError
from schemas.findings import Primary
from schemas.messages import Action, ReportContext, ReportFindings
from schemas.pack_loader import Pack
from schemas.settings import Settings

_SHOWN_FAULTS = 3


@dataclass(frozen=True, repr=False)
class MappedReport:
    """A report's resources in order, the manifest over them, and values that no table has a code for."""

    resources: tuple[Resource, ...]
    manifest: Resource
    missing: tuple[Missing, ...]
    identifier: UUID
    base_url: str

    def transaction(self) -> Resource:
        """One transaction Bundle of PUTs; subscribers recognise repeats by its identifier."""
        return {
            "resourceType": "Bundle",
            "id": str(self.identifier),
            "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{self.identifier}"},
            "type": "transaction",
            "entry": [self._entry(resource) for resource in (*self.resources, self.manifest)],
        }

    def _entry(self, resource: Resource) -> Resource:
        path = f"{resource['resourceType']}/{resource['id']}"
        request = {"method": "PUT", "url": path}
        return {"fullUrl": f"{self.base_url}/{path}", "resource": resource, "request": request}


def map_report(
    findings: ReportFindings,
    context: ReportContext,
    pack: Pack,
    settings: Settings,
    known_conditions: Map[str, str] | None = None,
) -> MappedReport:
    """Map a report's findings; raises SYN-401 where the result breaks a rule of its profiles.

    `known_conditions` names, by primary, a Condition of the EHR ("Condition/1") that is referred to in place of ours.
    """
    pack = pack.for_report(context)
    known = dict(known_conditions or {})
    by_id: dict[str, Resource] = {}
    missing: list[Missing] = []
    for primary in findings.primaries:
        resources, unmapped = _map_primary(primary, context, pack, settings, known.get(primary.key))
        missing += unmapped
        by_id.update({f"{resource['resourceType']}/{resource['id']}": resource for resource in resources})
    companion = _companion(findings, context, by_id, settings)
    clinical = (*by_id.values(), *companion)
    devices = make_devices(findings.configuration)
    configuration = configuration_digest(findings.configuration, pack.mapping_digest, pack.licensed, settings)
    manifest = make_manifest(context, clinical, devices, findings.content_digest, configuration, known, settings)
    version = context.version
    identifier = derived_id(
        context.report_key, "bundle", version.issued or "", version.last_updated or "", version.version_id or "",
        findings.content_digest, configuration,
    )  # fmt: skip
    mapped = MappedReport(
        resources=(*devices, *clinical),
        manifest=manifest,
        missing=tuple(missing),
        identifier=UUID(identifier),
        base_url=(settings.fhir.base_url or CANONICAL).rstrip("/"),
    )
    theirs = [part.reference.literal for part in context.specimens if part.reference.literal]
    faults = check_resources((*mapped.resources, manifest), pack.mapping, (*known.values(), *theirs))
    if faults:
        more = f"; {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise SynopticError(Code.BAD_RESOURCES, "; ".join(faults[:_SHOWN_FAULTS]) + more)
    return mapped


def _companion(
    findings: ReportFindings, context: ReportContext, by_id: Map[str, Resource], settings: Settings
) -> tuple[Resource, ...]:
    """The companion report where it is wanted; an addendum alone leaves that of the whole report as it is."""
    if not settings.fhir.companion_report or findings.action is Action.MERGE:
        return ()
    companion = make_companion(context, by_id.values())
    return (companion,) if companion else ()


def _map_primary(
    primary: Primary, context: ReportContext, pack: Pack, settings: Settings, known_condition: str | None
) -> tuple[tuple[Resource, ...], tuple[Missing, ...]]:
    specimens = choose_specimens(primary, context)
    mapped = map_primary(
        primary,
        known_variables(primary, context, pack, settings, specimens, known_condition),
        specimens,
        Owners(report=context.report_key, patient=context.patient_key),
        pack.mapping,
        {"reference": known_condition} if known_condition else None,
        settings.mapping.review_values,
    )
    return mapped.resources, mapped.missing


def known_variables(
    primary: Primary,
    context: ReportContext,
    pack: Pack,
    settings: Settings,
    specimens: SpecimenChoice,
    known_condition: str | None = None,
) -> Variables:
    """What rules see of a primary beside its findings: the report, the primary and its computed stage."""
    choice = "known" if known_condition else ("none" if settings.fhir.condition == "none" else "write")
    return {
        **primary_variables(primary, context, specimens, choice),
        **stage_variables(primary, pack.staging, pack.licensed, settings.mapping),
    }


def withdraw(resource: Resource) -> Resource:
    """The resource taken back: it stays readable, marked as entered in error the way its type does it."""
    kind = resource["resourceType"]
    if kind == "Condition":
        kept = {key: value for key, value in resource.items() if key != "clinicalStatus"}
        return {**kept, "verificationStatus": {"coding": [_ENTERED_IN_ERROR]}}
    if kind == "BodyStructure":
        return {**resource, "active": False}
    return {**resource, "status": "entered-in-error"}


_ENTERED_IN_ERROR = {
    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "code": "entered-in-error",
    "display": "Entered in Error",
}
