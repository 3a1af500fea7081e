"""Whose a message is, before intake has judged it: so that even what is rejected lies under its patient's key."""

from uuid import UUID

from gateway.fhir_identity import patient_key, read_subject
from gateway.fhir_json import parse_json, pick_report
from schemas.errors import SynopticError
from schemas.settings import Settings
from workers.sealing import MARK, Seal

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
    if message.startswith(MARK):
        return message
    patient = whose(message, settings)
    return message if patient is None else seal.enclose(message, patient)
