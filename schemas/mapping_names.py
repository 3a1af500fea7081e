"""Whether every name that a mapping's templates, rules, conditions and cases use is declared, and every condition can hold."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from schemas.fhirpath import fault_in, names_in
from schemas.findings import Assertion, Basis, Behaviour, Certainty, Side, Status
from schemas.pack_mapping import (
    ABSENT,
    BASE_KEY,
    FINDING_VARIABLES,
    PATIENT_RESOURCE,
    PRESENT,
    PRIMARY_VARIABLES,
    REPORT_VARIABLES,
    RESOURCE_VARIABLES,
    Location,
    Mapping,
    Rule,
    as_tuple,
)
from schemas.yaml_source import nearest

Found = tuple[Location, str]
CLOSED: dict[str, Iterable[str]] = {
    "state": Status, "basis": Basis, "assertion": Assertion, "certainty": Certainty, "side": get_args(Side),
    "therapy_before": ("yes", "no", "unstated"), "behaviour": get_args(Behaviour),
    "gender": ("male", "female", "other", "unknown"),
}  # fmt: skip
"""Variables of few values, so that a mistyped one is found."""
OPEN_NAMES = ("found.", "state.")
"""What variables about another finding begin with."""
_RANGE = re.compile(r"(?:\d+(?:\.\d+)?)?\.\.(?:\d+(?:\.\d+)?)?")
_COMMANDS = ("$concept", "$text", "$reference", "$references", "$format", "$number", "$fhirpath", "$when")


class NameChecker:
    """Checks every name that templates and conditions use against what the mapping declares."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._slots = {rule.slot for rule in mapping.rules}
        groups = {name for reading in mapping.readings for name in re.findall(r"\(\?P<(\w+)>", reading.pattern)}
        assumed = {name for assumption in mapping.assumptions for name in assumption.set}
        self._conditions = {
            *FINDING_VARIABLES, *PRIMARY_VARIABLES, *REPORT_VARIABLES, *RESOURCE_VARIABLES, *mapping.attributes, *groups,
            *assumed,
        }  # fmt: skip
        texts = {*FINDING_VARIABLES, *PRIMARY_VARIABLES, *mapping.attributes, *groups, *assumed}
        self._texts = texts - {"probability"}  # which alone is a number
        self._closed = {name: list(map(str, values)) for name, values in CLOSED.items()}

    def assumptions(self) -> Iterator[Found]:
        """What assumptions ask for and set."""
        for index, assumption in enumerate(self._mapping.assumptions):
            for part in ("when", "unless"):
                yield from self._names(("assumptions", index, part), getattr(assumption, part))
            yield from self._values(("assumptions", index, "set"), assumption.set)

    def templates(self) -> Iterator[Found]:
        """Templates: what each builds on, and every name within."""
        for name, template in self._mapping.templates.items():
            base = template.get(BASE_KEY)
            if base is not None:
                yield from self._known(("templates", name, BASE_KEY), "template", base, self._mapping.templates)
            if name in self._beneath(name):
                yield ("templates", name, BASE_KEY), f"builds on itself: {' over '.join((name, *self._beneath(name)))}"
            yield from self._node(("templates", name), template)

    def rules(self) -> Iterator[Found]:
        """Rules: conditions, template, resource, and whether each can be reached."""
        for index, rule in enumerate(self._mapping.rules):
            location: Location = ("rules", index)
            if rule.template:
                yield from self._known((*location, "template"), "template", rule.template, self._mapping.templates)
            elif "resourceType" not in rule.resource:
                yield (*location, "resource"), "expected a template, or a resource with resourceType"
            for part in ("when", "unless"):
                yield from self._names((*location, part), getattr(rule, part))
            yield from self._node((*location, "resource"), rule.resource)
            if rule.where is not None:
                yield from self._path((*location, "where"), rule.where, is_condition=True)
            for earlier_index, earlier in enumerate(self._mapping.rules[:index]):
                if rule.id is not None and rule.id == earlier.id:
                    yield (*location, "id"), f"is the id of rules.{earlier_index} too"
                if _covers(earlier, rule):
                    name = earlier.id or f"rules.{earlier_index}"
                    yield location, f"is never reached: {name} answers {rule.slot} wherever this one would"

    def allowed(self) -> Iterator[Found]:
        """The codes and tables that `allowed` names."""
        known = [*self._mapping.tables, *self._mapping.codes]
        for name, tables in self._mapping.allowed.items():
            if name not in self._mapping.codes:
                yield ("allowed", name), f"no code {name!r}; {nearest(name, self._mapping.codes)}"
            for table in tables:
                if table not in known:
                    yield ("allowed", name), f"no table or code {table!r}; {nearest(table, known)}"

    def known_condition(self) -> Iterator[Found]:
        """The tables that tell the cancer among the EHR's Conditions."""
        for index, table in enumerate(self._mapping.known_condition):
            if table not in self._mapping.tables:
                location: Location = ("known_condition", index)
                yield location, f"no table {table!r}; {nearest(table, self._mapping.tables)}"

    def cases(self) -> Iterator[Found]:
        """Slots and systems that cases expect."""
        names: set[str] = set()
        for index, case in enumerate(self._mapping.cases):
            if case.name in names:
                yield ("cases", index, "name"), "is the name of an earlier case too"
            names.add(case.name)
            for slot, expected in case.expect.items():
                location: Location = ("cases", index, "expect", slot)
                yield from self._known(location, "slot", slot, sorted(self._slots))
                for text in as_tuple(expected):
                    system, bar, _ = text.partition("|")
                    if bar:
                        yield from self._known(location, "system", system, self._mapping.systems)

    def _path(self, location: Location, path: Any, is_condition: bool = False) -> Iterator[Found]:
        if not isinstance(path, str):
            yield location, "expected a FHIRPath as text"
            return
        if (fault := fault_in(path, self._texts, is_condition)) is not None:
            yield location, fault
        for name in names_in(path):
            if name != PATIENT_RESOURCE:
                yield from self._variable(location, name)

    def _beneath(self, name: str) -> list[str]:
        """The templates that one builds on, up to the first that comes again."""
        found: list[str] = []
        base = self._mapping.templates[name].get(BASE_KEY)
        while isinstance(base, str) and base in self._mapping.templates and base not in found:
            found.append(base)
            base = self._mapping.templates[base].get(BASE_KEY)
        return found

    def _names(self, location: Location, conditions: Any) -> Iterator[Found]:
        if not isinstance(conditions, dict):
            yield location, "expected conditions, variable: value"
            return
        for name in conditions:
            yield from self._variable((*location, name), name)
        yield from self._values(location, conditions)

    def _values(self, location: Location, conditions: dict[str, Any]) -> Iterator[Found]:
        """Values that a variable never has, and ranges that are none."""
        for name, values in conditions.items():
            for value in as_tuple(values):
                if ".." in str(value) and _RANGE.fullmatch(value) is None:
                    yield (*location, name), f"expected a range of numbers such as 1..9, found {value!r}"
                elif name in self._closed and value not in (ABSENT, PRESENT):
                    yield from self._known((*location, name), name, value, self._closed[name])

    def _variable(self, location: Location, name: Any) -> Iterator[Found]:
        if not isinstance(name, str):
            yield location, f"expected the name of a variable, found {name!r}"
        elif name not in self._conditions and not name.startswith(OPEN_NAMES):
            hint = nearest(name, sorted(self._conditions))
            yield location, f"no variable {name!r}; {hint} (declare what findings carry under attributes)"

    def _node(self, location: Location, node: Any) -> Iterator[Found]:
        if isinstance(node, str) and node.startswith("$") and not node.startswith("$$"):
            yield from self._variable(location, node[1:])
        elif isinstance(node, list | tuple):
            for index, item in enumerate(node):
                yield from self._node((*location, index), item)
        elif isinstance(node, dict):
            command = next((key for key in node if str(key).startswith("$")), None)
            if command is not None:
                yield from self._command((*location, command), node, command)
            for key, value in node.items():
                if key != command:
                    yield from self._node((*location, key), value)

    def _command(self, location: Location, node: dict[str, Any], command: str) -> Iterator[Found]:
        argument = node[command]
        if command not in _COMMANDS:
            yield location, f"no command {command!r}; {nearest(command, _COMMANDS)}"
        elif command == "$concept":
            yield from self._sources(location, argument)
        elif command == "$text":
            yield from self._known(location, "text", argument, self._mapping.texts)
            yield from self._by(location, node.get("by"))
        elif command in ("$reference", "$references"):
            for slot in argument if isinstance(argument, list | tuple) else [argument]:
                yield from self._known(location, "slot", slot, sorted(self._slots))
        elif command == "$format":
            for name in re.findall(r"{(\w+)}", str(argument)):
                yield from self._variable(location, name)
        elif command == "$fhirpath":
            yield from self._path(location, argument)
        else:
            yield from self._variable(location, argument) if command == "$number" else self._names(location, argument)

    def _sources(self, location: Location, sources: Any) -> Iterator[Found]:
        if not isinstance(sources, list | tuple):
            yield location, "expected a list: names of codes, or {table, by}"
            return
        for source in sources:
            yield from self._source(location, source)

    def _source(self, location: Location, source: Any) -> Iterator[Found]:
        if isinstance(source, str):
            yield from self._known(location, "code", source, self._mapping.codes)
        elif not isinstance(source, dict) or "table" not in source or "by" not in source:
            yield location, "expected the name of a code, or {table, by}"
        else:
            yield from self._known(location, "table", source["table"], self._mapping.tables)
            yield from self._by(location, source["by"])
            yield from self._by(location, source.get("otherwise", []))
            for part in ("when", "unless"):
                yield from self._names(location, source.get(part, {}))

    def _by(self, location: Location, by: Any) -> Iterator[Found]:
        for name in [by] if isinstance(by, str) else by or []:
            yield from self._variable(location, name)

    def _known(self, location: Location, kind: str, name: Any, known: Iterable[str]) -> Iterator[Found]:
        if not isinstance(name, str) or name not in known:
            yield location, f"no {kind} {name!r}; {nearest(str(name), known)}"


def _covers(earlier: Rule, later: Rule) -> bool:
    """True where the earlier rule holds whenever the later one does, so that the later one is never reached."""
    if "part" in (earlier.of, later.of) or (earlier.slot, earlier.finding) != (later.slot, later.finding):
        return False
    asked = all(
        name in later.when and (PRESENT in as_tuple(values) or set(as_tuple(later.when[name])) <= set(as_tuple(values)))
        for name, values in earlier.when.items()
    )
    excluded = all(
        name in later.unless and set(as_tuple(values)) <= set(as_tuple(later.unless[name]))
        for name, values in earlier.unless.items()
    )
    return asked and excluded and earlier.where in (None, later.where)
