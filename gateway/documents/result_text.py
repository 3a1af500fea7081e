"""Results as text: one line an Observation, in the report's order, what it is made of indented by nothing but its place.

Only what came with the report is read: contained, or in the same Bundle. What was entered in error or cancelled is no
result.
"""

from collections.abc import Iterator
from typing import Any

from gateway.fhir.parsing import ReportResources, Resource

_VOID = frozenset({"entered-in-error", "cancelled"})


def result_lines(resources: ReportResources) -> Iterator[str]:
    """Each result's name, value, interpretation and notes, then its components and members; every result once."""
    to_do = list(reversed(resources.report.get("result") or []))
    seen: list[Resource] = []
    while to_do:
        observation = resources.resolve(to_do.pop())
        if observation is None or observation["resourceType"] != "Observation":
            continue
        if observation.get("status") in _VOID or any(observation is other for other in seen):
            continue
        seen.append(observation)
        yield from _lines(observation)
        to_do += reversed(observation.get("hasMember") or [])


def concept_texts(concepts: list[Resource] | None) -> Iterator[str]:
    """The text of each concept that has one."""
    yield from filter(None, map(concept_text, concepts or []))


def concept_text(concept: Any) -> str:
    """A concept in the sender's words, else in those of its first coding that has any."""
    concept = concept or {}
    displays = (coding.get("display") for coding in concept.get("coding") or [])
    return concept.get("text") or next((display for display in displays if display), "")


def _lines(observation: Resource) -> Iterator[str]:
    notes = (note.get("text") or "" for note in observation.get("note") or [])
    yield from _line(observation, concept_text(observation.get("bodySite")), *notes)
    for component in observation.get("component") or []:
        yield from _line(component)


def _line(item: Resource, site: str = "", *notes: str) -> Iterator[str]:
    """One line, where there is more to say than the name; the site counts as part of the name."""
    name, value = concept_text(item.get("code")), _value_text(item)
    meaning = [text for text in concept_texts(item.get("interpretation")) if text.lower() not in value.lower()]
    said = " ".join(part for part in (value, *(f"({text})" for text in meaning), *notes) if part)
    if said:
        named = f"{name} ({site})" if name and site else name or site
        yield f"{named}: {said}" if named else said


def _value_text(item: Resource) -> str:
    """The value in words, or why there is none."""
    if text := item.get("valueString"):
        return str(text)
    if quantity := item.get("valueQuantity"):
        return _quantity_text(quantity)
    if (spread := item.get("valueRange")) is not None:
        ends = [_quantity_text(end) for end in (spread.get("low"), spread.get("high")) if end]
        return " - ".join(ends)
    if (ratio := item.get("valueRatio")) is not None:
        return "/".join(_quantity_text(ratio.get(end) or {}) for end in ("numerator", "denominator"))
    if (number := item.get("valueInteger")) is not None:
        return str(number)
    if (flag := item.get("valueBoolean")) is not None:
        return "yes" if flag else "no"
    return concept_text(item.get("valueCodeableConcept")) or concept_text(item.get("dataAbsentReason"))


def _quantity_text(quantity: Resource) -> str:
    parts = (quantity.get("comparator"), quantity.get("value"), quantity.get("unit") or quantity.get("code"))
    return " ".join(str(part) for part in parts if part is not None)
