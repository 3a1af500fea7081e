"""Each fault of the proxy happens to the request it is meant for, and the server's part in it is known."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from servers.faulty_proxy import Action, FaultyProxy, Hold, answer, delay, fail_entry, lose_answer, on, reset

TRANSACTION = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {}}, {"request": {}}]}


class Dummy:
    """A server that keeps what it was sent and answers with it."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.received: list[tuple[str, str, str, bytes]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received.append((self.command, self.path, self.headers["Host"], body))
                self.send_response(201 if self.command == "PUT" else 200)
                self.send_header("ETag", 'W/"7"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = serve  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.listener.server_address[1]}/fhir"
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self.listener.shutdown()
        self.listener.server_close()


@pytest.fixture
def server() -> Iterator[Dummy]:
    """A server behind the proxy."""
    dummy = Dummy()
    yield dummy
    dummy.stop()


@pytest.fixture
def proxy(server: Dummy) -> Iterator[FaultyProxy]:
    """The proxy before it."""
    with FaultyProxy(server.base_url) as running:
        yield running


@pytest.fixture
def client(proxy: FaultyProxy) -> Iterator[httpx.Client]:
    """A client of the proxy, which keeps its connections."""
    with httpx.Client(base_url=f"{proxy.base_url}/", trust_env=False, timeout=30) as one:
        yield one


def test_passes_everything_on_without_a_fault(proxy: FaultyProxy, server: Dummy, client: httpx.Client) -> None:
    """Method, path, query, Host and body reach the server, its status, headers and body the client."""
    given = client.put("Patient/a?_format=json&_pretty=", content=b"\x00body")
    assert (given.status_code, given.headers["ETag"], given.content) == (201, 'W/"7"', b"\x00body")
    host = proxy.base_url.removeprefix("http://").removesuffix("/fhir")
    assert server.received == [("PUT", "/fhir/Patient/a?_format=json&_pretty=", host, b"\x00body")]
    (seen,) = proxy.seen()
    assert (seen.method, seen.path, seen.parameters) == ("PUT", "Patient/a", ("_format", "_pretty"))
    assert (seen.passed_on, seen.server_status, seen.client_status) == (True, 201, 201)


@pytest.mark.parametrize("status", [401, 403, 409, 412, 413, 422, 429, 500, 502, 503])
def test_refuses_without_asking_the_server(
    status: int, proxy: FaultyProxy, server: Dummy, client: httpx.Client
) -> None:
    """A refusal is an OperationOutcome of the proxy's own."""
    fault = proxy.inject(on("GET"), answer(status, diagnostics="canary"))
    given = client.get("metadata")
    assert (given.status_code, given.json()["issue"][0]["diagnostics"]) == (status, "canary")
    assert "Retry-After" not in given.headers
    assert (fault.happened, server.received, proxy.seen()[0].passed_on) == (1, [], False)


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [(7, "7"), (datetime(2024, 2, 1, 12, 30, 5, tzinfo=UTC), "Thu, 01 Feb 2024 12:30:05 GMT")],
)
def test_says_when_to_try_again(
    retry_after: int | datetime, header: str, proxy: FaultyProxy, client: httpx.Client
) -> None:
    """Retry-After comes in both of its forms."""
    proxy.inject(on("GET"), answer(429, retry_after=retry_after))
    assert client.get("metadata").headers["Retry-After"] == header


def test_faults_happen_in_order_and_so_often_as_said(proxy: FaultyProxy, client: httpx.Client) -> None:
    """Two refusals, then another, then the server; a fault for all requests ends when it is withdrawn."""
    proxy.inject(on("GET"), answer(429), times=2)
    proxy.inject(on("GET"), answer(503))
    assert [client.get("metadata").status_code for _ in range(4)] == [429, 429, 503, 200]
    always = proxy.inject(on("GET"), answer(500), times=None)
    assert [client.get("metadata").status_code for _ in range(3)] == [500, 500, 500]
    always.withdraw()
    assert client.get("metadata").status_code == 200
    assert always.happened == 3


def test_a_fault_meets_only_what_it_is_meant_for(proxy: FaultyProxy, client: httpx.Client) -> None:
    """Method, path and body choose the request; the others pass, and are told apart afterwards."""
    fault = proxy.inject(on("POST", "^$", containing="chosen"), answer(503), times=None)
    assert client.post("", content=b"another").status_code == 200
    assert client.post("Patient", content=b"chosen").status_code == 200
    assert client.put("", content=b"chosen").status_code == 201
    assert client.post("", content=b"the chosen one").status_code == 503
    assert fault.happened == 1
    assert [seen.client_status for seen in proxy.seen("POST", "^$")] == [200, 503]


