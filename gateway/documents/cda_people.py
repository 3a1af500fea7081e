"""The people in a CDA document's header, as resources: they are known identifiers, to be removed from its text.

Of the patient (recordTarget) are taken the names, numbers, birth date, addresses and telecoms, with those of guardians and
the birthplace; of everybody else the header names (authors, signers, relatives) the names, numbers, addresses and telecoms;
and the names of their organisations and places, which are no names of people.
"""

import re
from collections.abc import Mapping, Sequence

from gateway.fhir.parsing import Resource

_PATIENT = "recordTarget"
_PEOPLE = frozenset(
    {
        _PATIENT,
        "author",
        "authenticator",
        "legalAuthenticator",
        "dataEnterer",
        "informant",
        "informationRecipient",
        "participant",
        "documentationOf",
        "componentOf",
        "inFulfillmentOf",
    }
)
_PERSONS = ("patient", "person", "informationrecipient")
_ADDRESS_PARTS = {"streetAddressLine": "line", "city": "city", "county": "district", "postalCode": "postalCode"}
_SCHEME = re.compile(r"(?:tel|fax|mailto|sms):", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})(\d\d)?(\d\d)?")
_LONGEST = 500  # characters of one value


class HeaderPeople:
    """Follows the elements of a header; the caller gives the elements around, from the root."""

    def __init__(self) -> None:
        self._found: list[Resource] = []
        self._person: Resource | None = None
        self._parts: list[tuple[str, str]] = []

    def enter(self, around: Sequence[str], attributes: Mapping[str, str]) -> None:
        """An element begins, the last of those around."""
        local = around[-1]
        if local in _PEOPLE and len(around) == 2:
            kind = "Patient" if local == _PATIENT else "Practitioner"
            self._person = {"resourceType": kind, "identifier": [], "name": [], "address": [], "telecom": []}
            self._found.append(self._person)
        elif self._person is None:
            return
        elif local == "id" and "extension" in attributes:
            self._person["identifier"].append({"value": attributes["extension"]})
        elif local == "telecom" and "value" in attributes:
            self._person["telecom"].append({"value": _SCHEME.sub("", attributes["value"])})
        elif local == "birthTime" and (day := _DAY.match(attributes.get("value", ""))):
            self._person["birthDate"] = "-".join(filter(None, day.groups()))
        elif local in ("name", "addr"):
            self._parts = []

    def text(self, around: Sequence[str], content: str) -> None:
        """Text of the innermost element."""
        if self._person is not None and ("name" in around[-2:] or "addr" in around[-2:]) and content.strip():
            self._parts.append((around[-1], content.strip()[:_LONGEST]))

    def leave(self, around: Sequence[str]) -> None:
        """An element ends, the last of those around."""
        if self._person is None:
            return
        if around[-1] == "name" and around[-2].lower().endswith(_PERSONS):
            self._person["name"].append(_name(self._parts))
        elif around[-1] == "name":
            self._found.append({"resourceType": "Organization", "name": _name(self._parts)["text"]})
        elif around[-1] == "addr":
            self._person["address"].append(_address(self._parts))
        elif len(around) == 2:
            self._person = None

    def result(self) -> tuple[Resource, ...]:
        """Everybody, as far as the header says."""
        return tuple(self._found)


def _name(parts: Sequence[tuple[str, str]]) -> Resource:
    """A name in parts, and as it is written."""
    return {
        "text": " ".join(value for _, value in parts),
        "given": [value for kind, value in parts if kind == "given"],
        "family": " ".join(value for kind, value in parts if kind == "family"),
    }


def _address(parts: Sequence[tuple[str, str]]) -> Resource:
    """An address down to city and postal code; without parts, all of it as lines."""
    found: Resource = {"line": [value for kind, value in parts if kind in ("streetAddressLine", "addr")]}
    return found | {_ADDRESS_PARTS[kind]: value for kind, value in parts if _ADDRESS_PARTS.get(kind, "line") != "line"}
