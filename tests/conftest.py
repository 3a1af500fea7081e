"""What tests share because it takes long: the shipped model, and a Kafka broker and a FHIR server, each started once."""

import logging
import secrets
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog
from servers.shared_servers import shared_folder, shared_server

from model.engine import Engine
from schemas.logs import LibraryHandler
from schemas.settings import Settings


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """What no test sets up is logged to standard error, as the program does it; what one sets up, the next finds undone.

    All that `schemas.logs.configure` sets is put back: its handler alone, left behind, would print what libraries log
    to standard output, among the JSON that the next test reads there.
    """
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    raises = logging.raiseExceptions
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    yield
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, LibraryHandler | logging.NullHandler)]
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = raises
    logging.captureWarnings(False)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
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
