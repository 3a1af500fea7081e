"""The FHIR server as deploy/local starts it: strict where Synoptic relies on it, and it keeps what it acknowledged."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.fhir_server import FhirServer
from deploy.local.java_process import HOST, ServerFailedError, accepts_connections

ACKNOWLEDGED_BEFORE_KILL = 40
WRITERS = 4


class Client:
    """Says what a test needs of a FHIR server in one line each."""

    def __init__(self, base_url: str) -> None:
        """Take the address."""
        self.http = httpx.Client(
            base_url=f"{base_url}/", headers={"Content-Type": "application/fhir+json"}, timeout=60, trust_env=False
        )

    def put(self, resource: dict[str, Any], **headers: str) -> httpx.Response:
        """Write one resource under its id."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.put(path_of(resource), json=resource, headers=named)

    def transact(self, *entries: dict[str, Any]) -> httpx.Response:
        """Send entries as one transaction."""
        return self.http.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": list(entries)})

    def status(self, path: str) -> int:
        """The status of reading a path."""
        return self.http.get(path).status_code


def path_of(resource: dict[str, Any]) -> str:
    """Type and id."""
    return f"{resource['resourceType']}/{resource['id']}"


def entry(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    """An entry that puts a resource."""
    return {"resource": resource, "request": {"method": "PUT", "url": path_of(resource), **request}}


def patient(family: str = "Example") -> dict[str, Any]:
    """A patient of its own."""
    return {"resourceType": "Patient", "id": f"p-{uuid.uuid4()}", "name": [{"family": family}]}


def observation(subject: dict[str, Any]) -> dict[str, Any]:
    """An observation of a patient, with a decimal and an instant."""
    return {
        "resourceType": "Observation",
        "id": f"o-{uuid.uuid4()}",
        "status": "final",
        "code": {"text": "tumor size"},
        "subject": {"reference": path_of(subject)},
        "issued": "2024-02-01T10:00:00.000+09:00",
        "valueQuantity": {"value": 1.50, "unit": "cm"},
    }


@pytest.fixture
def client(fhir_url: str) -> Client:
    """A client of the server that all tests share."""
    return Client(fhir_url)


@pytest.fixture(scope="module")
def file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    """A server over a file, for the tests of this file alone."""
    server = FhirServer(tmp_path_factory.mktemp("fhir"), database="file")
    yield server
    server.stop()


@pytest.fixture
def own_server(file_server: FhirServer) -> FhirServer:
    """That server, running, whatever the test before has done to it."""
    if not file_server.running:
        file_server.start()
    return file_server


def test_says_in_its_metadata_that_it_speaks_r4(client: Client) -> None:
    """A CapabilityStatement of FHIR 4.0.1 with transactions and versions."""
    statement = client.http.get("metadata").json()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    assert "transaction" in {one["code"] for one in statement["rest"][0]["interaction"]}


def test_a_stale_version_stops_the_whole_transaction(client: Client) -> None:
    """One entry whose If-Match is no longer true: 409, and nothing of the transaction is stored."""
    changed, newcomer = patient(), patient()
    assert client.put(changed).status_code == 201
    assert client.put(changed | {"active": True}, If_Match='W/"1"').headers["ETag"] == 'W/"2"'
    late = client.transact(entry(newcomer), entry(changed | {"active": False}, ifMatch='W/"1"'))
    assert late.status_code == 409
    assert client.status(path_of(newcomer)) == 404
    assert client.http.get(path_of(changed)).json()["active"] is True


@pytest.mark.parametrize("before", ["absent", "present", "deleted"])
def test_version_zero_asks_for_a_resource_that_never_was(before: str, client: Client) -> None:
    """If-Match of version 0 creates what is absent, and refuses what is there or was deleted."""
    wanted = patient()
    if before != "absent":
        assert client.put(wanted).status_code == 201
    if before == "deleted":
        assert client.http.delete(path_of(wanted)).is_success
    answer = client.transact(entry(wanted | {"active": True}, ifMatch='W/"0"'))
    assert answer.status_code == {"absent": 200, "present": 409, "deleted": 409}[before]
    found = client.http.get(path_of(wanted))
    assert found.status_code == {"absent": 200, "present": 200, "deleted": 410}[before]
    assert found.json().get("active") == {"absent": True, "present": None, "deleted": None}[before]


def test_of_writers_at_the_same_moment_one_creates(client: Client) -> None:
    """Eight transactions that ask for the same absent resource: one is stored as a whole, seven are refused."""
    wanted, companions = patient(), [patient() for _ in range(8)]
    together = threading.Barrier(len(companions))

    def write(companion: dict[str, Any]) -> int:
        together.wait()
        return client.transact(entry(companion), entry(wanted, ifMatch='W/"0"')).status_code

    with ThreadPoolExecutor(len(companions)) as pool:
        statuses = list(pool.map(write, companions))
    assert sorted(statuses) == [200] + [409] * 7
    stored = [client.status(path_of(companion)) == 200 for companion in companions]
    assert stored == [status == 200 for status in statuses]


def test_an_unchanged_resource_keeps_its_version(client: Client) -> None:
    """The same content again, alone and in a transaction, is no new version; a change is one."""
    subject = patient()
    measured = observation(subject)
    assert client.transact(entry(subject), entry(measured)).status_code == 200
    assert client.put(measured).headers["ETag"] == 'W/"1"'
    again = client.transact(entry(subject), entry(measured)).json()
    assert [one["response"]["etag"] for one in again["entry"]] == ["1", "1"]
    assert client.put(measured | {"status": "amended"}).headers["ETag"] == 'W/"2"'


def test_refuses_a_reference_to_nobody(client: Client) -> None:
    """An Observation of a Patient who is not there is refused, and taken once the Patient is."""
    subject = patient()
    measured = observation(subject)
    assert client.put(measured).status_code == 400
    assert client.status(path_of(measured)) == 404
    assert client.put(subject).status_code == 201
    assert client.put(measured).status_code == 201


def test_a_search_sees_what_was_written_before_it(client: Client) -> None:
    """The same search twice, with a write between: the second one finds it."""
    query = f"Patient?family=f{uuid.uuid4().hex}"
    assert client.http.get(query).json()["total"] == 0
    assert client.put(patient(query.rpartition("=")[2])).status_code == 201
    assert client.http.get(query).json()["total"] == 1


def test_listens_on_this_host_only(own_server: FhirServer) -> None:
    """One port, of the loopback address."""
    listening = {one.laddr for one in psutil.Process(own_server.pid).net_connections("inet") if one.status == "LISTEN"}
    assert listening == {(HOST, httpx.URL(own_server.base_url).port)}


def test_logs_nothing_of_what_it_is_sent(own_server: FhirServer) -> None:
    """Conflicts, lost races and unreadable resources leave neither an id nor a word of content in the log."""
    server = Client(own_server.base_url)
    raced = patient("Canary")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: server.put(raced | {"active": number % 2 == 0}).status_code, range(32)))
    assert 409 in statuses
    assert server.put(raced, If_Match='W/"0"').status_code == 409
    assert server.put(observation(patient("Canary"))).status_code == 400
    assert server.put(raced | {"gender": "Canary"}).status_code == 400
    assert server.http.get("Patient?Canary=1").status_code == 400
    log = own_server.log.read_text(encoding="utf-8")
    assert {line.partition(" ")[0] for line in log.splitlines()} == {"ready"}


