"""What `synoptic doctor` asks the Kafka brokers: whether they are there, let us in, and keep what hops hand on.

Nothing is written to a topic. The one trace is the transactional id `synoptic-doctor`, which the broker forgets after
some days: that it may open transactions can only be seen by asking for one.
"""

import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from kafka import errors

from gateway.doctor.kafka_topic_checks import check_topics
from gateway.doctor.network_checks import NetworkFault, is_loopback, network_fault
from gateway.doctor.outcome import Outcome, advice, fault
from gateway.hop_inputs import hop_inputs, registry_topics
from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings, Settings
from workers.buses.kafka_clients import client_arguments, connect, translated
from workers.buses.kafka_library import Administrator
from workers.buses.kafka_topics import KafkaTopics
from workers.buses.kafka_transactions import Transactions
from workers.hop import group_of

BUS = "Kafka"
SECONDS = 5.0  # for one answer; a doctor that waits as patiently as a hop helps nobody
DEFAULT_PORT = 9092
DOCTOR = "synoptic-doctor"
PAUSE_SECONDS = 0.2
UNFENCED_TRANSACTIONS = 2


def check_kafka(settings: Settings) -> Iterator[Outcome]:
    """Everything about the brokers of `bus.bootstrap_servers`; where none lets us in, nothing further is asked."""
    bus = settings.bus.model_copy(
        update={"request_timeout_seconds": min(SECONDS, settings.bus.request_timeout_seconds)}
    )
    try:
        reached = yield from _reached(bus, client_arguments(bus).get("ssl_context"))
        if not reached:
            return
        bus = bus.model_copy(update={"bootstrap_servers": ",".join(reached)})
        admin = connect(Administrator, **client_arguments(bus))
    except SynopticError as error:
        yield _misplaced(bus, error.code is Code.BUS_REFUSES) or fault(BUS, error)
        return
    try:
        yield from _guarded("Kafka cluster", _cluster(admin))
        yield from _guarded("Kafka topics", check_topics(admin, bus, registry_topics(settings)))
        yield from _guarded("Kafka groups", _groups(admin, bus, hop_inputs(settings)))
    finally:
        admin.close()
    yield from _guarded("Kafka transactions", _transactions(bus))


def _guarded(name: str, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """The outcomes of one check; what the broker refuses or cannot do ends this check alone."""
    try:
        with translated():
            yield from outcomes
    except SynopticError as error:
        yield fault(name, error)


def _reached(bus: BusSettings, tls: ssl.SSLContext | None) -> Generator[Outcome, None, list[str]]:
    """Say which of the addresses cannot be reached; returns those that can."""
    found = {server: _reach(server, tls) for server in bus.servers}
    reached = [server for server, wrong in found.items() if wrong is None]
    for server, wrong in found.items():
        if wrong is not None:
            yield Outcome(f"broker {server}", wrong.found, wrong.remedy, is_advice=bool(reached))
    if tls is None and not all(is_loopback(_host_and_port(server)[0]) for server in reached):
        yield advice(BUS, "patient data travel to it unencrypted", "set bus.security_protocol to SSL or SASL_SSL")
    return reached


def _host_and_port(server: str) -> tuple[str, int]:
    parts = urlsplit(f"//{server}")
    return parts.hostname or "", parts.port or DEFAULT_PORT


def _reach(server: str, tls: ssl.SSLContext | None) -> NetworkFault | None:
    """What keeps us from talking to an address, up to and including TLS."""
    try:
        host, port = _host_and_port(server)
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            if tls is not None:
                tls.wrap_socket(plain, server_hostname=host).close()
    except (OSError, ValueError) as error:
        return network_fault(error, "bus.bootstrap_servers", "bus.ca_file") or NetworkFault(
            "is no address", "give bus.bootstrap_servers as host:port, several separated by commas"
        )
    return None


def _misplaced(bus: BusSettings, refuses: bool) -> Outcome | None:
    """What is wrong where something listens, and `refuses` a client without TLS or gives it no answer."""
    if bus.security_protocol.endswith("SSL"):
        return None
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    if any(_reach(server, trusting) is None for server in bus.servers):
        return Outcome(BUS, "it speaks TLS there", "set bus.security_protocol to SSL or SASL_SSL")
    if refuses and bus.security_protocol == "PLAINTEXT":
        found = "what answers is no Kafka broker, or one that wants a login"
        return Outcome(BUS, found, "correct bus.bootstrap_servers or bus.security_protocol")
    return None


def _cluster(admin: Any) -> Iterator[Outcome]:
    """How many brokers there are, whether each can be reached under the name it gives itself, and their version."""
    brokers = admin.describe_cluster()["brokers"]
    for broker in brokers:
        name, address = f"broker {broker['broker_id']}", f"{broker['host']}:{broker['port']}"
        wrong = _reach(address, None)
        if broker.get("is_fenced"):
            yield advice(name, "takes no part in the cluster now", "start it, or look at its log")
        elif wrong is not None:
            remedy = "correct that broker's advertised.listeners, or this machine's name service and firewall"
            yield Outcome(name, f"calls itself {address}: {wrong.found}", remedy)
    levels = {
        name: level["finalized"][1] for name, level in admin.describe_features().items() if level.get("finalized")
    }
    plural = "" if len(brokers) == 1 else "s"
    yield Outcome("Kafka cluster", f"{len(brokers)} broker{plural}, metadata.version {levels.get('metadata.version')}")
    if levels.get("transaction.version", 0) >= UNFENCED_TRANSACTIONS:
        yield advice(
            "Kafka cluster",
            f"transaction.version {levels['transaction.version']}",
            "Synoptic closes the hole that this leaves to Python clients; 1 closes it for all (docs/operations.md)",
        )


def _groups(admin: Any, bus: BusSettings, hops: Iterable[str]) -> Iterator[Outcome]:
    """Whether the hops may read as their groups, and how many members each has now."""
    groups = {f"{bus.topic_prefix}{group_of(hop)}": hop for hop in hops}
    described = _once_coordinated(lambda: admin.describe_groups(list(groups)))
    members, closed = [], []
    for group, hop in groups.items():
        rights = described[group]["authorized_operations"]  # None for a group that nobody has joined yet
        if rights is not None and "READ" not in rights:
            closed.append(group)
        members.append(f"{hop} {len(described[group]['members'])}")
    if closed:
        yield fault("Kafka groups", SynopticError(Code.BUS_REFUSES, f"no right to read as {', '.join(closed)}"))
    else:
        yield Outcome("Kafka groups", f"members now: {', '.join(members)}")


def _once_coordinated(ask: Callable[[], Any]) -> Any:
    """The answer; a new cluster makes its coordinators only when first asked for one."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except (errors.CoordinatorNotAvailableError, errors.CoordinatorLoadInProgressError):
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def _transactions(bus: BusSettings) -> Iterator[Outcome]:
    """Whether transactions can be opened; none is."""
    topics = KafkaTopics(bus)
    Transactions(bus, topics, topics.wire(DOCTOR)).close()
    yield Outcome("Kafka transactions", "can be opened")
