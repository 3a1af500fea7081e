"""`synoptic doctor` before Kafka: a healthy broker, absent and foreign ones, refused clients, unfit topics."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType
from pydantic import SecretStr

from deploy.local.java_process import free_port
from deploy.local.kafka_cluster import KafkaCluster
from gateway.doctor import kafka_checks
from gateway.doctor.kafka_checks import check_kafka
from gateway.doctor.kafka_topic_checks import check_topics
from gateway.doctor.outcome import Outcome
from schemas.messages import TOPIC_REPORTS
from schemas.settings import BusSettings, FhirSettings, PrivacySettings, RegistrySettings, Settings
from schemas.topics import SEGMENT_SECONDS, TOPIC_STATES, TOPICS
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

REPOSITORY = Path(__file__).resolve().parents[3]
NAMES = ["Kafka cluster", "Kafka topics", "Kafka groups", "Kafka transactions"]
ROOM = 33 * 1024 * 1024
RIGHTS = {
    ResourceType.TOPIC: (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.CREATE, ACLOperation.DESCRIBE_CONFIGS),
    ResourceType.GROUP: (ACLOperation.READ,),
    ResourceType.TRANSACTIONAL_ID: (ACLOperation.WRITE,),
}


def bus_settings(servers: str, prefix: str = "", **bus) -> BusSettings:
    """Settings of a test's own part of a broker."""
    return BusSettings(kind="kafka", bootstrap_servers=servers, topic_prefix=prefix, **bus)


def outcomes(servers: str, prefix: str = "", **bus) -> list[Outcome]:
    """What the doctor finds; no password is in it."""
    allowed = PrivacySettings(allow_plaintext=True)
    found = list(check_kafka(Settings(bus=bus_settings(servers, prefix, **bus), privacy=allowed)))
    assert found
    secrets = [value.get_secret_value() for value in bus.values() if isinstance(value, SecretStr)]
    assert [secret for secret in secrets if secret in repr(found)] == []
    return found


def faults(found: list[Outcome]) -> dict[str, str]:
    """The faults by name."""
    return {outcome.name: outcome.found for outcome in found if outcome.is_fault}


def advised(found: list[Outcome]) -> dict[str, str]:
    """The advice by name."""
    return {outcome.name: outcome.found for outcome in found if outcome.is_advice}


