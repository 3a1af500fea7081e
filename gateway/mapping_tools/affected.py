"""Which recorded reports a changed mapping concerns, and how their findings go through emission again.

The newest version of each report on the findings topic is compared with what the store holds, exactly as emission would do
it, and nothing is written. What differs is published to the findings topic again, bytes and headers unchanged.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.emission import read_findings
from gateway.stores.ledger import order_of
from gateway.stores.reconciliation import Outcome, Plan
from gateway.stores.resource_store import ResourceStore, reference_of
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import TOPIC_FINDINGS, Action, ReportFindings
from workers.buses.bus import Bus, Outgoing, Record
from workers.privacy.sealing import Seal

PUBLISH_BYTES = 16 * 1024 * 1024
_BESIDE = frozenset(("Provenance", "Device", "Task", "AuditEvent"))
_SHARED = "Condition"
Place = tuple[str, int, int]


@dataclass
class Survey:
    """The newest findings of each report: where they stand; what could not be read, by error.

    `beneath`: how many reports stand beneath an addendum.
    """

    newest: dict[str, Place] = field(default_factory=dict)
    unreadable: Counter[str] = field(default_factory=Counter)
    beneath: int = 0


@dataclass
class Replayed:
    """How many reports would change, how many would not, and why others could not be compared."""

    affected: int = 0
    unaffected: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def survey(bus: Bus, seal: Seal) -> Survey:
    """Find the newest version of each report on the findings topic."""
    found = Survey()
    orders: dict[str, tuple[object, ...]] = {}
    replaced: set[str] = set()
    addenda: set[str] = set()
    for record in bus.read(TOPIC_FINDINGS):
        try:
            findings = read_findings(record)
            order = order_of(seal.open(findings.sealed, findings.report_hmac).version)
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            found.unreadable[error.code.label] += 1
            continue
        key = findings.report_hmac
        if findings.action is Action.REPLACE:
            replaced.add(key)
        if key not in orders or order >= orders[key]:
            orders[key], found.newest[key] = order, record.place
            (addenda.add if findings.action is Action.MERGE else addenda.discard)(key)
    found.beneath = len(replaced & addenda)
    return found


def replay(
    bus: Bus, newest: dict[str, Place], is_concerned: Callable[[Record], bool], publish: bool = True
) -> Replayed:
    """Publish those of the newest findings that are concerned; one that emission would put aside or reject is told."""
    done = Replayed()
    places = frozenset(newest.values())
    waiting: list[Outgoing] = []
    for record in bus.read(TOPIC_FINDINGS):
        if record.place not in places:
            continue
        try:
            concerned = is_concerned(record)
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT and error.code is not Code.MISSING_TARGET:
                raise
            done.failed[error.code.label] += 1
            continue
        if not concerned:
            done.unaffected += 1
            continue
        done.affected += 1
        waiting.append(Outgoing(TOPIC_FINDINGS, record.value, record.key, record.headers))
        if sum(len(one.value) for one in waiting) > PUBLISH_BYTES:
            waiting = _published(bus, waiting, publish)
    _published(bus, waiting, publish)
    return done


def changes(plan: Plan, store: ResourceStore) -> bool:
    """True where the plan writes more than what tells of the writing.

    A Condition is its patient's: whichever report spoke last stands in it as evidence, so only its codes count.
    """
    if plan.outcome is not Outcome.WRITE:
        return False
    clinical = [put.resource for put in plan.puts if put.resource["resourceType"] not in _BESIDE]
    shared = {reference_of(one): one for one in clinical if one["resourceType"] == _SHARED}
    if len(shared) < len(clinical):
        return True
    stored = store.read(shared)
    return any(name not in stored or _codes(one) != _codes(stored[name].resource) for name, one in shared.items())


def _codes(node: Any) -> frozenset[tuple[str, str]]:
    """Every code in a resource, and its profiles."""
    if isinstance(node, list):
        return frozenset().union(*map(_codes, node))
    if not isinstance(node, dict):
        return frozenset()
    own = {(str(node["system"]), str(node["code"]))} if {"system", "code"} <= node.keys() else set()
    profiles = {("profile", url) for url in node.get("profile", [])}
    return frozenset(own | profiles).union(*map(_codes, node.values()))


def each_newest(bus: Bus, newest: dict[str, Place]) -> Iterator[ReportFindings]:
    """The newest findings of every report, as they stand on the topic."""
    places = frozenset(newest.values())
    return (read_findings(record) for record in bus.read(TOPIC_FINDINGS) if record.place in places)


def _published(bus: Bus, waiting: list[Outgoing], publish: bool) -> list[Outgoing]:
    if publish:
        bus.publish(waiting)
    return []
