"""Whether the resources that a mapping's templates make can be FHIR R4: elements, lists, profiles, and values of their codes.

It reads templates as they stand, without a report, so that a mistake shows before the first resource is refused.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from mappers.mapping import template_of
from mappers.profiles import load_profiles
from schemas.overlay_loader import MAPPING_FILE, SiteMapping, bad_overlay
from schemas.pack_loader import Pack
from schemas.pack_mapping import BASE_KEY, Coding, Location, Mapping, as_tuple
from schemas.yaml_source import Fault, load_yaml, nearest

Found = tuple[Location, str]
_TYPE = "resourceType"
_CONCEPT, _REFERENCE = "CodeableConcept", "Reference"
_MADE = {"$concept": _CONCEPT, "$reference": _REFERENCE, "$references": _REFERENCE}
_TRUNCATED = "+"  # ends a list of values that the classes do not hold whole
_OTHER_STATUSES = ("corrected", "cancelled", "entered-in-error", "unknown")  # of an Observation, which is such a one


class Element(NamedTuple):
    """An element of a FHIR type: the type that it is of (none: a plain value), and its values where they are few."""

    kind: str | None
    is_list: bool
    is_required: bool
    values: tuple[str, ...]


@cache
def elements_of(kind: str) -> dict[str, Element] | None:
    """The elements of an R4 type by name; None where there is no such type."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        fields = get_fhir_model_class(kind).model_fields
    except ValueError:
        return None
    elements = {
        field.alias or name: _element(field.annotation, extra, field.is_required())
        for name, field in fields.items()
        for extra in [field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}]
        if extra.get("element_property") is not False or name == "id"
    }
    if kind == "Observation":
        status = elements["status"]
        known = (*(one for one in status.values if one != _TRUNCATED), *_OTHER_STATUSES)
        elements["status"] = status._replace(values=known)
    return {name: one if _TRUNCATED not in one.values else one._replace(values=()) for name, one in elements.items()}


def invalid(resource: dict[str, Any]) -> str | None:
    """The first thing that keeps a resource from being FHIR R4, if anything does; names the element and no value."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource[_TYPE]).model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or resource[_TYPE]}: {first['msg']}"
    return None


def shape_faults(site: SiteMapping) -> list[Fault]:
    """Every fault, in the file and line that the part of the template comes from."""
    return [site.fault(place, message) for place, message in dict.fromkeys(_faults(site.mapping))]


def require_sound(packs: Iterable[Pack]) -> None:
    """Raise SYN-613 with every such fault in the packs' own mappings and in the overlays over them."""
    faults: list[Fault] = []
    for pack in packs:
        if own := list(dict.fromkeys(_faults(pack.mapping))):
            source, _ = load_yaml(pack.folder / MAPPING_FILE)
            faults += [Fault.at(MAPPING_FILE, source, place, message) for place, message in own]
        faults += [fault for site in pack.overlays for fault in shape_faults(site)]
    if faults:
        raise bad_overlay(faults)


def _faults(mapping: Mapping) -> Iterator[Found]:
    yield from _declared(mapping)
    for name, template in mapping.templates.items():
        yield from _resource(mapping, ("templates", name), template, _kind_of(mapping, template))
    for index, rule in enumerate(mapping.rules):
        whole = template_of(rule, mapping)
        kind = whole.get(_TYPE)
        yield from _resource(mapping, ("rules", index, "resource"), rule.resource, kind)
        for element in _lacking(kind, whole):
            yield ("rules", index), f"its {kind} has no {element}, which FHIR requires"
        if kind == "Observation":
            yield from _disallowed(mapping, ("rules", index), whole)


def _kind_of(mapping: Mapping, template: dict[str, Any]) -> str | None:
    """The type of a template, or of the one that it builds on."""
    while _TYPE not in template and template.get(BASE_KEY) in mapping.templates:
        template = mapping.templates[template[BASE_KEY]]
    return template.get(_TYPE)


def _declared(mapping: Mapping) -> Iterator[Found]:
    """The facility's own profiles: of a type that there is, and asking for elements that it has."""
    for url, profile in mapping.profiles.items():
        elements = elements_of(profile.resource)
        if elements is None:
            known = sorted({rule.resource for rule in load_profiles().values()})
            yield ("profiles", url, "resource"), f"no type {profile.resource!r}; {nearest(profile.resource, known)}"
            continue
        for index, path in enumerate(profile.required):
            first = path.partition(".")[0]
            if first not in elements:
                place: Location = ("profiles", url, "required", index)
                yield place, f"no element {first!r} in {profile.resource}; {nearest(first, elements)}"


