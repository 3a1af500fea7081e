"""The FHIR store against a real server through a proxy that fails: nothing lost, doubled or overwritten, no PHI told."""

import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from fhir_made import (
    PartialServer,
    Person,
    StandardOnlyInNameServer,
    StrictServer,
    UnguardedServer,
    settings_on,
    unique,
)
from servers.faulty_proxy import (
    JSON_BODY,
    Action,
    Answer,
    Exchange,
    FaultyProxy,
    Hold,
    answer,
    delay,
    fail_entry,
    lose_answer,
    on,
    reset,
)
from store_contract import observation, provenance

from gateway.fhir.client import FhirClient
from gateway.stores.fhir_store import FhirStore
from gateway.stores.resource_store import Put
from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, Reference

SECRET = "Whitcombe"
WRITES = on("POST", "^$", containing='"type":"transaction"')
READS = on("POST", "^$", containing='"type":"batch"')


class World:
    """A store that reaches the server through a proxy, and a person who reaches it directly."""

    def __init__(self, url: str) -> None:
        """Start the proxy; the store has written once, so that what it finds out about the server is found out."""
        self.person = Person(url)
        self.proxy = FaultyProxy(url)
        self.proxy.start()
        self.pauses: list[float] = []
        self.store = self.another()
        name = unique()
        assert self.store.transact([Put(observation(name), None)])
        assert self.store.transact([Put(observation(name, "G2"), "1")])

    def another(self, **changes) -> FhirStore:
        """One more store on the proxy, as another worker has it; it does not really pause."""
        settings = settings_on(self.proxy.base_url, **changes)
        return FhirStore(settings, FhirClient(settings, self.pauses.append))

    def values(self, name: str) -> list[str | None]:
        """What each version of an Observation says; a deletion is None."""
        return [version and version["valueString"] for version in self.person.versions(f"Observation/{name}")]

    def close(self) -> None:
        """Release all."""
        self.store.close()
        self.proxy.stop()
        self.person.close()


@pytest.fixture
def world(fhir_url) -> Iterator[World]:
    """A server behind a proxy."""
    world = World(fhir_url)
    yield world
    world.close()


