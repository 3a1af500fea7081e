"""Fills a resource template with variables: FHIR JSON in which `$name` is a variable and a `$` key a computed part.

    $name                                the variable; the element is left out where it is absent
    {$concept: [SOURCE, ...], text: …}   a CodeableConcept; SOURCE is a code's name, or {table, by} with any of
                                         otherwise (a second `by`), when, unless, optional (no code is no fault)
    {$text: TABLE, by: …}                a text of `texts`, or the one of its key "*"
    {$reference: SLOT}                   a reference to that resource of the primary, where there is one
    {$references: [SLOT, ...]}           the same, as a list
    {$format: "{a}-{b}"}                 a text with variables in it; left out where one is absent
    {$number: NAME}                      the variable as a number
    {$fhirpath: "…"}                     what the FHIRPath selects of the report: %name is a variable, %patient the Patient
    {$when: CONDITIONS, then: …, else: …}

`by` is a variable, or a list of them joined by "/". A `$` that is text is written `$$`.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from mappers.variables import Variables
from schemas.fhirpath import evaluate
from schemas.pack_mapping import ABSENT, REPORT_RESOURCE, Coding, Mapping, excluded, holds

ANYTHING_ELSE = "*"


class Unmapped(Exception):  # noqa: N818 (it is an outcome, not an error)
    """A table has no code for a key, so the resource is not made: no code is better than a wrong one."""

    def __init__(self, table: str, key: str) -> None:
        self.table = table
        self.key = key
        super().__init__(f"{table} has no code for {key}")


@dataclass(frozen=True)
class Filling:
    """What templates are filled from: the mapping's tables, the variables, and the primary's resources by slot."""

    mapping: Mapping
    variables: Variables
    references: Map[str, dict[str, Any]]

    def fill(self, node: Any) -> Any:
        """The node with everything computed; None where nothing is left of it."""
        if isinstance(node, str):
            return self._string(node)
        if isinstance(node, list | tuple):
            return self._list(node)
        if isinstance(node, dict):
            return self._mapping(node)
        return node

    def _list(self, node: Iterable[Any]) -> Any:
        """The filled items; an item that is itself a list (`$extensions`) is spliced in."""
        items: list[Any] = []
        for filled in (self.fill(item) for item in node):
            items += filled if isinstance(filled, list) else [filled] if filled is not None else []
        return items or None

    def _string(self, text: str) -> Any:
        if text.startswith("$$"):
            return text[1:]
        value = self.variables.get(text[1:]) if text.startswith("$") else text
        return None if value in (None, "", [], {}) else value

    def _mapping(self, node: dict[str, Any]) -> Any:
        command = next((key for key in node if key.startswith("$")), None)
        if command is None:
            filled = {key: self.fill(value) for key, value in node.items()}
            kept = {key: value for key, value in filled.items() if value is not None}
            return None if not kept or set(kept) == {"url"} else kept  # an Extension without a value is none
        return getattr(self, f"_{command[1:]}")(node, node[command])

    def _concept(self, node: dict[str, Any], sources: Any) -> Any:
        codings = [coding.as_fhir() for source in sources for coding in self._codings(source)]
        text = self.fill(node.get("text"))
        extension = self.fill(node.get("extension"))
        concept = {"extension": extension, "coding": codings, "text": text}
        return {key: value for key, value in concept.items() if value} or None

    def _codings(self, source: Any) -> tuple[Coding, ...]:
        if isinstance(source, str):
            return self.mapping.named(source)
        if not holds(source.get("when", {}), self.variables) or excluded(source.get("unless", {}), self.variables):
            return ()
        key = self._key(source["by"])
        codings = self.mapping.lookup(source["table"], key)
        if not codings and "otherwise" in source:
            codings = self.mapping.lookup(source["table"], self._key(source["otherwise"]))
        if not codings and not source.get("optional"):
            raise Unmapped(source["table"], key)
        return codings

    def _text(self, node: dict[str, Any], table: str) -> Any:
        texts = self.mapping.texts[table]
        return texts.get(self._key(node["by"]), texts.get(ANYTHING_ELSE))

    def _reference(self, _: dict[str, Any], slot: str) -> Any:
        return self.references.get(slot)

    def _references(self, _: dict[str, Any], slots: Any) -> Any:
        return [self.references[slot] for slot in slots if slot in self.references] or None

    def _format(self, _: dict[str, Any], pattern: str) -> Any:
        present = {name: value for name, value in self.variables.items() if value is not None}
        try:
            return pattern.format_map(present)
        except KeyError:
            return None

    def _number(self, _: dict[str, Any], name: str) -> Any:
        try:
            number = Decimal(str(self.variables.get(name)).replace(",", "."))
        except InvalidOperation:
            raise Unmapped("number", name) from None
        return int(number) if number == number.to_integral_value() else float(number)

    def _fhirpath(self, _: dict[str, Any], path: str) -> Any:
        found = evaluate(path, self.variables.get(REPORT_RESOURCE, {}), self.variables)
        plain = [float(item) if isinstance(item, Decimal) else item for item in found]
        return plain[0] if len(plain) == 1 else plain or None

    def _when(self, node: dict[str, Any], conditions: Any) -> Any:
        return self.fill(node.get("then") if holds(conditions, self.variables) else node.get("else"))

    def _key(self, by: Any) -> str:
        names = [by] if isinstance(by, str) else by
        return "/".join(str(self.variables.get(name) or ABSENT) for name in names)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` laid over it, at every level of mappings that compute nothing."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        plain = isinstance(old, dict) and isinstance(value, dict) and not any(k.startswith("$") for k in (*old, *value))
        result[key] = merged(old, value) if plain and isinstance(old, dict) else value
    return result
