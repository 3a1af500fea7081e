"""SMART Backend Services against a token server that checks signature, audience, lifetime and repetition itself."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import BrainpoolP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey
from smart_made import SmartServer, write_key

from gateway.fhir.client import FhirClient
from gateway.fhir.smart_backend import RENEWED_AFTER, SmartToken, read_key
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import FhirSettings, SmartSettings, load_settings

RSA, ELLIPTIC = RSAKey.generate_key(2048, auto_kid=False), ECKey.generate_key("P-384", auto_kid=False)
BATCH = {"resourceType": "Bundle", "type": "batch", "entry": []}


@pytest.fixture
def server() -> Iterator[SmartServer]:
    """A server that knows both keys."""
    server = SmartServer(RSA, ELLIPTIC)
    yield server
    server.stop()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The elliptic key."""
    return write_key(tmp_path, ELLIPTIC)


def fails(client: FhirClient) -> SynopticError:
    """The error of one request."""
    with pytest.raises(SynopticError) as caught:
        client.post(BATCH)
    return caught.value


@pytest.mark.parametrize("key", [RSA, ELLIPTIC], ids=["RS384", "ES384"])
def test_a_statement_that_holds_is_given_a_token(server: SmartServer, tmp_path: Path, key: RSAKey | ECKey) -> None:
    """Signed with either algorithm, for the endpoint that the server names; the token then opens the server."""
    client = FhirClient(server.settings(write_key(tmp_path, key), scope="system/*.cruds"))
    assert client.post(BATCH).status == 200
    assert client.post(BATCH).status == 200
    assert server.forms[0]["scope"] == ["system/*.cruds"]
    assert len(server.granted) == 1
    assert [token for path, token in server.came if path == "POST /fhir"] == [f"Bearer {server.granted[0]}"] * 2


def test_a_key_may_be_a_jwk_whose_own_name_is_sent(server: SmartServer, tmp_path: Path) -> None:
    """Its kid comes from the JWK, else from the settings, else it is the thumbprint."""
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps({**ELLIPTIC.as_dict(private=True), "kid": ELLIPTIC.thumbprint()}))
    path.chmod(0o600)
    assert FhirClient(server.settings(path)).post(BATCH).status == 200
    assert read_key(SmartSettings(key_file=path)).identifier == ELLIPTIC.thumbprint()
    assert read_key(SmartSettings(key_file=path, key_id="mine")).identifier == "mine"


def test_a_token_is_renewed_before_it_ends(server: SmartServer, key_file: Path) -> None:
    """It is used for four fifths of its life, then another is asked for with a new statement."""
    now = [1_700_000_000.0]
    token = SmartToken(server.settings(key_file, token_url=server.token_url), lambda: now[0])
    server.refusal = lambda form: None  # type: ignore[method-assign,assignment]  # its clock is another
    first = token.current()
    now[0] += 300 * RENEWED_AFTER - 1
    assert token.current() == first
    now[0] += 1
    assert token.current() != first
    assert len({form["client_assertion"][0] for form in server.forms}) == 2


def test_a_token_that_was_ended_is_renewed_once(server: SmartServer, key_file: Path) -> None:
    """At 401 the request is sent again with another token, and no third time where that is refused as well."""
    client = FhirClient(server.settings(key_file))
    client.post(BATCH)
    server.ended.update(server.granted)
    assert client.post(BATCH).status == 200
    assert len(server.granted) == 2
    server.came.clear()
    server.granted.clear()
    server.token_answers = [(200, {}, {"access_token": "unknown", "token_type": "Bearer"})]
    assert fails(client).code is Code.STORE_UNAVAILABLE
    assert [path for path, _ in server.came].count("POST /fhir") == 2


def test_a_token_endpoint_that_is_away_is_waited_for(server: SmartServer, key_file: Path) -> None:
    """503 and no answer at all are retry errors, with the time that was asked for."""
    server.token_answers = [(503, {"Retry-After": "7"}, {})]
    error = fails(FhirClient(server.settings(key_file)))
    assert (error.code, error.retry_after) == (Code.STORE_UNAVAILABLE, 7)
    away = server.settings(key_file, token_url="http://127.0.0.1:9/token")
    assert fails(FhirClient(away)).code.kind is Kind.RETRY


def test_a_client_that_is_not_registered_is_told_so(server: SmartServer, tmp_path: Path) -> None:
    """The endpoint's error code is shown, its description is not."""
    stranger = write_key(tmp_path, ECKey.generate_key("P-384"))
    error = fails(FhirClient(server.settings(stranger)))
    assert error.code is Code.TOKEN_REFUSED
    assert "status 400, invalid_client" in error.one_line()
    assert "Erika" not in error.one_line()


