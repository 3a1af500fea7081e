"""A Composition over one case in the shape of HL7's Central Cancer Registry Reporting (2.0.0-ballot).

Made only where that guide's needs are met: one primary cancer with histology, body site and asserted date. No profile is
claimed, since none of the guide's can be checked here.
"""

from collections.abc import Sequence
from html import escape

from gateway.registries.coded import is_withdrawn
from gateway.registries.gathering import DELIVERED
from gateway.stores.resource_store import Resource, reference_of
from mappers.identity import derived_id

_HISTOLOGY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_TNM = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-tnm-"
_LOINC, _SNOMED = "http://loinc.org", "http://snomed.info/sct"


def compose(case: str, recorded: str, resources: Sequence[Resource]) -> Resource | None:
    """The Composition, or None where the case has not exactly one complete primary cancer."""
    standing = [resource for resource in resources if not is_withdrawn(resource)]
    conditions = [resource for resource in standing if resource["resourceType"] == "Condition"]
    if len(conditions) != 1 or not _is_complete(conditions[0]):
        return None
    (condition,) = conditions
    observations = [resource for resource in standing if resource["resourceType"] == "Observation"]
    staging = [item for item in observations if any(url.startswith(_TNM) for url in _profiles(item))]
    results = [item for item in observations if item not in staging]
    reports = [resource for resource in standing if resource["resourceType"] == "DiagnosticReport"]
    authors = [resource for resource in standing if resource["resourceType"] == "Device"]
    sections = [
        _section(_SNOMED, "363346000", "Primary cancer", [condition], condition["code"].get("text", "")),
        _section(_LOINC, "21908-9", "Staging", staging),
        _section(_LOINC, "30954-2", "Results", results),
        _section(_LOINC, "28650-0", "Pathology report", reports),
    ]
    return {
        "resourceType": "Composition",
        "id": derived_id(DELIVERED, "composition", case),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{case}"},
        "status": "final",
        "type": {"coding": [{"system": _LOINC, "code": "72134-0"}]},
        "subject": condition["subject"],
        **({"encounter": condition["encounter"]} if "encounter" in condition else {}),
        "date": recorded,
        "author": [{"reference": reference_of(author)} for author in authors],
        "title": "Central Cancer Registry Report",
        "section": [section for section in sections if section["entry"]],
    }


def _is_complete(condition: Resource) -> bool:
    extensions = {item["url"]: item for item in condition.get("extension", [])}
    histology = extensions.get(_HISTOLOGY, {}).get("valueCodeableConcept", {})
    return bool(histology.get("coding") and condition.get("bodySite") and _ASSERTED in extensions)


def _section(system: str, code: str, title: str, entries: Sequence[Resource], text: str = "") -> Resource:
    words = escape(text or f"{title}: {len(entries)}")
    return {
        "title": title,
        "code": {"coding": [{"system": system, "code": code}]},
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'},
        "entry": [{"reference": reference_of(entry)} for entry in entries],
    }


def _profiles(resource: Resource) -> list[str]:
    return list(resource.get("meta", {}).get("profile", []))