def _resource(mapping: Mapping, place: Location, node: dict[str, Any], kind: str | None) -> Iterator[Found]:
    own = {key: value for key, value in node.items() if key not in (BASE_KEY, _TYPE)}
    if kind is None:
        return
    if elements_of(kind) is None:
        yield (*place, _TYPE), f"no type {kind!r} in FHIR R4"
        return
    yield from _fields(place, own, kind)
    meta = node.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    known = {url: rule.resource for url, rule in load_profiles().items()}
    known |= {url: profile.resource for url, profile in mapping.profiles.items()}
    for index, url in enumerate(claimed if isinstance(claimed, list) else ()):
        if isinstance(url, str) and not url.startswith("$") and known.get(url) != kind:
            said = (
                f"is a profile of {known[url]}, and this is of {kind}"
                if url in known
                else f"no profile {url!r}; {nearest(url, known)} (declare it under profiles)"
            )
            yield (*place, "meta", "profile", index), said


def _fields(place: Location, node: dict[str, Any], kind: str) -> Iterator[Found]:
    """What a mapping of elements holds that its type does not have, or has otherwise."""
    elements = elements_of(kind) or {}
    for key, value in node.items():
        if key in elements:
            yield from _value((*place, key), value, elements[key])
        else:
            yield (*place, key), f"no element {key!r} in {kind}; {nearest(key, elements)}"


def _value(place: Location, node: Any, element: Element, in_list: bool = False) -> Iterator[Found]:
    command = next((key for key in node if key.startswith("$")), None) if isinstance(node, dict) else None
    if command == "$when":
        for branch in ("then", "else"):
            if node.get(branch) is not None:
                yield from _value((*place, branch), node[branch], element, in_list)
    elif isinstance(node, list | tuple):
        if not element.is_list:
            yield place, f"expected one {element.kind or 'value'}, found a list"
        for index, item in enumerate(node if element.is_list else ()):
            yield from _value((*place, index), item, element, in_list=True)
    elif command in _MADE or (command is None and isinstance(node, dict)):
        fault = _misplaced(command, element, in_list)
        if fault:
            yield place, fault
        elif command is None and element.kind:
            yield from _fields(place, node, element.kind)
    elif command is None and not (isinstance(node, str) and node.startswith("$")):
        if element.kind is not None:
            yield place, f"expected {element.kind}, found {node!r}"
        elif element.values and node not in element.values:
            yield place, f"is never {node!r}; {nearest(str(node), element.values)}"


def _misplaced(command: str | None, element: Element, in_list: bool) -> str | None:
    """Why what a command makes, or keys with values, cannot stand there."""
    made = _MADE.get(command or "")
    if element.is_list and not in_list and command != "$references":
        return f"expected a list of {element.kind or 'values'}: put it in brackets"
    if command == "$references" and not element.is_list:
        return f"expected one {element.kind}: $reference makes one, $references a list"
    if element.kind is None or (made and element.kind != made):
        return f"expected {element.kind or 'a plain value'}, found {made or 'keys with values'}"
    return None


def _lacking(kind: Any, whole: dict[str, Any]) -> list[str]:
    elements = elements_of(kind) if isinstance(kind, str) else None
    return [name for name, one in (elements or {}).items() if one.is_required and name not in whole]


def _disallowed(mapping: Mapping, place: Location, whole: dict[str, Any]) -> Iterator[Found]:
    """Codes of Observations that `allowed` does not list, and values that it does not give them."""
    codes = [coding for source in _sources(whole.get("code")) for coding in _codings(mapping, source)]
    known = [mapping.allowed_values[code[:2]] for code in codes if code[:2] in mapping.allowed_values]
    if codes and not known:
        yield place, f"code {codes[0].code} is not under allowed: add its name there, with the tables of its values"
    for source in _sources(whole.get("valueCodeableConcept")) if known else ():
        values = [coding[:2] for coding in _codings(mapping, source)]
        if values and not any(value in allowed for value in values for allowed in known):
            name = source if isinstance(source, str) else source["table"]
            yield (
                place,
                f"the values of {name!r} are not allowed under code {codes[0].code}: name it there, under allowed",
            )


def _sources(node: Any) -> Iterator[Any]:
    """The sources of every $concept within a part of a template."""
    if isinstance(node, dict):
        yield from node.get("$concept", ())
        for key, value in node.items():
            yield from _sources(value) if key != "$concept" else ()
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _sources(item)


def _codings(mapping: Mapping, source: Any) -> list[Coding]:
    entries = [mapping.codes[source]] if isinstance(source, str) else list(mapping.tables[source["table"]].values())
    return [mapping.coding(text) for entry in entries for text in as_tuple(entry)]


def _element(annotation: Any, extra: Map[str, Any], is_required: bool) -> Element:
    return Element(
        kind=next((name.removesuffix("Type") for name in _classes(annotation)), None),
        is_list=any(get_origin(part) is list for part in (annotation, *get_args(annotation))),
        is_required=is_required or bool(extra.get("element_required")),
        values=tuple(extra.get("enum_values", ())),
    )


def _classes(annotation: Any) -> Iterator[str]:
    """The complex types in an annotation."""
    if hasattr(annotation, "_model_klass"):
        yield annotation.__name__
    for part in get_args(annotation):
        yield from _classes(part)
