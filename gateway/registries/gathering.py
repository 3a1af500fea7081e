"""Brings along what a delivery refers to and the EHR owns, under ids that no two hospitals share.

From the report on: its Patient, encounter, specimens, who made and who interpreted it, and their organisations. Only the
elements of `FOLLOWED` are followed: whatever else the EHR links to them is no business of a registry.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from gateway.registries.coded import each_reference, is_reference
from gateway.registries.sources import Reader
from gateway.stores.authorship import unversioned
from gateway.stores.resource_store import Resource
from mappers.identity import derived_id

FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "DiagnosticReport": ("subject", "encounter", "specimen", "performer", "resultsInterpreter"),
    "Patient": ("managingOrganization",),
    "Encounter": ("subject", "serviceProvider"),
    "Specimen": ("subject",),
    "PractitionerRole": ("practitioner", "organization"),
    "Practitioner": (),
    "Organization": (),
}
LEFT_BEHIND: Mapping[str, frozenset[str]] = {
    "DiagnosticReport": frozenset({"result", "media", "imagingStudy", "basedOn"}),
    "Patient": frozenset({"link", "photo"}),
    "Encounter": frozenset({"diagnosis", "location", "basedOn", "appointment", "episodeOfCare", "account", "partOf"}),
}
"""Elements that say nothing but of others, another patient among them, or cannot stand without their link."""
DELIVERED = UUID("5b6f7c1e-5a3b-5d8e-9c55-0f3c7a1d2e61")
_URI = "urn:ietf:rfc:3986"


class Gathering:
    """The EHR's resources of one delivery, by every Reference that names them."""

    def __init__(self, read: Reader, tenant: str, base_url: str) -> None:
        """`tenant` keeps two EHRs' ids apart; `base_url` is what literal references are below."""
        self._read = read
        self._tenant = tenant
        self._base_url = base_url
        self._by_name: dict[str, Resource] = {}
        self._asked: set[str] = set()

    def follow(self, references: Iterable[Resource]) -> None:
        """Find these, and what they lead to; a Patient of whom only an identifier is known is made of it."""
        wanted = list(references)
        while wanted:
            fresh = {_name(item): item for item in wanted if _name(item) not in self._asked}
            self._asked |= fresh.keys()
            answers = zip(fresh, self._read(list(fresh.values())), strict=True) if fresh else ()
            found = {name: resource or _patient_of(fresh[name]) for name, resource in answers}
            known = {name: resource for name, resource in found.items() if resource and _type(resource) in FOLLOWED}
            self._by_name |= known
            wanted = [link for resource in known.values() for _, link in _links(resource)]

    def find(self, reference: Resource | None) -> Resource | None:
        """What a Reference names, as the EHR has it."""
        return None if reference is None else self._by_name.get(_name(reference))

    def resources(self) -> list[Resource]:
        """All that was found, once each, as the EHR has it."""
        return list({self.literal_of(resource): resource for resource in self._by_name.values()}.values())

    def literal_of(self, resource: Resource) -> str:
        """How a delivery calls one of the EHR's resources."""
        own = resource.get("id") or _name({"identifier": next(iter(resource.get("identifier", [])), {})})
        kind = _type(resource)
        return f"{kind}/{derived_id(DELIVERED, self._tenant, f'{kind}/{own}')}"

    def delivered(self) -> Iterator[Resource]:
        """All that was found as it is delivered: derived ids, links to what comes along, and no others."""
        for resource in self.resources():
            renamed = {**unversioned(resource), "id": self.literal_of(resource).partition("/")[2]}
            followed = {key for key, _ in _links(resource)}
            left_behind = LEFT_BEHIND.get(_type(resource), ())
            yield {
                key: value
                for key, value in ((key, self._linked(value, key in followed)) for key, value in renamed.items())
                if value is not None and key not in left_behind
            }

    def renamed(self, resource: Resource, own: frozenset[str]) -> Resource:
        """One of Synoptic's resources with its links to the EHR's as they are delivered; `own` names stay."""

        def rename(reference: Resource) -> Resource:
            if reference.get("reference") in own:
                return reference
            return self._link(reference) or self._logical(reference)

        renamed = each_reference(resource, rename)
        assert isinstance(renamed, dict)
        return renamed

    def _linked(self, value: Any, is_followed: bool) -> Any:
        """An element of the EHR's resource: with its links where they are followed, and without literals elsewhere."""

        def rename(reference: Resource) -> Resource | None:
            if str(reference.get("reference", "")).startswith("#"):
                return reference
            linked = self._link(reference) if is_followed else None
            plain = {key: item for key, item in reference.items() if key in ("identifier", "display", "type")}
            return linked or (plain if plain.keys() - {"type"} else None)

        return each_reference(value, rename)

    def _link(self, reference: Resource) -> Resource | None:
        found = self.find(reference)
        return None if found is None else {**reference, "reference": self.literal_of(found)}

    def _logical(self, reference: Resource) -> Resource:
        """The Reference by an identifier alone, where what it names does not come along."""
        literal = reference.get("reference", "")
        plain = {key: item for key, item in reference.items() if key != "reference"}
        if "identifier" not in plain:
            url = literal if "://" in literal else f"{self._base_url}/{literal}"
            plain["identifier"] = {"system": _URI, "value": url}
        return plain


def _links(resource: Resource) -> Iterator[tuple[str, Resource]]:
    """The links of an EHR's resource that are followed, each with its element."""
    for element in FOLLOWED[_type(resource)]:
        value = resource.get(element)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and is_reference(item) and not str(item.get("reference", "")).startswith("#"):
                yield element, item


def _patient_of(reference: Resource) -> Resource | None:
    """A Patient of which the message tells no more than an identifier."""
    identifier = reference.get("identifier")
    if not identifier or reference.get("type") != "Patient":
        return None
    return {"resourceType": "Patient", "identifier": [identifier]}


def _name(reference: Resource) -> str:
    identifier = reference.get("identifier") or {}
    return str(reference.get("reference") or f"{identifier.get('system', '')}|{identifier.get('value')}")


def _type(resource: Resource) -> str:
    return str(resource["resourceType"])
