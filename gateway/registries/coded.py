"""A Bundle as emission publishes it, taken apart: the manifest, the Devices, and what is said of the patient."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.fhir.parsing import parse_json
from gateway.stores.resource_store import Resource, reference_of
from mappers.identity import CONTENT_DIGEST
from mappers.provenance import read_manifest
from schemas.errors import Code, SynopticError
from schemas.messages import ReportVersion

WITHDRAWN = "entered-in-error"
_RULES = "Synoptic rule engine"
_IDENTIFIER = re.compile(r"urn:uuid:[0-9a-f-]{36}")


@dataclass(frozen=True, repr=False)
class CodedReport:
    """One version of a report, coded: `report` is the Reference to the EHR's DiagnosticReport."""

    identifier: str
    manifest: Resource
    devices: tuple[Resource, ...]
    clinical: tuple[Resource, ...]
    report: Resource
    version: ReportVersion = field(default_factory=ReportVersion)

    @property
    def name(self) -> str:
        """What the report is called wherever its own identifier must not stand: its manifest's reference."""
        return reference_of(self.manifest)

    @property
    def packs(self) -> frozenset[str]:
        """The packs that read it."""
        return frozenset(
            device["version"][0]["value"]
            for device in self.devices
            if device["deviceName"][0]["name"].startswith(_RULES) and device.get("version")
        )


def read_coded(message: bytes, maximum_bytes: int) -> CodedReport:
    """Read a published Bundle; raises SYN-473 for anything else, and by number what is no JSON within limits."""
    bundle = parse_json(message, maximum_bytes)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise SynopticError(Code.NOT_CODED, "no Bundle")
    try:
        return _take_apart(bundle)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError):
        raise SynopticError(Code.NOT_CODED, "its identifier, resources or manifest") from None


def _take_apart(bundle: Resource) -> CodedReport:
    resources: list[Resource] = [entry["resource"] for entry in bundle["entry"]]
    for resource in resources:
        reference_of(resource)
    manifest = next(resource for resource in resources if _is_manifest(resource))
    identifier = bundle["identifier"]["value"]
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError("an identifier that stands in no file's name")
    return CodedReport(
        identifier=identifier,
        manifest=manifest,
        devices=tuple(resource for resource in resources if resource["resourceType"] == "Device"),
        clinical=tuple(
            resource for resource in resources if resource is not manifest and resource["resourceType"] != "Device"
        ),
        report=next(entity["what"] for entity in manifest["entity"]),
        version=read_manifest(manifest).version,
    )


def is_withdrawn(resource: Resource) -> bool:
    """True for what was taken back, the way its type says so."""
    verification = codings(resource.get("verificationStatus"))
    return (
        resource.get("status") == WITHDRAWN
        or resource.get("active") is False
        or any(coding.get("code") == WITHDRAWN for coding in verification)
    )


def codings(node: Any) -> Iterator[Resource]:
    """Every Coding anywhere within."""
    if isinstance(node, dict):
        if isinstance(node.get("coding"), list):
            yield from (coding for coding in node["coding"] if isinstance(coding, dict))
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from codings(item)


def references(node: Any) -> Iterator[Resource]:
    """Every Reference within that names something, by a literal or an identifier."""
    if isinstance(node, dict):
        if is_reference(node):
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def each_reference(node: Any, change: Callable[[Resource], Resource | None]) -> Any:
    """The node with every Reference within as `change` gives it; None where nothing of it is left.

    An extension of which no value is left goes with its value.
    """
    if isinstance(node, dict):
        if is_reference(node):
            return change(node)
        kept = {key: each_reference(value, change) for key, value in node.items()}
        found = {key: value for key, value in kept.items() if value is not None}
        return None if not found or (found.keys() == {"url"} and found.keys() != node.keys()) else found
    if isinstance(node, list):
        return [item for item in (each_reference(item, change) for item in node) if item is not None] or None
    return node


def is_reference(node: Resource) -> bool:
    """True for a Reference: by its literal, or by the identifier that it carries with a type."""
    return isinstance(node.get("reference"), str) or (
        isinstance(node.get("identifier"), dict) and isinstance(node.get("type"), str)
    )


def _is_manifest(resource: Resource) -> bool:
    extensions = resource.get("extension", [])
    return resource["resourceType"] == "Provenance" and any(item.get("url") == CONTENT_DIGEST for item in extensions)
