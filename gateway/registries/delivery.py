"""How a parcel gets to a registry: its FHIR server, a folder, or a Kafka topic of its own; each may be done twice.

A FHIR server gets PUTs under ids that stay the same, a folder a file whose name does; a topic gets the message in the
transaction that moves the registry's place. What goes wrong is the registry's alone: errors that would end a hop over
the EHR's server (a refused client, a wrong address) make this one wait instead.
"""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Protocol

import httpx
import orjson

from gateway.doctor.fhir_checks import SECONDS, read_metadata
from gateway.fhir.answers import PASSING, Answer, detail_of, fault_of
from gateway.fhir.bundles import read_entries
from gateway.fhir.client import FhirClient
from gateway.fhir.parsing import objects
from gateway.registries.parcel import Parcel
from gateway.registries.subscription import FhirTarget, Form, Subscription, of_file
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import SmartSettings
from workers.buses.bus import Outgoing, Record

_LATER = frozenset({409, 412})
"""Another writer was quicker with the same resource: both are PUTs, so it is sent again."""
_PASSING_ISSUES = frozenset({"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"})
"""What FHIR's issue types call transient."""


class Delivery(Protocol):
    """One registry's way."""

    is_done_at_once: bool
    """True where the registry has the parcel once `deliver` returns; else it gets it with the commit."""

    def deliver(self, parcel: Parcel, record: Record) -> tuple[Outgoing, ...]:
        """Deliver it; what is returned is published. Raises SYN-470, SYN-471 to be tried again, SYN-472 as a reject."""
        ...

    def serves_others(self) -> bool:
        """Whether something answers there, although a delivery just failed; another is tried only then."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class FhirDelivery:
    """A FHIR server: a transaction, a Bundle under the case's id, or a message."""

    is_done_at_once = True

    def __init__(
        self,
        target: FhirTarget,
        form: Form,
        stopping: Event | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Open connections; nothing is sent yet."""
        settings = target.settings()
        self._client = FhirClient(settings, pause, stopping=stopping)
        # Whoever may read metadata is told without a token, and 401 is an answer as well.
        seconds = min(SECONDS, target.timeout_seconds)
        self._asked = settings.model_copy(
            update={"timeout_seconds": seconds, "smart": SmartSettings(), "bearer_token_file": None}
        )
        self._form = form

    def deliver(self, parcel: Parcel, record: Record) -> tuple[Outgoing, ...]:
        """Send it and look at the answer."""
        try:
            answer = self._send(parcel)
            _require(answer)
            if self._form == "transaction":
                for entry in read_entries(answer):
                    _require(entry.answer)
            elif self._form == "message":
                _require_processed(answer)
        except SynopticError as error:
            raise _of_registry(error) from None
        return ()

    def serves_others(self) -> bool:
        """Whether the server answers to `metadata` with anything but that it cannot."""
        try:
            return read_metadata(self._asked).status not in PASSING
        except (SynopticError, httpx.HTTPError):
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, parcel: Parcel) -> Answer:
        if self._form == "transaction":
            return self._client.post(parcel.bundle, minimal=True)
        if self._form == "collection":
            return self._client.send("PUT", f"Bundle/{parcel.case}", parcel.bundle)
        return self._client.send("POST", "$process-message", parcel.bundle)


class FolderDelivery:
    """A folder: each parcel is a file of one line, whole from the moment it is there, named by its place and Bundle."""

    is_done_at_once = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, parcel: Parcel, record: Record) -> tuple[Outgoing, ...]:
        """Write the file beside its place, have it on the disk, then move it there."""
        name = f"{record.partition}-{record.offset:012}-{parcel.file_name}.ndjson"
        draft = self._folder / f".{name}.draft"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(orjson.dumps(parcel.bundle) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / name)
            _sync(self._folder)
        except OSError as error:
            raise SynopticError(
                Code.REGISTRY_UNAVAILABLE, f"folder: {error.strerror or type(error).__name__}"
            ) from None
        return ()

    def serves_others(self) -> bool:
        """The next delivery shows it at once."""
        return True

    def close(self) -> None:
        """Nothing is open."""


class KafkaDelivery:
    """A topic of the registry's own, keyed by report: published with the commit, once and in order."""

    is_done_at_once = False

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def deliver(self, parcel: Parcel, record: Record) -> tuple[Outgoing, ...]:
        """Hand the message to the transaction."""
        return (Outgoing(self._topic, orjson.dumps(parcel.bundle), key=record.key),)

    def serves_others(self) -> bool:
        """The next delivery shows it at once."""
        return True

    def close(self) -> None:
        """Nothing is open."""


def open_delivery(subscription: Subscription, stopping: Event | None = None) -> Delivery:
    """The way that the subscription names; raises SYN-475 where its credentials cannot be read."""
    definition = subscription.definition
    target = definition.deliver
    if target.fhir is not None:
        try:
            return FhirDelivery(target.fhir, definition.form, stopping)
        except SynopticError as error:
            raise of_file(subscription.name, error) from None
    if target.folder is not None:
        return FolderDelivery(target.folder.path)
    assert target.kafka is not None
    return KafkaDelivery(target.kafka.topic)


def _require(answer: Answer) -> None:
    if answer.status in _LATER:
        raise SynopticError(Code.STORE_UNAVAILABLE, detail_of(answer))
    if not answer.is_success:
        raise fault_of(answer)


def _require_processed(answer: Answer) -> None:
    """Raise where an answer of 2xx says that the message was not processed: by its header, or by an OperationOutcome."""
    body = answer.body or {}
    for resource in (body, *(entry.get("resource") or {} for entry in objects(body.get("entry")))):
        response = resource.get("response") if resource.get("resourceType") == "MessageHeader" else None
        code = response.get("code") if isinstance(response, dict) else None
        wrong = [issue for issue in objects(resource.get("issue")) if issue.get("severity") in ("error", "fatal")]
        if code in ("transient-error", "fatal-error"):
            raise SynopticError(Code.STORE_UNAVAILABLE if code == "transient-error" else Code.STORE_REJECTS, code)
        if wrong:
            passes = all(issue.get("code") in _PASSING_ISSUES for issue in wrong)
            detail = detail_of(Answer(answer.status, {**resource, "issue": wrong}))
            raise SynopticError(Code.STORE_UNAVAILABLE if passes else Code.STORE_REJECTS, detail)


def _of_registry(error: SynopticError) -> SynopticError:
    """The same trouble as one of a registry, which never ends the process."""
    if error.code is Code.STORE_UNAVAILABLE:
        return SynopticError(Code.REGISTRY_UNAVAILABLE, error.detail, error.retry_after)
    code = Code.REGISTRY_REJECTS if error.code.kind is Kind.REJECT else Code.REGISTRY_REFUSES
    return SynopticError(code, f"{error.code.label}, {error.detail}")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
