"""Invents patients with their doctors, hospital and numbers, and writes them as the FHIR resources of a report."""

import base64
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

from schemas.frozen import Frozen
from schemas.yaml_source import load_model

PEOPLE_FILE = Path(__file__).resolve().parent / "people.yaml"
Language = Literal["english", "german"]
_PLAIN = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ı": "i", "ł": "l", "'": ""}
_FIRST_BIRTH, _BIRTH_DAYS = date(1935, 1, 1), 60 * 365


class Parts(Frozen):
    """What people and places of one language are put together from; a city is `name|state|postal code`."""

    given: tuple[str, ...]
    given_other: tuple[str, ...]
    family: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    hospitals: tuple[str, ...]
    mail: tuple[str, ...]


class PeopleParts(Frozen):
    """people.yaml."""

    english: Parts
    german: Parts


@dataclass(frozen=True)
class Person:
    """A name in its parts."""

    given: str
    middle: str
    family: str

    @property
    def full(self) -> str:
        """Given, middle and family name, as a resource displays them."""
        return f"{self.given} {self.middle} {self.family}" if self.middle else f"{self.given} {self.family}"


@dataclass(frozen=True)
class Address:
    """Street with number, city, state and postal code."""

    street: str
    city: str
    state: str
    postal_code: str


@dataclass(frozen=True)
class InventedPatient:
    """A patient, and everything that the resource of a report about them knows."""

    language: Language
    person: Person
    birth: date
    address: Address
    phone: str
    email: str
    record: str
    accession: str
    social_security: str
    plan: str
    pathologist: Person
    hospital: str
    hospital_address: Address
    hospital_phone: str
    numbers_known: bool
    """True where the resource holds the social security and the plan's number as well."""

    def resources(self, text: str) -> dict[str, Any]:
        """A Bundle of the DiagnosticReport with its text, and of those that it names."""
        numbers = [_identifier("mrn", self.record)]
        if self.numbers_known:
            numbers += [_identifier("ssn", self.social_security), _identifier("plan", self.plan)]
        report = {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "issued": "2024-05-02T10:00:00Z",
            "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
            "identifier": [_identifier("accession", self.accession)],
            "subject": {"reference": "Patient/planted"},
            "resultsInterpreter": [{"reference": "Practitioner/planted"}],
            "performer": [{"reference": "Organization/planted"}],
            "presentedForm": [{"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}],
        }
        patient = {
            "resourceType": "Patient",
            "id": "planted",
            "identifier": numbers,
            "name": [_name(self.person)],
            "birthDate": self.birth.isoformat(),
            "telecom": [{"system": "phone", "value": self.phone}, {"system": "email", "value": self.email}],
            "address": [_address(self.address)],
        }
        pathologist = {"resourceType": "Practitioner", "id": "planted", "name": [_name(self.pathologist)]}
        organization = {
            "resourceType": "Organization",
            "id": "planted",
            "name": self.hospital,
            "telecom": [{"system": "phone", "value": self.hospital_phone}],
            "address": [_address(self.hospital_address)],
        }
        entries = [{"resource": resource} for resource in (report, patient, pathologist, organization)]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def invent_patient(chance: Random, language: Language) -> InventedPatient:
    """A patient by chance."""
    person = invent_person(chance, language)
    parts = parts_of(language)
    local = f"{person.given[0]}.{person.family.split()[-1]}".lower()
    return InventedPatient(
        language=language,
        person=person,
        birth=_FIRST_BIRTH + timedelta(chance.randrange(_BIRTH_DAYS)),
        address=invent_address(chance, language),
        phone=invent_phone(chance, language),
        email=f"{plain_letters(local)}{chance.randrange(10, 99)}@{chance.choice(parts.mail)}",
        record=f"{chance.randrange(10_000, 9_999_999):08}",
        accession=f"{chance.choice(('S', 'SP', 'H', 'E'))}{chance.randrange(10, 25)}-{chance.randrange(100, 99_999):06}",
        social_security=invent_social_security(chance),
        plan=invent_plan(chance, language),
        pathologist=invent_person(chance, language, professional=True),
        hospital=chance.choice(parts.hospitals),
        hospital_address=invent_address(chance, language),
        hospital_phone=invent_phone(chance, language),
        numbers_known=chance.random() < 0.5,
    )


def invent_person(chance: Random, language: Language, professional: bool = False) -> Person:
    """A name by chance; every third has a middle name, which a title usually goes without."""
    parts = parts_of(language)
    given = parts.given_other if professional else parts.given
    middle = chance.choice(given) if chance.random() < 1 / 3 else ""
    return Person(chance.choice(given), middle, chance.choice(parts.family))


def invent_address(chance: Random, language: Language) -> Address:
    """An address by chance, the number where the language has it."""
    parts = parts_of(language)
    city, state, postal_code = chance.choice(parts.cities).split("|")
    street, number = chance.choice(parts.streets), chance.randrange(1, 400)
    return Address(f"{number} {street}" if language == "english" else f"{street} {number}", city, state, postal_code)


def invent_phone(chance: Random, language: Language) -> str:
    """A telephone number in one of the usual spellings."""
    if language == "german":
        area, number = chance.randrange(200, 999), chance.randrange(10_000, 9_999_999)
        form = chance.choice(("0{a}/{n}", "0{a} {n}", "+49 {a} {n}", "0{a}-{n}", "(0{a}) {n}", "0{a} {n}-0"))
        return form.format(a=area, n=number)
    area, exchange, line = chance.randrange(201, 990), chance.randrange(200, 999), chance.randrange(0, 10_000)
    form = chance.choice(("({a}) {e}-{l}", "{a}-{e}-{l}", "{a}.{e}.{l}", "1-{a}-{e}-{l}", "+1 {a} {e} {l}"))
    return form.format(a=area, e=exchange, l=f"{line:04}")


def invent_social_security(chance: Random) -> str:
    """A number of the American form, from the ranges that were given out."""
    return f"{chance.randrange(100, 660):03}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}"


def invent_plan(chance: Random, language: Language) -> str:
    """The number of an insured person: the German form, Medicare's, or a private plan's."""
    if language == "german":
        return f"{chance.choice('ABCDEFGHKLMNPRSTUVWXYZ')}{chance.randrange(10**8, 10**9)}"
    letters = "ACDEFGHJKMNPQRTUVWXY"
    medicare = f"{chance.randrange(1, 9)}{chance.choice(letters)}{chance.randrange(10)}{chance.randrange(10)}-"
    medicare += f"{chance.choice(letters)}{chance.choice(letters)}{chance.randrange(10)}-"
    medicare += f"{chance.choice(letters)}{chance.choice(letters)}{chance.randrange(10, 99)}"
    private = f"{''.join(chance.choices(letters, k=3))}{chance.randrange(10**8, 10**9)}"
    return chance.choice((medicare, private))


def plain_letters(text: str) -> str:
    """The text without accents, umlauts as two letters, and without apostrophes."""
    spelled = "".join(_PLAIN.get(letter, letter) for letter in text)
    return "".join(part for part in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(part))


@cache
def _people() -> PeopleParts:
    people, faults = load_model(PEOPLE_FILE, PeopleParts)
    if people is None:
        raise ValueError("; ".join(map(str, faults)))
    return people


def parts_of(language: Language) -> Parts:
    """What the language's people and places are put together from."""
    return _people().english if language == "english" else _people().german


def _identifier(system: str, value: str) -> dict[str, str]:
    return {"system": f"urn:planted:{system}", "value": value}


def _name(person: Person) -> dict[str, Any]:
    given = [person.given, person.middle] if person.middle else [person.given]
    return {"family": person.family, "given": given, "text": person.full}


def _address(address: Address) -> dict[str, Any]:
    return {
        "line": [address.street],
        "city": address.city,
        "state": address.state,
        "postalCode": address.postal_code,
    }
