"""What is wrong in a mapping beyond its shape: names that lead nowhere, codes that cannot be, rules without effect."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from schemas.check_digits import is_loinc_number, is_snomed_identifier
from schemas.mapping_names import Found, NameChecker
from schemas.pack_mapping import Mapping
from schemas.yaml_source import nearest

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UNUSED = "is used nowhere"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_FORMS = {
    "http://hl7.org/fhir/sid/icd-10-cm": re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"),
    "http://terminology.hl7.org/CodeSystem/icd-o-3": re.compile(r"\d{4}/\d|C\d\d\.\d"),
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": re.compile(r"C\d+"),
}
"""What codes of a system look like that has no check digit."""


def mapping_faults(mapping: Mapping) -> Iterator[Found]:
    """Every fault, each with its place in the file, what was expected and the nearest valid name."""
    codes = list(_code_faults(mapping))
    yield from codes
    yield from _reading_faults(mapping)
    checker = NameChecker(mapping)
    yield from checker.assumptions()
    yield from checker.templates()
    yield from checker.rules()
    yield from checker.allowed()
    yield from checker.known_condition()
    yield from checker.cases()
    yield from _unused_faults(mapping)
    if not codes:
        yield from _denied_faults(mapping)


def _code_faults(mapping: Mapping) -> Iterator[Found]:
    for name, url in mapping.systems.items():
        if _URI.fullmatch(url) is None:
            yield ("systems", name), f"expected the URI of a code system, found {url!r}"
    written = [*mapping.written_codes(), *((("denied", text), text) for text in mapping.denied)]
    for location, text in written:
        system, _, rest = text.partition("|")
        code = rest.partition("|")[0]
        if not code:
            yield location, f"expected system|code|display, found {text!r}"
        elif system not in mapping.systems:
            yield location, f"unknown system {system!r} in {text!r}; {nearest(system, mapping.systems)}"
        elif location[0] != "denied" and (fault := _fault_of(mapping.systems[system], code)):
            yield location, f"{code} {fault} of {system}: it is not a code; look it up again"


def _fault_of(system: str, code: str) -> str | None:
    """Why this cannot be a code of the system, if so."""
    if (system == SNOMED and not is_snomed_identifier(code)) or (system == LOINC and not is_loinc_number(code)):
        return "fails the check digit"
    form = _FORMS.get(system)
    return "has not the form of a code" if form and form.fullmatch(code) is None else None


def _denied_faults(mapping: Mapping) -> Iterator[Found]:
    for location, coding in mapping.shipped_codings():
        if coding[:2] in mapping.denied_codes:
            yield location, f"{coding.code} must never go out: {mapping.denied_codes[coding[:2]]}"


def _unused_faults(mapping: Mapping) -> Iterator[Found]:
    used = {*_words([rule.resource for rule in mapping.rules]), *_words(list(mapping.templates.values()))}
    used |= {rule.template for rule in mapping.rules if rule.template}
    for part in ("codes", "tables", "texts", "templates"):
        names = getattr(mapping, part)
        for name in names:
            if name not in used:
                close = difflib.get_close_matches(name, used & names.keys(), n=1)
                yield (part, name), f"{UNUSED}; did you mean {close[0]!r}?" if close else UNUSED


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _words(value)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _words(item)


def _reading_faults(mapping: Mapping) -> Iterator[Found]:
    for index, reading in enumerate(mapping.readings):
        try:
            re.compile(reading.pattern)
        except re.error as error:
            yield ("readings", index, "pattern"), f"is no regular expression: {error}"
