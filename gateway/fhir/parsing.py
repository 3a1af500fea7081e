"""FHIR JSON as it arrives: parsed within limits, one DiagnosticReport picked, what it refers to found beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.errors import Code, SynopticError

Resource = dict[str, Any]

MAXIMUM_DEPTH = 100  # contained resources, extensions and HTML-free FHIR stay below 30
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HISTORY = re.compile(r"/_history/[^/]*$")
RESOURCE_NAME = re.compile(r"[A-Z][A-Za-z]{2,40}")


def objects(node: object) -> list[Resource]:
    """The JSON objects of a list; none, where it is no list."""
    return [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []


def unversioned(reference: str) -> str:
    """A reference without the version that it names."""
    return _HISTORY.sub("", reference)


def parse_json(data: bytes, maximum_bytes: int) -> Any:
    """The JSON value; refuses by number what is too large, too deep, or not JSON (NaN and lone surrogates included)."""
    if len(data) > maximum_bytes:
        raise SynopticError(Code.REPORT_TOO_LARGE, f"{len(data)} bytes, at most {maximum_bytes}")
    try:
        value = orjson.loads(data.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg:
            raise SynopticError(Code.TOO_DEEP, f"more than {MAXIMUM_DEPTH} levels") from None
        raise SynopticError(Code.NOT_JSON, f"line {error.lineno}, column {error.colno}") from None
    if isinstance(value, dict | list):
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > MAXIMUM_DEPTH:
            raise SynopticError(Code.TOO_DEEP, f"more than {MAXIMUM_DEPTH} levels")
        depth += 1
        containers = [item.values() if isinstance(item, dict) else item for item in level]
        level = [child for container in containers for child in container if isinstance(child, dict | list)]


@dataclass(frozen=True, repr=False)
class ReportResources:
    """A DiagnosticReport with the resources that came with it, by every name that a reference may use."""

    report: Resource
    others: tuple[Resource, ...] = ()
    _by_name: dict[str, Resource] = field(default_factory=dict)

    def resolve(self, reference: Resource | None) -> Resource | None:
        """The resource that a Reference points at, if it came along."""
        literal = (reference or {}).get("reference")
        return self._by_name.get(unversioned(literal)) if isinstance(literal, str) else None

    def of_type(self, *types: str) -> list[Resource]:
        """All resources of these types, in an order that does not depend on the Bundle's."""
        return [resource for resource in self.others if resource["resourceType"] in types]


def pick_report(value: Any) -> ReportResources:
    """Find the one DiagnosticReport in a resource or Bundle; raises SYN-102 where there is none or more than one."""
    if not isinstance(value, dict):
        raise SynopticError(Code.WRONG_RESOURCE, "no resource at all")
    if value.get("resourceType") == "DiagnosticReport":
        return _collect(value, [])
    if value.get("resourceType") != "Bundle":
        raise SynopticError(Code.WRONG_RESOURCE, _shown_type(value.get("resourceType")))
    entries = list(_entries(value))
    reports = [resource for _, resource in entries if resource["resourceType"] == "DiagnosticReport"]
    if len(reports) != 1:
        raise SynopticError(Code.WRONG_RESOURCE, f"a Bundle with {len(reports)} DiagnosticReports")
    return _collect(reports[0], entries)


def _entries(bundle: Resource) -> Iterator[tuple[str | None, Resource]]:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise SynopticError(Code.INVALID_RESOURCE, "Bundle.entry is not a list")
    for index, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if resource is None and isinstance(entry, dict):
            continue  # a deletion, or a response without a body
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise SynopticError(Code.INVALID_RESOURCE, f"Bundle.entry.{index}.resource is not a resource")
        full_url = entry.get("fullUrl")
        yield full_url if isinstance(full_url, str) else None, resource


def _collect(report: Resource, entries: list[tuple[str | None, Resource]]) -> ReportResources:
    by_name: dict[str, Resource] = {}
    others: list[Resource] = []
    named = [(name, resource) for full_url, resource in entries for name in _names(full_url, resource)]
    contained = report.get("contained") or []
    for resource in contained if isinstance(contained, list) else []:
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            others.append(resource)
            if isinstance(resource.get("id"), str):
                named.append((f"#{resource['id']}", resource))
    for name, resource in named:
        if by_name.setdefault(name, resource) != resource:
            raise SynopticError(Code.INVALID_RESOURCE, "two entries claim the same id and differ")
    others.extend(resource for _, resource in entries if resource is not report)
    others.sort(key=lambda resource: orjson.dumps(resource, option=orjson.OPT_SORT_KEYS))
    return ReportResources(report, tuple(others), by_name)


def _names(full_url: str | None, resource: Resource) -> Iterator[str]:
    if full_url:
        yield unversioned(full_url)
    if isinstance(resource.get("id"), str):
        yield f"{resource['resourceType']}/{resource['id']}"


def _shown_type(name: Any) -> str:
    """A resource type that FHIR knows may be shown; anything else may be a patient's name."""
    if isinstance(name, str) and RESOURCE_NAME.fullmatch(name):
        from fhir.resources.R4B import get_fhir_model_class

        try:
            get_fhir_model_class(name)
        except (LookupError, ImportError, ValueError):
            return "another resource"
        return name
    return "no resource type"
