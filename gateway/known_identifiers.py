"""The identifiers that the resource itself knows, so that de-identification can remove them in every spelling.

Taken: names in all parts and as displayed, birth and death dates, identifiers and accession numbers, telecoms,
addresses down to city and postal code. Not taken: states and countries, which Safe Harbor keeps and whose short codes
("OK", "IN") are words; resource ids, which nobody writes into a report.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from gateway.fhir.parsing import ReportResources, Resource
from schemas.messages import KnownIdentifier

Kind = Literal["NAME", "DATE", "ID", "CONTACT", "LOCATION"]
Found = tuple[Kind, str | None]

_PEOPLE = ("Patient", "Practitioner", "RelatedPerson")
_NUMBERED = (
    *_PEOPLE,
    *("Encounter", "Specimen", "ServiceRequest", "PractitionerRole", "Coverage", "Account", "Device", "EpisodeOfCare"),
    *("Appointment", "ImagingStudy", "Media", "Task", "Procedure", "Observation"),
)
_NUMBERS = ("subscriberId", "serialNumber", "lotNumber", "distinctIdentifier")
_PERSON_REFERENCES = (
    "subject",
    "performer",
    "resultsInterpreter",
    "requester",
    "participant",
    "collector",
    "practitioner",
    "generalPractitioner",
    "managingOrganization",
    "serviceProvider",
    "policyHolder",
    "subscriber",
    "beneficiary",
    "operator",
)
_MAIDEN_NAME = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
_SEPARATORS = re.compile(r"[\s,;/()]+")
_NOT_NAMES = frozenset(
    [
        "dr",
        "md",
        "do",
        "phd",
        "prof",
        "mr",
        "mrs",
        "ms",
        "miss",
        "mph",
        "frcpath",
        "facp",
        "fcap",
        "jr",
        "sr",
        "ii",
        "iii",
        "the",
        "of",
    ]
)
_ORGANISATION_WORDS = re.compile(
    r"\b(hospital|clinic|cent(?:er|re)|laborator(?:y|ies)|department|dept|patholog(?:y|ie)|institut|inc|llc|klinik)",
    re.IGNORECASE,
)


def known_identifiers(resources: ReportResources) -> tuple[KnownIdentifier, ...]:
    """Every identifier once, in a stable order."""
    return _unique(
        [*_of_report(resources.report), *(item for other in resources.others for item in _of_resource(other))]
    )


def people_identifiers(people: Iterable[Resource]) -> tuple[KnownIdentifier, ...]:
    """The identifiers of people whom a document itself names, such as the header of a CDA document."""
    return _unique(item for person in people for item in _of_resource(person))


def _unique(found: Iterable[Found]) -> tuple[KnownIdentifier, ...]:
    unique = dict.fromkeys(
        (kind, " ".join(value.split())) for kind, value in found if isinstance(value, str) and value.strip()
    )
    return tuple(KnownIdentifier(kind=kind, value=value) for kind, value in sorted(unique))


def _of_report(report: Resource) -> Iterator[Found]:
    yield from _identifiers(report.get("identifier"))
    yield from _referenced(report)
    for name in ("encounter", "specimen", "basedOn"):
        for reference in _items(report.get(name)):
            yield from _identifiers(reference.get("identifier"))


def _of_resource(resource: Resource) -> Iterator[Found]:
    kind = resource["resourceType"]
    if kind in _PEOPLE:
        yield from _person(resource)
    if kind in _NUMBERED:
        yield from _identifiers(resource.get("identifier"))
        yield from _identifiers(resource.get("accessionIdentifier"))
        yield from _identifiers(resource.get("requisition"))
        yield from _telecom(resource)
        yield from _referenced(resource)
        yield from _referenced(resource.get("collection") or {})
        yield from (("ID", resource.get(name)) for name in _NUMBERS)
        for carrier in _items(resource.get("udiCarrier")):
            yield from (("ID", carrier.get(name)) for name in ("deviceIdentifier", "carrierHRF"))
        for container in _items(resource.get("container")):
            yield from _identifiers(container.get("identifier"))
    if kind in ("Organization", "Location"):
        yield "LOCATION", resource.get("name")
        yield from _telecom(resource)
        yield from _addresses(resource.get("address"))


def _person(person: Resource) -> Iterator[Found]:
    for name in _items(person.get("name")):
        yield from _name(name)
    yield "DATE", person.get("birthDate")
    yield "DATE", person.get("deceasedDateTime")
    yield from _addresses(person.get("address"))
    for extension in _items(person.get("extension")):
        yield from _addresses(extension.get("valueAddress"))  # the place of birth
        if extension.get("url") == _MAIDEN_NAME:
            yield "NAME", extension.get("valueString")
    for contact in _items(person.get("contact")):
        yield from _name(contact.get("name") or {})
        yield from _telecom(contact)
        yield from _addresses(contact.get("address"))


def _name(name: Resource) -> Iterator[Found]:
    yield "NAME", name.get("text")
    yield from _displayed(name.get("text") or "")
    yield "NAME", name.get("family")
    given_names = [given for given in name.get("given") or [] if given]  # FHIR's null stands for an extension
    for given in given_names:
        yield "NAME", given
    if name.get("family") and given_names:
        yield "NAME", " ".join([*given_names, name["family"]])


def _displayed(text: str) -> Iterator[Found]:
    """The parts of a name as displayed, without titles."""
    for part in _SEPARATORS.split(text):
        word = part.strip(".'\"")
        if len(word) > 1 and word.lower() not in _NOT_NAMES and not any(character.isdigit() for character in word):
            yield "NAME", word


def _referenced(resource: Resource) -> Iterator[Found]:
    """Names and numbers in references to people, who often come as a display only."""
    for element in _PERSON_REFERENCES:
        for item in _items(resource.get(element)):
            reference = item.get("individual") or item
            display = reference.get("display") or ""
            if "Organization/" in (reference.get("reference") or "") or _ORGANISATION_WORDS.search(display):
                yield "LOCATION", display
            else:
                yield "NAME", display
                yield from _displayed(display)
            yield from _identifiers(reference.get("identifier"))


def _identifiers(items: object) -> Iterator[Found]:
    for item in _items(items):
        yield "ID", item.get("value")


def _telecom(resource: Resource) -> Iterator[Found]:
    for contact in _items(resource.get("telecom")):
        yield "CONTACT", contact.get("value")


def _addresses(items: object) -> Iterator[Found]:
    for address in _items(items):
        for line in address.get("line") or []:
            yield "LOCATION", line
        for part in ("text", "city", "district", "postalCode"):
            yield "LOCATION", address.get(part)


def _items(value: object) -> Iterable[Resource]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
