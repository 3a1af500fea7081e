"""The values that a carrier's slots take: what the resource knows, in some spelling, and what no resource knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from training.deidentification.people import (
    InventedPatient,
    Person,
    invent_address,
    invent_person,
    invent_phone,
    parts_of,
    plain_letters,
)
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.spellings import (
    MONTHS,
    Spelled,
    spell_birth,
    spell_code,
    spell_family,
    spell_name,
    spell_number,
    spell_phone,
    spell_street,
    spell_words,
)

_FIRST_DATE, _DATE_DAYS = date(2004, 1, 1), 20 * 365
_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_HEXADECIMAL = "0123456789abcdef"


@dataclass(frozen=True)
class Value:
    """What a slot takes; `spelling` is empty for what no resource knows. Only `text` is an identifier, `after` is not."""

    text: str
    harbor: SafeHarbor
    known: bool = False
    spelling: str = ""
    after: str = ""


Fill = Callable[[InventedPatient, Random], list[Value]]
"""The values of one slot, one after the other; more than one where something between them is no identifier."""


def _known(harbor: SafeHarbor, spell: Callable[[InventedPatient, Random], Spelled]) -> Fill:
    def fill(patient: InventedPatient, chance: Random) -> list[Value]:
        spelling, text = spell(patient, chance)
        return [Value(text, harbor, True, spelling)]

    return fill


def _unknown(harbor: SafeHarbor, invent: Callable[[InventedPatient, Random], str]) -> Fill:
    return lambda patient, chance: [Value(invent(patient, chance), harbor)]


def _number_of(harbor: SafeHarbor, of: Callable[[InventedPatient], str]) -> Fill:
    """A number that some patients' resources hold."""

    def fill(patient: InventedPatient, chance: Random) -> list[Value]:
        if not patient.numbers_known:
            return [Value(of(patient), harbor)]
        spelling, text = spell_code(of(patient), chance)
        return [Value(text, harbor, True, spelling)]

    return fill


def _known_city(patient: InventedPatient, chance: Random) -> list[Value]:
    return _city_line(patient, patient.address.city, patient.address.state, patient.address.postal_code, chance, True)


def _hospital_city(patient: InventedPatient, chance: Random) -> list[Value]:
    address = patient.hospital_address
    return _city_line(patient, address.city, address.state, address.postal_code, chance, True)


def _other_city(patient: InventedPatient, chance: Random) -> list[Value]:
    address = invent_address(chance, patient.language)
    return _city_line(patient, address.city, address.state, address.postal_code, chance, False)


def _city_line(
    patient: InventedPatient, city: str, state: str, postal_code: str, chance: Random, known: bool
) -> list[Value]:
    """City and postal code as the language has them; the state between them is no identifier."""
    spelling, spelled = spell_words(city, chance) if known else ("", city)
    code = Value(postal_code, SafeHarbor.PLACE, known, "as known" if known else "")
    if patient.language == "german":
        return [
            Value(code.text, code.harbor, known, code.spelling, " "),
            Value(spelled, SafeHarbor.PLACE, known, spelling),
        ]
    return [Value(spelled, SafeHarbor.PLACE, known, spelling, f", {state} "), code]


def _other_name(patient: InventedPatient, chance: Random) -> str:
    """A relative, written out."""
    person = invent_person(chance, patient.language)
    return chance.choice((f"{person.given} {person.family}", person.full))


def _doctor(patient: InventedPatient, chance: Random) -> str:
    """A doctor that the resource does not name, as doctors are named."""
    person: Person = invent_person(chance, patient.language, professional=True)
    initial = chance.choice("ABCDEFGHJKLMNPRSTW")
    plain = f"{person.given} {person.family}"
    forms = (
        plain,
        plain,
        f"{person.given[0]}. {person.family}",
        f"{person.given} {initial}. {person.family}",
        plain.upper(),
    )
    return chance.choice(forms)


