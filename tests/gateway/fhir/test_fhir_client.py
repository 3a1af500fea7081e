"""The FHIR client against scripted answers: retries, Retry-After, breaker, token, redirects, pages and certificates."""

import json
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fhir_made import settings_on
from servers.faulty_proxy import JSON_BODY, Action, Answer, ConnectionLostError, Exchange, FaultyProxy

from deploy.local.certificates import CertificateAuthority
from gateway.fhir.bearer_token import BearerToken
from gateway.fhir.bundles import batch
from gateway.fhir.circuit_breaker import CircuitBreaker
from gateway.fhir.client import LATE_SECONDS, LONGEST_ASKED, LONGEST_PAUSE, FhirClient, read_retry_after
from schemas.errors import Code, SynopticError
from schemas.metrics import FHIR_REQUESTS, FHIR_SECONDS, value_of

NOWHERE = "http://127.0.0.1:9/fhir"
BATCH = {"resourceType": "Bundle", "type": "batch", "entry": []}
DONE = {"resourceType": "Bundle", "type": "batch-response"}


def give(status: int = 200, body: object = DONE, **headers: str) -> Action:
    """Answer that."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda exchange: Answer(status, (JSON_BODY, *named), content)


class Scripted:
    """A server that gives the answers of its script in turn, the last one for ever; what came, and the pauses made."""

    def __init__(self, *script: Action) -> None:
        """Serve on a free port."""
        self.script = list(script)
        self.came: list[Exchange] = []
        self.pauses: list[float] = []
        self.proxy = FaultyProxy(NOWHERE)
        self.proxy.inject(lambda exchange: True, self._answer, None)
        self.proxy.start()

    def client(self, **changes) -> FhirClient:
        """A client that does not really pause."""
        return FhirClient(settings_on(self.proxy.base_url, **changes), self.pauses.append)

    def _answer(self, exchange: Exchange) -> Answer:
        self.came.append(exchange)
        return self.script[min(len(self.came), len(self.script)) - 1](exchange)

    def headers(self, number: int = 0) -> dict[str, str]:
        """The headers of one request, names in lower case."""
        return {name.lower(): value for name, value in self.came[number].headers}


@pytest.fixture
def serve() -> Iterator:
    """Start scripted servers, and stop them at the end."""
    servers = []

    def start(*script: Action) -> Scripted:
        servers.append(Scripted(*script))
        return servers[-1]

    yield start
    for server in servers:
        server.proxy.stop()


def lost(exchange: Exchange) -> Answer:
    """Reset the connection."""
    raise ConnectionLostError


def fails(client: FhirClient) -> SynopticError:
    """The error of one request."""
    with pytest.raises(SynopticError) as caught:
        client.post(BATCH)
    return caught.value


def test_a_request_says_what_it_speaks(serve):
    """FHIR JSON both ways; minimal answers where the content is not needed."""
    server = serve(give())
    client = server.client()
    client.post(BATCH, minimal=True)
    client.post(BATCH)
    first, second = server.headers(0), server.headers(1)
    assert (first["accept"], first["content-type"]) == ("application/fhir+json", "application/fhir+json")
    assert (first["prefer"], second["prefer"]) == ("return=minimal", "return=representation")
    assert "authorization" not in first


@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 502, 503, 504, 507, 508, 524, 529])
def test_what_passes_is_tried_again(serve, status):
    """The request is sent again after a pause, and the answer then counts."""
    server = serve(give(status), give(status), give())
    assert server.client(attempts=4).post(BATCH).status == 200
    assert len(server.came) == 3
    assert len(server.pauses) == 2
    assert all(0 < pause <= LONGEST_PAUSE for pause in server.pauses)


def test_a_lost_connection_is_tried_again(serve):
    """A reset is no answer."""
    server = serve(lost, give())
    assert server.client().post(BATCH).status == 200
    assert len(server.came) == 2


def test_nobody_waits_for_a_failing_server_once_asked_to_stop(serve):
    """A process that drains makes no further attempt, while a server that answers is still written to."""
    stopping = threading.Event()
    server = serve(give(), give(503), give())
    client = FhirClient(settings_on(server.proxy.base_url), server.pauses.append, stopping=stopping)
    stopping.set()
    assert client.post(BATCH).status == 200
    error = fails(client)
    assert (error.code, len(server.came)) == (Code.STORE_UNAVAILABLE, 2)
    assert fails(client).code is Code.STORE_UNAVAILABLE
    assert len(server.came) == 2


def test_requests_are_counted_by_their_answer(serve):
    """Operators see how many requests were answered how, and how long that took."""
    before = [value_of(FHIR_REQUESTS, outcome=outcome) for outcome in ("2xx", "5xx")], value_of(FHIR_SECONDS)
    serve(give(503), give()).client().post(BATCH)
    after = [value_of(FHIR_REQUESTS, outcome=outcome) for outcome in ("2xx", "5xx")], value_of(FHIR_SECONDS)
    assert [now - then for then, now in zip(before[0], after[0], strict=True)] == [1, 1]
    assert after[1] - before[1] == 2


def test_the_attempts_end(serve):
    """After as many as the settings allow it is a retry error that tells the status and the time asked for."""
    server = serve(give(503, Retry_After="7"))
    error = fails(server.client(attempts=3))
    assert (error.code, error.detail, error.retry_after) == (Code.STORE_UNAVAILABLE, "status 503", 7)
    assert (len(server.came), len(server.pauses)) == (3, 2)


def test_no_server_is_a_retry_error():
    """A refused connection names its kind, and no address."""
    error = fails(FhirClient(settings_on(NOWHERE, attempts=1)))
    assert (error.code, error.detail) == (Code.STORE_UNAVAILABLE, "ConnectError")


def test_the_time_asked_for_is_waited(serve):
    """Retry-After in seconds or as a date comes before the client's own pause."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    server = serve(give(429, Retry_After="5"), give(429, Retry_After=date), give(429), give())
    server.client(attempts=4).post(BATCH)
    first, second, third = server.pauses
    assert first == 5
    assert 6 <= second <= 8
    assert third < 5


