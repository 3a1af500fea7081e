"""The emission hop: ReportFindings in, resources in the store and a transaction Bundle for subscribers out.

For each report: open its context, look up what of the EHR it refers to, map the findings, compare with the report's
manifest on the store, write guarded, and publish the Bundle in every case, since a process may have died between
writing and publishing. A person's decision (gateway/review/decisions.py) goes the same way. Findings whose Patient or report the
EHR does not have yet are put aside, and so are those that alone the store cannot take: nobody waits for them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError

from gateway.lanes import gravest, work_in_lanes
from gateway.mapping_tools.unmapped import unmapped_messages
from gateway.mapping_tools.watch import WatchedPacks
from gateway.review.decisions import Reviews, prepare, settle_item, standing_reviews
from gateway.stores.audit import make_audit
from gateway.stores.known_conditions import known_conditions
from gateway.stores.reconciliation import Current, Incoming, Outcome, Plan, concerned, reconcile, review_tasks
from gateway.stores.resource_store import MissingTargetError, Put, Resource, ResourceStore, Stored, reference_of
from mappers.bundle import MappedReport, map_report
from mappers.mapping import Missing
from mappers.provenance import manifest_id, read_manifest
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DECISIONS,
    TOPIC_DELAYED,
    TOPIC_FINDINGS,
    Reference,
    ReportContext,
    ReportFindings,
    ReviewDecision,
)
from schemas.metrics import CONFLICTS, EMITTED, UNMAPPED, WAITING
from schemas.pack_loader import Pack
from schemas.settings import Settings
from workers.buses.bus import Outgoing, Record
from workers.hop import Result
from workers.privacy.sealing import Seal, load_seal
from workers.received import RECEIVED, moment

logger = structlog.get_logger()

WAITING_SINCE = "waiting-since"
DUE = "due"
_ATTEMPTS = 5
_MOST_ALONE = 8
_PART_OF_INTERVAL = 0.5  # of the time that the bus allows a batch: what begins before it ends in time


@dataclass(frozen=True, repr=False)
class _Report:
    """One record read: its findings, its context and its pack, and where it is a person's decision, that."""

    record: Record
    findings: ReportFindings
    context: ReportContext
    pack: Pack
    decision: ReviewDecision | None = None

    @property
    def keys(self) -> frozenset[UUID]:
        """Whoever shares one of these must not be written at the same time."""
        return frozenset((self.context.report_key, self.context.patient_key))