def _date(patient: InventedPatient, chance: Random) -> str:
    """A date in one of the usual forms."""
    day = _FIRST_DATE + timedelta(chance.randrange(_DATE_DAYS))
    month = MONTHS[patient.language][day.month - 1]
    forms: tuple[str, ...] = (
        f"{day:%m/%d/%Y}",
        f"{day.month}/{day.day}/{day:%y}",
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{day:%m-%d-%Y}",
        day.isoformat(),
        f"{day.day:02}-{month[:3]}-{day.year}",
        f"{month[:3]} {day.day}, {day.year}",
    )
    if patient.language == "german":
        forms = (
            f"{day:%d.%m.%Y}",
            f"{day.day}.{day.month}.{day:%y}",
            f"{day.day}. {month} {day.year}",
            f"{day:%d.%m.%y}",
        )
    return chance.choice(forms)


def _email(patient: InventedPatient, chance: Random) -> str:
    person = invent_person(chance, patient.language)
    domain = chance.choice(parts_of(patient.language).mail)
    local = plain_letters(f"{person.given}.{person.family}".lower()).replace(" ", "-")
    return chance.choice((f"{local}@{domain}", f"path-{local.split('.')[0]}_{chance.randrange(9)}@{domain}"))


def _web(patient: InventedPatient, chance: Random) -> str:
    domain = chance.choice(parts_of(patient.language).mail)
    form = chance.choice(("https://portal.{d}/case/{n}", "http://{d}/r?id={n}", "www.{d}/slides/{n}", "https://{d}"))
    return form.format(d=domain, n=chance.randrange(10_000, 99_999))


def _network(patient: InventedPatient, chance: Random) -> str:
    if chance.random() < 1 / 5:
        return "2001:db8:" + ":".join(f"{chance.randrange(1, 65535):x}" for _ in range(6))
    return ".".join(str(chance.randrange(1, 255)) for _ in range(4))


def _record(patient: InventedPatient, chance: Random) -> str:
    number = chance.randrange(10**5, 10**8)
    return chance.choice((f"{number}", f"{number:010}", f"M{number:08}", f"{number // 1000}-{number % 1000:03}"))


def _account(patient: InventedPatient, chance: Random) -> str:
    if patient.language == "german" and chance.random() < 0.5:
        digits = f"{chance.randrange(10**19, 10**20)}"
        return "DE" + " ".join((digits[:2], *(digits[place : place + 4] for place in range(2, 18, 4)), digits[18:]))
    number = chance.randrange(10**8, 10**11)
    return chance.choice((f"{number}", f"V{number}", f"{number // 10**4}-{number % 10**4:04}"))


def _licence(patient: InventedPatient, chance: Random) -> str:
    number = chance.randrange(10**4, 10**6)
    letters = "".join(chance.choices("ABCDEGMNPRST", k=2))
    return chance.choice((f"{letters[0]}{number}", f"{letters}-{number:06}", f"35.{number:06}", f"D{number:08}"))


def _plate(patient: InventedPatient, chance: Random) -> str:
    letters = "".join(chance.choices("ABCDEFGHJKLMNPRSTUVWX", k=3))
    if patient.language == "german":
        return f"{chance.choice(('B', 'M', 'HH', 'KR', 'GÖ', 'FR'))}-{letters[:2]} {chance.randrange(10, 9999)}"
    return chance.choice(
        (f"{letters} {chance.randrange(1000, 9999)}", f"{chance.randrange(1, 9)}{letters}{chance.randrange(100, 999)}")
    )


def _vin(patient: InventedPatient, chance: Random) -> str:
    return f"1{''.join(chance.choices(_VIN_LETTERS, k=10))}{chance.randrange(100_000, 999_999)}"


def _device(patient: InventedPatient, chance: Random) -> str:
    number = chance.randrange(10**5, 10**8)
    letters = "".join(chance.choices("ABCDEFGHKLMNPRSTUVW", k=3))
    return chance.choice(
        (f"{letters}{number}", f"{number}", f"{letters}-{number // 100}-{number % 100:02}", f"SN{number}H")
    )


def _biometric(patient: InventedPatient, chance: Random) -> str:
    code = "".join(chance.choices(_HEXADECIMAL, k=8))
    return chance.choice(
        (
            f"FP-{chance.randrange(10**5, 10**6)}",
            f"BIO-{code.upper()}",
            f"{chance.randrange(10**6, 10**8)}",
            code + "9f3a",
        )
    )