def topics_of(servers: str, prefix: str) -> list[str]:
    """The topics of a prefix that exist."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        return sorted(name for name in admin.list_topics() if name.startswith(prefix))
    finally:
        admin.close()


@pytest.fixture(scope="module")
def secured(tmp_path_factory) -> Iterator[KafkaCluster]:
    """A broker that asks for a password, a certificate or a token, and keeps a list of who may do what."""
    with KafkaCluster(tmp_path_factory.mktemp("secured"), secured=True) as cluster:
        yield cluster


@pytest.fixture
def login(secured) -> dict:
    """The settings with which the secured broker lets a client in."""
    security = secured.security
    return {
        "servers": security.scram_servers,
        "security_protocol": "SASL_SSL",
        "ca_file": security.ca_file,
        "username": security.username,
        "password": SecretStr(security.password),
    }


def test_a_new_broker_is_healthy_and_left_as_it_was(kafka_servers, topic_prefix):
    """Before the first run nothing is wrong, and the doctor makes none of the topics itself."""
    found = outcomes(kafka_servers, topic_prefix)
    assert faults(found) == {}
    assert [outcome.name for outcome in found if not outcome.is_advice] == NAMES
    assert "9 made at the first run" in {outcome.name: outcome.found for outcome in found}["Kafka topics"]
    assert topics_of(kafka_servers, topic_prefix) == []


def test_topics_of_the_product_are_as_they_should(kafka_servers, topic_prefix):
    """The topics that the bus itself makes have no fault; a hop that runs is counted."""
    settings = bus_settings(kafka_servers, topic_prefix)
    bus = KafkaBus(settings)
    bus.publish([Outgoing(TOPIC_REPORTS, b"{}")])
    subscription = bus.subscribe("synoptic-intake", [TOPIC_REPORTS])
    try:
        assert subscription.poll(1, 30.0).records
        found = outcomes(kafka_servers, topic_prefix)
    finally:
        bus.close()
    assert faults(found) == {}
    told = {outcome.name: outcome.found for outcome in found if not outcome.is_advice}
    assert told["Kafka topics"] == "9 there, kept as they should"
    assert told["Kafka groups"] == "members now: intake 1, extraction 0, emission 0, delayed 0, review 0"


def test_transaction_version_2_is_advised_against(kafka_servers, topic_prefix):
    """New clusters have it; it is no fault, since our bus closes the hole."""
    assert advised(outcomes(kafka_servers, topic_prefix)) == {"Kafka cluster": "transaction.version 2"}


def test_unfit_topics_are_named_one_by_one(kafka_servers, topic_prefix):
    """Too small, kept otherwise, kept too long, or erased late: each is a line of its own, with what to set."""
    small, forever, states = (f"{topic_prefix}{TOPICS[0].name}", f"{topic_prefix}{TOPICS[1].name}", TOPIC_STATES)
    room = {"max.message.bytes": str(ROOM)}
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    try:
        configurations = {
            small: {"max.message.bytes": "1048588", "retention.ms": str(7 * 86_400_000)},
            forever: {**room, "retention.ms": "-1"},
            f"{topic_prefix}{states}": {**room, "cleanup.policy": "delete"},
        }
        admin.create_topics(
            {
                name: {"num_partitions": 1, "replication_factor": 1, "configs": configuration}
                for name, configuration in configurations.items()
            },
            wait_for_metadata=True,
        )
    finally:
        admin.close()
    found = outcomes(kafka_servers, topic_prefix)
    assert faults(found) == {
        small: "max.message.bytes is 1048588",
        f"{topic_prefix}{states}": "cleanup.policy is delete",
    }
    assert advised(found)[forever] == "messages are kept for ever"
    assert advised(found)[small] == "segment.ms is 604800000, 7 days"


def test_missing_topics_that_nobody_creates(kafka_servers, topic_prefix):
    """Without bus.create_topics each missing topic is a fault."""
    found = faults(outcomes(kafka_servers, topic_prefix, create_topics=False))
    assert sorted(found) == sorted(f"{topic_prefix}{topic.name}" for topic in TOPICS)
    assert all(line.startswith("SYN-514 ") for line in found.values())


def test_registries_are_asked_about_as_well(kafka_servers, topic_prefix, tmp_path):
    """Each has its group, and the topic of its own must be there and take every message, whatever bus.create_topics says."""
    (tmp_path / "board.yaml").write_text("deliver: {kafka: {topic: registry.board}}\n")
    settings = Settings(
        bus=bus_settings(kafka_servers, topic_prefix),
        registry=RegistrySettings(folder=tmp_path),
        fhir=FhirSettings(base_url="http://127.0.0.1:9/fhir"),
        privacy=PrivacySettings(allow_plaintext=True),
    )
    own = f"{topic_prefix}registry.board"
    found = list(check_kafka(settings))
    assert {name: said[:7] for name, said in faults(found).items()} == {own: "SYN-514"}
    assert any("registry_board 0" in outcome.found for outcome in found if outcome.name == "Kafka groups")
    with closing(KafkaAdminClient(bootstrap_servers=kafka_servers)) as admin:
        small = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "1048588"}}
        admin.create_topics({own: small}, wait_for_metadata=True)
    assert faults(list(check_kafka(settings))) == {own: "max.message.bytes is 1048588"}


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ("broker.invalid:9092", "no such host"),
        ("127.0.0.1:nine", "is no address"),
        ("127.0.0.1:{free}", "nothing listens there"),
    ],
)
def test_an_absent_broker_is_not_a_refusal(servers, words):
    """A misspelt host, an address that is none and a port where nothing listens are told apart at once."""
    address = servers.format(free=free_port())
    (outcome,) = outcomes(address)
    assert (outcome.name, outcome.found) == (f"broker {address}", words)
    assert outcome.is_fault
    assert "bus.bootstrap_servers" in outcome.remedy


def test_one_absent_broker_of_two_is_advice(kafka_servers, topic_prefix):
    """As long as one of the addresses answers, the others stop nothing."""
    absent = f"127.0.0.1:{free_port()}"
    found = outcomes(f"{absent},{kafka_servers}", topic_prefix)
    assert faults(found) == {}
    assert advised(found)[f"broker {absent}"] == "nothing listens there"


def test_something_else_than_kafka(monkeypatch):
    """A web server at that address is no broker that refuses us."""
    monkeypatch.setattr(kafka_checks, "SECONDS", 1.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        found = outcomes(f"127.0.0.1:{server.server_address[1]}")
        server.shutdown()
        thread.join()
    assert [outcome.found for outcome in found] == ["what answers is no Kafka broker, or one that wants a login"]


def test_plaintext_to_another_machine_is_said(kafka_servers, topic_prefix, monkeypatch):
    """Patient data that travel unencrypted are said."""
    monkeypatch.setattr(kafka_checks, "is_loopback", lambda _host: False)
    assert "unencrypted" in advised(outcomes(kafka_servers, topic_prefix))["Kafka"]


def test_the_right_password(login, topic_prefix):
    """A client that the broker knows finds it healthy, over TLS and with its password."""
    assert faults(outcomes(login.pop("servers"), topic_prefix, **login)) == {}


@pytest.mark.parametrize("change", [{"password": SecretStr("wrong-secret")}, {"username": "nobody"}])
def test_a_refused_client_is_told_apart_from_an_absent_broker(login, topic_prefix, change):
    """A wrong password and an unknown user are a refusal, not a broker that is away."""
    found = outcomes(login.pop("servers"), topic_prefix, **(login | change))
    assert list(faults(found)) == ["Kafka"]
    assert faults(found)["Kafka"].startswith("SYN-512 the broker refuses this client (")


def test_tls_faults_are_told_apart(secured, login, topic_prefix, monkeypatch):
    """An unknown authority, TLS against plain text, and plain text against TLS are three different lines."""
    monkeypatch.setattr(kafka_checks, "SECONDS", 1.0)
    servers = login.pop("servers")
    (untrusted,) = outcomes(servers, topic_prefix, **(login | {"ca_file": None}))
    assert untrusted.found == "its certificate is not trusted"
    assert "bus.ca_file" in untrusted.remedy
    (plain_port,) = outcomes(secured.bootstrap_servers, topic_prefix, **login)
    assert plain_port.found == "it does not speak TLS there"
    (tls_port,) = outcomes(servers, topic_prefix)
    assert tls_port.found == "it speaks TLS there"
    assert "bus.security_protocol" in tls_port.remedy


def test_a_user_without_rights_sees_what_is_missing(secured, login, topic_prefix):
    """A known user who may do nothing is told every right that hops need."""
    security = secured.security
    stranger = {"username": security.powerless_username, "password": SecretStr(security.powerless_password)}
    found = faults(outcomes(login.pop("servers"), topic_prefix, **(login | stranger)))
    topics = [f"{topic_prefix}{topic.name}" for topic in TOPICS]
    assert sorted(found) == sorted([*topics, "Kafka groups", "Kafka transactions"])
    assert all(line.startswith("SYN-512 ") for line in found.values())


def allow(servers: str, user: str, prefix: str) -> None:
    """Give a user the rights that docs/operations.md lists, on names with that prefix."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.create_acls(
            [
                ACL(
                    principal=f"User:{user}",
                    host="*",
                    operation=operation,
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(kind, f"{prefix}synoptic", ACLResourcePatternType.PREFIXED),
                )
                for kind, operations in RIGHTS.items()
                for operation in operations
            ]
        )
    finally:
        admin.close()


