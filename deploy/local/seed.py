"""Puts on a FHIR server what the EHR would hold before a report arrives: the examples' patients, specimens, reports."""

import json
from pathlib import Path
from typing import Any

import httpx

from schemas.settings import FhirSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "reports"
TIMEOUT_SECONDS = 120
Resource = dict[str, Any]


class SeedRefusedError(RuntimeError):
    """The server did not take the resources; the message says its status, and none of its words."""


def example_resources(folder: Path = EXAMPLES) -> list[Resource]:
    """Every resource of the example messages, and the Organization on whose behalf Synoptic writes.

    Of a report that comes twice, the later one; the one whose document is damaged is a valid resource all the same.
    """
    kind, identifier = FhirSettings().organization.split("/")
    found: dict[tuple[str, str], Resource] = {
        (kind, identifier): {"resourceType": kind, "id": identifier, "name": "Synoptic"}
    }
    for file in sorted(folder.glob("*.json")):
        message = json.loads(file.read_bytes())
        held = [entry["resource"] for entry in message.get("entry", [])] or [message]
        found |= {(resource["resourceType"], resource["id"]): resource for resource in held}
    return list(found.values())


def seed(base_url: str, resources: list[Resource]) -> None:
    """Put all of them or none, each under its own id; those that are there already in this form stay as they are."""
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}
        for resource in resources
    ]
    try:
        answer = httpx.post(
            base_url,
            json={"resourceType": "Bundle", "type": "transaction", "entry": entries},
            headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,  # this machine's own server is behind no proxy
        )
    except httpx.HTTPError as error:
        raise SeedRefusedError(f"the FHIR server did not answer ({type(error).__name__})") from None
    if answer.status_code != httpx.codes.OK:
        raise SeedRefusedError(f"the FHIR server refused the examples (status {answer.status_code})")