@pytest.mark.parametrize("granted", [{}, {"access_token": "a b", "token_type": "bearer"}, {"access_token": "a"}, []])
def test_what_is_no_bearer_token_is_refused(server: SmartServer, key_file: Path, granted: object) -> None:
    """A token of another type, or with characters that would break the header, is never sent."""
    server.token_answers = [(200, {}, granted)]
    assert fails(FhirClient(server.settings(key_file))).code is Code.TOKEN_REFUSED
    assert not any(path == "POST /fhir" for path, _ in server.came)


def test_redirects_take_neither_statement_nor_token_along(server: SmartServer, key_file: Path) -> None:
    """A token endpoint and a FHIR server that send us elsewhere are not followed: nothing comes to the other origin."""
    other = SmartServer(ELLIPTIC)
    server.token_answers = [(307, {"Location": other.token_url}, {})]
    assert fails(FhirClient(server.settings(key_file))).code is Code.TOKEN_REFUSED
    client = FhirClient(server.settings(key_file))
    client.post(BATCH)
    usual = server.answer
    server.answer = lambda *request: (  # type: ignore[method-assign]
        (307, {"Location": other.base_url}, {}) if request[1] == "/fhir" else usual(*request)
    )
    assert fails(client).code is Code.BAD_SETTINGS
    other.stop()
    assert other.came == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token_endpoint": "ftp://127.0.0.1/token"}, Code.NO_TOKEN_ENDPOINT),
        ({"token_endpoint": "https://user@127.0.0.1/token"}, Code.NO_TOKEN_ENDPOINT),
        ({"token_endpoint": "https://[token"}, Code.NO_TOKEN_ENDPOINT),
        ({"token_endpoint": None}, Code.NO_TOKEN_ENDPOINT),
        ({"token_endpoint_auth_signing_alg_values_supported": ["RS384"]}, Code.SMART_KEY),
    ],
)
def test_what_the_server_names_is_checked(server: SmartServer, key_file: Path, changes: dict, code: Code) -> None:
    """An endpoint that is none, and algorithms without ours, are faults of the configuration."""
    server.discovery = changes
    assert fails(FhirClient(server.settings(key_file))).code is code
    assert server.forms == []


def test_a_statement_goes_to_no_plain_address_of_another_machine(key_file: Path) -> None:
    """Where the FHIR server has TLS, so must the token endpoint have, unless it is this machine."""
    smart = SmartSettings(client_id="c", key_file=key_file, token_url="http://token.example/token")
    token = SmartToken(FhirSettings(base_url="https://ehr.example/fhir", smart=smart))
    with pytest.raises(SynopticError) as caught:
        token.current()
    assert caught.value.code is Code.NO_TOKEN_ENDPOINT


def _public() -> bytes:
    return ELLIPTIC.as_pem(private=False)


def _of_another_curve() -> bytes:
    key = generate_private_key(BrainpoolP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (ELLIPTIC.as_pem(private=True), 0o640, "rights"),
        (b"no key", 0o600, "neither PEM nor JWK"),
        (b"{}", 0o600, "neither PEM nor JWK"),
        (_public(), 0o600, "public key"),
        (_of_another_curve(), 0o600, "neither PEM nor JWK"),
        (RSAKey.generate_key(1024).as_pem(private=True), 0o600, "fewer than 2048"),
        (ECKey.generate_key("P-256").as_pem(private=True), 0o600, "not of P-384"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, content: bytes, mode: int, says: str
) -> None:
    """Before anything is sent: SYN-481 with the reason, and nothing of the file."""
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(SynopticError) as caught:
        read_key(SmartSettings(key_file=path))
    assert caught.value.code is Code.SMART_KEY
    assert says in caught.value.one_line()


def test_no_token_and_no_key_is_shown(server: SmartServer, key_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by repr nor by a library's log."""
    caplog.set_level(logging.DEBUG)
    client = FhirClient(server.settings(key_file))
    client.post(BATCH)
    shown = caplog.text + repr(vars(client)) + repr(read_key(SmartSettings(key_file=key_file)))
    assert not any(secret in shown for secret in (*server.granted, server.forms[0]["client_assertion"][0]))


def test_keys_that_do_not_fit_together_are_faults_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client id without key, and a bearer token beside it, are named together."""
    monkeypatch.setenv("SYNOPTIC_FHIR__SMART__CLIENT_ID", "c")
    monkeypatch.setenv("SYNOPTIC_FHIR__BEARER_TOKEN", "t")
    with pytest.raises(SynopticError) as caught:
        load_settings()
    line = caught.value.one_line()
    assert caught.value.code is Code.BAD_SETTINGS
    assert "fhir.smart.key_file: give both or neither" in line
    assert "give no fhir.bearer_token" in line
