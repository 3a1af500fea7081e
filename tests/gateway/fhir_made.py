"""A person at the FHIR server beside the store: seeds, edits, deletes and counts versions; and servers that differ."""

import itertools
import json
import secrets
from http import HTTPStatus
from typing import Any

import httpx
from servers.faulty_proxy import JSON_BODY, Answer, FaultyProxy, Seen

from gateway.stores.resource_store import Resource
from schemas.settings import FhirSettings

ORGANIZATION = {"resourceType": "Organization", "id": "synoptic", "name": "Synoptic"}


def settings_on(base_url: str, **changes: Any) -> FhirSettings:
    """Settings of that server, with little patience."""
    return FhirSettings(**{"base_url": base_url, "timeout_seconds": 30, "breaker_failures": 50, **changes})


def unique(name: str = "x") -> str:
    """An id that no other test has."""
    return f"{name}-{secrets.token_hex(6)}"


class Person:
    """Somebody who uses the server directly."""

    def __init__(self, base_url: str) -> None:
        """The Organization of the settings is there from then on."""
        headers = {"Content-Type": "application/fhir+json"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=60)
        self.put(ORGANIZATION)

    def put(self, resource: Resource) -> str:
        """Write a resource; its literal reference."""
        reference = f"{resource['resourceType']}/{resource['id']}"
        answer = self._http.put(reference, content=json.dumps(resource))
        if answer.status_code == HTTPStatus.CONFLICT:  # another test's person made the same resource at that moment
            answer = self._http.put(reference, content=json.dumps(resource))
        assert answer.is_success, answer.text
        return reference

    def get(self, reference: str) -> Resource | None:
        """A resource as it stands."""
        answer = self._http.get(reference)
        return answer.json() if answer.is_success else None

    def delete(self, reference: str) -> None:
        """Delete a resource."""
        assert self._http.delete(reference).is_success

    def versions(self, reference: str) -> list[Resource | None]:
        """Every version, oldest first; a deletion is None."""
        # One by one: HAPI lists no more versions in a history than it counted up to a minute ago.
        found = []
        for number in itertools.count(1):
            answer = self._http.get(f"{reference}/_history/{number}")
            if answer.status_code == 404:
                return found
            found.append(answer.json() if answer.is_success else None)
        raise AssertionError("count never ends")

    def close(self) -> None:
        """Leave."""
        self._http.close()


class ChangedServer(FaultyProxy):
    """The server, with its transactions changed on their way in."""

    def handle(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> tuple[Seen, Answer]:
        """Change a transaction, or answer it; all else is as it was."""
        if body.startswith(b'{"resourceType":"Bundle","type":"transaction"'):
            changed = self.change(json.loads(body))
            if isinstance(changed, Answer):
                return Seen(method, ""), changed
            body = json.dumps(changed).encode()
        return super().handle(method, target, headers, body)

    def change(self, bundle: Resource) -> Resource | Answer:
        """What the server gets, or what the client gets."""
        raise NotImplementedError


class StrictServer(ChangedServer):
    """Takes If-Match by the letter, so that none matches where nothing stands, and knows If-None-Match as R5 does."""

    def __init__(self, upstream: str) -> None:
        """Take the address of the HAPI server behind."""
        super().__init__(upstream)
        self._upstream = upstream

    def change(self, bundle: Resource) -> Resource | Answer:
        """Refuse what a strict server refuses; for HAPI, say create-only in its own words."""
        for entry in bundle["entry"]:
            request = entry["request"]
            if request["method"] != "PUT":
                continue
            standing = httpx.get(f"{self._upstream}/{request['url']}")
            is_create = request.pop("ifNoneMatch", None) == "*"
            no_match = "ifMatch" in request and (is_create or not standing.is_success)
            if no_match or (is_create and standing.is_success):
                return Answer(412, (JSON_BODY,), b'{"resourceType": "OperationOutcome", "issue": []}')
            if is_create:
                request["ifMatch"] = f'W/"{standing.headers.get("Location", "0").rpartition("/")[2]}"'
        return bundle


class StandardOnlyInNameServer(ChangedServer):
    """Takes If-Match by the letter, and passes over If-None-Match."""

    def change(self, bundle: Resource) -> Resource | Answer:
        """Refuse version 0, which never stands anywhere, and drop the guard of a create."""
        for entry in bundle["entry"]:
            if entry["request"].get("ifMatch") == 'W/"0"':
                return Answer(412, (JSON_BODY,), b'{"resourceType": "OperationOutcome", "issue": []}')
            entry["request"].pop("ifNoneMatch", None)
        return bundle


class UnguardedServer(ChangedServer):
    """Writes whatever comes, as plain PUTs."""

    def change(self, bundle: Resource) -> Resource:
        """Drop every guard."""
        for entry in bundle["entry"]:
            entry["request"].pop("ifMatch", None)
            entry["request"].pop("ifNoneMatch", None)
        return bundle


class PartialServer(ChangedServer):
    """Takes a transaction for a batch."""

    def change(self, bundle: Resource) -> Resource:
        """Let each entry stand for itself."""
        return {**bundle, "type": "batch"}
