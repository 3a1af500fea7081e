"""The report and its patient as FHIR resources again, as far as emission knows them: what a mapping's FHIRPath is over.

Only what the sealed context holds: no narrative, no name, no date of birth.
"""

from mappers.references import Resource, identifier_of, reference_of
from schemas.messages import ReportContext

_LOINC = "http://loinc.org"


def report_resource(context: ReportContext) -> Resource:
    """The DiagnosticReport: identifier, status, code, who it is about, who sent it, its specimens and instants."""
    known = {
        "resourceType": "DiagnosticReport",
        "meta": {"lastUpdated": context.version.last_updated} if context.version.last_updated else None,
        "identifier": [identifier_of(context.report_identifier)],
        "status": context.status,
        "code": {"coding": [{"system": _LOINC, "code": code} for code in context.codes]},
        "subject": reference_of(context.subject),
        "encounter": reference_of(context.encounter) if context.encounter else None,
        "effectiveDateTime": context.effective,
        "issued": context.version.issued,
        "performer": [reference_of(context.organization)] if context.organization else None,
        "specimen": [reference_of(part.reference) for part in context.specimens],
    }
    return {key: value for key, value in known.items() if value}


def patient_resource(context: ReportContext) -> Resource:
    """The Patient: gender and the identifier that the report refers to it by."""
    identifier = [identifier_of(context.subject.identifier)] if context.subject.identifier else None
    known = {"resourceType": "Patient", "gender": context.gender, "identifier": identifier}
    return {key: value for key, value in known.items() if value}
