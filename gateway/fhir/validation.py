"""Validation of what intake reads: the R4B classes of fhir.resources, and rules that they lack.

Errors name the element and never its value, nor a key that FHIR does not know (senders put names there too).
"""

import re
from typing import Any

from pydantic import ValidationError

from gateway.fhir.parsing import ReportResources, Resource
from schemas.errors import Code, SynopticError

VALIDATED_TYPES = (
    "Patient",
    "Specimen",
    "ServiceRequest",
    "Encounter",
    "Observation",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "RelatedPerson",
)
_MAXIMUM_FAULTS = 3
_DATES = frozenset(
    {"birthDate", "deceasedDateTime", "collectedDateTime", "effectiveDateTime", "start", "end", "issued"}
)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def validate_resources(resources: ReportResources) -> None:
    """Raise SYN-104 with the first faults where the report, or a resource that intake reads, breaks R4."""
    _validate(_without_data(resources.report))
    for resource in resources.of_type(*VALIDATED_TYPES):
        _validate(resource)
    report = resources.report
    for name, value in (("issued", report.get("issued")), ("meta.lastUpdated", _last_updated(report))):
        if value is not None and not (isinstance(value, str) and INSTANT.fullmatch(value)):
            raise SynopticError(Code.INVALID_RESOURCE, f"DiagnosticReport.{name} is not an instant")


def _last_updated(report: Resource) -> Any:
    return (report.get("meta") or {}).get("lastUpdated")


def _without_data(report: Resource) -> Resource:
    """The report without its attachments' bytes, which are checked by intake itself, once they are needed."""
    forms = report.get("presentedForm")
    if not isinstance(forms, list):
        return report
    emptied = [
        {key: value for key, value in form.items() if key != "data" or not isinstance(value, str)}
        if isinstance(form, dict)
        else form
        for form in forms
    ]
    return {**report, "presentedForm": [{"title": "emptied"} if form == {} else form for form in emptied]}


def _validate(resource: Resource) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    name = resource["resourceType"]
    if lax := _lax_element(resource):
        raise SynopticError(Code.INVALID_RESOURCE, f"{name} holds {lax}")
    try:
        get_fhir_model_class(name).model_validate(resource)
    except ValidationError as error:
        faults = [_fault(item) for item in error.errors(include_url=False, include_input=False)]
        raise SynopticError(Code.INVALID_RESOURCE, "; ".join(_shown(name, faults))) from None
    except RecursionError:
        raise SynopticError(Code.INVALID_RESOURCE, f"{name} is nested without end") from None
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError):
        raise SynopticError(Code.INVALID_RESOURCE, f"{name} has an element of the wrong type") from None


def _lax_element(value: Any) -> str | None:
    """What the classes let pass: nulls (FHIR JSON has them only in lists of primitives), and numbers as dates."""
    if isinstance(value, list):
        return next((found for item in value if item is not None and (found := _lax_element(item))), None)
    if not isinstance(value, dict):
        return None
    for key, inner in value.items():
        primitives = key.startswith("_") or f"_{key}" in value
        if inner is None or (isinstance(inner, list) and None in inner and not primitives):
            return "a null"
        if key in _DATES and not isinstance(inner, str):
            return "a date that is not text"
        if found := _lax_element(inner):
            return found
    return None


def _fault(item: Any) -> tuple[str, str]:
    location = [str(step) for step in item["loc"]]
    if item["type"] == "extra_forbidden":
        location[-1:] = ["(a key that FHIR does not know)"]
    return ".".join(location), str(item["type"]).replace("_", " ")


def _shown(name: str, faults: list[tuple[str, str]]) -> list[str]:
    lines = [f"{name}.{location}: {kind}" for location, kind in dict.fromkeys(faults)]
    more = len(lines) - _MAXIMUM_FAULTS
    return lines[:_MAXIMUM_FAULTS] + ([f"and {more} more"] if more > 0 else [])