@pytest.fixture(autouse=True)
def nothing_is_told(caplog) -> Iterator[None]:
    """Whatever a test does, no logger at its most talkative level names what was written."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text


def fails(work) -> SynopticError:
    """The error of a piece of work, which tells nothing of what was written."""
    with pytest.raises(SynopticError) as caught:
        work()
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.detail}"
    return caught.value


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (answer(429, retry_after=2), 2),
        (lambda exchange: answer(429, retry_after=datetime.now(UTC) + timedelta(seconds=3))(exchange), 1),
        (answer(429), 2),
        (answer(500, diagnostics=SECRET), 1),
        (answer(502), 1),
        (answer(503, retry_after=1), 3),
        (answer(504), 1),
        (reset(), 2),
    ],
    ids=["429 seconds", "429 date", "429", "500", "502", "503", "504", "reset"],
)
@pytest.mark.parametrize("requests", [WRITES, READS], ids=["write", "read"])
def test_what_passes_leaves_no_trace(world, fault, times, requests):
    """The work is done after as many pauses, once: one version of each resource."""
    name = unique()
    happened = world.proxy.inject(requests, fault, times)
    if requests is READS:
        assert world.store.read([f"Observation/{name}"]) == {}
    assert world.store.transact([Put(observation(name, SECRET), None)])
    assert happened.happened == times
    assert len(world.pauses) == times
    assert world.values(name) == [SECRET]


def test_a_server_that_stays_away_is_a_retry_error(world):
    """Nothing was written, and the error brings the time that the server asked for."""
    name = unique()
    fault = world.proxy.inject(WRITES, answer(503, retry_after=4, diagnostics=SECRET), None)
    error = fails(lambda: world.store.transact([Put(observation(name, SECRET), None)]))
    assert (error.code, error.detail, error.retry_after) == (Code.STORE_UNAVAILABLE, "status 503", 4)
    assert fault.happened == 4
    assert world.values(name) == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (answer(400, diagnostics=f"HAPI-0450: {SECRET}"), Code.STORE_REJECTS),
        (answer(401, diagnostics=SECRET), Code.STORE_REFUSES),
        (answer(403, diagnostics=SECRET), Code.STORE_REFUSES),
        (answer(405), Code.UNGUARDED_STORE),
        (answer(413, diagnostics=SECRET), Code.STORE_REJECTS),
        (answer(422, diagnostics=SECRET), Code.STORE_REJECTS),
    ],
)
@pytest.mark.parametrize("requests", [WRITES, READS], ids=["write", "read"])
def test_what_does_not_pass_is_told_at_once(world, fault, code, requests):
    """It is sent once, and nothing was written."""
    name = unique()
    happened = world.proxy.inject(requests, fault)
    work = partial(world.store.transact, [Put(observation(name, SECRET), None)])
    if requests is READS:
        work = partial(world.store.read, [f"Observation/{name}"])
    assert fails(work).code is code
    assert happened.happened == 1
    assert world.pauses == []
    assert world.values(name) == []


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize("expected", [None, "1"], ids=["create", "replace"])
def test_a_refusal_that_nothing_explains_is_sent_again(world, status, expected):
    """A server may refuse for a lost race over something else, though what was expected stands there."""
    name = unique()
    assert expected is None or world.store.transact([Put(observation(name, "G1"), None)])
    fault = world.proxy.inject(WRITES, answer(status, diagnostics=SECRET))
    assert world.store.transact([Put(observation(name, "G2"), expected)])
    assert fault.happened == 1
    assert world.values(name) == (["G1"] if expected else []) + ["G2"]


@pytest.mark.parametrize("status", [409, 412])
def test_a_refusal_because_somebody_was_faster_is_not_sent_again(world, status):
    """The caller compares again with what stands there."""
    name = unique()
    world.person.put(observation(name, "G1"))
    world.person.put(observation(name, "G2"))
    fault = world.proxy.inject(WRITES, answer(status, diagnostics=SECRET), None)
    assert not world.store.transact([Put(observation(name, "G3"), "1")])
    assert fault.happened == 1
    assert world.values(name) == ["G1", "G2"]


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize("is_new", [True, False], ids=["new to the server", "known"])
def test_what_is_always_refused_is_rejected(world, status, is_new):
    """Where nothing ever explains the refusals, the server does not want it: a reject by its own number, not a contest."""
    name = unique()
    store = world.another() if is_new else world.store
    fault = world.proxy.inject(WRITES, answer(status, diagnostics=f"HAPI-0574: {SECRET}"), None)
    error = fails(lambda: store.transact([Put(observation(name, SECRET), None)]))
    assert (error.code, error.detail) == (Code.STORE_REJECTS, f"status {status}, processing, HAPI-0574")
    assert fault.happened == 4
    fault.withdraw()
    assert store.transact([Put(observation(name), None)])
    assert not store.transact([Put(observation(name, "G2"), None)])
    assert world.values(name) == ["G1"]


def test_what_the_server_has_no_room_for_is_rejected(world):
    """HAPI answers 409 to a reference longer than its column, at every attempt: it is no contest."""
    name, elsewhere = unique(), f"https://other.example/{'f' * 200}/Patient/{SECRET}"
    error = fails(lambda: world.store.transact([Put(observation(name, subject={"reference": elsewhere}), None)]))
    assert (error.code, error.detail) == (Code.STORE_REJECTS, "status 409, processing, HAPI-0550")
    assert world.values(name) == []


def test_a_lock_that_fails_at_the_first_write_changes_nothing(fhir_url):
    """A store that does not yet know its server tries the same guard again before it thinks of another."""
    world = World(fhir_url)
    name, store = unique(), world.another()
    fault = world.proxy.inject(WRITES, answer(409), 2)
    assert store.transact([Put(observation(name), None)])
    assert fault.happened == 2
    assert not store.transact([Put(observation(name, "G2"), None)])
    assert world.values(name) == ["G1"]
    store.close()
    world.close()


def test_a_write_whose_answer_was_lost_is_not_done_twice(world):
    """The server did it; sent again, its guard refuses, and one version of each stands."""
    name, other = unique(), unique()
    world.person.put(observation(other, "G1"))
    fault = world.proxy.inject(WRITES, lose_answer())
    written = world.store.transact([Put(observation(name, SECRET), None), Put(observation(other, "G2"), "1")])
    assert not written
    assert fault.happened == 1
    assert [one.server_status for one in world.proxy.seen("POST", "^$") if one.passed_on][-3:-1] == [200, 409]
    assert (world.values(name), world.values(other)) == ([SECRET], ["G1", "G2"])


def test_a_slow_server_is_not_written_to_twice(world):
    """The client gives up waiting while the server has done it: sent again, it is refused."""
    name, store = unique(), world.another(timeout_seconds=1)
    assert store.transact([Put(observation(unique()), None)])
    fault = world.proxy.inject(WRITES, delay(3))
    assert not store.transact([Put(observation(name), None)])
    assert fault.happened == 1
    assert world.values(name) == ["G1"]
    store.close()


def test_a_create_that_sleeps_on_its_way_replaces_nothing(world):
    """Held on the wire, while another worker writes the real manifest, it is refused whole."""
    target, name, new = world.person.put(observation(unique())), unique("m"), unique()
    held, told = Hold(), []
    fault = world.proxy.inject(on("POST", "^$", containing=new), held)
    puts = [Put(observation(new), None), Put(provenance(name, target), None)]
    sleeper = threading.Thread(target=lambda: told.append(world.store.transact(puts)))
    sleeper.start()
    held.wait_until_reached()
    other = world.another()
    assert other.transact([Put(provenance(name, target, reason=[{"text": "the real manifest"}]), None)])
    held.release()
    sleeper.join()
    assert (fault.happened, told) == (1, [False])
    reasons = [version["reason"] for version in world.person.versions(f"Provenance/{name}")]
    assert (reasons, world.values(new)) == ([[{"text": "the real manifest"}]], [])
    other.close()


def test_creates_wait_for_no_proof_of_replacing(world):
    """A store that has only ever created, as on a site's first import, writes several reports at once."""
    slow, quick, store, told = unique(), unique(), world.another(), []
    assert store.transact([Put(observation(unique()), None)])
    held = Hold()
    fault = world.proxy.inject(on("POST", "^$", containing=slow), held)
    writers = [
        threading.Thread(target=lambda name=name: told.append((name, store.transact([Put(observation(name), None)]))))
        for name in (slow, quick)
    ]
    writers[0].start()
    held.wait_until_reached()
    writers[1].start()
    writers[1].join(timeout=30)
    assert (fault.happened, told) == (1, [(quick, True)])
    held.release()
    writers[0].join()
    assert told == [(quick, True), (slow, True)]
    store.close()


