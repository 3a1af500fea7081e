"""The FHIR store on a real server: the contract, deletions, pages, what cannot be written, and Tasks."""

import json
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import pytest
import structlog
from fhir_made import Person, StrictServer, settings_on, unique
from servers.faulty_proxy import JSON_BODY, Answer, FaultyProxy, answer, on
from store_contract import StoreContract, observation, provenance, task

from gateway.fhir import bundles
from gateway.stores import fhir_store
from gateway.stores.fhir_store import FhirStore
from gateway.stores.resource_store import MissingTargetError, Put, Resource, ResourceStore, Stored, Targets
from schemas.errors import Code, SynopticError
from schemas.messages import Reference


class Renamed:
    """A store whose every id gets an ending on the server, so that tests with the same ids keep apart."""

    def __init__(self, store: FhirStore, ending: str) -> None:
        self._store = store
        self._ending = f"-{ending}"

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        """As the store."""
        found = self._store.read([name + self._ending for name in references])
        return {self._cut(name): replace(one, resource=self._inward(one.resource)) for name, one in found.items()}

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        """As the store."""
        found = self._store.provenances_of([name + self._ending for name in references])
        return tuple(self._inward(resource) for resource in found)

    def transact(self, puts: Sequence[Put], tasks: Sequence[Put] = ()) -> bool:
        """As the store."""
        outward = [[replace(put, resource=self._outward(put.resource)) for put in some] for some in (puts, tasks)]
        return self._store.transact(*outward)

    def awaiting(self) -> Iterator[Stored]:
        """As the store."""
        return self._store.awaiting()

    def conditions_of(self, patient: str, codes: Collection[str]) -> tuple[Resource, ...]:
        """As the store."""
        return self._store.conditions_of(patient, codes)

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """As the store."""
        return self._store.look_up(references)

    def serves_others(self) -> bool:
        """As the store."""
        return self._store.serves_others()

    def close(self) -> None:
        """As the store."""
        self._store.close()

    def _outward(self, resource: Resource) -> Resource:
        return _renamed(resource, lambda name: name + self._ending)

    def _inward(self, resource: Resource) -> Resource:
        return _renamed(resource, self._cut)

    def _cut(self, name: str) -> str:
        return name.removesuffix(self._ending)


def _renamed(resource: Resource, rename: Callable[[str], str]) -> Resource:
    changed = {**resource, "id": rename(resource["id"])}
    if "target" in resource:
        changed["target"] = [{"reference": rename(item["reference"])} for item in resource["target"]]
    return changed


@pytest.fixture
def person(fhir_url) -> Iterator[Person]:
    """A person at the server."""
    person = Person(fhir_url)
    yield person
    person.close()


@pytest.fixture
def store(fhir_url, person) -> Iterator[FhirStore]:
    """A store on the server, without any renaming."""
    store = FhirStore(settings_on(fhir_url))
    yield store
    store.close()


class TestFhirStore(StoreContract):
    """A FHIR server keeps the contract."""

    @pytest.fixture
    def store(self, fhir_url, person) -> Iterator[ResourceStore]:
        """A store of which this test alone uses the ids."""
        store = Renamed(FhirStore(settings_on(fhir_url)), secrets.token_hex(5))
        yield store
        store.close()


class TestFhirStoreOfTheStandard(StoreContract):
    """So does a server that knows If-None-Match and takes If-Match by the letter."""

    @pytest.fixture
    def store(self, fhir_url, person) -> Iterator[ResourceStore]:
        """A store of which this test alone uses the ids, on such a server."""
        with StrictServer(fhir_url) as server:
            store = Renamed(FhirStore(settings_on(server.base_url)), secrets.token_hex(5))
            yield store
            store.close()


