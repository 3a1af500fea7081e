"""The emission hop: ReportFindings in, resources in the store and a transaction Bundle for subscribers out.

For each report: open its context, map the findings, compare with the report's manifest on the store, write guarded,
and publish the Bundle in every case, since a process may have died between writing and publishing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson
import structlog
from pydantic import ValidationError

from gateway.reconciliation import Current, Incoming, Outcome, Plan, concerned, make_claim, reconcile
from gateway.resource_store import Resource, ResourceStore, Stored
from mappers.bundle import MappedReport, map_report
from mappers.mapping import Missing
from mappers.provenance import read_manifest
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DELAYED,
    TOPIC_FINDINGS,
    Reference,
    ReportContext,
    ReportFindings,
)
from schemas.metrics import CONFLICTS, EMITTED, UNMAPPED
from schemas.pack_loader import Pack, load_pack
from schemas.settings import Settings
from workers.bus import Outgoing, Record
from workers.hop import Result
from workers.sealing import Seal, load_seal

logger = structlog.get_logger()

WAITING_SINCE = "waiting-since"
_ATTEMPTS = 5
_PAUSE_SECONDS = 1.0


class EmissionHop:
    """Emission as a hop over the bus."""

    name = "emission"
    topics: tuple[str, ...] = (TOPIC_FINDINGS, TOPIC_DELAYED)

    def __init__(
        self,
        settings: Settings,
        store: ResourceStore,
        seal: Seal | None = None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Give `seal` where the contexts are not sealed under `privacy.key`."""
        self._settings = settings
        self._store = store
        self._seal = seal or load_seal(settings)
        self._packs: Mapping[str, Pack] = {identifier: load_pack(identifier) for identifier in settings.packs}
        self._clock = clock
        self._pause = pause

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record; only what the store cannot do at present is raised."""
        results = [self._result(record) for record in records]
        topics = {outgoing.topic for result in results for outgoing in result.outgoing}
        if topics == {TOPIC_DELAYED}:
            self._pause(_PAUSE_SECONDS)  # all of them still wait: asking again at once would only spin
        return results

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _result(self, record: Record) -> Result:
        try:
            return Result(outgoing=(self._emit(record),))
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            return Result(error=error)

    def _emit(self, record: Record) -> Outgoing:
        findings = _parse(record)
        context = self._seal.open(findings.sealed, findings.report_hmac)
        pack = self._packs.get(findings.pack)
        if pack is None:
            raise SynopticError(Code.UNKNOWN_PACK, findings.pack)
        missing = self._store.missing_targets(_targets(context))
        if missing:
            return self._wait(record, missing)
        mapped, plan = self._write(findings, context, pack)
        EMITTED.add(action=plan.outcome.value)
        self._note_missing(mapped.missing)
        return Outgoing(TOPIC_BUNDLES, orjson.dumps(_bundle(mapped, plan)), key=str(context.report_key).encode())

    def _write(self, findings: ReportFindings, context: ReportContext, pack: Pack) -> tuple[MappedReport, Plan]:
        """Compare and write, as often as somebody else was faster; never send the same write again unread."""
        mapped = map_report(findings, context, pack, self._settings)
        manifest = self._store.claim(make_claim(mapped.manifest))
        for _ in range(_ATTEMPTS):
            known = read_manifest(manifest.resource).known_conditions
            if known:
                mapped = map_report(findings, context, pack, self._settings, known)
            incoming = Incoming(findings.action, mapped.resources, mapped.manifest)
            plan = reconcile(incoming, self._read(manifest, incoming))
            self._note_conflicts(plan)
            if plan.outcome is not Outcome.WRITE or self._store.transact(plan.puts):
                return mapped, plan
            manifest = self._store.claim(make_claim(mapped.manifest))
        raise SynopticError(Code.STORE_CONTENDED, f"{_ATTEMPTS} attempts")

    def _read(self, manifest: Stored, incoming: Incoming) -> Current:
        stored = self._store.read(concerned(manifest.resource, incoming))
        return Current(manifest, stored, self._store.provenances_of(stored.keys()))

    def _note_conflicts(self, plan: Plan) -> None:
        """Keep conflicts before the write: after it, the report counts as done."""
        for conflict in plan.conflicts:
            self._store.record_conflict(conflict)
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

    def _wait(self, record: Record, missing: Sequence[Reference]) -> Outgoing:
        """Put the findings aside until the EHR has what they refer to, but not for ever."""
        now = self._clock()
        since = record.header(WAITING_SINCE)
        if since is not None and now - float(since) >= self._settings.fhir.target_wait_seconds:
            raise SynopticError(Code.MISSING_TARGET, ", ".join(sorted({reference.type for reference in missing})))
        headers = ((WAITING_SINCE, since if since is not None else f"{now:.0f}"),)
        return Outgoing(TOPIC_DELAYED, record.value, key=record.key, headers=headers)


def first_bundle(
    findings: ReportFindings, context: ReportContext, pack: Pack, settings: Settings
) -> tuple[Resource, tuple[Missing, ...]]:
    """The Bundle that emission would publish of a report that its store does not know yet, and what has no code."""
    mapped = map_report(findings, context, pack, settings)
    nothing = Current(Stored(make_claim(mapped.manifest), "0"), {})
    plan = reconcile(Incoming(findings.action, mapped.resources, mapped.manifest), nothing)
    return _bundle(mapped, plan), mapped.missing


def _bundle(mapped: MappedReport, plan: Plan) -> Resource:
    return replace(mapped, resources=plan.offered, manifest=plan.manifest).transaction()


def _parse(record: Record) -> ReportFindings:
    try:
        return ReportFindings.model_validate_json(record.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SynopticError(Code.NOT_FINDINGS, first["type"]) from None


def _targets(context: ReportContext) -> tuple[Reference, ...]:
    """What the resources will refer to and the EHR owns."""
    specimens = (specimen.reference for specimen in context.specimens)
    return (context.subject, context.report, *specimens)