def test_a_kill_loses_nothing_that_was_acknowledged(own_server: FhirServer) -> None:
    """SIGKILL among writers: every acknowledged transaction is there afterwards, every other one wholly or not at all."""
    sent: list[tuple[str, str]] = []
    acknowledged: list[tuple[str, str]] = []
    enough = threading.Event()

    def write_until_refused(_: int) -> bool:
        server = Client(own_server.base_url)
        while True:
            subject = patient()
            measured = observation(subject)
            sent.append((path_of(subject), path_of(measured)))
            try:
                answer = server.transact(entry(subject), entry(measured))
            except httpx.TransportError:
                return True
            assert answer.status_code == 200
            acknowledged.append((path_of(subject), path_of(measured)))
            if len(acknowledged) >= ACKNOWLEDGED_BEFORE_KILL:
                enough.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        interrupted = pool.map(write_until_refused, range(WRITERS))
        in_time = enough.wait(120)
        own_server.kill()
        assert list(interrupted) == [True] * WRITERS
    assert in_time
    assert not own_server.running
    own_server.start()
    server = Client(own_server.base_url)
    found = {pair: tuple(server.status(path) for path in pair) for pair in sent}
    assert {found[pair] for pair in acknowledged} == {(200, 200)}
    assert set(found.values()) <= {(200, 200), (404, 404)}


def test_a_second_server_does_not_take_the_port(own_server: FhirServer, tmp_path: Path) -> None:
    """The port of one that runs is refused, and the one that runs is not disturbed."""
    port = httpx.URL(own_server.base_url).port
    with pytest.raises(ServerFailedError, match="another process listens"):
        FhirServer(tmp_path, port=port).start()
    assert Client(own_server.base_url).status("metadata") == 200


def test_nothing_runs_after_stop(own_server: FhirServer) -> None:
    """Neither the process nor anything on its port; stopping twice is no fault."""
    process = psutil.Process(own_server.pid)
    own_server.stop()
    own_server.stop()
    assert not process.is_running()
    assert own_server.pid is None
    assert not accepts_connections(httpx.URL(own_server.base_url).port or 0)
