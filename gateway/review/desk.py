"""What a reviewer works with: the Tasks that wait, what each is about, and a decision ready to be sent.

A decision is tried here first, so that whoever gives it is told at once what emission would say.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gateway.review.decisions import MapReport, Reviews, prepare, standing_reviews, versions_seen
from gateway.review.tasks import Review, read_review
from gateway.stores.reconciliation import review_tasks
from gateway.stores.resource_store import Resource, ResourceStore, Stored, id_of, reference_of
from mappers.bundle import map_report
from mappers.provenance import manifest_id, read_manifest
from schemas.errors import Code, SynopticError
from schemas.messages import (
    TOPIC_TEXTS,
    Identifier,
    Reference,
    ReportContext,
    ReportText,
    ReviewDecision,
    Settlement,
    Verdict,
)
from schemas.pack_loader import Pack, load_packs
from schemas.settings import Settings
from workers.buses.bus import Bus
from workers.privacy.sealing import Seal

NUMBER_LENGTH = 8
_AROUND = 60
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True)
class Sides:
    """What the report offers for a question, and what the store holds there, by reference."""

    offered: dict[str, Resource] = field(default_factory=dict, repr=False)
    stored: dict[str, Resource] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Question:
    review: Review
    context: ReportContext
    reviews: Reviews
    manifest: Stored
    map_report: MapReport


class ReviewDesk:
    """Reads the store; writes nothing."""

    def __init__(self, settings: Settings, store: ResourceStore, seal: Seal) -> None:
        self._settings = settings
        self._store = store
        self._seal = seal

    @cached_property
    def _packs(self) -> Mapping[str, Pack]:
        return load_packs(self._settings.packs, self._settings.mapping)

    def waiting(self) -> Iterator[Review]:
        """Everything that awaits a decision; what was sealed elsewhere, or erased, does not show."""
        return (review for task in self._store.awaiting() if (review := read_review(task, self._seal)) is not None)

    def find(self, number: str) -> Review:
        """The item whose Task's id begins so; raises SYN-468 where that is none, or several."""
        found = [review for review in self.waiting() if number and number_of(review, len(number)) == number]
        if len(found) != 1:
            raise SynopticError(Code.NO_REVIEW_ITEM, f"{number!r}, there are {len(found)}" if found else repr(number))
        return found[0]

    def context(self, review: Review) -> ReportContext:
        """Whose report the item is of."""
        return self._seal.open(review.item.findings.sealed, review.item.findings.report_hmac)

    def sides(self, review: Review) -> Sides:
        """What accepting the item would write, and what stands there."""
        item = review.item
        offered = [item.offered] if item.offered is not None else []
        if item.kind != "conflict" and item.value is not None:
            accepted = Settlement(verdict=Verdict.ACCEPT, by=Reference(type="Practitioner"), decided="")
            question = self._question(review)
            try:
                change = prepare(
                    review.reference, accepted, question.reviews, question.manifest, question.map_report
                ).change
                offered = [one for one in change.resources if one["resourceType"] != "Provenance"]
            except SynopticError as error:
                if error.code is not Code.NOTHING_TO_WRITE:
                    raise
        by_name = {reference_of(resource): resource for resource in offered}
        names = {*by_name, *([item.reference] if item.reference else [])}
        stored = {name: one.resource for name, one in self._store.read(names).items()}
        return Sides(by_name, stored)

    def decision(self, review: Review, settlement: Settlement) -> ReviewDecision:
        """The decision as a message; raises what emission would reject it by."""
        if not self._store.look_up([settlement.by]).found:
            raise SynopticError(Code.NO_REVIEWER, "the FHIR server does not hold that Practitioner")
        question = self._question(review)
        prepared = prepare(review.reference, settlement, question.reviews, question.manifest, question.map_report)
        seen = versions_seen(self._store.read(prepared.names), prepared.change)
        return ReviewDecision(task=review.reference, item=review.item, settlement=settlement, seen=seen)

    def _question(self, review: Review) -> _Question:
        findings, context, settings = review.item.findings, self.context(review), self._settings
        pack = self._packs.get(findings.pack)
        if pack is None:
            raise SynopticError(Code.UNKNOWN_PACK, findings.pack)
        name = f"Provenance/{manifest_id(context)}"
        manifest = self._store.read([name]).get(name)
        if manifest is None:
            raise SynopticError(Code.NOT_IN_REVIEW)
        stored = self._store.read(review_tasks(manifest.resource))
        reviews = standing_reviews(
            manifest.resource, stored, context, pack, settings, findings.content_digest, self._seal
        )
        known = read_manifest(manifest.resource).known_conditions
        return _Question(
            review, context, reviews, manifest, lambda found: map_report(found, context, pack, settings, known)
        )


def number_of(review: Review, length: int = NUMBER_LENGTH) -> str:
    """What `synoptic review` calls the item: the beginning of its Task's id."""
    return id_of(review.reference)[:length]


def read_reviewer(word: str | None) -> Reference:
    """A Practitioner as `Practitioner/id` or `system|value`; raises SYN-466 where it is neither."""
    kind, slash, identifier = (word or "").partition("/")
    system, bar, value = (word or "").partition("|")
    if bar and value.strip():
        identity = Identifier(system=system.strip() or None, value=value.strip())
        return Reference(type="Practitioner", identifier=identity)
    if kind != "Practitioner" or not slash or _ID.fullmatch(identifier) is None:
        raise SynopticError(Code.NO_REVIEWER, "neither --by nor review.by" if not word else "not of that form")
    return Reference(type=kind, literal=word)


def excerpts(review: Review, bus: Bus, seal: Seal) -> list[tuple[str, str, str]]:
    """Each evidence of the item with what stands before and after it, as far as the bus still holds the text."""
    item = review.item
    text = _text_of(review, bus, seal)
    primary = next((one for one in item.findings.primaries if one.key == item.primary), None)
    finding = primary.told_of(item.focus).get(item.finding or "") if primary else None
    evidence = finding.evidence if finding else primary.assertion_evidence if primary else ()
    return [
        (text[max(0, one.start - _AROUND) : one.start], one.quote, text[one.end : one.end + _AROUND])
        if text[one.start : one.end] == one.quote
        else ("", one.quote, "")
        for one in evidence
    ]


def _text_of(review: Review, bus: Bus, seal: Seal) -> str:
    findings = review.item.findings
    for record in bus.read(TOPIC_TEXTS):
        if record.key == findings.report_hmac.encode():
            report = ReportText.model_validate_json(seal.opened(record.value))
            if report.content_digest == findings.content_digest:
                return report.text
    return ""
