"""The ways to a registry: what is sent, what its answers mean, and that a second time changes nothing."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from joserfc.jwk import ECKey
from registries_made import records, subscribed
from smart_made import CLIENT, SmartServer, write_key

from gateway.registries.checks import check_target
from gateway.registries.delivery import FhirDelivery, FolderDelivery
from gateway.registries.parcel import Parcel
from schemas.errors import Code, Kind, SynopticError

CASE = "0d5f8a52-1111-5222-8333-444444444444"
IDENTIFIER = "urn:uuid:6f1d2c7e-5555-5666-8777-888888888888"
PARCEL = Parcel(IDENTIFIER, CASE, {"resourceType": "Bundle", "id": CASE, "type": "collection"}, frozenset())
(RECORD,) = records({}, start=41)


class RegistryServer:
    """A registry's server that gives one answer to whatever is written, and notes what came."""

    def __init__(self) -> None:
        """Take everything."""
        self.status = self.read_status = 200
        self.body: dict[str, Any] | None = {"resourceType": "Bundle", "type": "transaction-response"}
        self.headers: dict[str, str] = {}
        self.statement: dict[str, Any] = {}
        self.came: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                is_read = self.command == "GET"
                outer.came += [] if is_read else [(self.command, self.path)]
                found = outer.statement if is_read else outer.body
                content = b"" if found is None else json.dumps(found).encode()
                self.send_response(outer.read_status if is_read else outer.status)
                for name, value in {"Content-Length": str(len(content)), **outer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _serve  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def delivery(self, form: str = "transaction", **fhir: Any) -> FhirDelivery:
        """A way to it that does not really pause."""
        deliver = {"fhir": {"base_url": self.base_url, "attempts": 1, **fhir}}
        target = subscribed(form=form, deliver=deliver).definition
        assert target.deliver.fhir is not None
        return FhirDelivery(target.deliver.fhir, target.form, pause=lambda _seconds: None)

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    """A registry."""
    server = RegistryServer()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("form", "request_line"),
    [
        ("transaction", ("POST", "/fhir")),
        ("collection", ("PUT", f"/fhir/Bundle/{CASE}")),
        ("message", ("POST", "/fhir/$process-message")),
    ],
)
def test_each_form_has_its_own_request(server: RegistryServer, form: str, request_line: tuple[str, str]) -> None:
    """One request a delivery, under ids that stay the same."""
    assert server.delivery(form).deliver(PARCEL, RECORD) == ()
    assert server.came == [request_line]


@pytest.mark.parametrize("form", ["collection", "message"])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_may_be_empty(server: RegistryServer, form: str, status: int) -> None:
    """A server that was asked for no more than it must say says nothing."""
    server.status, server.body = status, None
    assert server.delivery(form).deliver(PARCEL, RECORD) == ()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, Code.REGISTRY_UNAVAILABLE),
        (429, Code.REGISTRY_UNAVAILABLE),
        (409, Code.REGISTRY_UNAVAILABLE),
        (412, Code.REGISTRY_UNAVAILABLE),
        (401, Code.REGISTRY_REFUSES),
        (403, Code.REGISTRY_REFUSES),
        (302, Code.REGISTRY_REFUSES),
        (404, Code.REGISTRY_REFUSES),
        (405, Code.REGISTRY_REFUSES),
        (400, Code.REGISTRY_REJECTS),
        (413, Code.REGISTRY_REJECTS),
        (422, Code.REGISTRY_REJECTS),
    ],
)
def test_answers_mean_what_they_mean_for_one_registry(server: RegistryServer, status: int, code: Code) -> None:
    """What may pass waits, what this delivery is to blame for is rejected, and nothing ends the process."""
    server.status, server.body = status, {}
    with pytest.raises(SynopticError) as caught:
        server.delivery().deliver(PARCEL, RECORD)
    assert caught.value.code is code
    assert caught.value.code.kind in (Kind.RETRY, Kind.REJECT)


def test_the_time_that_a_registry_asks_for_is_passed_on(server: RegistryServer) -> None:
    """Retry-After reaches the runner."""
    server.status, server.headers = 503, {"Retry-After": "33"}
    with pytest.raises(SynopticError) as caught:
        server.delivery().deliver(PARCEL, RECORD)
    assert caught.value.retry_after == 33


@pytest.mark.parametrize(
    ("status", "code"), [("409 Conflict", Code.REGISTRY_UNAVAILABLE), ("422", Code.REGISTRY_REJECTS)]
)
def test_a_success_with_a_failed_entry_is_none(server: RegistryServer, status: str, code: Code) -> None:
    """Each entry's own status counts."""
    server.body = {
        "resourceType": "Bundle",
        "entry": [{"response": {"status": "200"}}, {"response": {"status": status}}],
    }
    with pytest.raises(SynopticError) as caught:
        server.delivery().deliver(PARCEL, RECORD)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("answered", "code"),
    [("ok", None), ("transient-error", Code.REGISTRY_UNAVAILABLE), ("fatal-error", Code.REGISTRY_REJECTS)],
)
def test_a_message_is_processed_when_its_answer_says_so(
    server: RegistryServer, answered: str, code: Code | None
) -> None:
    """The answering MessageHeader tells, not the status alone."""
    header = {"resourceType": "MessageHeader", "response": {"code": answered}}
    server.body = {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}]}
    if code is None:
        server.delivery("message").deliver(PARCEL, RECORD)
        return
    with pytest.raises(SynopticError) as caught:
        server.delivery("message").deliver(PARCEL, RECORD)
    assert caught.value.code is code