@pytest.mark.parametrize(("action", "arrivals"), [(reset(), 0), (lose_answer(), 1)])
def test_resets_before_or_after_the_server_has_done_it(
    action: Action, arrivals: int, proxy: FaultyProxy, server: Dummy, client: httpx.Client
) -> None:
    """The client sees the same reset; only the proxy knows whether the server was asked."""
    assert client.get("metadata").status_code == 200
    fault = proxy.inject(on("PUT"), action)
    with pytest.raises(httpx.ReadError):
        client.put("Patient/a", content=b"{}")
    assert fault.happened == 1
    assert len([one for one in server.received if one[0] == "PUT"]) == arrivals
    (seen,) = proxy.seen("PUT")
    assert (seen.passed_on, seen.client_status) == (bool(arrivals), None)
    assert client.put("Patient/a", content=b"{}").status_code == 201


def test_a_transaction_answers_well_with_one_entry_failed(
    proxy: FaultyProxy, server: Dummy, client: httpx.Client
) -> None:
    """Status 200, an entry for each one asked, one of them a failure, and nothing done."""
    proxy.inject(on("POST", "^$"), fail_entry(1, "422 Unprocessable Entity"))
    given = client.post("", content=json.dumps(TRANSACTION))
    assert given.status_code == 200
    assert given.json()["type"] == "transaction-response"
    assert [one["response"]["status"] for one in given.json()["entry"]] == ["200 OK", "422 Unprocessable Entity"]
    assert server.received == []


def test_a_slow_answer_is_too_late_although_it_was_done(
    proxy: FaultyProxy, server: Dummy, client: httpx.Client
) -> None:
    """The client gives up, the server has done it."""
    proxy.inject(on("PUT"), delay(30))
    with pytest.raises(httpx.ReadTimeout):
        client.put("Patient/a", content=b"{}", timeout=httpx.Timeout(30, read=0.5))
    assert [one[0] for one in server.received] == ["PUT"]


@pytest.mark.parametrize("applied", [False, True])
def test_holds_a_request_until_it_is_released(
    applied: bool, proxy: FaultyProxy, server: Dummy, client: httpx.Client
) -> None:
    """A held request has arrived; whether the server has done it is as asked; others go on meanwhile."""
    held = Hold(applied=applied)
    proxy.inject(on("PUT"), held)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.put, "Patient/a", content=b"held")
        held.wait_until_reached()
        assert client.put("Patient/a", content=b"meanwhile").status_code == 201
        assert not waiting.done()
        assert [one[3] for one in server.received] == ([b"held", b"meanwhile"] if applied else [b"meanwhile"])
        held.release()
        assert waiting.result().status_code == 201
    assert [one[3] for one in server.received].count(b"held") == 1


def test_a_request_still_held_at_the_end_is_never_passed_on(server: Dummy) -> None:
    """A test that fails leaves nothing behind that another test could see."""
    held = Hold()
    with ThreadPoolExecutor(1) as pool, httpx.Client(trust_env=False) as client:
        with FaultyProxy(server.base_url) as proxy:
            proxy.inject(on("PUT"), held)
            waiting = pool.submit(client.put, f"{proxy.base_url}/Patient/a", content=b"{}")
            held.wait_until_reached()
        with pytest.raises(httpx.ReadError):
            waiting.result(timeout=30)
    assert server.received == []


def test_waiting_for_what_does_not_happen_fails(proxy: FaultyProxy, client: httpx.Client) -> None:
    """A fault that never happened cannot be taken for one that did."""
    fault = proxy.inject(on("PUT"), answer(503))
    client.get("metadata")
    with pytest.raises(TimeoutError):
        fault.wait_until_happened(seconds=0.01)
    with pytest.raises(TimeoutError):
        Hold().wait_until_reached(seconds=0.01)
    client.put("Patient/a", content=b"{}")
    fault.wait_until_happened()
    assert fault.happened == 1


def test_a_server_that_is_gone_is_a_lost_connection(proxy: FaultyProxy, server: Dummy, client: httpx.Client) -> None:
    """The proxy does not answer in the name of a server that is not there."""
    server.stop()
    with pytest.raises(httpx.ReadError):
        client.get("metadata")
    assert (proxy.seen()[0].passed_on, proxy.seen()[0].server_status) == (True, None)