def test_a_transaction_that_sleeps_on_its_way_replaces_nothing(world):
    """Held on the wire, while another worker writes a newer version, it is refused whole."""
    name, new = unique(), unique()
    world.person.put(observation(name, "G1"))
    held, told = Hold(), []
    fault = world.proxy.inject(on("POST", "^$", containing=new), held)
    puts = [Put(observation(new), None), Put(observation(name, "old"), "1")]
    sleeper = threading.Thread(target=lambda: told.append(world.store.transact(puts)))
    sleeper.start()
    held.wait_until_reached()
    other = world.another()
    assert other.transact([Put(observation(name, "newer"), "1")])
    held.release()
    sleeper.join()
    assert (fault.happened, told) == (1, [False])
    assert (world.values(name), world.values(new)) == (["G1", "newer"], [])
    other.close()


@pytest.mark.parametrize(
    ("status", "code"),
    [("422 Unprocessable", Code.STORE_REJECTS), ("503 Unavailable", Code.STORE_UNAVAILABLE), ("", Code.STORE_REJECTS)],
)
def test_a_failed_entry_is_not_swallowed(world, status, code):
    """A success as a whole that holds a failure is an error of that failure, once it is sure that nothing was done."""
    names = [unique(), unique()]
    fault = world.proxy.inject(WRITES, fail_entry(1, status))
    error = fails(lambda: world.store.transact([Put(observation(name, SECRET), None) for name in names]))
    assert error.code is code
    assert fault.happened == 1
    assert [world.values(name) for name in names] == [[], []]


