"""Inline cases of a mapping: a report made of a case's findings, its resources by slot, and what they lack."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.mapping_tools.recorded import Recorded, stand_in
from gateway.mapping_tools.shapes import invalid
from mappers.bundle import map_report
from mappers.mapping import slot_identifier
from mappers.references import Resource
from schemas.errors import SynopticError
from schemas.findings import Evidence, Finding, Primary, Status
from schemas.messages import Action, Configuration, Identifier, Reference, ReportContext, ReportFindings
from schemas.pack_loader import Pack
from schemas.pack_mapping import ABSENT, Case, CaseFinding, Mapping, as_tuple
from schemas.settings import Settings

_SHOWN = 12


@dataclass(frozen=True)
class Outcome:
    """What came of a case: its faults, one a line; none where it passed."""

    case: Case
    faults: tuple[str, ...]


def run_cases(pack: Pack, settings: Settings) -> Iterator[Outcome]:
    """Each case of the pack's mapping, in order."""
    for case in pack.mapping.cases:
        yield Outcome(case, tuple(_faults(case, pack, settings)))


def report_of(case: Case, pack: Pack) -> Recorded:
    """The report that a case stands for."""
    stated = case.primary
    primary = Primary(
        key="-".join(filter(None, (pack.definition.segmentation.organ, stated.side))),
        organ=pack.definition.segmentation.organ,
        laterality=stated.side,
        principal=True,
        findings={key: _finding(finding) for key, finding in case.findings.items()},
        **stated.model_dump(exclude={"side"}),
    )
    findings = ReportFindings(
        report_hmac="case",
        action=Action.REPLACE,
        pack=pack.id,
        primaries=(primary,),
        content_digest="case",
        configuration=Configuration(
            pack=pack.id, pack_version="", pack_digest="", model="", model_digest="", adapter_digest="", policy=""
        ),
        sealed="",
    )
    report = case.report
    context = stand_in("case", "case", report.collected).model_copy(
        update={
            "gender": report.gender,
            "status": report.status,
            "effective": report.collected,
            "codes": report.codes,
            "organization": _sender(report.organization),
        }
    )
    return Recorded(findings=findings, context=context)


def slots_of(primaries: Iterable[Primary], context: ReportContext, mapping: Mapping) -> dict[str, str]:
    """The slot of each id that the mapping can give a resource of these primaries."""
    owners = {"report": context.report_key, "patient": context.patient_key}
    return {
        slot_identifier(owners[rule.scope], primary.key, rule.slot, focus): named_slot(rule.slot, focus)
        for primary in primaries
        for focus in (None, *(one.key for one in primary.foci))
        for rule in mapping.rules
    }


def named_slot(slot: str, focus: str | None) -> str:
    """A slot as it is called: that of a further mass with its name."""
    return f"{slot} ({focus})" if focus else slot


def slot_of(resource: Resource, slots: dict[str, str]) -> str:
    """The slot of a resource; one of several, as a part's Specimen, is called by its type."""
    return slots.get(resource["id"], str(resource["resourceType"]).lower())


def said_in(resource: Any, mapping: Mapping) -> Iterator[str]:
    """What a case may expect of a resource: codes as `system|code`, all other values as text."""
    short = {url: name for name, url in mapping.systems.items()}
    if isinstance(resource, dict):
        if "system" in resource and "code" in resource:
            yield f"{short.get(resource['system'], resource['system'])}|{resource['code']}"
        for value in resource.values():
            yield from said_in(value, mapping)
    elif isinstance(resource, list):
        for item in resource:
            yield from said_in(item, mapping)
    elif resource is not None:
        yield str(resource)


def _faults(case: Case, pack: Pack, settings: Settings) -> Iterator[str]:
    recorded = report_of(case, pack)
    try:
        mapped = map_report(recorded.findings, recorded.context, pack, settings)
    except SynopticError as error:
        yield str(error)
        return
    slots = slots_of(recorded.findings.primaries, recorded.context, pack.mapping)
    made = {slot_of(resource, slots): resource for resource in mapped.resources}
    missing = {one.slot: one for one in mapped.missing}
    yield from (f"{slot}: is no FHIR R4: {fault}" for slot, one in made.items() if (fault := invalid(one)))
    for slot, expected in case.expect.items():
        resource = made.get(slot)
        if expected == ABSENT:
            if resource is not None:
                yield f"{slot}: expected no resource, found {', '.join(_codes(resource, pack.mapping))}"
        elif resource is None:
            reason = f"; {missing[slot].table} has no code for {missing[slot].key}" if slot in missing else ""
            yield f"{slot}: expected {', '.join(as_tuple(expected))}, found no resource{reason}"
        else:
            said = set(said_in(resource, pack.mapping))
            lacking = [text for text in as_tuple(expected) if text not in said]
            if lacking:
                yield f"{slot}: expected {', '.join(lacking)}, found {', '.join(_codes(resource, pack.mapping))}"


def _codes(resource: Resource, mapping: Mapping) -> list[str]:
    found = dict.fromkeys(text for text in said_in(resource, mapping) if "|" in text)
    return list(found)[:_SHOWN] or ["no code"]


def _finding(given: CaseFinding) -> Finding:
    quote = given.quote or given.detail or given.value
    is_known = given.status is Status.CODED
    return Finding(
        value=given.value,
        detail=given.detail,
        status=given.status,
        basis=given.basis if is_known else None,
        probability=0.99 if is_known else None,
        evidence=(Evidence(quote=quote, start=0, end=len(quote)),) if quote else (),
        attributes=given.attributes,
    )


def _sender(given: str | None) -> Reference | None:
    if given is None:
        return None
    system, bar, value = given.partition("|")
    if not bar:
        return Reference(type="Organization", literal=given)
    return Reference(type="Organization", identifier=Identifier(system=system or None, value=value))
