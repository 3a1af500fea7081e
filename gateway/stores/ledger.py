"""What a manifest says of a report's ids: what is stated, withdrawn and deleted, and by which of its versions.

A report is the last version that replaced all before it, and the addenda since. Once there is more than one, the
manifest keeps each as a part: its version, its digests and what it states. So one that comes late, or again under
another configuration, finds its place: it writes what no later one states, and takes back what none states any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.stores.authorship import unversioned
from gateway.stores.resource_store import Resource
from mappers.identity import EXTENSIONS, RECEIVED
from mappers.provenance import read_manifest
from schemas.messages import Action, ReportVersion

MANIFEST_STATE = f"{EXTENSIONS}/manifest-state"
WITHDRAWN_TARGET = f"{EXTENSIONS}/withdrawn-target"
DELETED_TARGET = f"{EXTENSIONS}/deleted-target"
REVIEW_TASKS = f"{EXTENSIONS}/review-task"
PART = f"{EXTENSIONS}/report-part"
_OWN = (MANIFEST_STATE, WITHDRAWN_TARGET, DELETED_TARGET, PART)
_STORE_ALONE = (RECEIVED, REVIEW_TASKS, PART)
_NEVER = datetime.min.replace(tzinfo=UTC)
Order = tuple[datetime, datetime, int]


class State(StrEnum):
    """What a manifest stands for."""

    COMPLETE = "complete"
    ADDENDA_ONLY = "addenda_only"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Part:
    """One version that still counts: whether it replaces what was before it, its digests, and what it states."""

    version: ReportVersion
    replaces: bool
    digests: tuple[str | None, str | None]
    received: float | None
    names: tuple[str, ...]

    @property
    def order(self) -> Order:
        """Its place among the versions."""
        return order_of(self.version)

    @property
    def content(self) -> str | None:
        """The digest of its content."""
        return self.digests[0]


@dataclass(frozen=True)
class Ledger:
    """What a manifest says of its ids; one that is not there, or holds no digest of ours, says nothing."""

    is_silent: bool
    version: ReportVersion
    digests: tuple[str | None, str | None]
    state: State
    active: tuple[str, ...]
    withdrawn: tuple[str, ...]
    deleted: tuple[str, ...]
    received: float | None
    recorded: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The versions that count, oldest first; one alone is not recorded, since the manifest itself says all of it."""
        if self.is_silent or self.recorded:
            return self.recorded
        replaces = self.state is not State.ADDENDA_ONLY
        return (Part(self.version, replaces, self.digests, self.received, self.active),)


def order_of(version: ReportVersion) -> Order:
    """What puts two versions of a report in order: issued (else lastUpdated), then lastUpdated, then versionId."""
    number = version.version_id or ""
    return (
        _instant(version.issued or version.last_updated),
        _instant(version.last_updated),
        int(number) if number.isascii() and number.isdigit() else 0,
    )


def came_later(received: float | None, standing: float | None) -> bool:
    """Which of two contents of the same version counts: where an instant is not known, the one at hand."""
    return received is None or standing is None or received >= standing


def joined(parts: Sequence[Part], part: Part) -> tuple[Part, ...]:
    """The parts with this one in its place; one that replaces leaves none before it."""
    others = (one for one in parts if one.order > part.order or (one.order < part.order and not part.replaces))
    return tuple(sorted((*others, part), key=lambda one: one.order))


def part_of(action: Action, offer: Ledger, received: float | None) -> Part:
    """A mapped version as a part; a withdrawal states nothing."""
    names = () if action is Action.WITHDRAW else offer.active
    return Part(offer.version, action is not Action.MERGE, offer.digests, received, names)


def names_in(parts: Sequence[Part]) -> tuple[str, ...]:
    """All that the parts state, once each."""
    return tuple(dict.fromkeys(name for part in parts for name in part.names))