@pytest.mark.parametrize("status", ["409 Conflict", "412 Precondition Failed"])
def test_a_refused_entry_is_a_refusal(world, status):
    """Whether the refusal stands in the answer or in one of its entries is the same, if nothing was done."""
    names = [unique(), unique()]
    world.person.put(observation(names[0], "a person's"))
    fault = world.proxy.inject(WRITES, fail_entry(0, status))
    assert not world.store.transact([Put(observation(name), None) for name in names])
    assert fault.happened == 1
    assert [world.values(name) for name in names] == [["a person's"], []]


def test_a_refusal_in_the_entry_of_what_stands_there_is_none_of_ours(world):
    """A create refused in its entry alone gives way to what is there, as a refusal of the whole does."""
    target, name = world.person.put(observation(unique())), unique("m")
    world.person.put(provenance(name, target, reason=[{"text": "real"}]))
    fault = world.proxy.inject(WRITES, fail_entry(0, "304 Not Modified"))
    assert not world.store.transact([Put(provenance(name, target), None)])
    assert fault.happened == 1
    assert len(world.person.versions(f"Provenance/{name}")) == 1


def test_an_answer_without_all_its_entries_is_not_believed(world):
    """What became of the others is not known: the server cannot be worked with."""

    def shorten(exchange: Exchange) -> Answer:
        full = exchange.pass_on()
        body = json.loads(gzip.decompress(full.body))
        return Answer(full.status, (JSON_BODY,), json.dumps({**body, "entry": body["entry"][:1]}).encode())

    fault = world.proxy.inject(WRITES, shorten)
    error = fails(lambda: world.store.transact([Put(observation(unique(), SECRET), None) for _ in range(2)]))
    assert (error.code, error.detail) == (Code.UNGUARDED_STORE, "1 of 2 entries answered")
    assert fault.happened == 1


def test_the_breaker_opens_and_closes_again(world):
    """While it is open nothing is sent; after its time one request finds the server well, and work goes on."""
    store = world.another(attempts=1, breaker_failures=3, breaker_seconds=1)
    fault = world.proxy.inject(READS, answer(503), 3)
    details = [fails(lambda: store.read(["Observation/a"])).detail for _ in range(5)]
    assert details == ["status 503"] * 3 + ["left alone after failures in a row"] * 2
    assert fault.happened == 3
    name, deadline = unique(), time.monotonic() + 30
    while not _written(store, name):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert world.values(name) == ["G1"]
    store.close()


def _written(store: FhirStore, name: str) -> bool:
    try:
        return store.transact([Put(observation(name), None)])
    except SynopticError as error:
        if error.code is not Code.STORE_UNAVAILABLE:
            raise
        return False


