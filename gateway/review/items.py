"""Which findings of a report wait for a person, and which resources deciding one of them is about."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.stores.known_conditions import KnownConditions
from gateway.stores.resource_store import id_of
from mappers.mapping import slot_identifier
from mappers.specimens import SpecimenChoice, choose_specimens
from mappers.variables import Mass, finding_variables, masses, primary_variables
from schemas.findings import Assertion, Certainty, Primary, Status
from schemas.messages import ReportContext, ReportFindings, ReviewItem
from schemas.pack_mapping import Mapping
from schemas.settings import Settings

NOT_PLAIN = "the report does not say plainly whether this is a cancer"
SEVERAL = "the EHR holds several such Conditions, or one whose side it does not say"
SUSPECTED = "the report suspects and does not diagnose"
LEFT_OPEN = "the mapping needs more than the report says, such as a prefix"


def awaiting(
    findings: ReportFindings,
    context: ReportContext,
    mapping: Mapping,
    settings: Settings,
    known: KnownConditions,
) -> Iterator[ReviewItem]:
    """Each primary that is uncertain or suspected, or may be one of several Conditions, and each finding in review that
    the mapping has a resource for.
    """
    mapped = {rule.finding for rule in mapping.rules}
    for primary in findings.primaries:
        reason = _doubt(primary) or (SEVERAL if primary.key in known.several else None)
        if reason is not None:
            value = None if primary.assertion is Assertion.UNCERTAIN else primary.assertion.value
            yield ReviewItem(
                kind="primary", primary=primary.key, value=value, reason=reason, findings=alone(findings, primary)
            )
        choice = "known" if primary.key in known.chosen else ("none" if settings.fhir.condition == "none" else "write")
        specimens = choose_specimens(primary, context)
        of_primary = primary_variables(primary, context, specimens, choice)
        for mass in masses(primary, of_primary, context.report_key):
            open_by_mapping = set(_left_open(mass, mapping, specimens))
            for key, finding in mass.findings.items():
                if key in mapped and (finding.status is Status.REVIEW or key in open_by_mapping):
                    yield ReviewItem(
                        kind="finding",
                        primary=primary.key,
                        focus=mass.focus,
                        finding=key,
                        value=finding.detail or finding.value,
                        reason=finding.reason or LEFT_OPEN,
                        findings=alone(findings, primary),
                    )


def alone(findings: ReportFindings, primary: Primary | None) -> ReportFindings:
    """The findings of one primary, or of none."""
    return findings.model_copy(update={"primaries": (primary,) if primary else ()})


def ids_of(item: ReviewItem, context: ReportContext, mapping: Mapping) -> frozenset[str]:
    """The ids of the resources that state the item: a finding's, the primary's Condition, or the one in conflict."""
    if item.reference is not None:
        return frozenset([id_of(item.reference)])
    owners = {"report": context.report_key, "patient": context.patient_key}
    return frozenset(
        slot_identifier(owners[rule.scope], item.primary or "", rule.slot, item.focus)
        for rule in mapping.rules
        if rule.of == "primary" and (rule.finding == item.finding if item.finding else rule.scope == "patient")
    )


class Stated(NamedTuple):
    """Which finding a resource states: of which primary, of which further mass (None: not of one), by its key."""

    primary: Primary
    focus: str | None
    finding: str


def finding_of(reference: str, findings: ReportFindings, context: ReportContext, mapping: Mapping) -> Stated | None:
    """What a resource of the report states, where that is a finding."""
    identifier = id_of(reference)
    stated = (
        Stated(primary, focus, rule.finding)
        for primary in findings.primaries
        for focus in (None, *(one.key for one in primary.foci))
        for rule in mapping.rules
        if rule.finding and slot_identifier(context.report_key, primary.key, rule.slot, focus) == identifier
    )
    return next(stated, None)


def _doubt(primary: Primary) -> str | None:
    if primary.assertion is Assertion.UNCERTAIN:
        return NOT_PLAIN
    return SUSPECTED if primary.certainty is Certainty.PROVISIONAL else None


def _left_open(mass: Mass, mapping: Mapping, specimens: SpecimenChoice) -> Iterator[str]:
    """The coded findings that the mapping's assumptions send to review."""
    for key, finding in mass.findings.items():
        if finding.status is Status.CODED:
            variables = finding_variables(key, finding, mass.known, mapping, specimens)
            if variables["state"] == Status.REVIEW:
                yield key
