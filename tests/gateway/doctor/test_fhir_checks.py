"""`synoptic doctor` before a FHIR server: a real one, and foreign ones of every kind that operators meet."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from gateway.doctor import fhir_checks
from gateway.doctor.fhir_checks import check_fhir, written_types
from gateway.doctor.outcome import Outcome
from schemas.settings import FhirSettings, PrivacySettings, Settings

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
TOKEN = "a-token-nobody-must-see"
WORDS_OF_THE_SERVER = "Erika Mustermann was here"
WRITTEN = ("BodyStructure", "Condition", "Device", "Observation", "Provenance", "Specimen", "Task")


def capability(**changes) -> dict:
    """A CapabilityStatement that promises all that emission needs, with changes."""
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "update"}],
            "versioning": "versioned-update",
            "updateCreate": True,
            "searchParam": [{"name": "identifier"}, {"name": "target"}],
        }
        for kind in (*WRITTEN, "Patient", "DiagnosticReport")
    ]
    rest = {"mode": "server", "interaction": [{"code": "transaction"}, {"code": "batch"}], "resource": resources}
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "format": ["application/fhir+json"]}
    return {**statement, "rest": [rest], **changes}


@contextmanager
def served(answers: dict[str, tuple[int, object]], certificate: Path | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server of exactly these answers by path (anything else: 404); gives its address and what it was asked.

    A batch is answered by the same answers, one an entry; a search finds nothing.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(f"GET {self.path} {self.headers.get('Authorization', '')}".strip())
            self.answer(*answers.get(self.path, (404, {"diagnostics": WORDS_OF_THE_SERVER})))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(f"POST {self.path} {self.headers.get('Authorization', '')}".strip())
            if self.path in answers:
                self.answer(*answers[self.path])
            elif self.path.endswith("/_search"):
                self.answer(200, {"resourceType": "Bundle", "type": "searchset"})
            else:
                urls = [entry["request"]["url"] for entry in json.loads(body)["entry"]]
                asked.extend(urls)
                entries = [self.entry(*answers.get(f"/fhir/{url}", (404, {}))) for url in urls]
                self.answer(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})

        def entry(self, status, body):
            return {"response": {"status": str(status)}, **({"resource": body} if status == 200 else {})}

        def answer(self, status, body):
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}/fhir", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def healthy(**statement) -> dict[str, tuple[int, object]]:
    """The answers of a server that has all."""
    organization = {"resourceType": "Organization", "id": "synoptic", "name": WORDS_OF_THE_SERVER}
    return {"/fhir/metadata": (200, capability(**statement)), "/fhir/Organization/synoptic": (200, organization)}


def outcomes(base_url: str, **fhir) -> list[Outcome]:
    """What the doctor finds; never the token, nor anything that the server said in words of its own."""
    open_network = PrivacySettings(allow_plaintext=True)
    found = list(check_fhir(Settings(fhir=FhirSettings(base_url=base_url, **fhir), privacy=open_network)))
    assert found
    for outcome in found:
        assert TOKEN not in repr(outcome)
        assert WORDS_OF_THE_SERVER not in repr(outcome)
    return found


def faults(found: list[Outcome]) -> dict[str, str]:
    """The faults by name."""
    return {outcome.name: outcome.found for outcome in found if outcome.is_fault}


def free_port() -> int:
    """A port that nothing listens on."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_address[1]


