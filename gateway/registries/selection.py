"""What of a coded report a registry is sent: what meets its criteria now, and what it has and no longer may keep.

A value that the registry was sent before, and that is withdrawn or no longer meets the criteria, goes out as entered in
error; what it never had is not mentioned. What is left out is not referred to either.
"""

from collections.abc import Collection, Iterable

from gateway.registries.coded import codings, each_reference, is_withdrawn, references
from gateway.registries.subscription import Criteria
from gateway.stores.resource_store import Resource, reference_of
from mappers.bundle import withdraw
from mappers.identity import PROBABILITY

_STATED = frozenset({"Condition", "Observation"})
_COMPUTED_STAGE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-cancer-stage"


def select(
    resources: Iterable[Resource],
    criteria: Criteria,
    report_status: str | None,
    had: Collection[str],
    is_wanted: bool = True,
) -> list[Resource]:
    """The resources to send, in their order; `had` names all that the registry was ever sent of the report.

    Conditions go by the status of the report, as they have none of their own. A report that is not wanted gives only
    what the registry had, taken back. Empty where there is nothing to say.
    """
    given = list(resources)
    chosen: dict[str, Resource] = {}
    for resource in given:
        name = reference_of(resource)
        if resource["resourceType"] not in _STATED:
            continue
        if is_wanted and not is_withdrawn(resource) and _meets(resource, criteria, report_status):
            chosen[name] = resource
        elif name in had:
            chosen[name] = resource if is_withdrawn(resource) else withdraw(resource)
    sent = frozenset(chosen)
    spoken_of = {item.get("reference") for resource in chosen.values() for item in references(resource)}
    for resource in given:
        name = reference_of(resource)
        is_new = name in spoken_of or any(item.get("reference") in sent for item in resource.get("target", ()))
        if resource["resourceType"] not in _STATED and (name in had or is_new):
            chosen[name] = resource
    left_out = {reference_of(resource) for resource in given} - chosen.keys()
    return [without(chosen[name], left_out) for name in map(reference_of, given) if name in chosen]


def without(resource: Resource, names: Collection[str]) -> Resource:
    """The resource without references to these, and without what would be empty then."""
    kept = each_reference(resource, lambda reference: None if reference.get("reference") in names else reference)
    assert isinstance(kept, dict)
    return kept


def concerns(resources: Collection[Resource], criteria: Criteria) -> bool:
    """Whether one of the codes that the registry asks for stands in these, not withdrawn; true where it asks for none."""
    found = {
        code
        for resource in resources
        if not is_withdrawn(resource)
        for coding in codings(resource)
        for code in (coding.get("code"), f"{coding.get('system')}|{coding.get('code')}")
    }
    return not criteria.codes or bool(found.intersection(criteria.codes))


def made_by(resources: Iterable[Resource], criteria: Criteria) -> bool:
    """Whether one of the facilities that the registry asks for is among these; true where it asks for none.

    `resources` as the EHR names them: Organization/id, and by their identifiers.
    """
    names = {
        name
        for resource in resources
        if resource["resourceType"] == "Organization"
        for name in (
            reference_of(resource),
            *(f"{item.get('system', '')}|{item.get('value')}" for item in resource.get("identifier", [])),
        )
    }
    return not criteria.facilities or bool(names.intersection(criteria.facilities))


def _meets(resource: Resource, criteria: Criteria, report_status: str | None) -> bool:
    status = resource.get("status", report_status)
    probabilities = [item["valueDecimal"] for item in resource.get("extension", []) if item.get("url") == PROBABILITY]
    computed = _COMPUTED_STAGE in resource.get("meta", {}).get("profile", [])
    return (
        status in criteria.statuses
        and all(probability >= criteria.confidence for probability in probabilities)
        and (criteria.computed_stage or not computed)
    )
