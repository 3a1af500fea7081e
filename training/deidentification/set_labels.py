"""What each public set's labels mean in Safe Harbor's classes; None is what Safe Harbor does not name.

Some values decide for themselves, whatever their label: ages up to 89, years and weekdays alone, countries and states,
and marks of up to three characters (a ward, a room), which the definition counts only beside another identifier.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from schemas.frozen import Frozen
from schemas.yaml_source import load_model
from training.deidentification.safe_harbor import SafeHarbor

PLACES_FILE = Path(__file__).resolve().parent / "wide_places.yaml"
PRESIDIO: Mapping[str, SafeHarbor | None] = {
    "PERSON": SafeHarbor.NAME,
    "STREET_ADDRESS": SafeHarbor.PLACE,
    "GPE": SafeHarbor.PLACE,
    "ZIP_CODE": SafeHarbor.PLACE,
    "DATE_TIME": SafeHarbor.DATE,
    "AGE": SafeHarbor.AGE,
    "PHONE_NUMBER": SafeHarbor.PHONE,
    "EMAIL_ADDRESS": SafeHarbor.EMAIL,
    "US_SSN": SafeHarbor.SOCIAL_SECURITY,
    "CREDIT_CARD": SafeHarbor.ACCOUNT,
    "IBAN_CODE": SafeHarbor.ACCOUNT,
    "US_DRIVER_LICENSE": SafeHarbor.LICENCE,
    "DOMAIN_NAME": SafeHarbor.WEB_ADDRESS,
    "IP_ADDRESS": SafeHarbor.NETWORK_ADDRESS,
    "ORGANIZATION": None,
    "TITLE": None,
    "NRP": None,
}
GRASCCO: Mapping[str, SafeHarbor | None] = {
    "NAME_PATIENT": SafeHarbor.NAME,
    "NAME_DOCTOR": SafeHarbor.NAME,
    "NAME_RELATIVE": SafeHarbor.NAME,
    "NAME_EXT": SafeHarbor.NAME,
    "LOCATION_STREET": SafeHarbor.PLACE,
    "LOCATION_CITY": SafeHarbor.PLACE,
    "LOCATION_ZIP": SafeHarbor.PLACE,
    "LOCATION_COUNTRY": SafeHarbor.PLACE,
    "DATE": SafeHarbor.DATE,
    "AGE": SafeHarbor.AGE,
    "CONTACT_PHONE": SafeHarbor.PHONE,
    "CONTACT_FAX": SafeHarbor.FAX,
    "CONTACT_EMAIL": SafeHarbor.EMAIL,
    "ID": SafeHarbor.OTHER,
    "NAME_TITLE": None,
    "LOCATION_HOSPITAL": None,
    "LOCATION_ORGANIZATION": None,
    "PROFESSION": None,
    "unlabelled": None,
}
RATSCHLAB: Mapping[str, SafeHarbor | None] = {
    "Name": SafeHarbor.NAME,
    "Location": SafeHarbor.PLACE,
    "Date": SafeHarbor.DATE,
    "Age": SafeHarbor.AGE,
    "Contact": SafeHarbor.PHONE,
    "ID": SafeHarbor.OTHER,
    "Occupation": None,
}
PYDEID: Mapping[str, SafeHarbor | None] = {
    "n": SafeHarbor.NAME,
    "l": SafeHarbor.PLACE,
    "d": SafeHarbor.DATE,
    "i": SafeHarbor.RECORD,
}

_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_WEEKDAY = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+")
_OLDEST_KEPT = 89
_SHORT = 3


class WidePlaces(Frozen):
    """Countries and states, which are not smaller than a state."""

    names: tuple[str, ...]
    codes: tuple[str, ...]


def harbor_class(named: SafeHarbor | None, words: str) -> SafeHarbor | None:
    """The class of a marked value: that of its label, or None where the value itself is nothing that Safe Harbor names."""
    bare = words.strip(" \t\r\n.,;:()")
    apart = (
        (named is SafeHarbor.AGE and not _over_89(bare))
        or (named is SafeHarbor.DATE and bool(_YEAR.fullmatch(bare) or _WEEKDAY.fullmatch(bare)))
        or (named is SafeHarbor.PLACE and (bare.casefold() in _wide_names() or bare in _wide_codes()))
        or (named is SafeHarbor.OTHER and sum(map(str.isalnum, bare)) <= _SHORT)
    )
    return None if apart else named


def _over_89(words: str) -> bool:
    """True where a number above 89 stands in it; an age in words is one that Safe Harbor keeps in the sets at hand."""
    number = _NUMBER.search(words)
    return number is not None and int(number.group()) > _OLDEST_KEPT


@cache
def _wide_places() -> WidePlaces:
    places, faults = load_model(PLACES_FILE, WidePlaces)
    if places is None:
        raise ValueError("; ".join(map(str, faults)))
    return places


@cache
def _wide_names() -> frozenset[str]:
    return frozenset(name.casefold() for name in _wide_places().names)


@cache
def _wide_codes() -> frozenset[str]:
    return frozenset(_wide_places().codes)
