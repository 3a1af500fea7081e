"""Our own checks of every bundle: profile must-haves as data, and what no validator sees.

They run before anything is written: a resource that breaks one rejects the report, since a wrong code is worse than
none. Faults name ids, paths and codes, never values of a patient.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from mappers.references import Resource
from schemas.frozen import Frozen
from schemas.pack_mapping import Mapping
from schemas.yaml_source import load_model

_FILE = Path(__file__).with_name("profiles.yaml")
_SYNOPTIC_ONLY = ("Condition", "Observation", "Specimen", "BodyStructure", "Device", "Provenance")


class ProfileRule(Frozen):
    """What a resource that claims the profile must have."""

    resource: str
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    codings: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class ProfileRules(Frozen):
    """profiles.yaml, by canonical URL."""

    profiles: dict[str, ProfileRule]


@cache
def load_profiles() -> dict[str, ProfileRule]:
    """The shipped rules; they are part of the program, so a fault in them is a defect."""
    rules, faults = load_model(_FILE, ProfileRules)
    if rules is None:
        raise ValueError("; ".join(str(fault) for fault in faults))
    return rules.profiles


def check_resources(resources: Sequence[Resource], mapping: Mapping, elsewhere: Iterable[str] = ()) -> tuple[str, ...]:
    """Every fault of these resources, as one line each; empty where all is well.

    `elsewhere` are literal references that are known to be on the server.
    """
    ids = {*elsewhere, *(f"{resource['resourceType']}/{resource['id']}" for resource in resources)}
    return tuple(
        f"{resource['resourceType']}/{resource['id']}: {fault}"
        for resource in resources
        for fault in (
            *_profile_faults(resource, mapping),
            *_code_faults(resource, mapping),
            *_value_faults(resource, mapping),
            *_reference_faults(resource, ids),
        )
    )


def _profile_faults(resource: Resource, mapping: Mapping) -> Iterator[str]:
    for url in resource.get("meta", {}).get("profile", []):
        own = mapping.profiles.get(url)
        rule = ProfileRule(**own.model_dump()) if own else load_profiles().get(url)
        if rule is None:
            yield f"{url} is no profile that Synoptic knows"
            continue
        name = url.rpartition("/")[2]
        if resource["resourceType"] != rule.resource:
            yield f"{name} is a profile of {rule.resource}"
        for path in rule.required:
            if not any(True for _ in _at(resource, path.split("."))):
                yield f"{name} needs {path}"
        if rule.one_of and sum(element in resource for element in rule.one_of) != 1:
            yield f"{name} needs exactly one of {', '.join(rule.one_of)}"
        for path, expected in rule.codings.items():
            found = {f"{coding.get('system')}|{coding.get('code')}" for coding in _codings_at(resource, path)}
            if not found & set(expected):
                yield f"{name} needs one of {', '.join(expected)} in {path}"


def _code_faults(resource: Resource, mapping: Mapping) -> Iterator[str]:
    for coding in _all_codings(resource):
        why = mapping.denied_codes.get((coding["system"], coding["code"]))
        if why is not None:
            yield f"code {coding['code']} must never go out: {why}"


def _value_faults(resource: Resource, mapping: Mapping) -> Iterator[str]:
    """An Observation's code is one that the mapping lists, and its coded values belong to that code."""
    if resource["resourceType"] != "Observation":
        return
    keys = [(coding.get("system", ""), coding.get("code", "")) for coding in _codings_at(resource, "code")]
    known = [mapping.allowed_values[key] for key in keys if key in mapping.allowed_values]
    if not known:
        yield "its code is not on the mapping's list of Observation codes"
        return
    for value in _codings_at(resource, "valueCodeableConcept"):
        if not any((value.get("system"), value.get("code")) in values for values in known):
            yield f"value {value.get('code')} does not belong to code {keys[0][1]}"


def _reference_faults(resource: Resource, ids: set[str]) -> Iterator[str]:
    """References to what only Synoptic writes must be in the bundle; all others belong to the EHR."""
    for literal in _references(resource):
        kind, _, identifier = literal.partition("/")
        ours = kind in _SYNOPTIC_ONLY and _is_derived(identifier)
        if ours and literal not in ids:
            yield f"refers to {kind}/{identifier}, which is not in the bundle"


def _is_derived(identifier: str) -> bool:
    return len(identifier) == 36 and identifier[14] == "5" and identifier.count("-") == 4


def _at(node: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _at(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _at(node[path[0]], path[1:])


def _codings_at(resource: Resource, path: str) -> list[dict[str, Any]]:
    return list(_at(resource, [*path.split("."), "coding"]))


def _all_codings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "system" in node and "code" in node:
            yield node
        for value in node.values():
            yield from _all_codings(value)
    elif isinstance(node, list):
        for item in node:
            yield from _all_codings(item)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