class TestServersThatDiffer:
    """Whether a server guards is found out by what it does, before much is written."""

    @pytest.fixture
    def person(self, fhir_url) -> Iterator[Person]:
        """A person at the server."""
        person = Person(fhir_url)
        yield person
        person.close()

    def test_the_standard_is_found_out(self, fhir_url, person):
        """Where version 0 is refused though nothing stands there, If-None-Match is used from then on."""
        first, second = unique(), unique()
        with StrictServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            assert store.transact([Put(observation(first), None)])
            assert store.transact([Put(observation(second), None)])
            assert not store.transact([Put(observation(second, "G2"), None)])
            store.close()
        for name in (first, second):
            assert len(person.versions(f"Observation/{name}")) == 1

    def test_the_standard_is_found_out_where_something_was_deleted(self, fhir_url, person):
        """A strict server revives by If-None-Match what HAPI revives by its version: a store that is new to it does too."""
        name, target = unique("m"), person.put(observation(unique()))
        person.delete(person.put(provenance(name, target)))
        with StrictServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            assert store.transact([Put(provenance(name, target), None)])
            store.close()
        assert len(person.versions(f"Provenance/{name}")) == 3

    def test_a_server_that_passes_over_both_guards_is_refused(self, fhir_url, person):
        """The first create, sent again, goes through: that is fatal, and nothing more is written."""
        name = unique()
        with StandardOnlyInNameServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            error = fails(lambda: store.transact([Put(observation(name, SECRET), None)]))
            store.close()
        assert (error.code, error.detail) == (Code.UNGUARDED_STORE, "it accepts a stale create")
        assert len(person.versions(f"Observation/{name}")) == 1

    def test_an_unguarded_server_is_refused_and_put_right(self, fhir_url, person):
        """A create that replaced a real manifest there is taken back."""
        target, name = person.put(observation(unique())), unique("m")
        person.put(provenance(name, target))
        person.put(provenance(name, target, reason=[{"text": "the real manifest"}]))
        with UnguardedServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            error = fails(lambda: store.transact([Put(provenance(name, target), None)]))
            store.close()
        assert error.code is Code.UNGUARDED_STORE
        reasons = [version.get("reason") for version in person.versions(f"Provenance/{name}")]
        assert reasons == [None, [{"text": "the real manifest"}], None, [{"text": "the real manifest"}]]

    def test_a_server_that_passes_over_if_match_is_refused(self, fhir_url, person):
        """The first replacement, sent again with its old version, goes through: that is fatal."""
        name = unique()
        person.put(observation(name, "G1"))
        with UnguardedServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            error = fails(lambda: store.transact([Put(observation(name, SECRET), "1")]))
            store.close()
        assert (error.code, error.detail) == (Code.UNGUARDED_STORE, "it accepts a stale replace")

    def test_a_server_that_writes_in_part_is_refused(self, fhir_url, person):
        """A transaction of which one entry stands and another was refused is fatal, with how many."""
        there, new = unique(), unique()
        person.put(observation(there, "G1"))
        with PartialServer(fhir_url) as server:
            store = FhirStore(settings_on(server.base_url))
            error = fails(lambda: store.transact([Put(observation(new, SECRET), None), Put(observation(there), None)]))
            store.close()
        assert error.code is Code.UNGUARDED_STORE
        assert "in part" in error.detail


@pytest.mark.parametrize(
    "action", [answer(503, diagnostics=SECRET), answer(422, diagnostics=SECRET), reset()], ids=["503", "422", "reset"]
)
def test_no_fault_tells_of_a_patient(world, action: Action):
    """Neither a look-up by name-like identifier nor a search puts it into an error, a log or a URL."""
    fault = world.proxy.inject(on("POST"), action, None)
    asked = Reference(type="Patient", identifier=Identifier(system=f"https://{SECRET}", value=SECRET))
    fails(lambda: world.store.look_up([asked]))
    fails(lambda: world.store.provenances_of([f"Observation/{SECRET}"]))
    fails(lambda: world.store.read([f"Patient/{SECRET}"]))
    assert fault.happened >= 3
    assert all(SECRET not in seen.path for seen in world.proxy.seen())


def test_a_page_that_is_no_bundle_is_an_error(world):
    """A search that comes back as something else is not an empty result."""
    fault = world.proxy.inject(on("POST", "_search$"), lambda exchange: Answer(200, (JSON_BODY,), b"<html>"), None)
    assert fails(lambda: world.store.provenances_of(["Observation/a"])).code is Code.STORE_UNAVAILABLE
    assert fault.happened == 4