def test_what_a_person_deleted_is_absent_and_can_be_written_again(store, person):
    """A put that expects nothing revives a deleted resource, once, as its next version."""
    name = unique()
    assert store.transact([Put(observation(name), None)])
    person.delete(f"Observation/{name}")
    assert store.read([f"Observation/{name}"]) == {}
    assert store.transact([Put(observation(name, "G2"), None)])
    assert not store.transact([Put(observation(name, "G3"), None)])
    values = [version and version["valueString"] for version in person.versions(f"Observation/{name}")]
    assert values == ["G1", None, "G2"]


def test_a_version_that_is_gone_for_good_takes_everything_back(store, person):
    """HAPI creates where an expected version does not exist at all: nothing of such a transaction stays."""
    kept, gone, new = unique("kept"), unique("gone"), unique("new")
    person.put(observation(kept, "G1"))
    version = store.read([f"Observation/{kept}"])[f"Observation/{kept}"].version
    puts = [Put(observation(kept, "G2"), version), Put(observation(gone), "1"), Put(observation(new), None)]
    assert not store.transact(puts)
    assert [person.get(f"Observation/{name}") for name in (gone, new)] == [None, None]
    assert [version["valueString"] for version in person.versions(f"Observation/{kept}")] == ["G1", "G2", "G1"]


def test_more_than_one_batch_is_read(store, person, monkeypatch):
    """Reads are split into Bundles of bounded size, and nothing falls between them."""
    monkeypatch.setattr(bundles, "ENTRIES", 2)
    names = [person.put(observation(unique())) for _ in range(5)]
    assert set(store.read([*names, "Observation/absent"])) == set(names)


def test_provenances_are_found_on_every_page(store, person, monkeypatch):
    """Further pages are followed, and found once where one Provenance targets two of the references."""
    monkeypatch.setattr(fhir_store, "_PAGE", "2")
    targets = [person.put(observation(unique())) for _ in range(3)]
    names = [unique("p") for _ in range(5)]
    for name in names:
        person.put(provenance(name, *targets[:2]))
    person.put(provenance(unique("p"), targets[2]))
    assert [found["id"] for found in store.provenances_of(targets[:2])] == sorted(names)


def test_the_target_of_a_verification_is_plain(store, person):
    """A person's software may name the version that was verified: it is the same resource."""
    name = unique()
    target = person.put(observation(name))
    person.put(provenance(unique("p"), f"{target}/_history/1"))
    (found,) = store.provenances_of([target])
    assert found["target"] == [{"reference": target}]


@pytest.mark.parametrize(
    "reference", ["Observation/../a", "Observation", "Observation/a?x=1", "a/b", "Observation/a\n"]
)
def test_a_reference_never_leaves_its_place_in_a_url(store, reference):
    """What is no Type/id is refused."""
    for ask in (store.read, store.provenances_of):
        with pytest.raises(SynopticError) as caught:
            ask([reference])
        assert caught.value.code is Code.STORE_UNUSABLE


def test_nothing_is_written_without_the_organization(fhir_url, person):
    """A manifest would refer to what is not there: the first write says so, and writes nothing."""
    store = FhirStore(settings_on(fhir_url, organization=f"Organization/{unique()}"))
    name = unique()
    with pytest.raises(SynopticError) as caught:
        store.transact([Put(observation(name), None)])
    assert caught.value.code is Code.NO_ORGANIZATION
    assert person.versions(f"Observation/{name}") == []
    store.close()


def test_a_missing_target_is_told_by_its_type_each_time(store, person):
    """It may have gone between look-up and write, and may come back: who waits for it decides how long."""
    name, patient = unique(), unique("patient")
    puts = [Put(observation(name, subject={"reference": f"Patient/{patient}"}), None)]
    for _ in range(3):
        with pytest.raises(MissingTargetError) as caught:
            store.transact(puts)
        assert caught.value.kinds == ["Patient"]
        assert patient not in str(caught.value)
    person.put({"resourceType": "Patient", "id": patient})
    assert store.transact(puts)


