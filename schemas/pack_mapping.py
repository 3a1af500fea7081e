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

from schemas.fhirpath import is_true
from schemas.findings import Assertion, Basis, Behaviour, Certainty, Side, Status
from schemas.frozen import Frozen

OneOrMore = tuple[str, ...] | str
Conditions = dict[str, OneOrMore]
Location = tuple[int | str, ...]
ABSENT = "none"
PRESENT = "any"
BASE_KEY = "from"

FINDING_VARIABLES = (
    "value", "detail", "category", "state", "basis", "found_basis", "probability", "source", "reason",
)  # fmt: skip
PRIMARY_VARIABLES = (
    "assertion", "certainty", "histology", "behaviour", "procedure", "therapy_before", "side", "condition_choice",
    "stage", "stage_condition", "stage_assumed", "prognostic_stage", "prognostic_system", "foci", "mass_histology",
)  # fmt: skip
REPORT_VARIABLES = ("gender", "report_status", "year")
RESOURCE_VARIABLES = (
    "status", "security", "extensions", "subject", "encounter", "report", "condition", "specimen",
    "effective", "collected", "part", "tumor_identifier",
)  # fmt: skip
REPORT_RESOURCE = "DiagnosticReport"
PATIENT_RESOURCE = "patient"
"""Variables for FHIRPath alone: the report's resource, which a path begins at, and `%patient`."""


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
    """One resource for each primary (or tumour mass, or specimen part) that meets the conditions; the first rule of a
    slot wins.

    `slot` names the resource in derived ids and references; `finding` is read for its variables (none: the primary
    itself), and where a further focus has that finding too, the rule makes a resource of that focus. `scope: patient`
    derives the id from the patient, so that all reports of a primary share the resource.
    """

    id: str | None = Field(default=None, description="a name by which an overlay can replace the rule or leave it out")
    slot: str = Field(description="the resource that the rule makes, in references and derived ids")
    finding: str | None = Field(default=None, description="the finding it is made of; none: the primary itself")
    of: Literal["primary", "focus", "part"] = Field(
        default="primary", description="one for each primary, for each of its tumor masses, or for each specimen"
    )
    scope: Literal["report", "patient"] = Field(default="report", description="whose resource it is")
    when: Conditions = Field(default_factory=dict, description="variable: value or values, any, none, or a range 1..9")
    unless: Conditions = Field(default_factory=dict, description="conditions of which none may hold")
    where: str | None = Field(default=None, description="a FHIRPath over the report that must be true; %name, %patient")
    template: str | None = Field(default=None, description="the template that the resource builds on")
    resource: dict[str, Any] = Field(default_factory=dict, description="FHIR JSON, laid over the template")

    def applies(self, variables: abc.Mapping[str, Any]) -> bool:
        """True where all conditions hold; raises SYN-412 where its FHIRPath cannot be evaluated."""
        if not holds(self.when, variables) or excluded(self.unless, variables):
            return False
        return self.where is None or is_true(self.where, variables.get(REPORT_RESOURCE, {}), variables)


class CasePrimary(Frozen):
    """The primary of a case; the defaults are a typical one, so that a case says only what it is about."""

    assertion: Assertion = Assertion.PRIMARY_INVASIVE
    certainty: Certainty = Certainty.DEFINITE
    histology: str | None = "IDC"
    behaviour: Behaviour | None = "invasive"
    procedure: str | None = "excision"
    therapy_before: Literal["yes", "no", "unstated"] = "unstated"
    side: Side | None = "left"


class CaseFinding(Frozen):
    """A finding of a case, as extraction would have found it."""

    value: str | None = None
    detail: str | None = Field(default=None, description="the most specific stated form, such as pT1c(m)")
    status: Status = Status.CODED
    basis: Basis | None = Basis.STATED
    quote: str | None = Field(default=None, description="the words of the report; none: the detail or the value")
    attributes: dict[str, str] = Field(default_factory=dict)


class CaseReport(Frozen):
    """The report of a case: what rules see of it."""

    gender: str | None = "female"
    status: str = "final"
    collected: str = Field(default="2024-05-01", description="the year decides the staging edition")
    organization: str | None = Field(default=None, description="the sender, as an overlay's facility names it")
    codes: tuple[str, ...] = Field(default=(), description="LOINC codes of the report")


