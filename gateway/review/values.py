"""What a person's decisions make of findings, and of the resources that are mapped from them."""

import re
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Map
from typing import Any

from gateway.stores.resource_store import Resource
from mappers.identity import BASIS, EVIDENCE, PROBABILITY, SOURCE
from mappers.variables import MACHINE_LABEL
from schemas.errors import Code, SynopticError
from schemas.findings import Assertion, Basis, Certainty, Finding, Primary, Status
from schemas.messages import ReportFindings, ReviewItem, Settlement, Verdict
from schemas.pack import PackDefinition, Task
from schemas.pack_mapping import Mapping, Reading

CLINICIAN_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "CLINAST",
    "display": "clinician asserted",
}
_CONFIRMED = {
    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "code": "confirmed",
    "display": "Confirmed",
}
_PROBLEM = {
    "system": "http://terminology.hl7.org/CodeSystem/condition-category",
    "code": "problem-list-item",
    "display": "Problem List Item",
}
_OF_THE_MACHINE = frozenset([BASIS, EVIDENCE, PROBABILITY, SOURCE])
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MOST = 2**31 - 1  # FHIR's integer


def decided(
    findings: ReportFindings,
    settlements: Iterable[tuple[ReviewItem, Settlement]],
    pack: PackDefinition,
    mapping: Mapping,
) -> ReportFindings:
    """The findings with every accepted and corrected value in its place; raises SYN-465 on a value that is none."""
    primaries = {primary.key: primary for primary in findings.primaries}
    for item, settlement in settlements:
        primary = primaries.get(item.primary or "")
        if primary is not None and settlement.verdict is not Verdict.DISMISS:
            primaries[primary.key] = _decided(primary, item, settlement, pack, mapping)
    return findings.model_copy(update={"primaries": tuple(primaries.values())})


def _decided(
    primary: Primary, item: ReviewItem, settlement: Settlement, pack: PackDefinition, mapping: Mapping
) -> Primary:
    if item.kind == "primary":
        assertion = _assertion(settlement.value) if settlement.value else primary.assertion
        return primary.model_copy(update={"assertion": assertion, "certainty": Certainty.DEFINITE})
    finding = primary.told_of(item.focus).get(item.finding or "")
    if item.finding is None or finding is None or (item.kind == "conflict" and settlement.value is None):
        return primary
    if settlement.value is None:
        changes: dict[str, Any] = {"status": Status.CODED, "reason": None}
    else:
        changes = corrected(item.finding, finding, settlement.value, pack, mapping)
    return primary.having(item.focus, {item.finding: finding.model_copy(update=changes)})


def _assertion(value: str) -> Assertion:
    try:
        return Assertion(value)
    except ValueError:
        raise SynopticError(Code.NO_SUCH_VALUE, ", ".join(Assertion)) from None


def corrected(key: str, finding: Finding, text: str, pack: PackDefinition, mapping: Mapping) -> dict[str, Any]:
    """What changes of a finding that a person gives this value, as a class of the pack (T2) or in full (pT2(m))."""
    text = text.strip()
    task = next((task for task in pack.tasks if task.key == key), None)
    common = {"basis": Basis.STATED, "probability": None, "evidence": (), "reason": None, "detail": text}
    if task is not None and text in task.missing:
        return {**common, "status": Status(task.missing[text]), "value": None}
    category, attributes = _read(key, text, mapping.readings)
    if task is None:
        is_numeric = _NUMBER.fullmatch(finding.value or "") is not None
        if is_numeric and not _NUMBER.fullmatch(text):
            raise SynopticError(Code.NO_SUCH_VALUE, "a number")
        value = text
    else:
        value = _class_of(category or text, task)
    return {
        **common,
        "status": Status.CODED,
        "value": value,
        "attributes": {**finding.attributes, **attributes},
    }


def _class_of(text: str, task: Task) -> str:
    wanted = text.casefold()
    found = next((name for name in task.classes if name.casefold() == wanted), None)
    if found is None:
        raise SynopticError(Code.NO_SUCH_VALUE, ", ".join((*task.classes, *task.missing)))
    return found


def require_possible(resources: Iterable[Resource]) -> None:
    """Raise SYN-465 where a person's number is none that its resource can hold: a count is whole, a share no more than all."""
    for resource in resources:
        count, quantity = resource.get("valueInteger", 0), resource.get("valueQuantity", {})
        if not isinstance(count, int) or count > _MOST:
            raise SynopticError(Code.NO_SUCH_VALUE, "a whole number")
        if quantity.get("code") == "%" and quantity["value"] > 100:
            raise SynopticError(Code.NO_SUCH_VALUE, "a percentage")


def _read(key: str, text: str, readings: Sequence[Reading]) -> tuple[str | None, dict[str, str]]:
    """The class that the fine category in the text belongs to, and what else the mapping reads there."""
    category: str | None = None
    attributes: dict[str, str] = {}
    for reading in readings:
        found = re.search(reading.pattern, text) if key in reading.findings and reading.of == "detail" else None
        for name, group in (found.groupdict() if found else {}).items():
            if name == "category" and group:
                written = "".join(group.split()).casefold()
                category = next((of for fine, of in reading.parents.items() if fine.casefold() == written), None)
            elif group:
                attributes[name] = group.lower()
    return category, attributes


def signed(resources: Iterable[Resource], verdicts: Map[str, Verdict]) -> tuple[Resource, ...]:
    """The resources with those that a person accepted or corrected, by id, marked as such."""
    return tuple(
        _signed(resource, verdicts[resource["id"]]) if resource["id"] in verdicts else resource
        for resource in resources
    )


def _signed(resource: Resource, verdict: Verdict) -> Resource:
    """A person's word beside the machine's, or in its place: what the person corrected, no evidence of ours supports."""
    meta = resource.get("meta", {})
    labels = meta.get("security", [])
    if verdict is Verdict.CORRECT:
        labels = [label for label in labels if label != MACHINE_LABEL]
        extensions = _others(resource.get("extension", []), _OF_THE_MACHINE)
        resource = {**resource, "extension": extensions} if extensions else _without(resource, "extension")
    resource = {**resource, "meta": {**meta, "security": [*labels, CLINICIAN_LABEL]}}
    if resource["resourceType"] != "Condition":
        return resource
    # A machine writes to no problem list; a person's acceptance does (docs/review.md).
    category = [*resource["category"], {"coding": [_PROBLEM]}]
    return {**resource, "verificationStatus": {"coding": [_CONFIRMED]}, "category": category}


def _others(extensions: Sequence[Resource], urls: Collection[str]) -> list[Resource]:
    return [item for item in extensions if item.get("url") not in urls]


def _without(resource: Resource, element: str) -> Resource:
    return {key: value for key, value in resource.items() if key != element}
