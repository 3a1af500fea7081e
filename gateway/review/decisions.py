"""Review within emission: what a report leaves to a person, what a person decided of it, and the writing of a decision.

The manifest names the Tasks of what it stands for (gateway/review/tasks.py). A decision is written upon the manifest that
stands: what it changes of the mapped resources, the verifier's Provenance and the completed Task, in one transaction on
the condition that nobody wrote since the person looked. From then on the same content is mapped with that decision,
under whatever model, pack or mapping; another content of the report asks anew.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import UUID

from gateway.review.items import alone, awaiting, finding_of, ids_of
from gateway.review.tasks import CANCELLED, Review, cancelled, make_task, read_reviews, settled, task_reference
from gateway.review.values import decided, require_possible, signed
from gateway.stores.authorship import is_same, is_withdrawn
from gateway.stores.known_conditions import KnownConditions
from gateway.stores.ledger import Part, names_in, stated_later
from gateway.stores.reconciliation import (
    DELETED,
    Change,
    Conflict,
    Outcome,
    Plan,
    review_tasks,
    settle,
    with_review_tasks,
)
from gateway.stores.resource_store import Put, Resource, ResourceStore, Stored, id_of, reference_of
from mappers.bundle import MappedReport
from mappers.identity import derived_id
from mappers.provenance import make_verification
from schemas.errors import Code, SynopticError
from schemas.messages import ReportContext, ReportFindings, ReviewDecision, ReviewItem, Settlement, Verdict
from schemas.pack_loader import Pack
from schemas.pack_mapping import Mapping
from schemas.settings import Settings
from workers.privacy.sealing import Seal

MapReport = Callable[[ReportFindings], MappedReport]


@dataclass(frozen=True)
class Reviews:
    """The Tasks of a report: those that its manifest names, and what stands there; `content` is the digest at hand.

    `known`: the Conditions of the EHR that its primaries are.
    """

    context: ReportContext
    pack: Pack
    settings: Settings
    content: str
    named: tuple[str, ...] = ()
    standing: tuple[Review, ...] = ()
    known: KnownConditions = field(default_factory=KnownConditions)

    @cached_property
    def mapping(self) -> Mapping:
        """The mapping of this report."""
        return self.pack.for_report(self.context).mapping

    @cached_property
    def own(self) -> tuple[Review, ...]:
        """Those about this content."""
        return tuple(review for review in self.standing if review.content == self.content)

    @cached_property
    def settlements(self) -> tuple[tuple[Review, Settlement], ...]:
        """What was decided about this content."""
        return tuple((review, review.settlement) for review in self.own if review.settlement is not None)

    def ids(self, item: ReviewItem) -> frozenset[str]:
        """The ids of the resources that an item is about."""
        return ids_of(item, self.context, self.mapping)

    def map(self, findings: ReportFindings, map_report: MapReport) -> MappedReport:
        """The findings mapped as persons decided, with their word on it and the Provenances that say who."""
        settlements = [(review.item, settlement) for review, settlement in self.settlements]
        mapped = map_report(decided(findings, settlements, self.pack.definition, self.mapping))
        taken = [(review, one) for review, one in self.settlements if one.verdict is not Verdict.DISMISS]
        verdicts = {
            identifier: settlement.verdict
            for review, settlement in taken
            if review.item.kind != "conflict" or settlement.verdict is Verdict.CORRECT
            for identifier in self.ids(review.item)
        }
        resources = signed(mapped.resources, verdicts)
        names = {resource["id"]: reference_of(resource) for resource in resources}
        verifications = [
            self.verification(review, settlement, targets)
            for review, settlement in taken
            if (targets := [names[one] for one in sorted(self.ids(review.item)) if one in names])
        ]
        answers = sorted(f"{review.reference} {settlement.model_dump_json()}" for review, settlement in taken)
        identifier = UUID(derived_id(mapped.identifier, *answers)) if answers else mapped.identifier
        return replace(mapped, resources=(*resources, *verifications), identifier=identifier)

    def verification(self, review: Review, settlement: Settlement, targets: Sequence[str]) -> Resource:
        """The verifier's Provenance."""
        return make_verification(review.reference, targets, settlement, self.context, self.settings)

    def with_persons(self, findings: ReportFindings) -> frozenset[str]:
        """The ids of what a person settled for this content, or has still to."""
        items = [*(review.item for review in self.own if not review.is_open), *self._awaiting(findings)]
        return frozenset(identifier for item in items for identifier in self.ids(item))

    def asking(self, findings: ReportFindings, plan: Plan, seal: Seal) -> Plan:
        """The plan with the Tasks of what now waits; those of what waits no longer are cancelled.

        The latest version that speaks of something has the word: beneath it, nobody is asked of the same.
        """
        later = self._said_in(plan.later)
        conflicts = (self._conflict(findings, conflict) for conflict in plan.conflicts)
        asked = [item for item in (*self._awaiting(findings), *conflicts) if not self.ids(item) & later]
        items = {task_reference(item, self.context): item for item in asked}
        known = {review.reference: review for review in self.standing}
        puts = [self._put(name, item, known.get(name), seal) for name, item in items.items()]
        said = {resource["id"] for resource in plan.offered if not is_withdrawn(resource)}
        said |= {identifier for item in asked for identifier in self.ids(item)}
        beneath, above = ({part.content for part in parts} - {self.content} for parts in (plan.earlier, plan.later))
        for review in self.standing:
            waits_on = review.content in above or (review.content in beneath and not self.ids(review.item) & said)
            if review.is_open and review.is_ours and review.reference not in items and not waits_on:
                puts.append(cancelled(review))
        named = dict.fromkeys((*self.named, *items))
        return replace(with_review_tasks(plan, tuple(named)), tasks=tuple(put for put in puts if put is not None))

    def _said_in(self, parts: Sequence[Part]) -> frozenset[str]:
        """The ids of what these versions state, ask, or had settled."""
        contents = {part.content for part in parts}
        asked = [one.item for one in self.standing if one.content in contents and one.status != CANCELLED]
        return frozenset([*map(id_of, names_in(parts)), *(name for item in asked for name in self.ids(item))])

    def _put(self, name: str, item: ReviewItem, review: Review | None, seal: Seal) -> Put | None:
        """The Task of an item, unless it stands so, or a person settled, changed or deleted it."""
        task = make_task(item, self.context, seal, item.reason != DELETED)
        if review is None:
            return None if name in self.named else Put(task, None)
        stands = not review.is_ours or is_same(task, review.stored.resource)
        return None if stands else Put(task, review.stored.version)

    def _awaiting(self, findings: ReportFindings) -> Iterable[ReviewItem]:
        return awaiting(findings, self.context, self.mapping, self.settings, self.known)

    def _conflict(self, findings: ReportFindings, conflict: Conflict) -> ReviewItem:
        stated = finding_of(conflict.reference, findings, self.context, self.mapping)
        primary, focus, name = stated or (None, None, None)
        finding = primary.told_of(focus).get(name or "") if primary else None
        return ReviewItem(
            kind="conflict",
            primary=primary.key if primary else None,
            focus=focus,
            finding=name,
            value=(finding.detail or finding.value) if finding else None,
            reason=conflict.reason,
            reference=conflict.reference,
            offered=conflict.offered,
            findings=alone(findings, primary),
        )


