"""What a pack's reports can say, and what a mapping asks for that none of them says: such a rule never fires."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.mapping_names import CLOSED, Found
from schemas.pack import PackDefinition
from schemas.pack_mapping import ABSENT, PRESENT, Location, Mapping, as_tuple
from schemas.pack_rules import LabelRules
from schemas.yaml_source import load_model, nearest

_OF_FINDING = re.compile(r"\$?(found|state)\.(\w+)(\.\w+)?")
_ANY_PART = "*"


@dataclass(frozen=True)
class Vocabulary:
    """The findings of a pack, each with its classes (none: any value), and the values of a primary's variables."""

    findings: Map[str, tuple[str, ...]]
    closed: Map[str, tuple[str, ...]]


def vocabulary_of(definition: PackDefinition, labels: LabelRules) -> Vocabulary:
    """The words of a pack."""
    primaries = definition.primaries
    return Vocabulary(
        dict.fromkeys(labels.labels, ()) | {task.key: task.classes for task in definition.tasks},
        {"histology": tuple(primaries.behaviours), "procedure": primaries.procedures},
    )


def read_vocabulary(pack_folder: Path) -> Vocabulary | None:
    """The words of the pack in this folder; None where its files are not there or have faults, which are told elsewhere."""
    definition = load_model(pack_folder / "pack.yaml", PackDefinition)[0]
    labels = load_model(pack_folder / "labels.yaml", LabelRules)[0]
    return vocabulary_of(definition, labels) if definition and labels else None


def vocabulary_faults(mapping: Mapping, vocabulary: Vocabulary) -> Iterator[Found]:
    """Each name and value that nothing in the pack gives, with its place and the nearest one that is given."""
    checker = _VocabularyChecker(vocabulary)
    for index, reading in enumerate(mapping.readings):
        yield from checker.findings(("readings", index, "findings"), reading.findings)
    for index, assumption in enumerate(mapping.assumptions):
        place: Location = ("assumptions", index)
        yield from checker.findings((*place, "findings"), assumption.findings)
        about = assumption.findings[0] if len(assumption.findings) == 1 else None
        for part in ("when", "unless", "set"):
            yield from checker.conditions((*place, part), getattr(assumption, part), about)
    for name, template in mapping.templates.items():
        yield from checker.node(("templates", name), template)
    for index, rule in enumerate(mapping.rules):
        place = ("rules", index)
        yield from checker.findings((*place, "finding"), [rule.finding] if rule.finding else [])
        for part in ("when", "unless"):
            yield from checker.conditions((*place, part), getattr(rule, part), rule.finding)
        yield from checker.node((*place, "resource"), rule.resource)
    for index, case in enumerate(mapping.cases):
        place = ("cases", index)
        yield from checker.conditions((*place, "primary"), case.primary.model_dump(include=set(vocabulary.closed)))
        for key, finding in case.findings.items():
            yield from checker.findings((*place, "findings", key), [key])
            yield from checker.conditions((*place, "findings", key), {"value": finding.value}, key)
    yield from _key_faults(mapping, vocabulary)


class _VocabularyChecker:
    """Holds names and values against the pack's."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._known = vocabulary.findings
        self._closed = vocabulary.closed

    def findings(self, place: Location, names: Iterable[str]) -> Iterator[Found]:
        """Findings that nothing finds."""
        for name in names:
            if name not in self._known:
                yield place, f"nothing in the pack finds {name!r}; {nearest(name, self._known)}"

    def conditions(self, place: Location, conditions: Map[str, Any], about: str | None = None) -> Iterator[Found]:
        """Values that a variable never has; `about` is the finding whose value is meant."""
        for name, values in conditions.items():
            found = _OF_FINDING.fullmatch(name)
            if found:
                yield from self.findings((*place, name), [found[2]])
            if found and found[1] == "found" and not found[3]:
                known = self._known.get(found[2], ())
            else:
                known = self._known.get(about or "", ()) if name == "value" else self._closed.get(name, ())
            for value in as_tuple(values) if known and values is not None else ():
                if value not in (*known, ABSENT, PRESENT):
                    yield (*place, name), f"is never {value!r}; {nearest(value, known)}"

    def node(self, place: Location, node: Any) -> Iterator[Found]:
        """Variables and conditions within a template."""
        if isinstance(node, str) and (found := _OF_FINDING.fullmatch(node)):
            yield from self.findings(place, [found[2]])
        for key, value in node.items() if isinstance(node, dict) else ():
            is_condition = key in ("$when", "when", "unless") and isinstance(value, dict)
            yield from self.conditions((*place, key), value) if is_condition else self.node((*place, key), value)
        for index, item in enumerate(node if isinstance(node, list | tuple) else ()):
            yield from self.node((*place, index), item)


def _key_faults(mapping: Mapping, vocabulary: Vocabulary) -> Iterator[Found]:
    """Keys of a table that no lookup asks for: of another number of parts, or with a part that its variable never is."""
    asked: dict[str, set[tuple[str, ...]]] = {}
    for node in (*mapping.templates.values(), *(rule.resource for rule in mapping.rules)):
        for table, by in _lookups(node):
            asked.setdefault(table, set()).add(by)
    closed = {name: (*map(str, values), ABSENT, _ANY_PART) for name, values in CLOSED.items()}
    closed |= {name: (*values, ABSENT, _ANY_PART) for name, values in vocabulary.closed.items()}
    for table, forms in asked.items():
        for key in mapping.tables.get(table, ()):
            parts = key.split("/")
            fitting = [form for form in forms if len(form) == len(parts)]
            place: Location = ("tables", table, key)
            if not fitting:
                wanted = " or ".join(sorted("/".join(form) for form in forms))
                yield place, f"is never looked up: expected {wanted}, with a slash between the parts"
                continue
            wrong = [
                (name, part)
                for name, part in zip(fitting[0], parts, strict=True)
                if name in closed and part not in closed[name]
            ]
            if len(fitting) == 1 and wrong:
                name, part = wrong[0]
                yield place, f"is never looked up: no {name} {part!r}; {nearest(part, closed[name][:-2])}"


def _lookups(node: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each table that a template looks into, with the variables whose values make its key."""
    if isinstance(node, dict):
        if isinstance(node.get("table"), str):
            yield from (
                (node["table"], (by,) if isinstance(by, str) else tuple(by))
                for by in (node.get("by"), node.get("otherwise"))
                if isinstance(by, str | list | tuple)
            )
        for value in node.values():
            yield from _lookups(value)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _lookups(item)
