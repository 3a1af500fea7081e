"""The right to erasure: a patient's key is deleted, and what the embedded bus holds of the patient is overwritten.

The key comes first: from then on nothing that was sealed can be read, wherever a copy of it lies. What a topic holds in
clear (Bundles for subscribers, reports that name no patient) is found by the patient's reference or identifier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from gateway.fhir.identity import patient_key
from gateway.fhir.parsing import Resource
from gateway.whose_report import whose
from schemas.messages import TOPIC_BUNDLES, Identifier, Reference
from schemas.settings import Settings
from workers.buses.bus import Record
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import MARK, Seal, key_identity

_WHO = ("subject", "patient", "for")


@dataclass(frozen=True)
class Erased:
    """What was done: the deleted keys' identities, records overwritten (None on Kafka), whether the journal is clear."""

    keys: tuple[str, ...]
    records: int | None = None
    journal_is_clear: bool = True


def read_patient(word: str) -> Reference:
    """A patient as `system|value`, `|value` without a system, or a reference such as Patient/1."""
    system, separator, value = word.partition("|")
    if separator:
        return Reference(type="Patient", identifier=Identifier(system=system.strip() or None, value=value.strip()))
    return Reference(type="Patient", literal=word.strip())


def erase(patients: Sequence[Reference], seal: Seal, settings: Settings, bus: EmbeddedBus | None) -> Erased:
    """Delete the patients' keys, then overwrite what `bus` holds of them; `bus` None: it is Kafka."""
    keys = [seal.erase(patient_key(settings.tenant, patient)) for patient in patients]
    deleted = tuple(key for key in keys if key)
    if bus is None:
        return Erased(deleted)
    search = _Search(patients, seal, settings)
    records = bus.erase(search.concerns)
    return Erased(deleted, records, bus.empty_journal())


class _Search:
    """Tells which records are about the patients."""

    def __init__(self, patients: Sequence[Reference], seal: Seal, settings: Settings) -> None:
        self._patients = patients
        self._seal = seal
        self._settings = settings
        self._keys = {patient_key(settings.tenant, patient) for patient in patients}
        self._quoted = [orjson.dumps(name) for patient in patients for name in _names(patient)]

    def concerns(self, record: Record) -> bool:
        """True for what an erased key sealed, what names one of the patients as its subject, and unreadable reports."""
        identity = key_identity(record.value)
        if identity is not None and self._seal.is_erased(identity):
            return True
        if record.value.startswith(MARK):
            return False
        if record.topic == TOPIC_BUNDLES:
            return any(self._is_one(reference) for reference in _subjects(record.value))
        patient = whose(record.value, self._settings)
        if patient is not None:
            return patient in self._keys
        # Nobody can say whose it is: it goes where one of the names stands in it as a whole value.
        return any(name in record.value for name in self._quoted)

    def _is_one(self, reference: Resource) -> bool:
        given = reference.get("identifier") or {}
        return any(
            (patient.literal is not None and patient.literal == reference.get("reference"))
            or (
                patient.identifier is not None
                and (patient.identifier.system, patient.identifier.value) == (given.get("system"), given.get("value"))
            )
            for patient in self._patients
        )


def _names(patient: Reference) -> Iterator[str]:
    if patient.literal:
        yield patient.literal
    if patient.identifier:
        yield patient.identifier.value


def _subjects(bundle: bytes) -> Iterator[Resource]:
    for entry in orjson.loads(bundle).get("entry") or []:
        resource = entry.get("resource") or {}
        yield from (resource[name] for name in _WHO if isinstance(resource.get(name), dict))