def standing_reviews(
    manifest: Resource, stored: Map[str, Stored], context: ReportContext, pack: Pack, settings: Settings,
    content: str, seal: Seal,
) -> Reviews:  # fmt: skip
    """The Tasks that a manifest names, as they were read."""
    named = review_tasks(manifest)
    return Reviews(context, pack, settings, content, named, tuple(read_reviews(named, stored, seal)))


@dataclass(frozen=True)
class Prepared:
    """A decision held against what stands: its Task, what it changes, and the report mapped with it."""

    review: Review
    change: Change
    after: MappedReport

    @property
    def names(self) -> frozenset[str]:
        """The references that are written or withdrawn."""
        return frozenset([*map(reference_of, self.change.resources), *self.change.withdrawn])


def prepare(task: str, settlement: Settlement, reviews: Reviews, manifest: Stored, map_report: MapReport) -> Prepared:
    """What a settlement would change; raises SYN-463 to 467 where it cannot be."""
    review = next((one for one in reviews.standing if one.reference == task), None)
    if review is None or not (review.is_open or review.settlement is not None):
        raise SynopticError(Code.NOT_IN_REVIEW)
    if review.settlement is not None:
        if (review.settlement.verdict, review.settlement.value) != (settlement.verdict, settlement.value):
            raise SynopticError(Code.CHANGED_SINCE, "it was settled otherwise")
        settlement = review.settlement
    item = review.item
    others = tuple(one for one in reviews.standing if one is not review)
    later = replace(reviews, standing=(*others, replace(review, settlement=settlement)))
    before, after = (one.map(item.findings, map_report) for one in (replace(reviews, standing=others), later))
    change = _change(review, settlement, before, after, later, manifest)
    if settlement.verdict is Verdict.DISMISS:
        kept = [item.reference] if item.reference is not None and item.reason != DELETED else []
        change = Change(tuple(later.verification(review, settlement, [name]) for name in kept))
    elif not any(one["id"] in change.released for one in change.resources) and not change.withdrawn:
        raise SynopticError(Code.NOTHING_TO_WRITE)
    require_possible(change.resources)
    change = replace(change, content=item.findings.content_digest)
    return Prepared(review, change, replace(after, identifier=UUID(derived_id(after.identifier, task))))


def settle_item(decision: ReviewDecision, prepared: Prepared, manifest: Stored, store: ResourceStore) -> Plan:
    """What a decision writes; the same again writes nothing. Raises SYN-464 where others wrote since the person looked."""
    stored = store.read({*prepared.names, *decision.seen})
    plan = settle(prepared.change, manifest, stored, store.provenances_of(stored.keys()))
    if prepared.review.settlement is not None:
        return replace(plan, outcome=Outcome.UNCHANGED, puts=())
    if versions_seen(stored, prepared.change) != decision.seen:
        raise SynopticError(Code.CHANGED_SINCE, "what the person looked at is not what stands there now")
    return replace(plan, puts=(*plan.puts, settled(prepared.review, decision.settlement)))


def versions_seen(stored: Map[str, Stored], change: Change) -> dict[str, str]:
    """The versions of what a decision may write over, though a person held it."""
    return {name: one.version for name, one in stored.items() if one.resource["id"] in change.released}


def _change(
    review: Review,
    settlement: Settlement,
    before: MappedReport,
    after: MappedReport,
    reviews: Reviews,
    manifest: Stored,
) -> Change:
    """What the decision alone makes other; beneath a later addendum only what that leaves open."""
    item = review.item
    released = reviews.ids(item)
    if item.reference is not None and item.offered is not None and settlement.verdict is Verdict.ACCEPT:
        verification = reviews.verification(review, settlement, [item.reference])
        if is_withdrawn(item.offered):
            return Change((verification,), (item.reference,), released)
        return Change((item.offered, verification), (), released)
    earlier = {reference_of(resource): resource for resource in before.resources}
    later = stated_later(manifest.resource, reviews.context.version)
    changed = [
        one for one in after.resources if earlier.get(reference_of(one)) != one and reference_of(one) not in later
    ]
    gone = earlier.keys() - {*map(reference_of, after.resources), *later}
    return Change(tuple(changed), tuple(sorted(gone)), released)
