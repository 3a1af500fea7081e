"""Where a delivery finds what the EHR owns: on its FHIR server, or in the message that the report came in.

Nothing is taken from logs or kept here. The embedded bus without a FHIR server has only its own messages: they are
found by the report's identifiers, for as long as their topic keeps them.
"""

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any, Protocol

from gateway.fhir.attachment_client import AttachmentClient
from gateway.fhir.bundles import batch
from gateway.fhir.parsing import ReportResources, parse_json, pick_report
from gateway.fhir.targets import LITERAL
from gateway.stores.authorship import unversioned
from gateway.stores.resource_store import Resource, ResourceStore, open_store
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import TOPIC_REPORTS
from schemas.settings import Settings
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import Seal, load_seal

_SHAPES = (AttributeError, IndexError, KeyError, TypeError, ValueError)
Reader = Callable[[Sequence[Resource]], list[Resource | None]]


class Source(Protocol):
    """What the EHR owns, and what Synoptic wrote."""

    def about(self, report: Resource) -> Reader:
        """What answers References in turn: the resource, or None, as far as this report (a Reference) is concerned."""
        ...

    def written(self, names: Sequence[str]) -> list[Resource]:
        """What Synoptic wrote under these names, as it stands now."""
        ...

    def close(self) -> None:
        """Release connections and files."""
        ...


class ServerSource:
    """The EHR's FHIR server; an attachment that lies on it by url is brought along."""

    def __init__(self, settings: Settings, stopping: Event | None = None) -> None:
        """Open connections of its own: no registry waits for another's requests."""
        self._client = AttachmentClient(settings.fhir, settings.intake.maximum_attachment_bytes, stopping=stopping)
        self._store = open_store(settings.fhir, stopping)

    def about(self, report: Resource) -> Reader:
        """The server answers the same whatever the report."""
        return self._read

    def written(self, names: Sequence[str]) -> list[Resource]:
        """The present versions."""
        return _written(self._store, names)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._store.close()

    def _read(self, references: Sequence[Resource]) -> list[Resource | None]:
        base = f"{self._client.base_url}/"
        literals = [str(reference.get("reference", "")).removeprefix(base) for reference in references]
        asked = [literal for literal in dict.fromkeys(literals) if LITERAL.fullmatch(literal)]
        found = zip(asked, batch(self._client, asked), strict=True)
        there = {literal: entry.resource for literal, entry in found if entry.answer.is_success}
        return [self._whole(there.get(literal)) for literal in literals]

    def _whole(self, resource: Resource | None) -> Resource | None:
        """A report with the bytes of its attachments; the registry cannot open the EHR's urls."""
        forms = resource.get("presentedForm") if resource and resource["resourceType"] == "DiagnosticReport" else None
        if resource is None or not forms:
            return resource
        return {**resource, "presentedForm": [self._inline(form) for form in forms]}

    def _inline(self, form: Resource) -> Resource:
        if "data" in form or "url" not in form:
            return form
        try:
            data = self._client.fetch(form["url"], form.get("contentType"))["data"]
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            return form
        return {**{key: value for key, value in form.items() if key != "url"}, "data": data}


class MessageSource:
    """The messages of the embedded bus, each opened under its patient's key when it is asked for."""

    def __init__(self, settings: Settings, seal: Seal | None = None) -> None:
        """Open the bus's file beside the hops; nothing is consumed. `seal` none: that of the settings."""
        self._bus = EmbeddedBus(settings.bus.path, settings.bus.maximum_message_bytes)
        self._seal = seal or load_seal(settings)
        self._maximum = settings.bus.maximum_message_bytes
        self._store = open_store(settings.fhir)
        self._places: dict[str, int] = {}
        self._next = 0

    def about(self, report: Resource) -> Reader:
        """What came with the newest message of that report; nothing where none is kept any more."""
        self._look_on()
        place = next((self._places[name] for name in _names_of(report) if name in self._places), None)
        record = None if place is None else next(self._bus.read(TOPIC_REPORTS, place), None)
        resources = None if record is None or record.offset != place else self._opened(record.value)
        return lambda references: [_find(resources, reference) if resources else None for reference in references]

    def written(self, names: Sequence[str]) -> list[Resource]:
        """The present versions."""
        return _written(self._store, names)

    def close(self) -> None:
        """Close the files."""
        self._bus.close()
        self._store.close()
        self._seal.close()

    def _look_on(self) -> None:
        """Note where the messages stand that came since the last look."""
        for record in self._bus.read(TOPIC_REPORTS, self._next):
            self._next = record.offset + 1
            resources = self._opened(record.value)
            if resources is not None:
                self._places |= dict.fromkeys(_own_names(resources.report), record.offset)

    def _opened(self, value: bytes) -> ReportResources | None:
        """The message, or None for one that nobody can read any more, or ever could."""
        try:
            return pick_report(parse_json(self._seal.opened(value), self._maximum))
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
        except _SHAPES:
            pass
        return None


def open_source(settings: Settings, stopping: Event | None = None) -> Source:
    """The EHR's FHIR server where there is one, else the embedded bus's own messages."""
    if settings.fhir.base_url is not None:
        return ServerSource(settings, stopping)
    if settings.bus.kind != "embedded":
        raise SynopticError(Code.BAD_SUBSCRIPTION, "registries on Kafka read from the EHR's server: set fhir.base_url")
    return MessageSource(settings)


def _written(store: ResourceStore, names: Sequence[str]) -> list[Resource]:
    found = store.read(names)
    return [unversioned(found[name].resource) for name in names if name in found]


def _own_names(report: Resource) -> Iterator[str]:
    if isinstance(report.get("id"), str):
        yield f"DiagnosticReport/{report['id']}"
    for identifier in report.get("identifier") or []:
        yield _token(identifier)


def _names_of(reference: Resource) -> Iterator[str]:
    """The names of a Reference, the lasting one first."""
    if isinstance(reference.get("identifier"), dict):
        yield _token(reference["identifier"])
    if isinstance(reference.get("reference"), str):
        yield reference["reference"]


def _token(identifier: Any) -> str:
    return f"{identifier.get('system', '')}|{identifier.get('value')}"


def _find(resources: ReportResources, reference: Resource) -> Resource | None:
    """What a Reference names among the resources of a message: by literal, else by type and identifier."""
    names = set(_names_of(reference))
    if names & set(_own_names(resources.report)):
        return resources.report
    found = resources.resolve(reference)
    if found is None and (kind := reference.get("type")):
        same = [item for item in resources.of_type(kind) if names & set(map(_token, item.get("identifier") or []))]
        found = same[0] if len(same) == 1 else None
    return found
