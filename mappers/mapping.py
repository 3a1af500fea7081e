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
from mappers.variables import Variables, finding_variables, label_review, masses
from schemas.findings import Finding, Primary, Status
from schemas.pack_mapping import BASE_KEY, Mapping, Rule

CONDITION_SLOT = "condition"


@dataclass(frozen=True)
class Missing:
    """A value that no table has a code for; holds pack keys only, never text of a report."""

    primary: str
    slot: str
    table: str
    key: str
    focus: str | None = None


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
    """A resource to be made; `focus` names the further mass that it is of."""

    rule: Rule
    identifier: str
    variables: Variables = field(repr=False)
    focus: str | None = None


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
    planned = list(_Planner(primary, known, specimens, owners, mapping, review_values).plan())
    given = {CONDITION_SLOT: known_condition} if known_condition else {}
    missing: list[Missing] = []
    while True:
        references = {
            focus: {**given, **_references(planned, mapping, focus)}
            for focus in (None, *(one.key for one in primary.foci))
        }
        made: list[Resource] = []
        unmapped: list[_Planned] = []
        for plan in planned:
            try:
                made.append(_fill(plan, mapping, references[plan.focus]))
            except Unmapped as error:
                unmapped.append(plan)
                missing.append(Missing(primary.key, plan.rule.slot, error.table, error.key, plan.focus))
        if not unmapped:
            return Mapped(tuple(made) if references[None].keys() - given.keys() else (), tuple(missing))
        planned = [plan for plan in planned if plan not in unmapped]


@dataclass(frozen=True)
class _Planner:
    """Chooses the rules of one primary: of the whole with its largest mass, then of each further mass."""

    primary: Primary
    known: Variables = field(repr=False)
    specimens: SpecimenChoice
    owners: Owners
    mapping: Mapping
    review_values: bool

    def plan(self) -> Iterator[_Planned]:
        """Every resource that will be tried."""
        for mass in masses(self.primary, self.known, self.owners.report):
            yield from self._of_mass(*mass)

    def _of_mass(self, focus: str | None, findings: Map[str, Finding], known: Variables) -> Iterator[_Planned]:
        by_finding = {key: self._variables(key, finding, known) for key, finding in findings.items()}
        answered: set[str] = set()
        for rule in self.mapping.rules:
            variables = by_finding.get(rule.finding) if rule.finding else known
            if variables is None or (focus and not rule.finding and rule.of != "focus"):
                continue
            if rule.of == "part":
                for part, identifier in self.specimens.own:
                    yield _Planned(rule, identifier, {**variables, "part": part or None})
            elif rule.slot not in answered and rule.applies(variables):
                answered.add(rule.slot)
                owner = self.owners.patient if rule.scope == "patient" else self.owners.report
                yield _Planned(rule, slot_identifier(owner, self.primary.key, rule.slot, focus), variables, focus)

    def _variables(self, key: str, finding: Finding, known: Variables) -> Variables:
        """The variables of a finding; a value in review counts as coded, and is labelled, where those go out."""
        variables = finding_variables(key, finding, known, self.mapping, self.specimens)
        in_review = variables["state"] == Status.REVIEW.value and finding.value is not None
        return label_review(variables) if in_review and self.review_values else variables


def slot_identifier(owner: UUID, primary: str, slot: str, focus: str | None = None) -> str:
    """The id of what a slot of a primary, by its key, holds; a further mass has slots of its own."""
    return derived_id(owner, primary, *([focus] if focus else []), slot)


def _references(planned: list[_Planned], mapping: Mapping, focus: str | None) -> dict[str, Resource]:
    """What resources of a mass may refer to, by slot: those of the mass, and those of the primary as such."""
    return {
        plan.rule.slot: reference_to({**template_of(plan.rule, mapping), "id": plan.identifier})
        for plan in planned
        if plan.rule.of != "part"
        and (plan.focus == focus or (not plan.focus and plan.rule.of == "primary" and not plan.rule.finding))
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
