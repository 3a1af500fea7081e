"""Whose a message is, before intake has judged it: so that even what is rejected lies under its patient's key."""

from collections.abc import Sequence
from uuid import UUID

from gateway.fhir.identity import patient_key, read_subject
from gateway.fhir.parsing import parse_json, pick_report
from schemas.errors import SynopticError
from schemas.settings import Settings
from workers.privacy.sealing import MARK, Seal

_UNEXPECTED_SHAPES = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def whose(message: bytes, settings: Settings) -> UUID | None:
    """The key of the patient that a FHIR message names; None where it cannot be read, or names none."""
    try:
        subject = read_subject(pick_report(parse_json(message, settings.bus.maximum_message_bytes)))
    except (SynopticError, *_UNEXPECTED_SHAPES):
        return None
    return patient_key(settings.tenant, subject)


def sealed_report(message: bytes, seal: Seal, settings: Settings) -> bytes:
    """The message under its patient's key; unchanged where it is sealed, or nobody can say whose it is."""
    return sealed_reports([message], seal, settings)[0]


def sealed_reports(messages: Sequence[bytes], seal: Seal, settings: Settings) -> list[bytes]:
    """Each message as `sealed_report` gives it; new patients get their keys in one commit."""
    patients = [None if message.startswith(MARK) else whose(message, settings) for message in messages]
    named = [(message, patient) for message, patient in zip(messages, patients, strict=True) if patient is not None]
    sealed = iter(seal.enclose_all(named))
    return [message if patient is None else next(sealed) for message, patient in zip(messages, patients, strict=True)]
