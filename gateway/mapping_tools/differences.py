"""What another mapping would change: the resources of recorded findings under both, counted by slot, element and code."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.mapping_tools.cases import slot_of, slots_of
from gateway.mapping_tools.recorded import Recorded
from mappers.bundle import map_report
from mappers.references import Resource
from schemas.errors import SynopticError
from schemas.pack_loader import Pack
from schemas.pack_mapping import Mapping
from schemas.settings import Settings

_OURS_ALONE = frozenset(("Device", "Provenance"))
Leaf = tuple[str, str]


@dataclass(frozen=True, order=True)
class Change:
    """One kind of change: in which slot, of what, from what to what; an empty side is not there."""

    slot: str
    kind: Literal["added", "changed", "removed"]
    element: str = ""
    before: str = ""
    after: str = ""


@dataclass
class Differences:
    """How often each change occurs, how many reports it touches, and which reports a mapping refuses."""

    reports: int = 0
    touched: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def compare(recorded: Iterable[Recorded], before: Pack, after: Pack, settings: Settings) -> Differences:
    """Map every report by both and count what differs; one that either refuses is counted by the reason alone."""
    found = Differences()
    for one in recorded:
        found.reports += 1
        sides: list[dict[str, Resource]] = []
        for name, pack in (("before", before), ("after", after)):
            try:
                mapped = map_report(one.findings, one.context, pack, settings)
            except SynopticError as error:
                found.refused[f"{name}: {error}"] += 1
                break
            clinical = [item for item in mapped.resources if item["resourceType"] not in _OURS_ALONE]
            sides.append({f"{item['resourceType']}/{item['id']}": item for item in clinical})
        if len(sides) < 2:
            continue
        changes = list(_changes(one, sides[0], sides[1], before.mapping, after.mapping))
        found.touched += bool(changes)
        found.changes.update(changes)
    return found


def _changes(
    recorded: Recorded, old: dict[str, Resource], new: dict[str, Resource], before: Mapping, after: Mapping
) -> Iterator[Change]:
    of_report = (recorded.findings.primaries, recorded.context)
    slots = slots_of(*of_report, before) | slots_of(*of_report, after)
    for reference in dict.fromkeys((*old, *new)):
        slot = slot_of(new.get(reference) or old[reference], slots)
        if reference not in old:
            yield Change(slot, "added", after=_title(new[reference], after))
        elif reference not in new:
            yield Change(slot, "removed", before=_title(old[reference], before))
        elif old[reference] != new[reference]:
            yield from _changed(slot, set(_leaves(old[reference], before)), set(_leaves(new[reference], after)))


def _changed(slot: str, old: set[Leaf], new: set[Leaf]) -> Iterator[Change]:
    """Element by element: what is no longer said there, and what is said now."""
    gone, come = old - new, new - old
    for element in dict.fromkeys(sorted(name for name, _ in gone | come)):
        sides = [sorted(value for name, value in side if name == element) for side in (gone, come)]
        before, after = (", ".join(side) for side in sides)
        yield Change(slot, "changed", element, before, after)
    if not gone and not come:
        yield Change(slot, "changed", "order of elements")


def _title(resource: Resource, mapping: Mapping) -> str:
    codes = [value for name, value in _leaves(resource, mapping) if name.startswith(("code", "value", "type"))]
    return ", ".join(codes[:3])


def _leaves(node: Any, mapping: Mapping, path: str = "") -> Iterator[Leaf]:
    """Every value with the element it stands in; a coding is one value, and places in lists do not count."""
    if isinstance(node, dict):
        if "system" in node and "code" in node:
            short = next((name for name, url in mapping.systems.items() if url == node["system"]), node["system"])
            yield path.removesuffix(".coding"), f"{short}|{node['code']}"
            return
        for key, value in node.items():
            yield from _leaves(value, mapping, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for item in node:
            yield from _leaves(item, mapping, path)
    else:
        yield path, str(node)
