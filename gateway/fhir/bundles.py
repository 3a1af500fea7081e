"""Batches and transactions: their entries as they go out, and the answers as they come back."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.fhir.answers import Answer, fault_of
from gateway.fhir.client import FhirClient
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError

ENTRIES = 100
_STATUS = re.compile(r"([1-5][0-9]{2})\b.*", re.DOTALL)
_ETAG = re.compile(r"(?:W/)?\"?([A-Za-z0-9._-]{1,64})\"?")
_HISTORY = re.compile(r".*/_history/([A-Za-z0-9._-]{1,64})")


@dataclass(frozen=True)
class Entry:
    """The answer to one entry: its status, the version that stands there now, and the resource if one came."""

    answer: Answer
    version: str | None = None
    resource: Resource | None = field(default=None, repr=False)


def get(url: str) -> Resource:
    """An entry that reads."""
    return {"request": {"method": "GET", "url": url}}


def put(resource: Resource, **guard: str) -> Resource:
    """An entry that writes a resource under its own id; `guard` is ifMatch or ifNoneMatch."""
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url, **guard}}


def delete(reference: str) -> Resource:
    """An entry that deletes."""
    return {"request": {"method": "DELETE", "url": reference}}


def match(version: str) -> str:
    """A version as If-Match wants it."""
    return f'W/"{version}"'


def bundle(kind: str, entries: Sequence[Resource]) -> Resource:
    """A Bundle of that type."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def batch(client: FhirClient, urls: Sequence[str]) -> list[Entry]:
    """What stands at each url, in their order: found, absent (404 or 410), or a fault that is raised."""
    return list(_read_batches(client, urls))


def _read_batches(client: FhirClient, urls: Sequence[str]) -> Iterator[Entry]:
    for start in range(0, len(urls), ENTRIES):
        part = urls[start : start + ENTRIES]
        answer = client.post(bundle("batch", [get(url) for url in part]))
        if not answer.is_success:
            raise fault_of(answer)
        entries = read_entries(answer)
        if len(entries) != len(part):
            raise SynopticError(Code.STORE_UNAVAILABLE, f"{len(entries)} of {len(part)} entries answered")
        for entry in entries:
            if not entry.answer.is_success and entry.answer.status not in (404, 410):
                raise fault_of(entry.answer)
            yield entry


def read_entries(answer: Answer) -> list[Entry]:
    """The entries of a Bundle that answers a batch or transaction; a status that cannot be read is 0."""
    return [read_entry(entry) for entry in (answer.body or {}).get("entry", [])]


def version_of(resource: Resource) -> str | None:
    """The version that a server gave a resource."""
    version = resource.get("meta", {}).get("versionId")
    return version if isinstance(version, str) else None


def read_entry(entry: Resource) -> Entry:
    """The answer to one entry, or a version as a history lists it."""
    response, resource = entry.get("response", {}), entry.get("resource")
    status = _STATUS.fullmatch(response.get("status", ""))
    etag = _ETAG.fullmatch(response.get("etag", ""))
    location = _HISTORY.fullmatch(response.get("location", ""))
    known = etag or location
    return Entry(
        answer=Answer(int(status.group(1)) if status else 0, response.get("outcome") or _outcome(resource)),
        version=(version_of(resource) if resource else None) or (known.group(1) if known else None),
        resource=resource,
    )


def _outcome(resource: Resource | None) -> Resource | None:
    return resource if resource is not None and resource.get("resourceType") == "OperationOutcome" else None