def test_a_user_with_the_documented_rights_can_work(secured, login, topic_prefix):
    """The rights that the documentation lists are enough: for the doctor, to publish, to consume and to commit."""
    security = secured.security
    user = {"username": security.powerless_username, "password": SecretStr(security.powerless_password)}
    settings = login | user
    servers = settings.pop("servers")
    allow(secured.bootstrap_servers, security.powerless_username, topic_prefix)
    assert faults(outcomes(servers, topic_prefix, **settings)) == {}
    with closing(KafkaBus(bus_settings(servers, topic_prefix, **settings))) as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"{}")])
        subscription = bus.subscribe("synoptic-intake", [TOPIC_REPORTS])
        subscription.commit(subscription.poll(1, 30.0), [Outgoing(TOPICS[1].name, b"{}")])
        assert bus.lag("synoptic-intake", [TOPIC_REPORTS]) == {TOPIC_REPORTS: 0}
        assert [record.value for record in bus.read(TOPICS[1].name)] == [b"{}"]
    assert faults(outcomes(servers, topic_prefix, **settings)) == {}
    assert topics_of(secured.bootstrap_servers, topic_prefix) == sorted(
        f"{topic_prefix}{topic.name}" for topic in TOPICS
    )


@pytest.mark.parametrize("words", [("status",), ("rejected", "list"), ("publish", "report.json")])
def test_commands_say_in_one_line_why_the_broker_does_not_serve_them(login, topic_prefix, tmp_path, words):
    """A refused command and one whose broker is away end with 2 and different numbers; nothing else is printed."""
    (tmp_path / "report.json").write_text('{"name": "Erika Mustermann"}')
    password = "wrong-secret-of-the-test"
    refused = variables(login | {"password": password, "topic_prefix": topic_prefix})
    absent = refused | {
        "SYNOPTIC_BUS__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "SYNOPTIC_BUS__REQUEST_TIMEOUT_SECONDS": "1",
    }
    for environment, number in ((refused, "SYN-512"), (absent, "SYN-501")):
        answer = subprocess.run(
            [sys.executable, "-c", "from gateway.cli import main; main()", *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 2
        assert number in answer.stderr
        lines = [line for line in answer.stderr.splitlines() if not line.startswith("published 0 ")]
        assert len(lines) == 1, answer.stderr
        for hidden in (password, "Erika"):
            assert hidden not in answer.stdout + answer.stderr


def variables(settings: dict) -> dict[str, str]:
    """The environment of a command with these settings of the bus."""
    keys = {"bootstrap_servers": settings["servers"], "kind": "kafka", "request_timeout_seconds": "4", **settings}
    del keys["servers"]
    named = {f"SYNOPTIC_BUS__{key.upper()}": str(value) for key, value in keys.items()}
    return {**named, "PYTHONPATH": str(REPOSITORY), "PATH": ""}


class ClusterOfThree:
    """What the administration of a cluster of three brokers answers, of which one is reached under no such name."""

    def __init__(self, replicas: int, in_sync: int, required: int) -> None:
        self.replicas, self.in_sync, self.required = replicas, in_sync, required

    def describe_cluster(self):
        """Three brokers, the last out of the cluster."""
        hosts = ("127.0.0.1", "broker.invalid", "broker.invalid")
        return {
            "brokers": [
                {"broker_id": number, "host": host, "port": 1, "is_fenced": number == 3}
                for number, host in enumerate(hosts, 1)
            ]
        }

    def describe_features(self):
        """A cluster without features."""
        return {}

    def describe_topics(self, names):
        """All topics, with one partition of so many replicas."""
        partition = {
            "leader_id": 1,
            "replica_nodes": list(range(self.replicas)),
            "isr_nodes": list(range(self.in_sync)),
        }
        return [
            {"name": name, "error_code": 0, "partitions": [partition], "authorized_operations": None} for name in names
        ]

    def describe_configs(self, resources, config_filter):
        """Every topic kept as it should be."""
        return {"topic": {resource.name: self._configuration(resource.name) for resource in resources}}

    def _configuration(self, name):
        topic = next(topic for topic in TOPICS if topic.name == name)
        values = {
            "max.message.bytes": str(ROOM),
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "retention.ms": str(topic.retention_days * 86_400_000),
            "segment.ms": str(SEGMENT_SECONDS * 1000),
            "min.insync.replicas": str(self.required),
        }
        return {key: {"value": value} for key, value in values.items()}


@pytest.mark.parametrize(
    ("replicas", "in_sync", "required", "words", "is_fault"),
    [
        (3, 3, 2, "9 there, kept as they should", False),
        (1, 1, 1, "1 replica on 2 brokers", False),
        (3, 3, 1, "min.insync.replicas is 1 with 3 replicas", False),
        (3, 1, 2, "0 partitions without a leader, 1 with too few brokers in sync", True),
    ],
)
def test_replicas_are_judged_by_the_cluster(replicas, in_sync, required, words, is_fault):
    """One replica, or one that is enough for an answer, is advised against; too few in sync is a fault."""
    found = list(check_topics(ClusterOfThree(replicas, in_sync, required), BusSettings()))
    assert {outcome.found for outcome in found} == {words}
    assert {outcome.is_fault for outcome in found} == {is_fault}


def test_brokers_that_call_themselves_what_nobody_finds():
    """The names that brokers give clients are tried as well; one that is out of the cluster is only said."""
    found = list(kafka_checks._cluster(ClusterOfThree(3, 3, 2)))
    assert faults(found) == {
        "broker 1": "calls itself 127.0.0.1:1: nothing listens there",
        "broker 2": "calls itself broker.invalid:1: no such host",
    }
    assert advised(found) == {"broker 3": "takes no part in the cluster now"}
