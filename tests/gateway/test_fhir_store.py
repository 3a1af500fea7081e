"""The FHIR store on a real server: the contract, claims that race, deletions, look-ups, conflicts and pages."""

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import httpx
import pytest
from store_contract import StoreContract

from gateway.fhir_store import FhirStore
from gateway.resource_store import Conflict, Put, Resource, ResourceStore, Stored, Targets
from schemas.messages import Reference
from schemas.settings import FhirSettings


@pytest.fixture
def settings(fhir_url) -> FhirSettings:
    """Settings of a server that holds the Organization."""
    organization = {"resourceType": "Organization", "id": "synoptic", "name": "Synoptic"}
    headers = {"Content-Type": "application/fhir+json"}
    assert httpx.put(f"{fhir_url}/Organization/synoptic", json=organization, headers=headers).is_success
    return FhirSettings(base_url=fhir_url)


class Renamed:
    """A store whose every id gets an ending on the server, so that tests with the same ids keep apart."""

    def __init__(self, store: FhirStore, ending: str) -> None:
        self._store = store
        self._ending = f"-{ending}"

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        found = self._store.read([name + self._ending for name in references])
        return {self._cut(name): replace(one, resource=self._inward(one.resource)) for name, one in found.items()}

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        found = self._store.provenances_of([name + self._ending for name in references])
        return tuple(self._inward(resource) for resource in found)

    def claim(self, resource: Resource) -> Stored:
        stored = self._store.claim(self._outward(resource))
        return replace(stored, resource=self._inward(stored.resource))

    def transact(self, puts: Sequence[Put]) -> bool:
        return self._store.transact([replace(put, resource=self._outward(put.resource)) for put in puts])

    def record_conflict(self, conflict: Conflict) -> None:
        self._store.record_conflict(
            replace(
                conflict,
                reference=conflict.reference + self._ending,
                report=conflict.report + self._ending,
                offered=self._outward(conflict.offered),
            )
        )

    def look_up(self, references: Sequence[Reference]) -> Targets:
        return self._store.look_up(references)

    def close(self) -> None:
        self._store.close()

    def _outward(self, resource: Resource) -> Resource:
        return _renamed(resource, lambda name: name + self._ending)

    def _inward(self, resource: Resource) -> Resource:
        return _renamed(resource, self._cut)

    def _cut(self, name: str) -> str:
        return name.removesuffix(self._ending)


def _renamed(resource: Resource, rename) -> Resource:
    changed = {**resource, "id": rename(resource["id"])}
    if "target" in resource:
        changed["target"] = [{"reference": rename(item["reference"])} for item in resource["target"]]
    return changed


class TestFhirStore(StoreContract):
    """A FHIR server keeps the contract."""

    @pytest.fixture
    def store(self, settings) -> Iterator[ResourceStore]:
        """A store of which this test alone uses the ids."""
        store = Renamed(FhirStore(settings), secrets.token_hex(5))
        yield store
        store.close()
