"""deploy/compose.yaml, read as an engine would: valid, made of real settings and commands, pinned and closed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import maven
from deploy.local.java_process import program
from deploy.local.kafka_cluster import SOURCES
from gateway.composition import PROCESSES
from schemas.settings import PREFIX, load_settings

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "deploy" / "compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
MODEL = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = MODEL["services"]
HOPS = {name: service for name, service in SERVICES.items() if "build" in service}
SECRET = "0123456789abcdef" * 4


def interpolated(value: str, variables: dict[str, str]) -> str:
    """A value as compose fills it: `${NAME:?why}` from the environment, refused where that has none."""
    return re.sub(r"\$\{(\w+):\?[^}]+\}", lambda match: variables[match.group(1)], value)


def test_the_file_is_a_compose_file():
    """It follows the Compose Specification's own schema."""
    checker = Path(sys.executable).parent / "check-jsonschema"
    answer = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", FILE], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_hop_is_a_service():
    """Each process that the program can run is a service of that name, and is run by it."""
    assert set(HOPS) == set(PROCESSES)
    assert {name: service["command"] for name, service in HOPS.items()} == {name: ["run", name] for name in HOPS}


@pytest.mark.parametrize("name", HOPS)
def test_every_variable_is_a_setting(name, tmp_path, monkeypatch):
    """The whole environment of a hop loads as settings, for Kafka and a FHIR server, with the key that was given."""
    monkeypatch.chdir(tmp_path)
    given = HOPS[name]["environment"]
    assert given
    assert all(variable.startswith(PREFIX) for variable in given)
    for variable, value in given.items():
        assert isinstance(value, str), variable
        monkeypatch.setenv(variable, interpolated(value, {"SYNOPTIC_PRIVACY__KEY": SECRET}))
    settings = load_settings()
    assert settings.bus.kind == "kafka"
    assert settings.fhir.base_url is not None
    assert settings.privacy.key is not None
    assert settings.privacy.key.get_secret_value() == SECRET


def test_hops_look_for_services_that_exist():
    """The broker and the server are named as the services are, at the ports on which these listen."""
    environment = HOPS["emission"]["environment"]
    broker, port = environment["SYNOPTIC_BUS__BOOTSTRAP_SERVERS"].split(":")
    kafka = SERVICES[broker]["environment"]
    assert f"HOPS://{broker}:{port}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"HOPS://:{port}" in kafka["KAFKA_LISTENERS"].split(",")
    server = re.fullmatch(r"http://([a-z]+):(\d+)/fhir", environment["SYNOPTIC_FHIR__BASE_URL"])
    assert server is not None
    assert SERVICES[server.group(1)]["ports"] == [f"127.0.0.1:{server.group(2)}:{server.group(2)}"]
    shared = set(HOPS["emission"]["networks"])
    assert shared <= set(SERVICES[broker]["networks"]) & set(SERVICES[server.group(1)]["networks"])


@pytest.mark.parametrize("name", HOPS)
def test_hops_may_end_in_order(name):
    """A hop is sent its signals by an init, and has the time to finish its batch that docs/operations.md asks for."""
    operations = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    asked = re.search(r"grace period of (\d+) s or more", operations)
    assert asked is not None
    assert int(HOPS[name]["stop_grace_period"].removesuffix("s")) >= int(asked[1])
    assert HOPS[name]["init"] is True


@pytest.mark.parametrize("name", HOPS)
def test_hops_are_asked_whether_they_are_ready(name):
    """The health check asks the port that the settings serve, with the Python that the image has."""
    command = HOPS[name]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    compile(command[3], "healthcheck", "exec")
    port = HOPS[name]["environment"]["SYNOPTIC_METRICS__PORT"]
    assert f"http://127.0.0.1:{port}/health/ready" in command[3]


