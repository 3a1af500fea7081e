"""What to write of a mapped report, given what the store holds: pure decisions, by the manifest.

| the store's manifest               | a replacement               | an addendum               | a withdrawal              |
|------------------------------------|-----------------------------|---------------------------|---------------------------|
| none                               | writes all                  | writes all                | leaves a tombstone        |
| same version, same digests         | nothing                     | nothing                   | nothing                   |
| same version, other digests        | as newer if it came later   | as newer if later         | as newer if later         |
| of an older version                | writes, withdraws the rest  | adds or supersedes        | withdraws all             |
| of newer addenda alone             | what they do not say        | what they do not say      | withdraws what they leave |
| of a newer replacement             | nothing                     | nothing                   | nothing                   |

What comes late finds its place among the addenda (gateway/stores/ledger.py), so that any order of arrival ends as the right one.
Which of two came later tells the instant at which they were received, where both are known; else the one at hand did.
Withdrawn ids stay listed in the manifest, so that the same Bundle can be published again. What another report of the
patient still states is not withdrawn; who states what stands there already makes a new version of it, so that another who has
read the one before, and saw nobody else state it, is refused. What a person deleted is remembered, and is no target: a
server may reject a reference to what is not there. What a person wrote, changed or verified is never written: it is a
conflict, unless the person has settled it for this content (gateway/review/decisions.py), or the report says the same as was verified.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.stores.authorship import (
    agrees,
    is_same,
    is_stamped,
    stamp,
    stated_again,
    unversioned,
    verified,
    with_additions,
    with_labels,
)
from gateway.stores.ledger import (
    REVIEW_TASKS,
    Ledger,
    Part,
    State,
    came_later,
    joined,
    names_in,
    order_of,
    part_of,
    published,
    read_ledger,
    received,
    with_ledger,
)
from gateway.stores.resource_store import Put, Resource, Stored, id_of, reference_of
from mappers.bundle import withdraw
from schemas.messages import Action

EDITED = "edited by a person"
VERIFIED = "verified by a person"
DELETED = "deleted by a person"


class Outcome(StrEnum):
    """What emission does with a report."""

    WRITE = "write"
    UNCHANGED = "unchanged"
    LATE = "late"


@dataclass(frozen=True)
class Incoming:
    """A mapped report: its resources, the manifest that targets the clinical ones among them, and when it came in.

    `with_persons`: the ids of what a person settled for this content, or has still to: there nothing is taken from a
    person, and nothing is a conflict.
    """

    action: Action
    resources: tuple[Resource, ...] = field(repr=False)
    manifest: Resource = field(repr=False)
    received: float | None = None
    with_persons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Conflict:
    """What was not written because a person's version stands there: which resource, why, and what was offered."""

    reference: str
    reason: str
    offered: Resource = field(repr=False)


@dataclass(frozen=True)
class Change:
    """What a person's decision makes of a report's resources: written or withdrawn, also where a person held them.

    `content`: the digest of the report's version that the decision is about.
    """

    resources: tuple[Resource, ...] = field(repr=False)
    withdrawn: tuple[str, ...] = ()
    released: frozenset[str] = frozenset()
    content: str | None = None


