"""The intake hop: a DiagnosticReport, alone or in a Bundle, becomes a ReportText routed to a pack.

In order: JSON within limits, one report, not our own, its status, FHIR R4 and our rules, context, text, route.
gateway/lifecycle.py has the table of statuses; gateway/documents/narrative.py says which text is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event

import structlog

from gateway.documents.attachments import Attachments
from gateway.documents.narrative import read_narrative
from gateway.documents.reader import DocumentReader, DocumentText
from gateway.fhir.context import read_categories, read_context, read_side
from gateway.fhir.parsing import ReportResources, Resource, objects, parse_json, pick_report
from gateway.fhir.validation import validate_resources
from gateway.known_identifiers import known_identifiers
from gateway.lifecycle import REGISTERED_REASON, action_for
from gateway.routing import route
from gateway.whose_report import sealed_report
from mappers.identity import CANONICAL, digest
from schemas.errors import Kind, SynopticError
from schemas.findings import Side
from schemas.messages import TOPIC_REPORTS, TOPIC_TEXTS, Action, KnownIdentifier, ReportContext, ReportText
from schemas.pack_loader import Pack, load_pack
from schemas.settings import Settings
from workers.buses.bus import Outgoing, Record
from workers.hop import Result
from workers.privacy.sealing import Seal, passing_seal

OWN_REASON = "written by Synoptic or another machine (AIAST)"
_MACHINE_LABEL = "AIAST"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, repr=False)
class Reading:
    """What came of one message: a text to send on, or the reason why it is ignored; and remarks on how it was read."""

    report: ReportText | None = None
    ignored: str | None = None
    notes: tuple[str, ...] = ()


class Intake:
    """Turns FHIR messages into report texts; holds the document reader's subprocesses and connections, so close it."""

    name = "intake"
    topics: tuple[str, ...] = (TOPIC_REPORTS,)

    def __init__(
        self,
        settings: Settings,
        packs: Sequence[Pack] | None = None,
        reader: DocumentReader | None = None,
        stopping: Event | None = None,
        seal: Seal | None = None,
    ) -> None:
        """Open nothing yet. Once `stopping` is set, nobody waits for a FHIR server that does not give an attachment.

        Without `seal`, what `process` gives can be read in this process alone.
        """
        self._settings = settings
        self._packs = tuple(packs if packs is not None else (load_pack(name) for name in settings.packs))
        self._reader = reader or DocumentReader(settings.intake)
        self._attachments = Attachments(settings, stopping)
        self._seal = seal or passing_seal()

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record; rejects are returned, retry and fatal errors raised.

        All are read first: the batch's new patients get their keys in one commit.
        """
        read = [self._read_record(record) for record in records]
        reports = [one.report for one in read if isinstance(one, Reading) and one.report is not None]
        sealed = self._seal.enclose_all(
            [(report.model_dump_json().encode(), report.context.patient_key) for report in reports]
        )
        outgoing = map(self._outgoing, reports, sealed)
        return [_result(one, outgoing) for one in read]

    def _read_record(self, record: Record) -> Reading | SynopticError:
        try:
            reading = self.read(self._seal.opened(record.value))
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            return error
        if (report := reading.report) is not None:
            _log.info("report read", pack=report.pack, action=report.action.value, pages=len(report.pages))
        return reading

    def _outgoing(self, report: ReportText, sealed: bytes) -> Outgoing:
        return Outgoing(TOPIC_TEXTS, sealed, key=self._seal.report_hmac(report.context.report_key).encode())

    def kept(self, value: bytes) -> bytes:
        """A rejected message under its patient's key, where it names a patient."""
        return sealed_report(value, self._seal, self._settings)

    def read(self, message: bytes) -> Reading:
        """Read one FHIR message; raises a numbered reject."""
        resources = pick_report(parse_json(message, self._settings.bus.maximum_message_bytes))
        if is_machine_written(resources.report):
            return Reading(ignored=OWN_REASON)
        validate_resources(resources)
        action = action_for(resources.report["status"])
        if action is None:
            return Reading(ignored=REGISTERED_REASON)
        context = read_context(resources, self._settings)
        document = self._document(resources, action)
        return Reading(
            self.assemble(
                action,
                document,
                context,
                side=read_side(resources, context.specimens),
                categories=read_categories(resources.report),
                known=known_identifiers(resources),
            ),
            notes=document.notes,
        )

    def read_document(self, data: bytes, content_type: str) -> DocumentText:
        """Read a plain document with the same limits as an attachment."""
        return self._reader.read(data, content_type)

    def assemble(
        self,
        action: Action,
        document: DocumentText,
        context: ReportContext,
        *,
        side: Side | None = None,
        categories: Sequence[str] = (),
        known: Sequence[KnownIdentifier] = (),
    ) -> ReportText:
        """Route the text and build the message; a withdrawal needs no text, so it takes the first pack."""
        if action is Action.WITHDRAW:
            pack = self._packs[0].id
        else:
            pack = route(document.text, context.codes, categories, self._packs).id
        return ReportText(
            action=action,
            pack=pack,
            text=document.text,
            pages=document.pages,
            side=side,
            context=context,
            known_identifiers=tuple(dict.fromkeys((*known, *document.known))),
            content_digest=content_digest(action, document.text, context, side),
        )

    def close(self) -> None:
        """End the subprocesses, and close the connections."""
        self._reader.close()
        self._attachments.close()

    def _document(self, resources: ReportResources, action: Action) -> DocumentText:
        if action is Action.WITHDRAW:
            return DocumentText("")
        return read_narrative(resources, self._reader, self._attachments, self._packs)


def _result(read: Reading | SynopticError, outgoing: Iterator[Outgoing]) -> Result:
    if isinstance(read, SynopticError):
        return Result(error=read)
    return Result(ignored=read.ignored) if read.report is None else Result(outgoing=(next(outgoing),))


def is_machine_written(report: Resource) -> bool:
    """True for a report labelled AIAST or identified by Synoptic: reading it again would feed on our own output."""
    meta = report.get("meta")
    labels = [*objects(meta.get("tag")), *objects(meta.get("security"))] if isinstance(meta, dict) else []
    if any(label.get("code") == _MACHINE_LABEL for label in labels):
        return True
    systems = [identifier.get("system") for identifier in objects(report.get("identifier"))]
    return any(isinstance(system, str) and system.startswith(CANONICAL) for system in systems)


def content_digest(action: Action, text: str, context: ReportContext, side: Side | None) -> str:
    """SHA-256 over what decides the resources: text, status, subject, identifiers, specimens; not when it was sent."""
    return digest(
        {
            "action": action.value,
            "text": text,
            "side": side,
            "context": context.model_dump(mode="json", exclude={"version", "recorded"}),
        }
    )