class EmissionHop:
    """Emission as a hop over the bus; the hop `delayed` hands it what is due, the hop `review` what persons decided."""

    name = "emission"
    topics: tuple[str, ...] = (TOPIC_FINDINGS,)

    def __init__(
        self,
        settings: Settings,
        store: ResourceStore,
        seal: Seal | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Give `seal` where the contexts are not sealed under `privacy.key`."""
        self._settings = settings
        self._store = store
        self._seal = seal or load_seal(settings)
        self._watched = WatchedPacks(settings)
        self._packs = self._watched.current()
        self._clock = clock
        self._has_written = False
        self._failing: set[UUID] = set()
        self._pool = ThreadPoolExecutor(settings.fhir.connections, thread_name_prefix="emission-store")

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record; where the store works for nobody, that is raised once all have been tried."""
        self._packs = self._watched.current()
        read = [self._read_record(record) for record in records]
        reports = [one for one in read if isinstance(one, _Report)]
        until = time.monotonic() + self._settings.bus.poll_interval_seconds * _PART_OF_INTERVAL
        left: set[UUID] = set()

        def try_first(report: _Report) -> Result | SynopticError:
            if left & report.keys:
                return SynopticError(Code.STORE_UNAVAILABLE, "another report of the patient failed before it")
            result = self._try(report)
            if isinstance(result, SynopticError):
                left.update(report.keys)
            return result

        tried = work_in_lanes(reports, lambda report: report.keys, try_first, self._pool)
        failures = [one for one in tried if isinstance(one, SynopticError)]
        if failures and not self._store.serves_others():
            raise gravest(failures)
        emitted = (
            one if isinstance(one, Result) else self._try_alone(report, one, until)
            for report, one in zip(reports, tried, strict=True)
        )
        return [next(emitted) if isinstance(one, _Report) else Result(error=one) for one in read]

    def preview(self, record: Record) -> Plan:
        """What would be written of a record at present; nothing is. Raises what would put it aside or reject it."""
        report = self._read_record(record)
        if isinstance(report, SynopticError):
            raise report
        return self._compare(self._located(report))[1]

    def close(self) -> None:
        """End the threads and release the store."""
        self._pool.shutdown()
        self._store.close()

    def _read_record(self, record: Record) -> _Report | SynopticError:
        decision: ReviewDecision | None = None
        try:
            if record.topic == TOPIC_DECISIONS:
                decision = _parse_decision(self._seal.opened(record.value))
            findings = decision.item.findings if decision else read_findings(record)
            context = self._seal.open(findings.sealed, findings.report_hmac)
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            return error
        pack = self._packs.get(findings.pack)
        if pack is None:
            return SynopticError(Code.UNKNOWN_PACK, findings.pack)
        return _Report(record, findings, context, pack, decision)

    def _try(self, report: _Report) -> Result | SynopticError:
        """What becomes of a report, or why the store cannot take it at present."""
        try:
            return Result(outgoing=self._emit(report))
        except MissingTargetError as error:
            return self._wait(report, error, error.kinds)
        except SynopticError as error:
            if error.code.kind is Kind.REJECT:
                return Result(error=error)
            if error.code.kind is Kind.RETRY or error.code is Code.STORE_REFUSES:
                return error
            raise

    def _try_alone(self, report: _Report, error: SynopticError, until: float) -> Result:
        """Try a report once more, with the store at work for others just now: what fails still is of this report alone.

        Not so where many failed since the last write: a store may read and not write. What it refuses is rejected,
        unless nothing was written yet: a client without rights ends instead.
        """
        again = self._try(report) if time.monotonic() < until else error
        if isinstance(again, Result):
            return again
        error = again
        is_refused = error.code is Code.STORE_REFUSES
        self._failing.add(report.context.report_key)
        are_many = len(self._failing) > _MOST_ALONE
        if are_many or not self._store.serves_others() or (is_refused and not self._has_written):
            raise error
        logger.warning("the store fails for one report alone", hop=self.name, error=error)
        rejected = SynopticError(Code.STORE_REJECTS, f"{error.code.label}, {error.detail}")
        return Result(error=rejected) if is_refused else self._wait(report, rejected)

    def _emit(self, report: _Report) -> tuple[Outgoing, ...]:
        mapped, plan = self._write(self._located(report))
        EMITTED.add(action=plan.outcome.value)
        self._note_missing(mapped.missing)
        if report.decision is not None and not plan.offered:
            return ()
        key = str(report.context.report_key).encode()
        bundle = Outgoing(TOPIC_BUNDLES, orjson.dumps(_bundle(mapped, plan)), key=key)
        return (bundle, *unmapped_messages(report.findings, mapped.missing, moment(report.record, RECEIVED)))

    def _located(self, report: _Report) -> _Report:
        """The report as the store refers to what the EHR owns; raises MissingTargetError where something is not there."""
        targets = self._store.look_up(_targets(report.context))
        if targets.missing:
            raise MissingTargetError(reference.type for reference in targets.missing)
        return replace(report, context=_referring(report.context, targets.found))

    def _write(self, report: _Report) -> tuple[MappedReport, Plan]:
        """Compare and write, as often as somebody else was faster; never send the same write again unread."""
        for _ in range(_ATTEMPTS):
            mapped, plan = self._settle(report, report.decision) if report.decision else self._compare(report)
            writes = plan.outcome is Outcome.WRITE
            if not writes or self._store.transact((*plan.puts, *self._audit(report, plan)), plan.tasks):
                if writes:
                    self._has_written = True
                    self._failing.clear()
                self._note_conflicts(plan)
                return mapped, plan
        raise SynopticError(Code.STORE_CONTENDED, f"{_ATTEMPTS} attempts")

    def _compare(self, report: _Report) -> tuple[MappedReport, Plan]:
        findings, context, pack = report.findings, report.context, report.pack
        received = moment(report.record, RECEIVED)
        mapped = map_report(findings, context, pack, self._settings)
        name = reference_of(mapped.manifest)
        stored = self._store.read([name, *map(reference_of, mapped.resources)])
        manifest = stored.pop(name, None)
        known = known_conditions(
            findings, context, pack.for_report(context).mapping, manifest, self._settings, self._store
        )
        asked = frozenset(map(reference_of, mapped.resources))
        reviews = Reviews(context, pack, self._settings, findings.content_digest)
        if manifest is not None:
            # A server reads a batch in any order: what came with the manifest may be older than what it says.
            asked = concerned(manifest.resource, Incoming(findings.action, mapped.resources, mapped.manifest))
            stored = self._store.read(asked)
            reviews = self._reviews(report, manifest, stored)
        if manifest is not None or known.chosen:
            mapped = reviews.map(findings, self._mapping_of(report, known.chosen))
            stored |= self._store.read({*map(reference_of, mapped.resources)} - asked)
        reviews = replace(reviews, known=known)
        with_persons = reviews.with_persons(findings)
        incoming = Incoming(findings.action, mapped.resources, mapped.manifest, received, with_persons)
        # Nobody speaks of a Device; and as every report shares them, a new report has nothing else to ask about.
        spoken_of = [reference for reference in stored if not reference.startswith(("Device/", "Task/"))]
        plan = reconcile(incoming, Current(name, manifest, stored, self._store.provenances_of(spoken_of)))
        return mapped, reviews.asking(findings, plan, self._seal) if plan.outcome is Outcome.WRITE else plan

    def _settle(self, report: _Report, decision: ReviewDecision) -> tuple[MappedReport, Plan]:
        """What a person's decision writes upon the manifest that stands."""
        name = f"Provenance/{manifest_id(report.context)}"
        manifest = self._store.read([name]).get(name)
        if manifest is None:
            raise SynopticError(Code.NOT_IN_REVIEW)
        reviews = self._reviews(report, manifest, self._store.read(review_tasks(manifest.resource)))
        known = read_manifest(manifest.resource).known_conditions
        prepared = prepare(decision.task, decision.settlement, reviews, manifest, self._mapping_of(report, known))
        return prepared.after, settle_item(decision, prepared, manifest, self._store)

    def _reviews(self, report: _Report, manifest: Stored, stored: Mapping[str, Stored]) -> Reviews:
        return standing_reviews(
            manifest.resource, stored, report.context, report.pack, self._settings, report.findings.content_digest, self._seal
        )  # fmt: skip

    def _mapping_of(self, report: _Report, known: Mapping[str, str]) -> Callable[[ReportFindings], MappedReport]:
        """How findings of the report are mapped, beside the Conditions of the EHR that are known."""
        return lambda findings: map_report(findings, report.context, report.pack, self._settings, known)

    def _audit(self, report: _Report, plan: Plan) -> tuple[Put, ...]:
        """The AuditEvent of the write, where the site wants one."""
        if not self._settings.fhir.audit:
            return ()
        now = self._clock()
        begun = moment(report.record, RECEIVED)
        devices = [agent["who"]["reference"] for agent in plan.manifest["agent"]]
        by = report.decision.settlement.by if report.decision else None
        begun = now if begun is None else min(begun, now)
        return (Put(make_audit(plan.puts, report.context, devices, self._settings, begun, now, by), None),)

    def _note_conflicts(self, plan: Plan) -> None:
        """Tell that there are conflicts, which the store has kept."""
        if plan.conflicts:
            CONFLICTS.add(len(plan.conflicts))
            logger.warning(
                "a person's version was kept",
                hop=self.name,
                code=Code.PERSONS_VERSION.label,
                count=len(plan.conflicts),
            )

    def _note_missing(self, missing: Sequence[Missing]) -> None:
        """Tell what was found and not sent: without a code there is no resource."""
        for one in missing:
            UNMAPPED.add(task=one.slot)
        if missing:
            logger.warning("values without a code were not sent", hop=self.name, count=len(missing))

    def _wait(self, report: _Report, error: SynopticError, missing: Sequence[str] = ()) -> Result:
        """Put the findings aside until the store has what they refer to, or takes them; in the end `error` rejects them.

        A person's decision does not wait: whoever gave it can see why it was rejected, and replay it.
        """
        record, now = report.record, self._clock()
        first = moment(record, WAITING_SINCE)
        since = now if first is None else first
        end = since + self._settings.fhir.target_wait_seconds
        if now >= end or report.decision is not None:
            return Result(error=error)
        if first is None and missing:
            logger.info("findings put aside", hop=self.name, missing=", ".join(missing))
            for kind in missing:
                WAITING.add(target=kind)
        due = min(now + self._settings.fhir.target_retry_seconds, end)
        headers = ((WAITING_SINCE, f"{since:.3f}"), (DUE, f"{due:.3f}"))
        return Result(outgoing=(Outgoing(TOPIC_DELAYED, record.value, key=record.key, headers=headers),))


def first_bundle(
    findings: ReportFindings, context: ReportContext, pack: Pack, settings: Settings
) -> tuple[Resource, tuple[Missing, ...]]:
    """The Bundle that emission would publish of a report that its store does not know yet, and what has no code."""
    mapped = map_report(findings, context, pack, settings)
    nothing = Current(reference_of(mapped.manifest), None, {})
    plan = reconcile(Incoming(findings.action, mapped.resources, mapped.manifest), nothing)
    return _bundle(mapped, plan), mapped.missing


def _bundle(mapped: MappedReport, plan: Plan) -> Resource:
    return replace(mapped, resources=plan.offered, manifest=plan.manifest).transaction()


def read_findings(record: Record) -> ReportFindings:
    """The findings of a record; raises SYN-456 where it holds none."""
    try:
        return ReportFindings.model_validate_json(record.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SynopticError(Code.NOT_FINDINGS, first["type"]) from None


def _parse_decision(value: bytes) -> ReviewDecision:
    try:
        return ReviewDecision.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SynopticError(Code.NOT_A_DECISION, first["type"]) from None


def _targets(context: ReportContext) -> tuple[Reference, ...]:
    """What the resources will refer to and the EHR owns."""
    encounter = (context.encounter,) if context.encounter else ()
    specimens = (specimen.reference for specimen in context.specimens)
    return (context.subject, context.report, *encounter, *specimens)


def _referring(context: ReportContext, found: Mapping[Reference, Reference]) -> ReportContext:
    """The context with each reference as the EHR's server has it; keys, and with them all ids, stay."""
    return context.model_copy(
        update={
            "subject": found[context.subject],
            "report": found[context.report],
            "encounter": found[context.encounter] if context.encounter else None,
            "specimens": tuple(
                specimen.model_copy(update={"reference": found[specimen.reference]}) for specimen in context.specimens
            ),
        }
    )
