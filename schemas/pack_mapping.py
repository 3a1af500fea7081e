"""The shape of mapping.yaml: which finding becomes which FHIR resource, with which codes.

A rule joins a condition over *variables* (the finding, its primary, the report) with a resource template. Templates are
FHIR JSON written as YAML in which `$name` stands for a variable and a mapping with a `$` key for a computed part
(mappers/template.py); `from` names the template that one builds on. schemas/mapping_faults.py finds what the shape
alone cannot.
"""

from collections import abc
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import Field

from schemas.frozen import Frozen

Conditions = dict[str, tuple[str, ...] | str]
Location = tuple[int | str, ...]
ABSENT = "none"
PRESENT = "any"
BASE_KEY = "from"

FINDING_VARIABLES = (
    "value", "detail", "category", "state", "basis", "found_basis", "probability", "source", "reason",
)  # fmt: skip
PRIMARY_VARIABLES = (
    "assertion", "certainty", "histology", "behaviour", "procedure", "therapy_before", "side", "condition_choice",
    "stage", "stage_condition",
)  # fmt: skip
REPORT_VARIABLES = ("gender", "report_status", "year")
RESOURCE_VARIABLES = (
    "status", "security", "extensions", "subject", "encounter", "report", "condition", "specimen", "only_specimen",
    "effective", "collected", "part", "report_identifier",
)  # fmt: skip


class Coding(NamedTuple):
    """A code of a system, with the text that the system gives it where that is certain."""

    system: str
    code: str
    display: str | None = None

    def as_fhir(self) -> dict[str, str]:
        """The FHIR Coding."""
        coding = {"system": self.system, "code": self.code}
        return {**coding, "display": self.display} if self.display else coding


class Reading(Frozen):
    """How a finding's detail (or the words quoted as its evidence) is read, in lower case: named groups of the pattern
    become variables that are not set otherwise.

    The group `category` is looked up in `parents` (most specific form -> class of the pack): where the class that the
    engine decided on is not the parent, the finding contradicts itself and goes to review.
    """

    findings: tuple[str, ...]
    of: Literal["detail", "quote"] = "detail"
    pattern: str
    parents: dict[str, str] = Field(default_factory=dict)


class Assumption(Frozen):
    """Variables set where the conditions hold; applied in order to each finding (no `findings`: to every one)."""

    why: str
    findings: tuple[str, ...] = ()
    when: Conditions = Field(default_factory=dict)
    unless: Conditions = Field(default_factory=dict)
    set: dict[str, str]


class Rule(Frozen):
    """One resource for each primary (or specimen part) that meets the conditions; the first rule of a slot wins.

    `slot` names the resource in derived ids and references; `finding` is read for its variables (none: the primary
    itself); `scope: patient` derives the id from the patient, so that all reports of a primary share the resource.
    """

    slot: str
    finding: str | None = None
    of: Literal["primary", "part"] = "primary"
    scope: Literal["report", "patient"] = "report"
    when: Conditions = Field(default_factory=dict)
    unless: Conditions = Field(default_factory=dict)
    template: str | None = None
    resource: dict[str, Any] = Field(default_factory=dict)


class Mapping(Frozen):
    """mapping.yaml; `attributes` are the names that findings may carry beside their value."""

    systems: dict[str, str]
    attributes: tuple[str, ...] = ()
    codes: dict[str, str] = Field(default_factory=dict)
    tables: dict[str, dict[str, tuple[str, ...] | str]] = Field(default_factory=dict)
    texts: dict[str, dict[str, str]] = Field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    templates: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rules: tuple[Rule, ...]
    allowed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    denied: dict[str, str] = Field(default_factory=dict)

    def faults(self) -> Iterator[tuple[Location, str]]:
        """What is wrong beyond the shape: names that lead nowhere, impossible codes."""
        from schemas.mapping_faults import mapping_faults  # it needs this module

        return mapping_faults(self)

    def coding(self, text: str) -> Coding:
        """A coding written `system|code|display`; raises ValueError where the system has no short name here."""
        system, _, rest = text.partition("|")
        code, _, display = rest.partition("|")
        if system not in self.systems or not code:
            raise ValueError(f"expected system|code|display with one of {', '.join(self.systems)}, found {text!r}")
        return Coding(self.systems[system], code, display or None)

    def lookup(self, table: str, key: str) -> tuple[Coding, ...]:
        """The codings of a table's key; `*` in a table's key stands for any part between slashes; () where none fits."""
        rows = self.tables[table]
        entry = rows.get(key)
        if entry is None:
            fitting = [name for name in rows if "*" in name and _fits(name, key)]
            entry = rows[min(fitting, key=lambda name: name.count("*"))] if fitting else ()
        return tuple(self.coding(text) for text in as_tuple(entry))

    def shipped_codings(self) -> Iterator[tuple[Location, Coding]]:
        """Every code that may go out, with where it is written."""
        for name, text in self.codes.items():
            yield ("codes", name), self.coding(text)
        for table, rows in self.tables.items():
            for key, entry in rows.items():
                for text in as_tuple(entry):
                    yield ("tables", table, key), self.coding(text)

    @cached_property
    def allowed_values(self) -> dict[Coding, frozenset[tuple[str, str]]]:
        """For each Observation code that is restricted, the (system, code) pairs that may stand as its value."""
        values: dict[Coding, frozenset[tuple[str, str]]] = {}
        for name, tables in self.allowed.items():
            codings = [
                self.coding(text)
                for table in tables
                for entry in (self.tables[table].values() if table in self.tables else (self.codes[table],))
                for text in as_tuple(entry)
            ]
            values[self.coding(self.codes[name])] = frozenset((coding.system, coding.code) for coding in codings)
        return values


def as_tuple(entry: tuple[str, ...] | str) -> tuple[str, ...]:
    """One or several written alike."""
    return (entry,) if isinstance(entry, str) else entry


def holds(conditions: abc.Mapping[str, tuple[str, ...] | str], variables: abc.Mapping[str, Any]) -> bool:
    """True where every variable has one of its values; `none` is an absent variable, `any` a present one, `2010..2017`
    a range of numbers (either end may be left out).
    """
    return all(
        any(_is(variables.get(name), expected) for expected in as_tuple(allowed))
        for name, allowed in conditions.items()
    )


def excluded(conditions: abc.Mapping[str, tuple[str, ...] | str], variables: abc.Mapping[str, Any]) -> bool:
    """True where at least one of the conditions holds."""
    return any(holds({name: allowed}, variables) for name, allowed in conditions.items())


def _is(found: Any, expected: str) -> bool:
    if found is None or expected in (ABSENT, PRESENT):
        return (found is None) == (expected == ABSENT) and (found is None or expected == PRESENT)
    if ".." in expected:
        low, _, high = expected.partition("..")
        try:
            number = float(found)
        except ValueError:
            return False
        return (not low or number >= float(low)) and (not high or number <= float(high))
    return str(found) == expected


def _fits(pattern: str, key: str) -> bool:
    wanted, given = pattern.split("/"), key.split("/")
    return len(wanted) == len(given) and all(part in ("*", found) for part, found in zip(wanted, given, strict=True))
