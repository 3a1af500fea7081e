"""Applies a pack's mapping to one primary: rules choose resources, templates fill them. No clinical branch lives here.

Two passes: the first finds which rule answers each slot, so that resources may refer to each other in any order; the
second fills the templates. A resource whose code is in no table is not made, and what referred to it does not.
"""

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mappers.identity import derived_id
from mappers.references import Resource, reference_to
from mappers.specimens import SpecimenChoice
from mappers.template import Filling, Unmapped, merged
from mappers.variables import Variables, finding_variables, label_review
from schemas.findings import Primary, Status
from schemas.pack_mapping import BASE_KEY, Mapping, Rule

CONDITION_SLOT = "condition"


@dataclass(frozen=True)
class Missing:
    """A value that no table has a code for; holds pack keys only, never text of a report."""

    primary: str
    slot: str
    table: str
    key: str


@dataclass(frozen=True)
class Mapped:
    """One primary's resources in the order of the rules, and what could not be coded."""

    resources: tuple[Resource, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Owners:
    """Whose keys derived ids are made of."""

    report: UUID
    patient: UUID


@dataclass
class _Planned:
    rule: Rule
    identifier: str
    variables: Variables = field(repr=False)


def map_primary(
    primary: Primary,
    known: Variables,
    specimens: SpecimenChoice,
    owners: Owners,
    mapping: Mapping,
    known_condition: Resource | None,
    review_values: bool,
) -> Mapped:
    """The resources of one primary; `known` are its variables, `known_condition` one that the EHR already holds.

    Where nothing is said of it, its parts are not described either.
    """
    planned = list(_plan(primary, known, specimens, owners, mapping, review_values))
    given = {CONDITION_SLOT: known_condition} if known_condition else {}
    missing: list[Missing] = []
    while True:
        references = {**given, **_references(planned, mapping)}
        made: list[Resource] = []
        unmapped: list[_Planned] = []
        for plan in planned:
            try:
                made.append(_fill(plan, mapping, references))
            except Unmapped as error:
                unmapped.append(plan)
                missing.append(Missing(primary.key, plan.rule.slot, error.table, error.key))
        if not unmapped:
            return Mapped(tuple(made) if references.keys() - given.keys() else (), tuple(missing))
        planned = [plan for plan in planned if plan not in unmapped]


def _plan(
    primary: Primary,
    known: Variables,
    specimens: SpecimenChoice,
    owners: Owners,
    mapping: Mapping,
    review_values: bool,
) -> Iterator[_Planned]:
    by_finding = variables_by_finding(primary, known, specimens, mapping, review_values)
    answered: set[str] = set()
    for rule in mapping.rules:
        variables = by_finding.get(rule.finding) if rule.finding else known
        if variables is None:
            continue
        if rule.of == "part":
            for part, identifier in specimens.own:
                yield _Planned(rule, identifier, {**variables, "part": part or None})
        elif rule.slot not in answered and rule.applies(variables):
            answered.add(rule.slot)
            owner = owners.patient if rule.scope == "patient" else owners.report
            yield _Planned(rule, derived_id(owner, primary.key, rule.slot), variables)


def variables_by_finding(
    primary: Primary, known: Variables, specimens: SpecimenChoice, mapping: Mapping, review_values: bool
) -> dict[str, Variables]:
    """The variables of each finding; a value in review counts as coded, and is labelled, where those go out."""
    result = {}
    for key, finding in primary.findings.items():
        variables = finding_variables(key, finding, known, mapping, specimens)
        if variables["state"] == Status.REVIEW.value and review_values and finding.value is not None:
            variables = label_review(variables)
        result[key] = variables
    return result


def _references(planned: list[_Planned], mapping: Mapping) -> dict[str, Resource]:
    return {
        plan.rule.slot: reference_to({**template_of(plan.rule, mapping), "id": plan.identifier})
        for plan in planned
        if plan.rule.of == "primary"
    }


def template_of(rule: Rule, mapping: Mapping) -> dict[str, Any]:
    """What a rule fills: its own resource laid over its template, and that over the ones it builds on."""
    return merged(_named_template(rule.template, mapping), rule.resource) if rule.template else rule.resource


def _named_template(name: str, mapping: Mapping) -> dict[str, Any]:
    template = dict(mapping.templates[name])
    base = template.pop(BASE_KEY, None)
    return merged(_named_template(base, mapping), template) if base else template


def _fill(plan: _Planned, mapping: Mapping, references: Map[str, Resource]) -> Resource:
    filled = Filling(mapping, plan.variables, references).fill(template_of(plan.rule, mapping))
    return {"resourceType": filled.pop("resourceType"), "id": plan.identifier, **filled}
