"""What tests share because it takes long: the shipped model, and a Kafka broker and a FHIR server, each started once."""

import secrets
from collections.abc import Iterator

import pytest
import structlog
from servers.shared_servers import shared_folder, shared_server

from model.engine import Engine
from schemas.settings import Settings


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that a test runs in this process sets up logging; the next test finds none of it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The checkpoint that ships."""
    from model.engine import load_engine

    return load_engine(Settings().model)


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker; tests keep apart by `topic_prefix`."""
    from deploy.local.kafka_cluster import KafkaCluster

    folder = shared_folder(tmp_path_factory)
    with shared_server(folder, "kafka", KafkaCluster, lambda cluster: cluster.bootstrap_servers) as address:
        yield address


@pytest.fixture(scope="session")
def fhir_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a FHIR server; tests keep apart by tenant and by ids of their own."""
    from deploy.local.fhir_server import FhirServer

    folder = shared_folder(tmp_path_factory)
    with shared_server(folder, "fhir", FhirServer, lambda server: server.base_url) as address:
        yield address


@pytest.fixture
def topic_prefix() -> str:
    """A prefix of topics, groups and transactional ids that no other test has."""
    return f"test-{secrets.token_hex(6)}-"
