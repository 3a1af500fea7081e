"""What is wrong with settings: with one alone, and between those of encryption, certificates and credentials."""

import pytest

from schemas.errors import Code, SynopticError
from schemas.settings import load_settings

SECRET = "hunter2-and-more"
KAFKA = {"BUS__KIND": "kafka"}


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """Loads settings given as variables; the faults, or an empty text."""
    monkeypatch.chdir(tmp_path)

    def load(**variables: str) -> str:
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(f"SYNOPTIC_{name}", value)
            try:
                load_settings()
            except SynopticError as error:
                return error.detail if error.code is Code.BAD_SETTINGS else repr(error)
        return ""

    return load


REMOTE = {**KAFKA, "BUS__BOOTSTRAP_SERVERS": "127.0.0.1:9092, kafka.example:9092"}
HERE = "localhost:9092,127.0.0.1:9092,127.8.8.8:1,[::1]:9092"


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_kafka_on_another_machine_needs_encryption(faults, protocol):
    """One broker elsewhere without TLS is a fault that names both ways out."""
    login = {"BUS__USERNAME": "u", "BUS__PASSWORD": SECRET}
    found = faults(**REMOTE, **login, BUS__SECURITY_PROTOCOL=protocol)
    assert found.startswith("bus.security_protocol: ")
    assert "SASL_SSL" in found
    assert "privacy.allow_plaintext" in found


@pytest.mark.parametrize(
    "variables",
    [
        {**KAFKA, "BUS__BOOTSTRAP_SERVERS": HERE},
        {**REMOTE, "BUS__SECURITY_PROTOCOL": "SSL"},
        {**REMOTE, "PRIVACY__ALLOW_PLAINTEXT": "true"},
        {**REMOTE, "BUS__KIND": "embedded"},
        {"FHIR__BASE_URL": "http://localhost:8080/fhir"},
        {"FHIR__BASE_URL": "http://127.0.0.1:8080/fhir"},
        {"FHIR__BASE_URL": "http://[::1]:8080/fhir"},
        {"FHIR__BASE_URL": "https://ehr.example/fhir"},
        {"FHIR__BASE_URL": "http://ehr.example/fhir", "PRIVACY__ALLOW_PLAINTEXT": "true"},
    ],
)
def test_what_stays_here_is_encrypted_or_was_allowed_is_no_fault(faults, variables):
    """Loopback, TLS and a site's own word are each enough; another bus's keys do not matter."""
    assert faults(**variables) == ""


@pytest.mark.parametrize("host", ["ehr.example", "127.0.0.1.example", "localhost.example", "10.0.0.1", "0.0.0.0"])
def test_fhir_on_another_machine_needs_encryption(faults, host):
    """A FHIR server elsewhere by http is a fault, and no name that only looks like this machine is taken for it."""
    found = faults(FHIR__BASE_URL=f"http://{host}/fhir")
    assert found.startswith("fhir.base_url: ")
    assert "privacy.allow_plaintext" in found


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"BUS__BOOTSTRAP_SERVERS": " , "}, "bus.bootstrap_servers"),
        ({"BUS__CERTIFICATE_FILE": "c.pem"}, "bus.key_file"),
        ({"BUS__KEY_FILE": "k.pem"}, "bus.certificate_file"),
        ({"BUS__SECURITY_PROTOCOL": "SASL_SSL"}, "bus.password"),
        ({"BUS__SECURITY_PROTOCOL": "SASL_SSL", "BUS__PASSWORD": SECRET}, "bus.username"),
        ({"BUS__SECURITY_PROTOCOL": "SASL_SSL", "BUS__USERNAME": "u", "BUS__PASSWORD": ""}, "bus.password"),
        (
            {"BUS__SECURITY_PROTOCOL": "SASL_SSL", "BUS__SASL_MECHANISM": "OAUTHBEARER", "BUS__PASSWORD": SECRET},
            "bus.token_file",
        ),
        ({"FHIR__BEARER_TOKEN": SECRET, "FHIR__BEARER_TOKEN_FILE": "t"}, "fhir.bearer_token_file"),
    ],
)
def test_keys_that_need_or_exclude_each_other(faults, variables, named):
    """Half a certificate, half a login and two tokens are faults that name the keys and never a secret."""
    found = faults(**KAFKA, **variables)
    assert named in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "variables",
    [
        {"BUS__CERTIFICATE_FILE": "c.pem", "BUS__KEY_FILE": "k.pem", "BUS__SECURITY_PROTOCOL": "SSL"},
        {"BUS__SECURITY_PROTOCOL": "SASL_SSL", "BUS__USERNAME": "u", "BUS__PASSWORD": SECRET},
        {
            "BUS__SECURITY_PROTOCOL": "SASL_SSL",
            "BUS__SASL_MECHANISM": "OAUTHBEARER",
            "BUS__TOKEN_FILE": "t",
        },
        {"FHIR__BEARER_TOKEN": SECRET},
        {"FHIR__BEARER_TOKEN_FILE": "t"},
    ],
)
def test_whole_logins_are_no_fault(faults, variables):
    """Each way to log in passes once all that it needs is there."""
    assert faults(**KAFKA, **variables) == ""


