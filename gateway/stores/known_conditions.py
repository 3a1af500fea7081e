"""The Condition of the EHR that a primary is, where it holds exactly one: setting fhir.condition, reference_existing.

The pack names the tables whose codes tell such a Condition (known_condition in mapping.yaml); a side in a table's key is
the side of its code. A Condition counts while it is active and nobody refuted it; one whose side nobody says may be of
either. Exactly one of the primary's side is referred to, which the manifest records. Where there is none, Synoptic
writes its own; where there are several, it does so as well, and a person is asked. What it has written it goes on writing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.fhir.context import side_of
from gateway.stores.resource_store import Resource, ResourceStore, Stored, reference_of
from mappers.identity import derived_id
from mappers.provenance import read_manifest
from schemas.messages import ReportContext, ReportFindings
from schemas.pack_mapping import Coding, Mapping, as_tuple
from schemas.settings import Settings

_SIDES = ("left", "right")
_ACTIVE = frozenset(["active", "recurrence", "relapse"])
_NOT_SO = frozenset(["refuted", "entered-in-error"])


@dataclass(frozen=True)
class KnownConditions:
    """By primary: the Condition to refer to; and the primaries of which the EHR holds several."""

    chosen: dict[str, str] = field(default_factory=dict)
    several: frozenset[str] = frozenset()


def known_conditions(
    findings: ReportFindings,
    context: ReportContext,
    mapping: Mapping,
    manifest: Stored | None,
    settings: Settings,
    store: ResourceStore,
) -> KnownConditions:
    """What the manifest recorded stands, so that a replay repeats it; other primaries are searched where the setting says so."""
    recorded = read_manifest(manifest.resource).known_conditions if manifest else {}
    chosen = dict(recorded)
    sought = [one for one in findings.primaries if one.key not in recorded and one.assertion.is_primary]
    if settings.fhir.condition != "reference_existing" or context.subject.literal is None or not sought:
        return KnownConditions(chosen)
    sides = dict(_coded_sides(mapping))
    codes = [f"{coding.system}|{coding.code}" for coding in sides]
    found = [one for one in store.conditions_of(context.subject.literal, codes) if _counts(one)]
    several = set()
    for primary in sought:
        own = {derived_id(context.patient_key, primary.key, rule.slot) for rule in mapping.rules}
        theirs = [one for one in found if one["id"] not in own]
        possible = [one for one in theirs if _side(one, sides) in (primary.laterality, None) or not primary.laterality]
        is_one = len(possible) == 1 and _side(possible[0], sides) == primary.laterality
        if is_one and len(theirs) == len(found):
            chosen[primary.key] = reference_of(possible[0])
        elif possible:
            several.add(primary.key)
    return KnownConditions(chosen, frozenset(several))


def _coded_sides(mapping: Mapping) -> Iterator[tuple[Coding, str | None]]:
    """Each code that such a Condition may carry, without its display, and the side that it says."""
    for table in mapping.known_condition:
        for key, entry in mapping.tables[table].items():
            side = next((part for part in key.split("/") if part in _SIDES), None)
            for text in as_tuple(entry):
                yield mapping.coding(text)._replace(display=None), side


def _counts(condition: Resource) -> bool:
    """True for what is active, or says nothing of it, and stands."""
    clinical, verification = (_codes(condition.get(name)) for name in ("clinicalStatus", "verificationStatus"))
    return (not clinical or bool(clinical & _ACTIVE)) and not verification & _NOT_SO


def _side(condition: Resource, sides: dict[Coding, str | None]) -> str | None:
    """The side that the Condition's place says, else its codes."""
    codings = [
        Coding(one.get("system", ""), one.get("code", "")) for one in condition.get("code", {}).get("coding", [])
    ]
    coded = {side for coding in codings if (side := sides.get(coding)) is not None}
    return side_of(condition.get("bodySite")) or (coded.pop() if len(coded) == 1 else None)


def _codes(concept: Resource | None) -> frozenset[str]:
    return frozenset(coding.get("code", "") for coding in (concept or {}).get("coding", []))