class Case(Frozen):
    """An inline case: findings, and which codes their resources must hold. `synoptic mapping test` runs it."""

    name: str
    report: CaseReport = CaseReport()
    primary: CasePrimary = CasePrimary()
    findings: dict[str, CaseFinding] = Field(default_factory=dict)
    expect: dict[str, OneOrMore] = Field(
        description="slot: what must stand in its resource (system|code, a profile, a value); none: there is no resource"
    )


class OwnProfile(Frozen):
    """A profile of a facility's own, and what each resource that claims it must have."""

    resource: str = Field(description="the resource's type, such as Observation")
    required: tuple[str, ...] = Field(default=(), description="elements that must be there, such as code.coding")


class Mapping(Frozen):
    """mapping.yaml; `attributes` are the names that findings may carry beside their value."""

    systems: dict[str, str] = Field(description="short names of code systems")
    attributes: tuple[str, ...] = Field(default=(), description="what findings may carry beside their value")
    codes: dict[str, OneOrMore] = Field(default_factory=dict, description="name: system|code|display, or several")
    tables: dict[str, dict[str, OneOrMore]] = Field(default_factory=dict, description="table: {key: code or codes}")
    texts: dict[str, dict[str, str]] = Field(default_factory=dict, description="plain words by key; * is anything else")
    readings: tuple[Reading, ...] = Field(default=(), description="what is read from a finding's detail")
    assumptions: tuple[Assumption, ...] = Field(default=(), description="what holds where the report leaves it open")
    templates: dict[str, dict[str, Any]] = Field(default_factory=dict, description="resources that rules build on")
    rules: tuple[Rule, ...] = Field(description="condition -> resource; the first of a slot that fits")
    allowed: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="an Observation's code: the tables and codes that its value may come from"
    )
    denied: dict[str, str] = Field(default_factory=dict, description="codes that must never go out: why")
    known_condition: tuple[str, ...] = Field(
        default=(),
        description="tables whose codes tell the cancer among the EHR's own Conditions; a key names its side",
    )
    profiles: dict[str, OwnProfile] = Field(
        default_factory=dict, description="profiles beside those of mCODE and US Core"
    )
    cases: tuple[Case, ...] = Field(default=(), description="findings, and the codes that must come of them")

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

    def named(self, name: str) -> tuple[Coding, ...]:
        """The codings of a name among `codes`: the facility's own may stand beside the standard one."""
        return tuple(self.coding(text) for text in as_tuple(self.codes[name]))

    def lookup(self, table: str, key: str) -> tuple[Coding, ...]:
        """The codings of a table's key; `*` in a table's key stands for any part between slashes; () where none fits."""
        rows = self.tables[table]
        entry = rows.get(key)
        if entry is None:
            fitting = [name for name in rows if "*" in name and _fits(name, key)]
            entry = rows[min(fitting, key=lambda name: name.count("*"))] if fitting else ()
        return tuple(self.coding(text) for text in as_tuple(entry))

    def written_codes(self) -> Iterator[tuple[Location, str]]:
        """Every code as it is written, with where."""
        for name, entry in self.codes.items():
            yield from ((("codes", name), text) for text in as_tuple(entry))
        for table, rows in self.tables.items():
            for key, entry in rows.items():
                yield from ((("tables", table, key), text) for text in as_tuple(entry))

    def shipped_codings(self) -> Iterator[tuple[Location, Coding]]:
        """Every code that may go out, with where it is written."""
        for location, text in self.written_codes():
            yield location, self.coding(text)

    @cached_property
    def denied_codes(self) -> dict[tuple[str, str], str]:
        """Why a (system, code) must never go out."""
        codings = ((self.coding(text), why) for text, why in self.denied.items())
        return {(coding.system, coding.code): why for coding, why in codings}

    @cached_property
    def allowed_values(self) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
        """For each Observation code that is restricted, the (system, code) pairs that may stand as its value."""
        values: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        for name, sources in self.allowed.items():
            entries = [
                entry
                for source in sources
                for entry in (self.tables[source].values() if source in self.tables else (self.codes[source],))
            ]
            codings = [self.coding(text) for entry in entries for text in as_tuple(entry)]
            allowed = frozenset((coding.system, coding.code) for coding in codings)
            values.update(((coding.system, coding.code), allowed) for coding in self.named(name))
        return values


def as_tuple(entry: OneOrMore) -> tuple[str, ...]:
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