def make_certificate(folder: Path, host: str = "127.0.0.1", days: int = 1) -> Path:
    """A self-signed certificate with its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}-{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_real_server_is_healthy_once_it_has_the_organization(fhir_url):
    """A HAPI FHIR server has all that emission needs, except the Organization until somebody creates it."""
    name = "Organization/synoptic-doctor-test"
    missing = outcomes(fhir_url, organization="Organization/synoptic-doctor-nobody")
    assert list(faults(missing)) == ["FHIR organization"]
    assert faults(missing)["FHIR organization"].startswith("SYN-460 ")
    body = {"resourceType": "Organization", "id": name.partition("/")[2], "name": "test"}
    httpx.put(f"{fhir_url}/{name}", json=body).raise_for_status()
    found = outcomes(fhir_url, organization=name)
    assert faults(found) == {}
    assert [outcome.name for outcome in found if not outcome.is_advice] == [
        "FHIR server",
        "FHIR version",
        "FHIR transactions",
        "FHIR resources",
        "FHIR search",
        "FHIR access",
        "FHIR organization",
    ]
    (silent,) = [outcome.found for outcome in found if outcome.is_advice]
    assert silent == "it does not say whether an update creates what is not there"


def test_written_types_are_those_of_the_pack_and_the_program():
    """The types asked for cover every resource of the golden Bundles."""
    assert written_types(Settings()) == WRITTEN
    bundles = [json.loads(path.read_text()) for path in GOLDEN.glob("*/*/bundle.json")]
    emitted = {entry["resource"]["resourceType"] for bundle in bundles for entry in bundle["entry"]}
    assert emitted
    assert emitted <= set(WRITTEN)


def test_a_healthy_server_is_asked_no_patients_data():
    """A complete server has no fault; what is read are ids that nobody has, and the Organization."""
    with served(healthy()) as (url, asked):
        found = outcomes(url, bearer_token=SecretStr(TOKEN))
    assert [outcome for outcome in found if outcome.remedy] == []
    kinds = sorted({*WRITTEN, "Patient", "DiagnosticReport"})
    assert asked == [
        f"GET /fhir/metadata Bearer {TOKEN}",
        f"POST /fhir/Provenance/_search Bearer {TOKEN}",
        f"POST /fhir Bearer {TOKEN}",
        *(f"{kind}/synoptic-doctor" for kind in kinds),
        "Organization/synoptic",
    ]


def test_a_port_where_nothing_listens():
    """An absent server is one line that names the setting."""
    (outcome,) = outcomes(f"http://127.0.0.1:{free_port()}/fhir")
    assert (outcome.name, outcome.found) == ("FHIR server", "nothing listens there")
    assert "fhir.base_url" in outcome.remedy


def test_a_host_that_does_not_exist():
    """A misspelt host is told apart from a server that is down."""
    (outcome,) = outcomes("https://ehr.invalid/fhir")
    assert outcome.found == "no such host"


def test_a_server_that_never_answers(monkeypatch):
    """A port that accepts and stays silent ends in time, and says so."""
    monkeypatch.setattr(fhir_checks, "SECONDS", 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        (outcome,) = outcomes(f"http://127.0.0.1:{silent.server_address[1]}/fhir")
    assert outcome.found == "no answer in time"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {"resourceType": "OperationOutcome"}), "no FHIR server (404)"),
        ((200, f"<html>{WORDS_OF_THE_SERVER}</html>"), "no FHIR server (200)"),
        ((200, {"resourceType": "Patient", "id": WORDS_OF_THE_SERVER}), "no FHIR server (200)"),
        ((200, [1]), "no FHIR server (200)"),
        ((302, ""), "elsewhere (302)"),
        ((503, ""), "cannot answer now (503)"),
        ((401, ""), "SYN-458 "),
        ((403, ""), "SYN-458 "),
    ],
)
def test_answers_that_are_no_capability_statement(answer, words):
    """What is no FHIR server, has moved, is down or refuses us, is each told in one line, and asked no further."""
    with served({"/fhir/metadata": answer}) as (url, asked):
        (outcome,) = outcomes(url, bearer_token=SecretStr(TOKEN))
    assert outcome.is_fault
    assert words in outcome.found
    assert len(asked) == 1


def test_an_r5_server_is_refused():
    """A server of another FHIR version is a fault, even if it has all else."""
    with served(healthy(fhirVersion="5.0.0")) as (url, _):
        assert faults(outcomes(url)) == {"FHIR version": "5.0.0, not R4"}


def test_a_server_without_json_is_refused():
    """XML alone is not enough."""
    with served(healthy(format=["application/fhir+xml"])) as (url, _):
        assert faults(outcomes(url)) == {"FHIR version": "4.0, without JSON"}


def test_what_the_capability_statement_lacks_is_named_by_type():
    """Each type that cannot be written as emission needs is a line of its own."""
    statement = capability()
    server = statement["rest"][0]
    server["interaction"] = [{"code": "batch"}]
    by_type = {resource["type"]: resource for resource in server["resource"]}
    by_type["Condition"]["updateCreate"] = False
    by_type["Observation"]["versioning"] = "no-version"
    by_type["Provenance"]["searchParam"] = []
    server["resource"].remove(by_type["Task"])
    with served(healthy(rest=[server])) as (url, _):
        assert faults(outcomes(url)) == {
            "FHIR transactions": "are not taken",
            "FHIR Condition": "no update as create",
            "FHIR Observation": "no versions",
            "FHIR Task": "no read, no update, no versions",
            "FHIR search": "no search for Provenance by target",
        }


def test_a_server_that_cannot_search_by_identifier_is_advised():
    """It matters only where reports refer by identifier, so it is no fault."""
    statement = capability()
    patient = next(kind for kind in statement["rest"][0]["resource"] if kind["type"] == "Patient")
    patient["searchParam"] = []
    with served(healthy(rest=statement["rest"])) as (url, _):
        found = outcomes(url)
    assert faults(found) == {}
    (outcome,) = [outcome for outcome in found if outcome.is_advice]
    assert outcome.found == "no search by identifier for Patient"


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_open_only_the_metadata(status):
    """A server whose metadata are public shows the missing right at the first resource."""
    answers = {**healthy(), "/fhir/Observation/synoptic-doctor": (status, {"diagnostics": WORDS_OF_THE_SERVER})}
    with served(answers) as (url, _):
        found = faults(outcomes(url, bearer_token=SecretStr(TOKEN)))
    assert list(found) == ["FHIR access"]
    assert found["FHIR access"].startswith(f"SYN-458 the FHIR server refuses this client ({status}, ")
    assert "Observation" in found["FHIR access"]


def test_a_token_file_that_is_not_there(tmp_path):
    """The file of the token is named as the fault, before anything is sent."""
    with served(healthy()) as (url, asked):
        found = outcomes(url, bearer_token_file=tmp_path / "absent")
    assert faults(found)["FHIR server"].startswith("SYN-601 the settings have faults: fhir.bearer_token_file")
    assert asked == []


def test_an_authority_file_that_is_not_there(tmp_path):
    """So is the file of the authority."""
    (outcome,) = outcomes("https://127.0.0.1:1/fhir", ca_file=tmp_path / "absent")
    assert outcome.found.startswith("SYN-601 the settings have faults: fhir.ca_file")


@pytest.mark.parametrize(
    ("path", "answer", "name"),
    [
        ("/fhir", (405, ""), "FHIR batches"),
        ("/fhir", (200, {"resourceType": "Bundle", "entry": []}), "FHIR batches"),
        ("/fhir", (503, ""), "FHIR access"),
        ("/fhir/Provenance/_search", (405, ""), "FHIR search"),
        ("/fhir/Provenance/_search", (403, ""), "FHIR search"),
        ("/fhir/Organization/synoptic", (200, {"resourceType": "Patient"}), "FHIR organization"),
        ("/fhir/Organization/synoptic", (410, ""), "FHIR organization"),
        ("/fhir/Organization/synoptic", (401, ""), "FHIR access"),
    ],
)
def test_what_is_promised_is_tried(path, answer, name):
    """A batch, a search and the Organization are asked for, whatever the CapabilityStatement says."""
    with served({**healthy(), path: answer}) as (url, _):
        found = faults(outcomes(url))
    assert list(found) == [name]
    assert found[name].startswith("SYN-")


def test_tls_is_trusted_only_under_the_right_authority(tmp_path):
    """An unknown authority, another host, an expired certificate and a missing TLS are four different faults."""
    good, other = make_certificate(tmp_path), make_certificate(tmp_path, host="192.0.2.1")
    old = make_certificate(tmp_path, days=-1)
    for certificate, authority, words in (
        (good, good, None),
        (good, None, "its certificate is not trusted"),
        (other, other, "its certificate is for another host"),
        (old, old, "its certificate has expired"),
    ):
        with served(healthy(), certificate) as (url, _):
            found = faults(outcomes(url, ca_file=authority))
        assert found == ({"FHIR server": words} if words else {})
    with served(healthy()) as (url, asked):
        assert faults(outcomes(url.replace("http:", "https:"))) == {"FHIR server": "it does not speak TLS there"}
    assert asked == []


def test_plaintext_to_another_machine_is_said():
    """Patient data that travel unencrypted are said, whether or not the server is there."""
    found = outcomes("http://ehr.invalid/fhir")
    assert found[0].is_advice
    assert "unencrypted" in found[0].found
