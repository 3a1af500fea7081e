"""A Kafka cluster of one node or three on free ports of this host, each node broker and controller at once."""

import base64
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import maven
from deploy.local.java_process import HOST, JavaProcess, ServerFailedError, free_port, program
from deploy.local.kafka_security import SecuredListeners

SOURCES = Path(__file__).resolve().parent / "kafka"
# A report with its scanned pages may fill a message of 32 MiB; the broker counts the record's frame as well.
LARGEST_MESSAGE_BYTES = 33 * 1024 * 1024
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true")
HEAP = {1: "-Xmx512m", 3: "-Xmx384m"}


class KafkaCluster:
    """One node or three, formatted in an empty folder when first started; every node can be killed and restarted.

    Only this object may start processes over its folder: two at once on the same data corrupt it.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        secured: bool = False,
        port: int | None = None,
    ) -> None:
        """Choose the ports; `port` fixes that of the first node."""
        if nodes not in HEAP or (secured and nodes != 1):
            raise ValueError("a cluster has one node or three, a secured one has one")
        self._folder = folder.resolve()
        self._ports = {node: free_port() for node in range(1, nodes + 1)}
        if port is not None:
            self._ports[1] = port
        self._controller_ports = {node: free_port() for node in self._ports}
        self.security = SecuredListeners(self._folder / "security") if secured else None
        self._nodes: dict[int, JavaProcess] = {}

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of every node's listener without encryption or password."""
        return ",".join(f"{HOST}:{port}" for port in self._ports.values())

    @property
    def pids(self) -> dict[int, int]:
        """The process id of each node that runs."""
        return {node: process.pid for node, process in self._nodes.items() if process.running}

    def start(self) -> None:
        """Start every node and return when all of them take clients."""
        if not self._nodes:
            self._prepare()
        try:
            for process in self._nodes.values():
                process.start()
            for process in self._nodes.values():
                process.wait_until_listening()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every node in order and return when all are gone."""
        for process in self._nodes.values():
            process.request_stop()
        for process in self._nodes.values():
            process.stop()

    def start_node(self, node: int) -> None:
        """Start a node that was killed or stopped, and return when it takes clients."""
        self._nodes[node].start()
        self._nodes[node].wait_until_listening()

    def stop_node(self, node: int) -> None:
        """End one node in order."""
        self._nodes[node].stop()

    def kill(self, node: int) -> None:
        """End one node by SIGKILL, as a power cut would."""
        self._nodes[node].kill()

    def leader_of_quorum(self) -> int:
        """The node that leads the controllers, as the cluster tells it."""
        from kafka import KafkaAdminClient

        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            # The controller that describe_cluster names is any living broker; only the quorum knows its leader.
            return int(admin.describe_metadata_quorum()["topics"][0]["partitions"][0]["leader_id"])
        finally:
            admin.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _prepare(self) -> None:
        """Write each node's configuration and format its folder."""
        libraries = maven.build(SOURCES) / "lib"
        class_path = ("-cp", f"{libraries}/*")
        logging = f"-Dlog4j2.configurationFile={SOURCES / 'log4j2.properties'}"
        directories = {node: _identifier() for node in self._ports}
        for node in self._ports:
            home = self._home(node)
            home.mkdir(parents=True)
            (home / "server.properties").write_text("\n".join(self._properties(node)) + "\n", encoding="utf-8")
        format_one = (program("java"), *QUICK_START, logging, *class_path, "kafka.tools.StorageTool", "format")
        voters = ",".join(f"{node}@{HOST}:{port}:{directories[node]}" for node, port in self._controller_ports.items())
        options = ["--cluster-id", _identifier(), "--initial-controllers", voters]
        if self.security is not None:
            options += self.security.format_options
        with ThreadPoolExecutor(len(self._ports)) as pool:
            list(pool.map(lambda node: self._format([*format_one, *options], node), self._ports))
        flags = self.security.java_flags if self.security is not None else ()
        for node in self._ports:
            main = ("kafka.Kafka", str(self._home(node) / "server.properties"))
            arguments = (*QUICK_START, HEAP[len(self._ports)], logging, *flags, *class_path, *main)
            self._nodes[node] = JavaProcess(arguments, self._home(node) / "server.log", self._ports[node])

    def _format(self, command: list[str], node: int) -> None:
        """Format the data folder of one node."""
        configuration = str(self._home(node) / "server.properties")
        answer = subprocess.run(  # noqa: S603 (a fixed command)
            [*command, "--config", configuration], capture_output=True, text=True, timeout=120, check=False
        )
        if answer.returncode != 0:
            raise ServerFailedError(f"node {node} could not be formatted\n{answer.stdout}{answer.stderr}")

    def _home(self, node: int) -> Path:
        """The folder of one node."""
        return self._folder / f"node-{node}"

    def _properties(self, node: int) -> list[str]:
        """The configuration of one node."""
        nodes = len(self._ports)
        in_sync = 2 if nodes == 3 else 1
        listeners = {"PLAINTEXT": self._ports[node], "CONTROLLER": self._controller_ports[node]}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        if self.security is not None:
            listeners |= self.security.ports
            protocols |= self.security.protocols
        properties = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.bootstrap.servers": ",".join(f"{HOST}:{p}" for p in self._controller_ports.values()),
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items()),
            "listener.security.protocol.map": ",".join(f"{name}:{value}" for name, value in protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self._home(node) / "data",
            "auto.create.topics.enable": "false",
            "num.partitions": nodes,
            "default.replication.factor": nodes,
            "min.insync.replicas": in_sync,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": nodes,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": nodes,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": nodes,
            "share.coordinator.state.topic.min.isr": in_sync,
            "message.max.bytes": LARGEST_MESSAGE_BYTES,
            "replica.fetch.max.bytes": LARGEST_MESSAGE_BYTES,
            # Tests wait for what the defaults put off: a group's first assignment, the end of a dead transaction, and
            # the return of a killed broker, which the controller refuses until its old session has run out.
            "group.initial.rebalance.delay.ms": 0,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
        }
        secured = self.security.properties if self.security is not None else []
        return [*(f"{key}={value}" for key, value in properties.items()), *secured]


def _identifier() -> str:
    """A new identifier in Kafka's form; one that begins with a hyphen would be read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not text.startswith("-"):
            return text
