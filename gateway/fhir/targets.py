"""Looks up what a report refers to and the EHR owns: by literal reference, else by a search for the identifier.

A literal reference is asked for by a count, since the report itself may hold megabytes. An absolute URL under the
server's base is the same as a relative one, and is used as such: a server does not find by patient what refers to its
own Patient by a whole URL. What lies on another server is that server's: the identifier is tried here, and where it
gives no single hit, the URL is used as it is.

An identifier without a system matches only identifiers without one: a number alone may be another patient's.
What was found is remembered for a minute, what was missing never.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from gateway.fhir.bundles import Entry, batch
from gateway.fhir.client import FhirClient
from gateway.fhir.parsing import RESOURCE_NAME
from gateway.stores.resource_store import Resource, Targets
from schemas.messages import Identifier, Reference

REMEMBERED = 4096
REMEMBERED_SECONDS = 60.0
LITERAL = re.compile(r"([A-Z][A-Za-z]{2,40})/([A-Za-z0-9.-]{1,64})")
_URL = re.compile(r"https?://.+")
_SPECIAL = re.compile(r"([\\,|$])")


class TargetFinder:
    """Finds targets on one server; threads share it."""

    def __init__(self, client: FhirClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[Reference, tuple[float, Reference]] = OrderedDict()

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """How to refer to each that is there, and those that are not."""
        asked = list(dict.fromkeys(references))
        found = {reference: used for reference in asked if (used := self._remembered(reference)) is not None}
        rest = [reference for reference in asked if reference not in found]
        fresh = self._by_literal(rest)
        for reference in rest:
            if (
                reference not in fresh
                and (used := self._by_identifier(reference) or self._elsewhere(reference)) is not None
            ):
                fresh[reference] = used
        self._remember(fresh)
        found |= fresh
        return Targets(found, tuple(reference for reference in asked if reference not in found))

    def forget(self) -> None:
        """Look everything up again: something that was found is gone."""
        with self._lock:
            self._found.clear()

    def missing_of(self, resources: Sequence[Resource]) -> frozenset[str]:
        """What these resources refer to that neither is on the server nor one of them."""
        own = {f"{resource['resourceType']}/{resource['id']}" for resource in resources}
        named = {literal for resource in resources for literal in _literals(resource)} - own
        asked = [Reference(type=literal.partition("/")[0], literal=literal) for literal in sorted(named)]
        there = {reference.literal for reference in self._by_literal(asked)}
        return frozenset(literal for literal in named if literal not in there)

    def relative(self, literal: str) -> str:
        """A literal reference without the server's own base."""
        return literal.removeprefix(f"{self._client.base_url}/")

    def _by_literal(self, references: Sequence[Reference]) -> dict[Reference, Reference]:
        """Those whose literal reference names what is there, in one batch."""
        literals = {reference: LITERAL.fullmatch(self.relative(reference.literal or "")) for reference in references}
        names = list(dict.fromkeys(match.groups() for match in literals.values() if match))
        entries = batch(self._client, [f"{kind}?_id={identifier}&_summary=count" for kind, identifier in names])
        there = {name for name, entry in zip(names, entries, strict=True) if _count(entry)}
        return {
            reference: reference.model_copy(update={"literal": match.group()})
            for reference, match in literals.items()
            if match and match.groups() in there
        }

    def _by_identifier(self, reference: Reference) -> Reference | None:
        """The one resource of its type that has the identifier."""
        if reference.identifier is None or not RESOURCE_NAME.fullmatch(reference.type):
            return None
        parameters = {"identifier": _token(reference.identifier), "_elements": "id", "_count": "2"}
        hits = {
            hit.get("id")
            for hit in islice(self._client.search(reference.type, parameters), 2)
            if hit.get("resourceType") == reference.type
        }
        if len(hits) != 1:
            return None
        literal = f"{reference.type}/{hits.pop()}"
        return reference.model_copy(update={"literal": literal}) if LITERAL.fullmatch(literal) else None

    def _elsewhere(self, reference: Reference) -> Reference | None:
        """The reference as it is, where it names a resource of another server."""
        return reference if _URL.fullmatch(self.relative(reference.literal or "")) else None

    def _remembered(self, reference: Reference) -> Reference | None:
        with self._lock:
            until, used = self._found.get(reference, (0.0, None))
            return used if until > self._clock() else None

    def _remember(self, found: dict[Reference, Reference]) -> None:
        with self._lock:
            for reference, used in found.items():
                self._found[reference] = (self._clock() + REMEMBERED_SECONDS, used)
                self._found.move_to_end(reference)
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)


def _literals(node: Any) -> Iterator[str]:
    """Every relative literal reference within."""
    if isinstance(node, dict):
        literal = node.get("reference")
        if isinstance(literal, str) and LITERAL.fullmatch(literal):
            yield literal
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _literals(item)


def _count(entry: Entry) -> int:
    """How many a search found; not every server tells the total."""
    result = entry.resource or {}
    total = result.get("total", len(result.get("entry", [])))
    return total if entry.answer.is_success and isinstance(total, int) else 0


def _token(identifier: Identifier) -> str:
    """The identifier as a search takes it: system|value, with what a search reads itself escaped."""
    return f"{_escaped(identifier.system or '')}|{_escaped(identifier.value)}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