KAFKA_TIMES = [
    ("session_timeout", "poll_interval"),
    ("request_timeout", "transaction_timeout"),
]


@pytest.mark.parametrize(("shorter", "longer"), KAFKA_TIMES)
def test_times_that_a_broker_would_refuse_or_never_meet(faults, shorter, longer):
    """What must be over before something else is names both keys, both times and the way out; equal is too long."""
    keys = [f"BUS__{name.upper()}_SECONDS" for name in (shorter, longer)]
    found = faults(**KAFKA, **dict(zip(keys, ("40.5", "40.5"), strict=True)))
    assert found.startswith(f"bus.{shorter}_seconds, bus.{longer}_seconds: ")
    assert "40.5" in found
    assert "lower" in found
    assert faults(**KAFKA, **dict(zip(keys, ("40", "41"), strict=True))) == ""
    assert faults(**dict(zip(keys, ("41", "40"), strict=True))) == ""


@pytest.mark.parametrize("kind", ["embedded", "kafka"])
def test_a_stop_that_would_never_come(faults, kind):
    """A minimum that the window never holds would lift the limit on rejects in silence, on either bus."""
    found = faults(BUS__KIND=kind, BUS__REJECTED_MINIMUM="201")
    assert found.startswith("bus.rejected_minimum, bus.rejected_window: ")
    assert "201" in found
    assert faults(BUS__KIND=kind, BUS__REJECTED_MINIMUM="200") == ""


def test_all_faults_between_keys_come_at_once(faults):
    """One start tells everything that is to be corrected, whichever part it is in."""
    found = faults(
        **REMOTE,
        BUS__KEY_FILE="k.pem",
        BUS__REJECTED_WINDOW="2",
        BUS__SESSION_TIMEOUT_SECONDS="3000",
        FHIR__BASE_URL="http://ehr.example/fhir",
    )
    parts = [part.partition(":")[0] for part in found.split("; ")]
    assert {"bus.security_protocol", "bus.certificate_file, bus.key_file", "fhir.base_url"} <= set(parts)
    assert {"bus.rejected_minimum, bus.rejected_window"} <= set(parts)
    assert {"bus.session_timeout_seconds, bus.poll_interval_seconds"} <= set(parts)
    assert "Value error" not in found


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("FHIR__ORGANIZATION", "synoptic", "fhir.organization: give Organization/ and its id"),
        (
            "FHIR__ORGANIZATION",
            "https://ehr.example/Organization/1",
            "fhir.organization: give Organization/ and its id",
        ),
        ("FHIR__BASE_URL", f"{SECRET}.example/fhir", "fhir.base_url: give http:// or https://, a host and a path"),
        ("FHIR__BASE_URL", f"https://{SECRET}@ehr.example/", "fhir.base_url: give http:// or https://, a host"),
        ("BUS__INSTANCE_ID", f"a/{SECRET}", "bus.instance_id: give 1 to 64 letters A to Z"),
        ("BUS__TOPIC_PREFIX", f"a/{SECRET}", "bus.topic_prefix: give at most 64 letters A to Z"),
    ],
)
def test_what_was_expected_is_said_in_words(faults, variable, value, expected):
    """A value of the wrong form is answered by a sentence that names the key, not by a pattern, nor by the value."""
    found = faults(**{variable: value})
    assert found.startswith(expected)
    assert "pattern" not in found
    assert SECRET not in found


def test_a_variable_set_to_nothing_means_none(tmp_path, monkeypatch):
    """An empty variable takes a path, a secret or an address back that the file gives; other keys keep the empty text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synoptic.yaml").write_text(
        "bus: {ca_file: ca.pem, topic_prefix: a}\nfhir: {base_url: https://ehr.example/fhir, bearer_token_file: t}\n"
        f"privacy: {{key: {SECRET}}}\n"
    )
    for name in ("BUS__CA_FILE", "BUS__TOPIC_PREFIX", "FHIR__BASE_URL", "FHIR__BEARER_TOKEN_FILE", "PRIVACY__KEY"):
        monkeypatch.setenv(f"SYNOPTIC_{name}", "")
    settings = load_settings()
    assert (settings.bus.ca_file, settings.fhir.base_url, settings.fhir.bearer_token_file) == (None, None, None)
    assert (settings.privacy.key, settings.bus.topic_prefix) == (None, "")