def test_a_target_that_goes_after_it_was_looked_up_is_missing_at_the_next(store, person):
    """What the store remembers to have found is forgotten as soon as a write shows that it is gone."""
    patient = person.put({"resourceType": "Patient", "id": unique("patient")})
    asked = Reference(type="Patient", literal=patient)
    assert store.look_up([asked]).missing == ()
    person.delete(patient)
    with pytest.raises(MissingTargetError):
        store.transact([Put(observation(unique(), subject={"reference": patient}), None)])
    assert store.look_up([asked]).missing == (asked,)


@pytest.mark.parametrize("code", ["processing", "not-found"])
def test_a_target_that_is_missing_only_in_the_servers_words_is_rejected(fhir_url, person, code):
    """Waiting does not help where all that is referred to is there: a site's own URL, an unknown code system."""
    patient = person.put({"resourceType": "Patient", "id": unique("patient")})
    issue = {"severity": "error", "code": code, "diagnostics": "HAPI-1094: SECRET not found"}
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
    with FaultyProxy(fhir_url) as proxy:
        store = FhirStore(settings_on(proxy.base_url))
        fault = proxy.inject(on("POST", "^$", containing='"transaction"'), lambda _: Answer(400, (JSON_BODY,), body))
        with pytest.raises(SynopticError) as caught:
            store.transact([Put(observation(unique(), subject={"reference": patient}), None)])
        store.close()
    assert fault.happened == 1
    assert (caught.value.code, caught.value.detail) == (Code.STORE_REJECTS, f"status 400, {code}, HAPI-1094")


def test_what_the_server_cannot_take_is_rejected(store):
    """A reference of a wrong type rejects the report; the error shows codes alone, and nothing is written."""
    wrong = observation(unique(), subject={"reference": "Practitioner/SECRET"})
    with pytest.raises(SynopticError) as caught:
        store.transact([Put(wrong, None)])
    assert caught.value.code is Code.STORE_REJECTS
    assert caught.value.detail == "status 422, processing, HAPI-0931"
    assert store.read([f"Observation/{wrong['id']}"]) == {}


class TestTasks:
    """Tasks for persons stand beside the resources."""

    @pytest.mark.parametrize("status", [409, 422])
    def test_a_task_that_the_server_rejects_is_told_in_the_log(self, fhir_url, person, status):
        """The report's own resources are written all the same, and nothing of the Task is printed."""
        puts, name = [Put(observation(unique()), None)], unique("task")
        with FaultyProxy(fhir_url) as proxy, structlog.testing.capture_logs() as lines:
            store = FhirStore(settings_on(proxy.base_url))
            assert store.transact([Put(observation(unique()), None)])
            tasks = proxy.inject(on("POST", "^$", containing='"resourceType":"Task"'), answer(status), None)
            assert store.transact(puts, [Put(task(name), None)])
            store.close()
        assert tasks.happened >= 1
        assert person.get(f"Observation/{puts[0].resource['id']}") is not None
        assert person.get(f"Task/{name}") is None
        (line,) = lines
        assert (line["event"], line["count"]) == ("tasks for persons could not be kept", 1)
        assert str(line["error"]).startswith("SYN-459")
        assert name not in str(lines)

    def test_a_report_that_is_rejected_with_its_task_is_rejected_without_it(self, store, person):
        """Whoever is at fault is told by its own answer."""
        wrong, name = observation(unique(), subject={"reference": "Practitioner/SECRET"}), unique("task")
        with pytest.raises(SynopticError) as caught:
            store.transact([Put(wrong, None)], [Put(task(name), None)])
        assert caught.value.detail == "status 422, processing, HAPI-0931"
        assert person.get(f"Task/{name}") is None

    def test_what_waits_is_found_until_a_person_completes_it(self, store, person):
        """A Task of ours is listed with its version, and not once it was completed on the server."""
        name = unique("task")
        store.transact([], [Put(task(name), None)])
        waiting = {one.resource["id"]: one.version for one in store.awaiting()}
        assert waiting[name] == "1"
        person.put({**task(name), "status": "completed"})
        assert name not in {one.resource["id"] for one in store.awaiting()}
