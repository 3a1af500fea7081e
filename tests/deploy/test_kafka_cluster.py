"""A Kafka broker as deploy/local starts it: it keeps what it took, and a secured one lets in whom it should."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import ClusterAuthorizationFailedError, KafkaTimeoutError, TopicAuthorizationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from deploy.local.java_process import HOST, ServerFailedError, accepts_connections
from deploy.local.kafka_cluster import KafkaCluster
from deploy.local.kafka_security import SecuredListeners

# A refusal ends as a client that gives up.
REFUSED_AFTER_MS = 3_000


class FixedToken(AbstractTokenProvider):
    """Hands out one token."""

    def __init__(self, token: str) -> None:
        """Remember the token."""
        super().__init__()
        self._token = token

    def token(self) -> str:
        """The token."""
        return self._token


def publish(servers: str, topic: str, *values: bytes) -> None:
    """Send values to a topic and wait until the broker has them."""
    producer = KafkaProducer(bootstrap_servers=servers, max_request_size=40_000_000)
    for future in [producer.send(topic, value) for value in values]:
        future.get(20)
    producer.close()


def create(servers: str, topic: str) -> None:
    """Create a topic of one partition."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()


def read(servers: str, topic: str, wanted: int) -> list[bytes]:
    """The first values of a topic; fewer where no more come."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, 0)])
    values = [record.value for _, record in zip(range(wanted), consumer, strict=False)]
    consumer.close()
    return values


def gone(pid: int) -> bool:
    """Whether no process has this id."""
    return not Path(f"/proc/{pid}").exists()


def test_a_broker_keeps_its_records_over_a_kill(tmp_path):
    """What was sent is read, the largest message too, also after SIGKILL and restart; stop leaves nothing running."""
    large = b"x" * (32 * 1024 * 1024)
    with KafkaCluster(tmp_path / "kafka") as cluster:
        servers = cluster.bootstrap_servers
        assert cluster.leader_of_quorum() == 1
        create(servers, "notes")
        publish(servers, "notes", b"one", large, b"two")
        first = cluster.pids[1]
        cluster.kill(1)
        assert cluster.pids == {}
        assert gone(first)
        assert not accepts_connections(int(servers.rpartition(":")[2]))
        cluster.start_node(1)
        assert cluster.pids[1] != first
        publish(servers, "notes", b"three")
        assert read(servers, "notes", 4) == [b"one", large, b"two", b"three"]
        last = cluster.pids[1]
        cluster.stop_node(1)
        assert gone(last)
        cluster.start_node(1)
        assert read(servers, "notes", 1) == [b"one"]
        last = cluster.pids[1]
    assert gone(last)
    assert cluster.pids == {}


def test_a_broker_that_cannot_start_leaves_nothing_running(tmp_path):
    """A port that another program serves is refused by name, and no process stays."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        cluster = KafkaCluster(tmp_path / "kafka", port=port)
        with pytest.raises(ServerFailedError, match=f"another process listens on port {port}"):
            cluster.start()
    assert cluster.pids == {}
    cluster.start()
    assert cluster.bootstrap_servers == f"{HOST}:{port}"
    assert list(cluster.pids) == [1]
    cluster.stop()


def test_a_secured_cluster_has_one_node(tmp_path):
    """What was never built is refused before anything is written."""
    with pytest.raises(ValueError, match="secured"):
        KafkaCluster(tmp_path / "kafka", nodes=3, secured=True)
    with pytest.raises(ValueError, match="one node or three"):
        KafkaCluster(tmp_path / "kafka", nodes=2)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def secured_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the secured broker keeps its log."""
    return tmp_path_factory.mktemp("secured") / "kafka"


@pytest.fixture(scope="module")
def listeners(secured_folder: Path) -> Iterator[SecuredListeners]:
    """The listeners of a secured broker."""
    with KafkaCluster(secured_folder, secured=True) as cluster:
        assert cluster.security is not None
        yield cluster.security


def by_password(listeners: SecuredListeners, username: str, password: str) -> dict[str, object]:
    """What a client needs to log in by password."""
    return {
        "bootstrap_servers": listeners.scram_servers,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(listeners.ca_file),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


def by_certificate(listeners: SecuredListeners) -> dict[str, object]:
    """What a client needs to show its certificate."""
    return {
        "bootstrap_servers": listeners.mutual_servers,
        "security_protocol": "SSL",
        "ssl_cafile": str(listeners.ca_file),
        "ssl_certfile": str(listeners.client.certificate),
        "ssl_keyfile": str(listeners.client.key),
    }


def by_token(listeners: SecuredListeners, token: str) -> dict[str, object]:
    """What a client needs to show a token."""
    return {
        "bootstrap_servers": listeners.bearer_servers,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(listeners.ca_file),
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_provider": FixedToken(token),
    }


def create_topic(client: dict[str, object], topic: str) -> None:
    """Do what only a user with rights may."""
    admin = KafkaAdminClient(**client)
    try:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    finally:
        admin.close()


def test_each_listener_lets_in_who_may(listeners):
    """Password, certificate and token each open their listener, with the rights of the user."""
    user, password = listeners.username, listeners.password
    ways = by_password(listeners, user, password), by_certificate(listeners), by_token(listeners, listeners.token())
    for number, client in enumerate(ways):
        create_topic(client, f"topic-{number}")
    admin = KafkaAdminClient(**ways[0])
    assert {"topic-0", "topic-1", "topic-2"} <= {topic["name"] for topic in admin.describe_topics()}
    admin.close()


def test_a_user_without_rights_is_let_in_and_may_do_nothing(listeners):
    """The other user's password is right, and yet no topic is created for it."""
    client = by_password(listeners, listeners.powerless_username, listeners.powerless_password)
    with pytest.raises((ClusterAuthorizationFailedError, TopicAuthorizationFailedError)):
        create_topic(client, "forbidden")


REFUSALS = {
    "wrong password": (
        lambda these: by_password(these, these.username, "wrong"),
        "invalid credentials with SASL mechanism SCRAM-SHA-512",
    ),
    "no certificate": (
        lambda these: {**by_certificate(these), "ssl_certfile": None, "ssl_keyfile": None},
        "SSL handshake failed",
    ),
    "token of another audience": (
        lambda these: by_token(these, these.token(audience="other")),
        "invalid_token",
    ),
}


@pytest.mark.parametrize("way", REFUSALS)
def test_each_listener_refuses_who_may_not(listeners, secured_folder, way):
    """A refusal is told apart from an absent broker by the broker's log: clients only see that they get nowhere."""
    client, reason = REFUSALS[way]
    log = secured_folder / "node-1" / "server.log"
    before = log.stat().st_size
    with pytest.raises(KafkaTimeoutError):
        KafkaAdminClient(**client(listeners), bootstrap_timeout_ms=REFUSED_AFTER_MS)
    assert reason in log.read_bytes()[before:].decode()
