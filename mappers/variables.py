"""The variables that mapping rules see: what is known of a report, a primary and one of its findings."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any, NamedTuple
from uuid import UUID

from mappers.identity import derived_id
from mappers.references import Resource, evidence_extensions, finding_extensions, reference_of
from mappers.report_resource import patient_resource, report_resource
from mappers.specimens import SpecimenChoice
from schemas.findings import Certainty, Finding, Focus, Primary, Status
from schemas.messages import ReportContext
from schemas.pack_mapping import PATIENT_RESOURCE, REPORT_RESOURCE, Mapping, Reading, excluded, holds

Variables = dict[str, Any]
TUMOR_SLOT = "tumor"  # its resource is known by an identifier as well, which Specimens carry
UNCERTAIN_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "UNCERTREL",
    "display": "uncertain reliability",
}
MACHINE_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}


def report_variables(context: ReportContext) -> Variables:
    """What the report's resource says."""
    return {
        "subject": reference_of(context.subject),
        "encounter": reference_of(context.encounter) if context.encounter else None,
        "report": reference_of(context.report),
        "report_status": context.status,
        "gender": context.gender,
        REPORT_RESOURCE: report_resource(context),
        PATIENT_RESOURCE: patient_resource(context),
    }


def primary_variables(primary: Primary, context: ReportContext, specimens: SpecimenChoice, choice: str) -> Variables:
    """What is known of one primary, beside the report's variables; `choice` is where its Condition comes from."""
    effective = specimens.collected or context.effective
    year = (effective or context.recorded)[:4]
    return {
        **report_variables(context),
        "assertion": primary.assertion.value,
        "certainty": primary.certainty.value,
        "histology": primary.histology,
        "behaviour": primary.behaviour,
        "procedure": primary.procedure,
        "therapy_before": primary.therapy_before,
        "side": primary.laterality,
        "condition_choice": choice,
        "specimen": specimens.only,
        "tumor_identifier": f"urn:uuid:{derived_id(context.report_key, primary.key, TUMOR_SLOT)}",
        "foci": str(len(primary.foci)) if primary.foci else None,
        "mass_histology": primary.histology if _is_of_one_type(primary) else None,
        "effective": effective,
        "collected": specimens.collected,
        "year": year if year.isdigit() else None,
        "extensions": evidence_extensions(dict.fromkeys(primary.assertion_evidence + primary.histology_evidence)),
        "security": [MACHINE_LABEL, *([UNCERTAIN_LABEL] if primary.certainty is Certainty.PROVISIONAL else [])],
        **_seen(primary.findings),
    }


class Mass(NamedTuple):
    """A mass of a primary: the key of a further one (None: the largest, with the whole), its findings and variables."""

    focus: str | None
    findings: dict[str, Finding]
    known: Variables


def masses(primary: Primary, known: Variables, report_key: UUID) -> Iterator[Mass]:
    """The primary with its largest mass, then each further one; `known` are the primary's variables."""
    yield Mass(None, primary.told_of(None), known)
    for focus in primary.foci:
        yield Mass(focus.key, focus.findings, _focus_variables(primary, focus, known, report_key))


def _focus_variables(primary: Primary, focus: Focus, known: Variables, report_key: UUID) -> Variables:
    """What is known of one further mass of a primary: the primary's variables, but no finding of another mass."""
    whole = {name: value for name, value in known.items() if not name.startswith(("found.", "state."))}
    identifier = derived_id(report_key, primary.key, focus.key, TUMOR_SLOT)
    return {
        **whole,
        "focus": focus.key,
        "tumor_identifier": f"urn:uuid:{identifier}",
        "mass_histology": focus.histology,
        **_seen(focus.findings),
    }


def _is_of_one_type(primary: Primary) -> bool:
    return all(focus.histology in (None, primary.histology) for focus in primary.foci)


def _seen(findings: Map[str, Finding]) -> Variables:
    """What rules of other findings see of these."""
    return {
        **{name: text for key, item in findings.items() for name, text in _found(key, item)},
        **{f"state.{key}": item.status.value for key, item in findings.items()},
    }


def _found(key: str, finding: Finding) -> Iterator[tuple[str, str | None]]:
    """What rules of other findings see of a coded one: `found.ER_percent`, and its attributes as `found.ER_percent.upper`."""
    if finding.status == Status.CODED:
        yield f"found.{key}", finding.value
        yield from ((f"found.{key}.{name}", text) for name, text in finding.attributes.items())


def finding_variables(
    key: str, finding: Finding, known: Map[str, Any], mapping: Mapping, specimens: SpecimenChoice
) -> Variables:
    """The primary's variables with those of one finding: read from its detail, then completed by the assumptions."""
    variables: Variables = {
        **known,
        "value": finding.value,
        "detail": finding.detail,
        "state": finding.status.value,
        "basis": finding.basis.value if finding.basis else None,
        "found_basis": finding.basis.value if finding.basis else None,
        "probability": finding.probability,
        "source": finding.source,
        "reason": finding.reason,
        **{name: text for name, text in finding.attributes.items() if name not in known},
    }
    sources = {"detail": finding.detail or "", "quote": "\n".join(item.quote for item in finding.evidence)}
    for reading in mapping.readings:
        if key in reading.findings:
            _read(reading, sources[reading.of], variables)
    for assumption in mapping.assumptions:
        if (
            (not assumption.findings or key in assumption.findings)
            and holds(assumption.when, variables)
            and not excluded(assumption.unless, variables)
        ):
            variables.update(assumption.set)
    part = finding.attributes.get("specimen")
    if part in specimens.by_part:
        variables["specimen"] = specimens.by_part[part]
    variables["extensions"] = _extensions(finding, variables)
    return variables


def label_review(variables: Variables) -> Variables:
    """The same variables as of a coded value that may go out only as preliminary and of uncertain reliability."""
    return {
        **variables,
        "state": Status.CODED.value,
        "report_status": "preliminary",
        "security": [MACHINE_LABEL, UNCERTAIN_LABEL],
    }


def _read(reading: Reading, text: str, variables: Variables) -> None:
    found = re.search(reading.pattern, text)
    if found is None:
        return
    for name, group in found.groupdict().items():
        if group and variables.get(name) is None:
            variables[name] = group.lower()
    if not reading.parents:
        return
    category = _canonical(variables.get("category"), reading)
    variables["category"] = category
    parent = reading.parents.get(category or "")
    if category and variables["value"] and parent != variables["value"]:
        variables["state"] = Status.REVIEW.value


def _canonical(category: str | None, reading: Reading) -> str | None:
    written = "".join((category or "").split()).casefold()
    return next((name for name in reading.parents if name.casefold() == written), None)


def _extensions(finding: Finding, variables: Variables) -> list[Resource]:
    return finding_extensions(finding.probability, variables["basis"], finding.source, finding.evidence)
