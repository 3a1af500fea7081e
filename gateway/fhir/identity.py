"""Who and which: business identifiers, safe references, and the keys of report and patient derived from them.

A key is uuid5 of tenant, identifier system and value: the same report has the same key in every run and on every
machine. The server's resource id is never used, since a re-load changes it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

import orjson

from gateway.fhir.parsing import ReportResources, Resource, unversioned
from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, Reference

ANY_SYSTEM = "*"
_KEYS = UUID("0c5e2f9a-6b1d-5f0e-8f3b-2f7d7a1c9e44")
_MAXIMUM_LENGTH = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PATH_STEP = re.compile(r"(?:^|[/\\])\.{1,2}(?:[/\\]|$)")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]{2,40}/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")
_ABSOLUTE = re.compile(r"(?:https?://|urn:(?:uuid|oid):)[^\s\"<>\\^`{}|]+")
_CONTAINED = re.compile(r"#[A-Za-z0-9.-]{1,64}")
_RECORD_NUMBER = "MR"
_OFFICIAL_USES = ("official", "usual")


def derive_key(tenant: str, kind: str, system: str | None, value: str) -> UUID:
    """The key of a report or patient; the parts are written as JSON, so that no two lists read alike."""
    return uuid5(_KEYS, orjson.dumps([tenant, kind, system, value]).decode())


def checked(value: str, element: str) -> str:
    """The value, if it is safe to store, show and put in a url; raises SYN-107 otherwise."""
    if not value or len(value) > _MAXIMUM_LENGTH or _CONTROL.search(value) or _PATH_STEP.search(value):
        raise SynopticError(Code.UNSAFE_IDENTIFIER, element)
    return value


def read_identifiers(items: Any, element: str) -> list[Identifier]:
    """The usable identifiers of a resource in their order; those marked old have been replaced, and are left out."""
    found = []
    for item in items if isinstance(items, list) else [items] if items else []:
        value = (item.get("value") or "").strip()
        if value and item.get("use") != "old":
            system = item.get("system")
            found.append(Identifier(system=checked(system, element) if system else None, value=checked(value, element)))
    return found


def report_identifier(identifiers: Sequence[Identifier], systems: Iterable[str]) -> Identifier:
    """The identifier that names the report: by order of the configured systems; raises SYN-106 where none fits."""
    for system in systems:
        for identifier in identifiers:
            if system in (ANY_SYSTEM, identifier.system):
                return identifier
    raise SynopticError(Code.NO_IDENTIFIER, f"{len(identifiers)} identifiers, none configured")


def patient_identifier(patient: Resource) -> Identifier | None:
    """The patient's identifier: a medical record number first, then an official or usual one, then the first."""
    items = [item for item in patient.get("identifier") or [] if item.get("value") and item.get("use") != "old"]
    ranked = sorted(items, key=_rank)  # stable: the sender's order decides among equals
    return next(iter(read_identifiers(ranked, "Patient.identifier")), None)


def _rank(item: Resource) -> int:
    codings = (item.get("type") or {}).get("coding") or []
    if any(coding.get("code") == _RECORD_NUMBER for coding in codings):
        return 0
    return 1 if item.get("use") in _OFFICIAL_USES else 2


def read_reference(reference: Resource | None, kind: str, resources: ReportResources, element: str) -> Reference | None:
    """A Reference as emission can use it: lasting literal, identifier of the reference or of the resource itself."""
    if not reference:
        return None
    resource = resources.resolve(reference)
    literal = reference.get("reference")
    if literal is not None:
        checked(literal, element)
        if not any(pattern.fullmatch(literal) for pattern in (_RELATIVE, _ABSOLUTE, _CONTAINED)):
            raise SynopticError(Code.UNSAFE_IDENTIFIER, element)
    if literal and literal.startswith(("#", "urn:")):  # names that mean nothing outside this message
        lasting = resource is not None and not literal.startswith("#") and resource.get("id")
        literal = f"{resource['resourceType']}/{checked(resource['id'], element)}" if resource and lasting else None
    elif literal:
        literal = unversioned(literal)
    identifiers = read_identifiers(reference.get("identifier"), element)
    if not identifiers and resource is not None:
        own = patient_identifier(resource) if kind == "Patient" else None
        identifiers = [own] if own else read_identifiers(resource.get("identifier"), element)
    if literal is None and not identifiers:
        return None
    return Reference(type=kind, literal=literal, identifier=identifiers[0] if identifiers else None)


def read_subject(resources: ReportResources) -> Reference:
    """The patient; raises SYN-105 where the report names none that lasts beyond its message."""
    subject = resources.report.get("subject")
    if not subject:
        raise SynopticError(Code.NO_SUBJECT, "DiagnosticReport.subject is missing")
    resource = resources.resolve(subject)
    literal = subject.get("reference") or ""
    kind = resource["resourceType"] if resource else subject.get("type") or _type_in(literal) or "Patient"
    if kind != "Patient":
        raise SynopticError(Code.NO_SUBJECT, "it is not a Patient")
    reference = read_reference(subject, "Patient", resources, "DiagnosticReport.subject")
    if reference is None:
        raise SynopticError(Code.NO_SUBJECT, "neither an identifier nor a reference that lasts")
    own = patient_identifier(resource) if resource else None
    return reference.model_copy(update={"identifier": own}) if own else reference


def _type_in(literal: str) -> str | None:
    steps = unversioned(literal).split("/")
    return steps[-2] if len(steps) >= 2 and steps[-2][:1].isupper() else None


def patient_key(tenant: str, subject: Reference) -> UUID:
    """The patient's key: by identifier, else by the literal reference, which is all that the report gave."""
    if subject.identifier:
        return derive_key(tenant, "patient", subject.identifier.system, subject.identifier.value)
    return derive_key(tenant, "patient-reference", None, subject.literal or "")
