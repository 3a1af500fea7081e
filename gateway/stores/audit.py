"""The AuditEvent of a write: when it was done, by what or by whom, from which report, and what was written.

Run times live here alone: all else that Synoptic writes is the same whenever it runs. It refers and quotes nothing; the
system's names are those of HL7's and DICOM's own code systems.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from gateway.stores.resource_store import Put, Resource, reference_of
from mappers.references import reference_of as referring
from schemas.messages import Reference, ReportContext
from schemas.settings import Settings

_TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
_TRANSACTION = {"system": "http://hl7.org/fhir/restful-interaction", "code": "transaction"}
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle"
_CREATED, _AMENDED, _READ = "1", "3", "6"
_PATIENT, _REPORT, _RESOURCE = "1", "3", "4"
_EXECUTED, _SUCCEEDED = "E", "0"


def make_audit(
    puts: Sequence[Put],
    context: ReportContext,
    devices: Sequence[str],
    settings: Settings,
    begun: float,
    now: float,
    reviewer: Reference | None = None,
) -> Resource:
    """The AuditEvent of these writes for a report; `begun` and `now` in seconds since 1970.

    `reviewer` is the person whose decision was written; else the Devices in the manifest asked for it.
    """
    organization = {"reference": settings.fhir.organization}
    asking = [referring(reviewer)] if reviewer else [{"reference": device} for device in devices]
    read = [(context.report, _REPORT), (context.subject, _PATIENT)]
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        "type": _TYPE,
        "subtype": [_TRANSACTION],
        "action": _EXECUTED,
        "period": {"start": _instant(begun), "end": _instant(now)},
        "recorded": _instant(now),
        "outcome": _SUCCEEDED,
        "agent": [
            *({"who": who, "requestor": True} for who in asking),
            {"who": organization, "requestor": False},
        ],
        "source": {"observer": organization},
        "entity": [
            *(_entity(referring(reference), role, _READ) for reference, role in read),
            *(_entity({"reference": reference_of(put.resource)}, _RESOURCE, _done(put)) for put in puts),
        ],
    }


def _done(put: Put) -> str:
    return _CREATED if put.expected is None else _AMENDED


def _entity(what: Resource, role: str, lifecycle: str) -> Resource:
    return {
        "what": what,
        "role": {"system": _ROLE, "code": role},
        "lifecycle": {"system": _LIFECYCLE, "code": lifecycle},
    }


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