@dataclass(frozen=True)
class Current:
    """What the store holds: the manifest of that name, what is targeted or offered, and who else speaks of these."""

    name: str
    manifest: Stored | None
    stored: Mapping[str, Stored] = field(repr=False)
    provenances: tuple[Resource, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Plan:
    """What to put (the manifest last), what to publish, what a person's version kept out, and the Tasks for persons.

    `earlier` and `later`: the report's other versions that count beside this one.
    """

    outcome: Outcome
    puts: tuple[Put, ...] = ()
    offered: tuple[Resource, ...] = field(default=(), repr=False)
    manifest: Resource = field(default_factory=dict, repr=False)
    conflicts: tuple[Conflict, ...] = ()
    tasks: tuple[Put, ...] = ()
    earlier: tuple[Part, ...] = ()
    later: tuple[Part, ...] = ()


def concerned(manifest: Resource, incoming: Incoming) -> frozenset[str]:
    """The references that a decision needs to know from the store."""
    ledger = read_ledger(manifest)
    ours = (*ledger.active, *ledger.withdrawn, *ledger.deleted, *review_tasks(manifest))
    return frozenset([*ours, *map(reference_of, incoming.resources)])


def review_tasks(manifest: Resource) -> tuple[str, ...]:
    """The Tasks that ask a person about what the manifest stands for, settled ones included."""
    return tuple(item["valueString"] for item in manifest.get("extension", []) if item["url"] == REVIEW_TASKS)


def with_review_tasks(plan: Plan, tasks: Sequence[str]) -> Plan:
    """The plan whose manifest names these Tasks; for the store alone, subscribers do not see it."""
    *others, last = plan.puts
    kept = [item for item in last.resource["extension"] if item["url"] != REVIEW_TASKS]
    named = [{"url": REVIEW_TASKS, "valueString": task} for task in tasks]
    return replace(plan, puts=(*others, Put({**last.resource, "extension": [*kept, *named]}, last.expected)))


def reconcile(incoming: Incoming, current: Current) -> Plan:
    """Decide what to write, withdraw, leave and publish."""
    standing = current.manifest.resource if current.manifest else {}
    ledger, offer = _as_stands(read_ledger(standing), current), read_ledger(incoming.manifest)
    outcome = _decide(incoming, offer, ledger)
    if outcome is Outcome.LATE:
        return Plan(outcome, offered=tuple(map(stamp, incoming.resources)), manifest=incoming.manifest)
    if outcome is Outcome.UNCHANGED:
        offered, _ = _offer(incoming.resources, current, ledger, incoming.with_persons)
        taken_back, _ = _withdrawals(ledger.withdrawn, current, incoming.with_persons)
        return Plan(outcome, offered=(*offered, *taken_back), manifest=published(standing))
    return _write(incoming, current, ledger, offer)


def _decide(incoming: Incoming, offer: Ledger, ledger: Ledger) -> Outcome:
    """The outcome: a version counts where none that replaces it is newer, and it is not there as it is."""
    order = order_of(offer.version)
    if not ledger.is_silent and order == order_of(ledger.version) and offer.digests == ledger.digests:
        return Outcome.UNCHANGED
    if any(part.replaces and part.order > order for part in ledger.parts):
        return Outcome.LATE
    standing = next((part for part in ledger.parts if part.order == order), None)
    if standing is None or (standing.digests != offer.digests and came_later(incoming.received, standing.received)):
        return Outcome.WRITE
    return Outcome.LATE


def _write(incoming: Incoming, current: Current, ledger: Ledger, offer: Ledger) -> Plan:
    """Write the version in its place: what newer addenda state stays theirs, and the newest is the manifest's own."""
    part = part_of(incoming.action, offer, incoming.received)
    parts = joined(ledger.parts, part)
    earlier = tuple(one for one in parts if one.order < part.order)
    later = tuple(one for one in parts if one.order > part.order)
    resources = tuple(item for item in incoming.resources if reference_of(item) not in names_in(later))
    stated = names_in(parts[::-1])
    kept = tuple(
        name
        for name in ledger.active
        if name not in stated and id_of(name) in incoming.with_persons and _is_held(name, current)
    )
    leaving = [name for name in (*ledger.active, *ledger.withdrawn) if name not in (*stated, *kept)]
    taken_back, refused = _withdrawals(leaving, current, incoming.with_persons)
    offered, held = _offer(resources, current, ledger, incoming.with_persons)
    withdrawn = [reference_of(resource) for resource in taken_back]
    head = current.manifest.resource if later and current.manifest else incoming.manifest
    state = _state(incoming.action, parts, not later)
    manifest = with_ledger(head, (*stated, *kept), withdrawn, ledger.deleted, state, parts)
    manifest = manifest if later else received(manifest, incoming.received)
    plan = _plan(current, ledger, (*offered, *taken_back), manifest, (*held, *refused))
    return replace(plan, earlier=earlier, later=later)


def _state(action: Action, parts: Sequence[Part], is_newest: bool) -> State:
    if action is Action.WITHDRAW and is_newest:
        return State.WITHDRAWN
    return State.COMPLETE if any(part.replaces for part in parts) else State.ADDENDA_ONLY


def settle(change: Change, manifest: Stored, stored: Mapping[str, Stored], provenances: Sequence[Resource]) -> Plan:
    """Write what a person decided upon the manifest that stands, which keeps its version and its digests."""
    current = Current(reference_of(manifest.resource), manifest, stored, tuple(provenances))
    ledger = read_ledger(manifest.resource)
    offered, _ = _offer(change.resources, current, ledger, released=change.released)
    taken_back, _ = _withdrawals(change.withdrawn, current, released=change.released)
    back = [reference_of(item) for item in taken_back]
    # A verifier's Provenance is written beside what it is about, and is no resource of the report's.
    clinical = [reference_of(item) for item in offered if item["resourceType"] != "Provenance"]
    added = [name for name in clinical if name not in ledger.active]
    active = [name for name in (*ledger.active, *added) if name not in back]
    withdrawn = [*(name for name in ledger.withdrawn if name not in added), *back]
    deleted = [name for name in ledger.deleted if name not in added]
    # What was decided belongs to the version that asked.
    parts = [
        replace(part, names=tuple(name for name in (*part.names, *added) if name not in back))
        if part.content == change.content
        else part
        for part in ledger.parts
    ]
    after = with_ledger(manifest.resource, active, withdrawn, deleted, ledger.state, parts)
    return _plan(current, ledger, (*offered, *taken_back), after, ())


def _plan(
    current: Current,
    ledger: Ledger,
    offered: Sequence[Resource],
    manifest: Resource,
    conflicts: Sequence[Conflict],
) -> Plan:
    puts = []
    newly_shared = _stated_elsewhere(current).intersection(read_ledger(manifest).active).difference(ledger.active)
    newly_shared -= verified(current.provenances)
    for resource in offered:
        name = reference_of(resource)
        stored = current.stored.get(name)
        if stored is None:
            puts.append(Put(resource, None))
        elif _differs(stored.resource, resource):
            puts.append(Put(with_labels(resource, stored.resource), stored.version))
        elif name in newly_shared:
            puts.append(Put(with_labels(stated_again(resource, stored.version), stored.resource), stored.version))
    if current.manifest:
        manifest = with_labels(with_additions(manifest, current.manifest.resource), current.manifest.resource)
    return Plan(
        Outcome.WRITE,
        puts=(*puts, Put(manifest, current.manifest.version if current.manifest else None)),
        offered=tuple(offered),
        manifest=published(manifest),
        conflicts=tuple(conflicts),
    )


def _offer(
    resources: Sequence[Resource],
    current: Current,
    ledger: Ledger,
    with_persons: frozenset[str] = frozenset(),
    released: frozenset[str] = frozenset(),
) -> tuple[tuple[Resource, ...], tuple[Conflict, ...]]:
    """The resources to write, stamped, without those that a person holds; and a conflict for each of these.

    What a person verified, and nobody has to settle, is published as it stands.
    """
    offered: list[Resource] = []
    conflicts: list[Conflict] = []
    people = verified(current.provenances)
    for resource in map(stamp, resources):
        name = reference_of(resource)
        stored = current.stored.get(name)
        reason = _held(name, stored, people) if stored else (DELETED if name in ledger.deleted else None)
        is_settled = resource["id"] in with_persons or _says_the_same(resource, stored, reason)
        if reason is None or resource["id"] in released:
            offered.append(resource)
        elif not is_settled:
            conflicts.append(Conflict(name, reason, resource))
        elif stored is not None and reason == VERIFIED:
            offered.append(unversioned(stored.resource))
    return tuple(offered), tuple(conflicts)


def _withdrawals(
    names: Sequence[str],
    current: Current,
    with_persons: frozenset[str] = frozenset(),
    released: frozenset[str] = frozenset(),
) -> tuple[tuple[Resource, ...], tuple[Conflict, ...]]:
    """The withdrawn form of each id that the store holds; what a person holds stays, as a conflict."""
    taken_back: list[Resource] = []
    conflicts: list[Conflict] = []
    people, stated_elsewhere = verified(current.provenances), _stated_elsewhere(current)
    for name in names:
        stored = current.stored.get(name)
        if stored is None or name in stated_elsewhere:
            continue
        resource = stamp(withdraw(unversioned(stored.resource)))
        reason = _held(name, stored, people)
        if reason is None or resource["id"] in released or is_same(resource, stored.resource):
            taken_back.append(resource)
        elif resource["id"] not in with_persons:
            conflicts.append(Conflict(name, reason, resource))
    return tuple(taken_back), tuple(conflicts)


def _as_stands(ledger: Ledger, current: Current) -> Ledger:
    """The ledger after what persons deleted since, or brought back."""
    stated = (*ledger.active, *ledger.deleted)
    return replace(
        ledger,
        active=tuple(name for name in stated if name in current.stored),
        withdrawn=tuple(name for name in ledger.withdrawn if name in current.stored),
        deleted=tuple(name for name in stated if name not in current.stored),
    )


def _held(name: str, stored: Stored, people: frozenset[str]) -> str | None:
    """Why nothing may be written there, if so."""
    if name in people:
        return VERIFIED
    return None if is_stamped(stored.resource) else EDITED


def _is_held(name: str, current: Current) -> bool:
    stored = current.stored.get(name)
    return stored is not None and _held(name, stored, verified(current.provenances)) is not None


def _says_the_same(offered: Resource, stored: Stored | None, reason: str | None) -> bool:
    """Whether nobody has to settle anything: what a person verified may differ in what is beside the statement."""
    if stored is None:
        return False
    return is_same(offered, stored.resource) or (reason == VERIFIED and agrees(offered, stored.resource))


def _differs(one: Resource, other: Resource) -> bool:
    """True where a put would change more than what the store itself keeps."""
    return not is_same(one, other) or one.get("meta", {}).get("profile") != other.get("meta", {}).get("profile")


def _stated_elsewhere(current: Current) -> frozenset[str]:
    """What the manifests of other reports still state: a Condition belongs to the patient, not to one report."""
    others = (read_ledger(item) for item in current.provenances if reference_of(item) != current.name)
    return frozenset(name for ledger in others if not ledger.is_silent for name in ledger.active)