def _photo(patient: InventedPatient, chance: Random) -> str:
    person = plain_letters(patient.person.family.replace(" ", ""))
    number = chance.randrange(100, 9999)
    return chance.choice(
        (f"IMG_{number:04}.JPG", f"{person}_{number}.jpg", f"DSC{number:05}.jpeg", f"photo-{number}-face.png")
    )


def _other_number(patient: InventedPatient, chance: Random) -> str:
    number = chance.randrange(10**3, 10**5)
    year = chance.randrange(10, 24)
    return chance.choice(
        (
            f"S{year}-{number}",
            f"BX-{number:05}-{year}",
            f"{year}S{number:06}",
            f"H{number}/{year}",
            f"{number:05}/20{year}",
        )
    )


SLOTS: Mapping[str, Fill] = {
    "patient": _known(SafeHarbor.NAME, lambda patient, chance: spell_name(patient.person, chance)),
    "patient_family": _known(SafeHarbor.NAME, lambda patient, chance: spell_family(patient.person, chance)),
    "pathologist": _known(SafeHarbor.NAME, lambda patient, chance: spell_name(patient.pathologist, chance)),
    "birth": _known(SafeHarbor.DATE, lambda patient, chance: spell_birth(patient.birth, chance, patient.language)),
    "mrn": _known(SafeHarbor.RECORD, lambda patient, chance: spell_number(patient.record, chance)),
    "accession": _known(SafeHarbor.OTHER, lambda patient, chance: spell_number(patient.accession, chance)),
    "patient_phone": _known(SafeHarbor.PHONE, lambda patient, chance: spell_phone(patient.phone, chance)),
    "patient_email": _known(SafeHarbor.EMAIL, lambda patient, chance: spell_words(patient.email, chance)),
    "patient_street": _known(SafeHarbor.PLACE, lambda patient, chance: spell_street(patient.address.street, chance)),
    "patient_city_line": _known_city,
    "hospital": _known(SafeHarbor.PLACE, lambda patient, chance: spell_words(patient.hospital, chance)),
    "street": _known(SafeHarbor.PLACE, lambda patient, chance: spell_street(patient.hospital_address.street, chance)),
    "city_line": _hospital_city,
    "hospital_phone": _known(SafeHarbor.PHONE, lambda patient, chance: spell_phone(patient.hospital_phone, chance)),
    "ssn": _number_of(SafeHarbor.SOCIAL_SECURITY, lambda patient: patient.social_security),
    "plan": _number_of(SafeHarbor.HEALTH_PLAN, lambda patient: patient.plan),
    "relative": _unknown(SafeHarbor.NAME, _other_name),
    "doctor": _unknown(SafeHarbor.NAME, _doctor),
    "date": _unknown(SafeHarbor.DATE, _date),
    "old_age": _unknown(SafeHarbor.AGE, lambda _, chance: str(chance.randrange(90, 105))),
    "phone": _unknown(SafeHarbor.PHONE, lambda patient, chance: invent_phone(chance, patient.language)),
    "fax": _unknown(SafeHarbor.FAX, lambda patient, chance: invent_phone(chance, patient.language)),
    "email": _unknown(SafeHarbor.EMAIL, _email),
    "web": _unknown(SafeHarbor.WEB_ADDRESS, _web),
    "network": _unknown(SafeHarbor.NETWORK_ADDRESS, _network),
    "other_mrn": _unknown(SafeHarbor.RECORD, _record),
    "account": _unknown(SafeHarbor.ACCOUNT, _account),
    "licence": _unknown(SafeHarbor.LICENCE, _licence),
    "plate": _unknown(SafeHarbor.VEHICLE, _plate),
    "vin": _unknown(SafeHarbor.VEHICLE, _vin),
    "device": _unknown(SafeHarbor.DEVICE, _device),
    "biometric": _unknown(SafeHarbor.BIOMETRIC, _biometric),
    "photo": _unknown(SafeHarbor.PHOTOGRAPH, _photo),
    "other_number": _unknown(SafeHarbor.OTHER, _other_number),
    "other_street": _unknown(SafeHarbor.PLACE, lambda patient, chance: invent_address(chance, patient.language).street),
    "other_city": _unknown(SafeHarbor.PLACE, lambda patient, chance: invent_address(chance, patient.language).city),
    "other_city_line": _other_city,
}
"""Every slot that a carrier may have."""