def test_a_long_time_asked_for_is_left_to_the_runner(serve):
    """The client holds no thread for minutes: the error carries the time, within bounds."""
    server = serve(give(429, Retry_After="86400"))
    error = fails(server.client())
    assert error.retry_after == LONGEST_ASKED
    assert (len(server.came), server.pauses) == (1, [])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:10 -0000", 10.0),
        ("999999999", LONGEST_ASKED),
        ("9" * 5000, None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_within_bounds(value, seconds):
    """Seconds, dates with and without a zone, the past, and nonsense."""
    now = datetime(2015, 10, 21, 7, 28, tzinfo=UTC).timestamp()
    assert read_retry_after(value, now) == seconds


def test_the_breaker_leaves_a_failing_server_alone(serve):
    """After so many failures in a row nothing is sent, and the error tells for how long."""
    server = serve(give(503))
    client = server.client(attempts=1, breaker_failures=3, breaker_seconds=60)
    assert [fails(client).detail for _ in range(3)] == ["status 503"] * 3
    error = fails(client)
    assert (error.code, error.detail) == (Code.STORE_UNAVAILABLE, "left alone after failures in a row")
    assert 0 < error.retry_after <= 60
    assert len(server.came) == 3


def test_the_breaker_opens_within_one_request(serve):
    """Attempts end early where they are what opens it."""
    server = serve(lost)
    assert fails(server.client(attempts=10, breaker_failures=2)).detail == "left alone after failures in a row"
    assert len(server.came) == 2


def test_one_trial_closes_the_breaker_or_not():
    """When the time is over one caller may try: its success lets all in, its failure begins the time anew."""
    now = [0.0]
    breaker = CircuitBreaker(2, 10, lambda: now[0])
    breaker.failed()
    assert breaker.admit() == 0
    breaker.failed()
    assert breaker.admit() == 10
    now[0] = 10.0
    assert [breaker.admit(), breaker.admit()] == [0, 10]
    breaker.failed()
    now[0] = 19.0
    assert breaker.admit() == 1
    now[0] = 20.0
    assert breaker.admit() == 0
    breaker.succeeded()
    assert [breaker.admit(), breaker.admit()] == [0, 0]


def test_failures_count_only_in_a_row():
    """A success between them starts the count anew."""
    breaker = CircuitBreaker(2, 10)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    breaker.failed()
    assert breaker.admit() == 0


@pytest.mark.parametrize(("status", "code"), [(401, Code.STORE_REFUSES), (403, Code.STORE_REFUSES)])
def test_a_refused_client_is_told_once(serve, status, code):
    """Trying again with the same token only locks it out."""
    server = serve(give(status))
    error = fails(server.client(bearer_token="abc"))
    assert (error.code, error.detail) == (code, f"status {status}")
    assert len(server.came) == 1
    assert server.headers()["authorization"] == "Bearer abc"


def test_a_renewed_token_is_read_on_401(serve, tmp_path):
    """The file is read again once; the new token then stays."""
    file = tmp_path / "token"
    file.write_text("old\n")

    def refuse(exchange: Exchange) -> Answer:
        file.write_text("new\n")
        return give(401)(exchange)

    server = serve(refuse, give())
    client = server.client(bearer_token_file=file)
    client.post(BATCH)
    client.post(BATCH)
    assert [server.headers(number)["authorization"] for number in range(3)] == [
        "Bearer old", "Bearer new", "Bearer new"
    ]  # fmt: skip


def test_a_token_that_stays_refused_is_not_sent_for_ever(serve, tmp_path):
    """Where the file holds the refused token, the client is refused; where it changed, it gets one more try."""
    file = tmp_path / "token"
    file.write_text("old")
    server = serve(give(401))
    client = server.client(bearer_token_file=file)
    assert fails(client).code is Code.STORE_REFUSES
    assert len(server.came) == 1
    file.write_text("new")
    assert fails(client).code is Code.STORE_REFUSES
    assert len(server.came) == 3


@pytest.mark.parametrize("meanwhile", ["old", ""], ids=["not renewed yet", "half written"])
def test_a_token_that_worked_may_be_renewed_late(serve, tmp_path, meanwhile):
    """Refused after it was accepted, it is waited for, but no longer than a minute."""
    file, now = tmp_path / "token", [1000.0]
    file.write_text("old")
    server = serve(give(), give(401), give(401), give(401), give(), give(401))
    settings = settings_on(server.proxy.base_url, bearer_token_file=file, attempts=1)
    client = FhirClient(settings, server.pauses.append, lambda: now[0])
    client.post(BATCH)
    file.write_text(meanwhile)
    assert (fails(client).code, fails(client).detail) == (Code.STORE_UNAVAILABLE, "status 401")
    file.write_text("new")
    now[0] += LATE_SECONDS
    client.post(BATCH)
    assert fails(client).code is Code.STORE_UNAVAILABLE
    now[0] += LATE_SECONDS - 1
    assert fails(client).code is Code.STORE_UNAVAILABLE
    now[0] += 1
    assert fails(client).code is Code.STORE_REFUSES
    sent = [server.headers(number)["authorization"] for number in range(len(server.came))]
    assert sent == ["Bearer old"] * 4 + ["Bearer new"] * 4


def test_a_way_to_the_server_that_was_there_comes_back(serve):
    """A proxy without its server says 404 in its own words: at the start the address is wrong, later it passes."""
    lost_way = give(404, b"default backend - 404")
    server = serve(lost_way, give(), lost_way, give())
    client = server.client()
    with pytest.raises(SynopticError) as caught:
        batch(client, ["Patient/1"])
    assert caught.value.code is Code.BAD_SETTINGS
    for _ in range(2):
        client.post(BATCH)
    assert (len(server.came), len(server.pauses)) == (4, 1)


def test_a_resource_that_is_absent_is_no_lost_way(serve):
    """A 404 in the words of a FHIR server is an answer."""
    server = serve(give(), give(404, {"resourceType": "OperationOutcome", "issue": []}))
    client = server.client()
    assert [client.post(BATCH).status for _ in range(2)] == [200, 404]
    assert server.pauses == []


@pytest.mark.parametrize("content", ["", "two words", "a\nb", "\x00", "é"])
def test_a_file_without_a_token_is_a_fault_of_the_settings(tmp_path, content):
    """It is told before anything is sent, and without what the file holds."""
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(SynopticError) as caught:
        BearerToken(settings_on(NOWHERE, bearer_token_file=file))
    assert caught.value.code is Code.BAD_SETTINGS
    assert "bearer_token_file" in caught.value.detail


def test_a_token_is_never_shown(tmp_path):
    """Neither a missing file's path nor a token comes out."""
    with pytest.raises(SynopticError) as caught:
        BearerToken(settings_on(NOWHERE, bearer_token_file=tmp_path / "SECRET"))
    assert "SECRET" not in str(caught.value)
    with pytest.raises(SynopticError) as caught:
        BearerToken(settings_on(NOWHERE, bearer_token="SECRET\n"))
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in repr(BearerToken(settings_on(NOWHERE, bearer_token="SECRET")))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(serve, status):
    """The token and the report go nowhere but to the server that the settings name."""
    elsewhere = serve(give())
    server = serve(give(status, Location=elsewhere.proxy.base_url))
    error = fails(server.client(bearer_token="abc"))
    assert error.code is Code.BAD_SETTINGS
    assert f"status {status}" in error.detail
    assert elsewhere.came == []


@pytest.mark.parametrize("body", [b"<html>login</html>", b"", b"[]", b'{"a": NaN}'])
def test_a_success_without_fhir_json_is_none(serve, body):
    """A page of something before the server may pass; it is never taken for an answer."""
    error = fails(serve(give(200, body)).client(attempts=1))
    assert (error.code, error.detail) == (Code.STORE_UNAVAILABLE, "status 200 without FHIR JSON")


def test_pages_are_followed(serve):
    """Each match of each page comes once; what was only included does not."""
    server = serve()

    def page(number: int, more: bool) -> Action:
        entries = [
            {"resource": {"id": f"{number}"}, "search": {"mode": "match"}},
            {"resource": {"id": "included"}, "search": {"mode": "include"}},
            {"resource": {"id": f"{number}b"}},
        ]
        links = [{"relation": "next", "url": f"{server.proxy.base_url}?page={number}"}] if more else []
        return give(200, {"resourceType": "Bundle", "entry": entries, "link": links})

    server.script = [page(1, True), page(2, True), page(3, False)]
    found = server.client().search("Provenance", {"target": "Observation/1"})
    assert [resource["id"] for resource in found] == ["1", "1b", "2", "2b", "3", "3b"]
    assert [exchange.method for exchange in server.came] == ["POST", "GET", "GET"]
    assert [exchange.path for exchange in server.came] == ["Provenance/_search", "", ""]
    assert server.came[0].body == b"target=Observation%2F1"
    assert server.headers()["cache-control"] == "no-cache"


def test_a_page_on_another_server_is_not_fetched(serve):
    """Its link is an error, and no token goes there."""
    elsewhere = serve(give())
    server = serve()
    for url in (
        elsewhere.proxy.base_url,
        server.proxy.base_url.replace("http://", "https://"),
        server.proxy.base_url.replace("http://", "http://user@"),
        server.proxy.base_url.replace("127.0.0.1", "localhost"),
        "//other.example/fhir",
        "http://[",
    ):
        server.script = [give(200, {"link": [{"relation": "next", "url": url}]})]
        with pytest.raises(SynopticError) as caught:
            list(server.client(bearer_token="abc").search("Patient", {}))
        assert caught.value.code is Code.STORE_UNUSABLE
    assert elsewhere.came == []
    assert [exchange.method for exchange in server.came] == ["POST"] * 6


def test_pages_without_end_end(serve, monkeypatch):
    """A server whose next page is always the same one is told of."""
    monkeypatch.setattr("gateway.fhir.client._PAGES", 3)
    server = serve()
    server.script = [give(200, {"link": [{"relation": "next", "url": f"{server.proxy.base_url}?page=1"}]})]
    with pytest.raises(SynopticError) as caught:
        list(server.client().search("Patient", {}))
    assert caught.value.code is Code.STORE_UNUSABLE
    assert len(server.came) == 4


def test_a_ca_file_without_certificates_is_told(tmp_path):
    """A file that is no certificate is a fault of the settings, told before anything is sent."""
    file = tmp_path / "ca.pem"
    for write in (lambda: None, lambda: file.write_text("no certificate")):
        write()
        with pytest.raises(SynopticError) as caught:
            FhirClient(settings_on("https://127.0.0.1:9/fhir", ca_file=file))
        assert caught.value.code is Code.BAD_SETTINGS
        assert "fhir.ca_file" in caught.value.detail


def test_only_a_server_with_a_trusted_certificate_is_spoken_to(serve, tmp_path):
    """Signed by the authority of the settings it is; signed by any other it gets no request, and the error says why."""
    authority = CertificateAuthority(tmp_path / "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("server").key_and_certificate)
    server = serve(give())
    listener = server.proxy._listener
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    url = server.proxy.base_url.replace("http://", "https://")
    other = CertificateAuthority(tmp_path / "other")
    for ca_file in (None, other.ca_file):
        error = fails(FhirClient(settings_on(url, ca_file=ca_file, attempts=1, bearer_token="abc")))
        assert (error.code, error.detail) == (Code.STORE_UNAVAILABLE, "its certificate is not trusted")
    assert server.came == []
    assert FhirClient(settings_on(url, ca_file=authority.ca_file)).post(BATCH).status == 200


def test_nothing_of_a_request_is_logged(serve, caplog):
    """At the most talkative level no logger names what was sent, what came, or the token."""
    caplog.set_level(logging.DEBUG)
    issue = {"severity": "error", "code": "processing", "diagnostics": "HAPI-0001: SECRET", "expression": ["SECRET"]}
    server = serve(lost, give(503, {"resourceType": "OperationOutcome", "issue": [issue]}), give(200, {"id": "SECRET"}))
    client = server.client(bearer_token="SECRET")
    client.post({**BATCH, "entry": [{"request": {"method": "GET", "url": "Patient/SECRET"}}]})
    list(client.search("Patient", {"identifier": "SECRET"}))
    assert len(server.came) == 4
    assert "SECRET" not in caplog.text
