"""Names that stay the same: derived resource ids, extension urls and canonical JSON. No clock, no run id."""

import hashlib
from typing import Any
from uuid import UUID, uuid5

import orjson

CANONICAL = "https://synoptic.example/fhir"
EXTENSIONS = f"{CANONICAL}/StructureDefinition"
PROBABILITY = f"{EXTENSIONS}/finding-probability"
BASIS = f"{EXTENSIONS}/finding-basis"
SOURCE = f"{EXTENSIONS}/finding-source"
EVIDENCE = f"{EXTENSIONS}/finding-evidence"
REPORT_VERSION = f"{EXTENSIONS}/report-version"
CONTENT_DIGEST = f"{EXTENSIONS}/content-digest"
CONFIGURATION_DIGEST = f"{EXTENSIONS}/configuration-digest"
KNOWN_CONDITION = f"{EXTENSIONS}/known-condition"
RECEIVED = f"{EXTENSIONS}/received"

_DEVICES = UUID("6f0d4a8e-3d0c-5c53-9a55-6d6f9b0f8f01")


def derived_id(owner: UUID, *parts: str) -> str:
    """The id of a resource of a report or patient: the same parts give the same id, for ever."""
    return str(uuid5(owner, "|".join(parts)))


def device_id(*parts: str) -> str:
    """The id of a Device, which belongs to no report."""
    return derived_id(_DEVICES, *parts)


def canonical_json(value: Any) -> bytes:
    """The same bytes for the same value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def rounded(probability: float) -> float:
    """A probability as it goes on the wire: two decimals."""
    return round(probability, 2)