def test_images_are_pinned():
    """Every image but our own names a full version; our own is the one of this release."""
    for name, service in SERVICES.items():
        repository, _, tag = service["image"].partition(":")
        if name in HOPS:
            assert (repository, tag) == ("synoptic", project_version())
            context = (FILE.parent / service["build"]["context"]).resolve()
            assert context == REPOSITORY
            assert (context / service["build"]["dockerfile"]).is_file()
        else:
            assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\w+)?", tag), name


def project_version() -> str:
    """The version in pyproject.toml."""
    found = re.search(r'^version = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(name):
    """No service has a privilege, a writable image, an engine's socket, or a network or process space of the host."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "userns_mode", "devices"} & set(service)
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(MODEL["volumes"])
    assert service["restart"] == "unless-stopped"
    assert "mem_limit" in service


def test_ports_are_published_on_this_machine_only():
    """A published port is bound to the loopback address, and what is published is on the one network that may be."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"kafka", "fhir"}
    for name, ports in published.items():
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports), name
    open_networks = {name for name, network in MODEL["networks"].items() if not network.get("internal")}
    assert open_networks == {"desk"}
    assert {name for name, service in SERVICES.items() if "desk" in service["networks"]} == set(published)


def test_no_secret_has_a_default():
    """Keys and passwords come from the environment, and compose refuses to start without them."""
    secret = re.compile(r"password|key$", re.IGNORECASE)
    found = {
        (name, variable): value
        for name, service in SERVICES.items()
        for variable, value in service["environment"].items()
        if secret.search(variable)
    }
    assert {name for name, _ in found} == {*HOPS, "fhir", "fhir-database"}
    for place, value in found.items():
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), place


def test_messages_are_as_large_as_everywhere():
    """The broker takes a record of the largest message, its frame included."""
    largest = int(SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"])
    assert largest > load_settings().bus.maximum_message_bytes


def set_up_broker(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What the image of Kafka does when it starts: its own class turns the environment into a formatted broker."""
    for name in ("default", "mounted", "final", "data"):
        (folder / name).mkdir(parents=True)
    for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "default" / name).touch()
    class_path = f"{maven.build(SOURCES) / 'lib'}/*"
    command = [program("java"), "-cp", class_path, "kafka.docker.KafkaDockerWrapper", "setup"]
    folders = {name: folder / name for name in ("default", "mounted", "final")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return subprocess.run(
        [*command, *(word for name, path in folders.items() for word in (f"--{name}-configs-dir", str(path)))],
        env={
            **inherited,
            **environment,
            "KAFKA_LOG_DIRS": str(folder / "data"),
            "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_kafka_takes_its_environment(tmp_path):
    """The broker is configured and formatted from exactly what the file says; without its roles it would not be."""
    environment = SERVICES["kafka"]["environment"]
    answer = set_up_broker(tmp_path / "as written", environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (tmp_path / "as written" / "data" / "meta.properties").is_file()
    written = (tmp_path / "as written" / "final" / "server.properties").read_text(encoding="utf-8")
    assert f"advertised.listeners={environment['KAFKA_ADVERTISED_LISTENERS']}" in written
    lacking = {name: value for name, value in environment.items() if name != "KAFKA_PROCESS_ROLES"}
    assert set_up_broker(tmp_path / "lacking", lacking).returncode != 0


def test_kafka_is_the_version_that_is_tested():
    """The image holds the release that the tests run from Maven's artifacts."""
    pom = (SOURCES / "pom.xml").read_text(encoding="utf-8")
    tested = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>", pom)
    assert tested is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{tested.group(1)}"


def test_the_fhir_server_is_the_version_that_is_tested():
    """The image holds the HAPI release that the tests run from Maven's artifacts."""
    pom = (SOURCES.parent / "fhir-server" / "pom.xml").read_text(encoding="utf-8")
    tested = re.search(r"<hapi\.version>([^<]+)</hapi\.version>", pom)
    assert tested is not None
    assert SERVICES["fhir"]["image"].startswith(f"hapiproject/hapi:v{tested.group(1)}-")