def stated_later(manifest: Resource, version: ReportVersion) -> tuple[str, ...]:
    """The references that later versions of the report than this one state, by its manifest."""
    return names_in([part for part in read_ledger(manifest).parts if part.order > order_of(version)])


def read_ledger(resource: Resource) -> Ledger:
    """What a manifest says, as it was written."""
    manifest = read_manifest(resource)
    reports = {entity.get("what", {}).get("reference") for entity in resource.get("entity", [])}
    extensions = resource.get("extension", [])
    withdrawn = tuple(item["valueString"] for item in extensions if item["url"] == WITHDRAWN_TARGET)
    deleted = tuple(item["valueString"] for item in extensions if item["url"] == DELETED_TARGET)
    instants = [float(item["valueString"]) for item in extensions if item["url"] == RECEIVED]
    states = [State(item["valueCode"]) for item in extensions if item["url"] == MANIFEST_STATE]
    return Ledger(
        is_silent=manifest.content_digest is None,
        version=manifest.version,
        digests=(manifest.content_digest, manifest.configuration_digest),
        state=states[0] if states else State.COMPLETE,
        active=tuple(name for name in manifest.targets if name not in reports and name not in withdrawn),
        withdrawn=withdrawn,
        deleted=deleted,
        received=instants[0] if instants else None,
        recorded=tuple(_read_part(item) for item in extensions if item["url"] == PART),
    )


def with_ledger(
    manifest: Resource,
    active: Sequence[str],
    withdrawn: Sequence[str],
    deleted: Sequence[str],
    state: State,
    parts: Sequence[Part] = (),
) -> Resource:
    """The manifest with its targets and the state of its ids; Provenance needs a target, so the report stands in."""
    standing = [name for name in active if name not in deleted]
    names = [*standing, *(name for name in withdrawn if name not in standing)]
    return {
        **unversioned(manifest),
        "extension": [
            *(item for item in manifest.get("extension", []) if item["url"] not in _OWN),
            {"url": MANIFEST_STATE, "valueCode": state.value},
            *({"url": WITHDRAWN_TARGET, "valueString": name} for name in withdrawn),
            *({"url": DELETED_TARGET, "valueString": name} for name in deleted),
            *(_write_part(part) for part in parts if len(parts) > 1),
        ],
        "target": [{"reference": name} for name in names] or [entity["what"] for entity in manifest["entity"]],
    }


def received(manifest: Resource, instant: float | None) -> Resource:
    """The manifest as it is stored: with the instant at which its report came in."""
    added = [] if instant is None else [{"url": RECEIVED, "valueString": f"{instant:.3f}"}]
    return {**manifest, "extension": [*added, *manifest["extension"]]}


def published(manifest: Resource) -> Resource:
    """The manifest without what only the store keeps, so that its Bundle is the same whenever the report came in."""
    kept = [item for item in manifest["extension"] if item["url"] not in _STORE_ALONE]
    return {**unversioned(manifest), "extension": kept}


def _write_part(part: Part) -> Resource:
    said: dict[str, Any] = {
        **part.version.model_dump(exclude_none=True),
        "replaces": str(part.replaces).lower(),
        "content": part.digests[0],
        "configuration": part.digests[1],
        "received": None if part.received is None else f"{part.received:.3f}",
        "names": " ".join(part.names),
    }
    return {"url": PART, "extension": [{"url": key, "valueString": text} for key, text in said.items() if text]}


def _read_part(extension: Resource) -> Part:
    said = {item["url"]: item["valueString"] for item in extension["extension"]}
    version = {key: said[key] for key in ReportVersion.model_fields if key in said}
    return Part(
        ReportVersion(**version),
        said["replaces"] == "true",
        (said.get("content"), said.get("configuration")),
        float(said["received"]) if "received" in said else None,
        tuple(said.get("names", "").split()),
    )


def _instant(text: str | None) -> datetime:
    """The moment, or the earliest one where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return _NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
