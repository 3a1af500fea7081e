"""A finding's way through a mapping, step by step: what was found, read and assumed, which rule was tried, what came of it."""

from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.mapping_tools.cases import named_slot, slots_of
from gateway.mapping_tools.chosen import Chosen
from gateway.mapping_tools.recorded import Recorded
from mappers.bundle import known_variables, map_report
from mappers.mapping import Missing
from mappers.references import Resource
from mappers.specimens import SpecimenChoice, choose_specimens
from mappers.variables import Variables, finding_variables, label_review, masses
from schemas.errors import SynopticError
from schemas.findings import Finding, Status
from schemas.pack_mapping import (
    BASE_KEY,
    FINDING_VARIABLES,
    PRIMARY_VARIABLES,
    Mapping,
    Rule,
    excluded,
    holds,
)
from schemas.settings import Settings

_STEP = "    "


@dataclass(frozen=True)
class _Outcome:
    """What the mapping made of a primary, by slot, and what it has no code for."""

    mapping: Mapping
    made: dict[str, Resource]
    missing: dict[str, Missing]


def explain(recorded: Recorded, chosen: Chosen, settings: Settings, only: Collection[str] = ()) -> Iterator[str]:
    """The lines of each primary and of each of its findings, or of the findings `only`."""
    pack = chosen.pack
    resources: tuple[Resource, ...] = ()
    missing: tuple[Missing, ...] = ()
    try:
        mapped = map_report(recorded.findings, recorded.context, pack, settings)
        resources, missing = mapped.resources, mapped.missing
    except SynopticError as error:
        yield f"the report is rejected: {error}"
    for primary in recorded.findings.primaries:
        slots = slots_of([primary], recorded.context, pack.mapping)
        outcome = _Outcome(
            pack.mapping,
            {slots[one["id"]]: one for one in resources if one["id"] in slots},
            {named_slot(one.slot, one.focus): one for one in missing if one.primary == primary.key},
        )
        specimens = choose_specimens(primary, recorded.context)
        of_primary = known_variables(primary, recorded.context, pack, settings, specimens)
        for focus, findings, known in masses(primary, of_primary, recorded.context.report_key):
            name = f"{primary.key} focus {focus}" if focus else primary.key
            if not only:
                yield name
                yield f"{_STEP}found     {_written({name: known.get(name) for name in PRIMARY_VARIABLES})}"
                yield from _made((yield from _rules(None, known, chosen, focus)), outcome, focus)
            for key, finding in findings.items():
                if not only or key in only:
                    yield f"{name} {key}"
                    variables = yield from _variables(key, finding, known, pack.mapping, specimens, settings)
                    yield from _made((yield from _rules(key, variables, chosen, focus)), outcome, focus)


def _variables(
    key: str, finding: Finding, known: Variables, mapping: Mapping, specimens: SpecimenChoice, settings: Settings
) -> Generator[str, None, Variables]:
    """Read the finding with ever more of the mapping, and tell what each part of it adds; returns the variables."""
    bare = mapping.model_copy(update={"readings": (), "assumptions": ()})
    variables = finding_variables(key, finding, known, bare, specimens)
    names = (*FINDING_VARIABLES, *finding.attributes)
    yield f"{_STEP}found     {_written({name: variables.get(name) for name in names})}"
    before, variables = variables, finding_variables(key, finding, known, _assuming(mapping, 0), specimens)
    if change := _change(before, variables):
        yield f"{_STEP}read      {change}"
    for number, assumption in enumerate(mapping.assumptions, start=1):
        before, variables = variables, finding_variables(key, finding, known, _assuming(mapping, number), specimens)
        if change := _change(before, variables):
            yield f"{_STEP}assumed   {change}: {assumption.why}"
    if variables["state"] == Status.REVIEW and settings.mapping.review_values and finding.value is not None:
        variables = label_review(variables)
        yield f"{_STEP}in review, and sent as preliminary (mapping.review_values)"
    return variables


def _rules(
    key: str | None, variables: Variables, chosen: Chosen, focus: str | None
) -> Generator[str, None, list[Rule]]:
    """Tell of each rule over the finding (none: the mass) whether it fits, and if not, why; returns those that fit."""
    fitting: dict[str, Rule] = {}
    about = [
        (place, rule)
        for place, rule in zip(chosen.site.places, chosen.pack.mapping.rules, strict=True)
        if rule.finding == key and (key or not focus or rule.of == "focus")
    ]
    for place, rule in about:
        name = f"{place} {rule.id or rule.slot}"
        if rule.of == "part":
            yield f"{_STEP}rule      {name}: one for each part, where the EHR sent no Specimen"
        elif rule.slot in fitting:
            yield f"{_STEP}rule      {name}: not tried, {rule.slot} is answered"
        elif reason := _unmet(rule, variables):
            yield f"{_STEP}rule      {name}: no, {reason}"
        else:
            yield f"{_STEP}rule      {name}: fits"
            fitting[rule.slot] = rule
    if not about:
        yield f"{_STEP}no rule is about {key}: it makes no resource of its own"
    elif not fitting:
        yield f"{_STEP}no rule fits: no resource"
    return list(fitting.values())


def _made(rules: Iterable[Rule], outcome: _Outcome, focus: str | None) -> Iterator[str]:
    """The templates that each rule builds on, and its resource, or why there is none."""
    for rule in rules:
        names, name = [], rule.template
        while name:
            names.append(name)
            name = outcome.mapping.templates[name].get(BASE_KEY)
        if names:
            yield f"{_STEP}template  {' over '.join(names)}"
        slot = named_slot(rule.slot, focus)
        if slot in outcome.missing:
            lacking = outcome.missing[slot]
            yield f"{_STEP}no resource: {lacking.table} has no code for {lacking.key}"
        if slot in outcome.made:
            yield f"{_STEP}resource  {slot}"
            yield from (
                f"{_STEP * 2}{element}: {orjson.dumps(value).decode()}" for element, value in outcome.made[slot].items()
            )


def _unmet(rule: Rule, variables: Variables) -> str | None:
    """The first conditions that keep the rule from fitting, in words."""
    found = [
        f"{name} is {_value(variables.get(name))}, expected {_expected(expected)}"
        for name, expected in rule.when.items()
        if not holds({name: expected}, variables)
    ]
    found += [
        f"{name} is {_value(variables.get(name))}, which is excluded"
        for name, expected in rule.unless.items()
        if excluded({name: expected}, variables)
    ]
    if not found and not rule.applies(variables):
        found = [f"where {rule.where} is not true"]
    return "; ".join(found) or None


def _assuming(mapping: Mapping, number: int) -> Mapping:
    return mapping.model_copy(update={"assumptions": mapping.assumptions[:number]})


def _change(before: Variables, after: Variables) -> str:
    return _written(
        {name: value for name, value in after.items() if value != before.get(name) and name != "extensions"}
    )


def _written(variables: Variables) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in variables.items() if value is not None)


def _value(value: Any) -> str:
    return "none" if value is None else str(value)


def _expected(expected: tuple[str, ...] | str) -> str:
    return expected if isinstance(expected, str) else " or ".join(expected)