def outcome(severity: str, code: str) -> dict[str, Any]:
    """An OperationOutcome of one issue."""
    issue = {"severity": severity, "code": code, "diagnostics": "Erika Mustermann, HAPI-1234"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (outcome("information", "informational"), None),
        (outcome("warning", "value"), None),
        (outcome("error", "invalid"), Code.REGISTRY_REJECTS),
        (outcome("fatal", "structure"), Code.REGISTRY_REJECTS),
        (outcome("error", "throttled"), Code.REGISTRY_UNAVAILABLE),
        ({"resourceType": "OperationOutcome", "issue": "none"}, None),
    ],
)
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in the answering message"])
def test_a_message_with_an_error_in_its_answer_is_not_processed(
    server: RegistryServer, said: dict[str, Any], code: Code | None, within: bool
) -> None:
    """Under 200 as well, beside a header that says ok too; the reason goes along by its codes alone."""
    header = {"resourceType": "MessageHeader", "response": {"code": "ok"}}
    server.body = {"resourceType": "Bundle", "entry": [{"resource": one} for one in (header, said)]} if within else said
    if code is None:
        server.delivery("message").deliver(PARCEL, RECORD)
        return
    with pytest.raises(SynopticError) as caught:
        server.delivery("message").deliver(PARCEL, RECORD)
    assert caught.value.code is code
    assert "HAPI-1234" in caught.value.detail
    assert "Erika" not in caught.value.one_line()


@pytest.mark.parametrize(("status", "answers"), [(200, True), (404, True), (401, True), (503, False), (429, False)])
def test_a_server_that_answers_to_metadata_may_serve_others(server: RegistryServer, status: int, answers: bool) -> None:
    """Anything but that it cannot at present; nothing listening is no answer."""
    server.read_status = status
    delivery = server.delivery()
    assert delivery.serves_others() is answers
    server.stop()
    assert delivery.serves_others() is False


def test_a_registry_may_ask_for_smart_tokens(tmp_path: Path) -> None:
    """The same key and statement as for the EHR's server, and no delivery without a token; whether it is there needs none."""
    key = ECKey.generate_key("P-384")
    server = SmartServer(key)
    smart = {"client_id": CLIENT, "key_file": str(write_key(tmp_path, key))}
    deliver = {"fhir": {"base_url": server.base_url, "smart": smart}}
    target = subscribed(deliver=deliver).definition.deliver.fhir
    assert target is not None
    delivery = FhirDelivery(target, "transaction")
    delivery.deliver(PARCEL, RECORD)
    assert delivery.serves_others()
    assert [token for path, token in server.came if path == "POST /fhir"] == [
        f"Bearer {token}" for token in server.granted
    ]
    assert len(server.granted) == 1
    server.stop()


def test_a_server_that_does_not_take_the_key_is_waited_for(tmp_path: Path) -> None:
    """The delivery is not to blame: none is rejected until the key or the server is put right."""
    key = ECKey.generate_key("P-384")
    server = SmartServer(key)
    server.discovery["token_endpoint_auth_signing_alg_values_supported"] = ["RS384"]
    smart = {"client_id": CLIENT, "key_file": str(write_key(tmp_path, key))}
    target = subscribed(deliver={"fhir": {"base_url": server.base_url, "smart": smart}}).definition.deliver.fhir
    assert target is not None
    with pytest.raises(SynopticError) as caught:
        FhirDelivery(target, "transaction").deliver(PARCEL, RECORD)
    assert caught.value.code is Code.REGISTRY_REFUSES
    server.stop()


def test_a_folder_gets_each_delivery_once(tmp_path: Path) -> None:
    """A file of one line, whole and for its owner alone; delivered again it is the same file."""
    folder = tmp_path / "new" / "registry"
    delivery = FolderDelivery(folder)
    for _ in range(2):
        assert delivery.deliver(PARCEL, RECORD) == ()
    (file,) = folder.iterdir()
    assert file.name == f"0-000000000041-{IDENTIFIER.rpartition(':')[2]}.ndjson"
    assert [json.loads(line) for line in file.read_text().splitlines()] == [PARCEL.bundle]
    assert file.stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_waited_for(tmp_path: Path) -> None:
    """A share that is away comes back."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SynopticError) as caught:
        FolderDelivery(tmp_path / "file" / "below").deliver(PARCEL, RECORD)
    assert caught.value.code is Code.REGISTRY_UNAVAILABLE


@pytest.mark.parametrize(
    ("form", "rest"),
    [
        ("transaction", {"interaction": [{"code": "transaction"}]}),
        ("collection", {"resource": [{"type": "Bundle", "interaction": [{"code": "update"}]}]}),
        ("message", {"operation": [{"name": "process-message"}]}),
    ],
)
def test_a_check_reads_what_the_server_says_it_takes(server: RegistryServer, form: str, rest: dict) -> None:
    """What the form needs is well; a server that does not say so is advice, and one that is no FHIR server a fault."""
    target = subscribed(form=form, deliver={"fhir": {"base_url": server.base_url}})
    heading = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "format": ["json"]}
    server.statement = {**heading, "rest": [{"mode": "server", **rest}]}
    (well,) = check_target(target)
    server.statement = heading
    (silent,) = check_target(target)
    server.statement = {"resourceType": "Patient"}
    (other,) = check_target(target)
    assert (well.remedy, silent.is_advice, other.is_fault) == ("", True, True)


def test_a_check_of_a_server_that_is_away_names_the_cause() -> None:
    """And the key of the registry's file to look at."""
    (outcome,) = check_target(subscribed(deliver={"fhir": {"base_url": "http://127.0.0.1:9/fhir"}}))
    assert outcome.is_fault
    assert "deliver.fhir.base_url" in outcome.remedy
