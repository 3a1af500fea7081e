"""The companion report: what was extracted from a report, as a report of the machine beside the pathologist's own.

Optional (fhir.companion_report). It is preliminary and labelled AIAST for good, has an id of its own and never the code
of a synoptic report (60568-3): it supplements the EHR's DiagnosticReport and rewrites nothing of it. It lists laboratory
results alone: US Core's profile of a laboratory report takes no TNM category and no stage.
"""

from collections.abc import Iterable

from mappers.identity import derived_id
from mappers.references import Resource, reference_of, reference_to
from mappers.variables import MACHINE_LABEL
from schemas.messages import ReportContext

_PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-diagnosticreport-lab"
_CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB", "display": "Laboratory"}
_CODE = {"system": "http://loinc.org", "code": "11526-1", "display": "Pathology study"}
_TITLE = "machine extraction, unsigned"


def make_companion(context: ReportContext, resources: Iterable[Resource]) -> Resource | None:
    """The companion over a report's laboratory results; None where there are none, or where US Core's date is unknown."""
    observations = [resource for resource in resources if _is_laboratory(resource)]
    effective = context.effective or next((part.collected for part in context.specimens if part.collected), None)
    if not observations or effective is None:
        return None
    companion = {
        "resourceType": "DiagnosticReport",
        "id": derived_id(context.report_key, "companion"),
        "meta": {"profile": [_PROFILE], "security": [MACHINE_LABEL]},
        "status": "preliminary",
        "category": [{"coding": [_CATEGORY]}],
        "code": {"coding": [_CODE], "text": _TITLE},
        "subject": reference_of(context.subject),
        "effectiveDateTime": effective,
        "issued": context.recorded,
        "result": [reference_to(observation) for observation in observations],
        "conclusion": _TITLE,
    }
    return {**companion, "encounter": reference_of(context.encounter)} if context.encounter else companion


def _is_laboratory(resource: Resource) -> bool:
    codings = (coding for category in resource.get("category", []) for coding in category["coding"])
    return resource["resourceType"] == "Observation" and any(coding["code"] == "laboratory" for coding in codings)
