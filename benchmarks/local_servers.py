"""A real Kafka broker and a real FHIR server for benchmarks, settings over them, and what an EHR would hold there."""

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from schemas.settings import BusSettings, FhirSettings, PrivacySettings, Settings

sys.path.append(str(Path(__file__).resolve().parents[1]))  # deploy/ is beside the product, not installed with it

from deploy.local.fhir_server import FhirServer
from deploy.local.kafka_cluster import KafkaCluster
from deploy.local.seed import seed

SEEDED_AT_ONCE = 200


@contextmanager
def local_kafka(folder: Path) -> Iterator[str]:
    """One broker; its address."""
    with KafkaCluster(folder / "kafka") as cluster:
        yield cluster.bootstrap_servers


@contextmanager
def local_fhir(folder: Path) -> Iterator[str]:
    """One server that writes each resource to its disk before it answers; its base address."""
    with FhirServer(folder / "fhir-server", database="file") as server:
        kind, _, identifier = FhirSettings().organization.partition("/")
        seed(server.base_url, [{"resourceType": kind, "id": identifier, "name": "Synoptic"}])
        yield server.base_url


def settings_on(folder: Path, kafka: str | None = None, fhir: str | None = None) -> Settings:
    """The shipped settings over these servers, or over files in the folder; all topics and ids are of this call alone."""
    name = secrets.token_hex(6)
    bus = {"path": folder / name / "bus.sqlite"}
    if kafka is not None:
        bus |= {"kind": "kafka", "bootstrap_servers": kafka, "topic_prefix": f"{name}-"}
    return Settings(
        tenant=name,
        bus=BusSettings(**bus),
        fhir=FhirSettings(base_url=fhir, folder=folder / name / "fhir"),
        privacy=PrivacySettings(key=secrets.token_hex(32), key_store=folder / f"{name}-keys.sqlite"),
    )


def seed_reports(base_url: str, messages: Sequence[bytes]) -> None:
    """Put the reports, without their texts, and their patients on the server, as an EHR does before it publishes."""
    resources = []
    for message in messages:
        report = json.loads(message)
        resources.append({"resourceType": "Patient", "id": report["subject"]["reference"].partition("/")[2]})
        resources.append({key: value for key, value in report.items() if key != "presentedForm"})
    for start in range(0, len(resources), SEEDED_AT_ONCE):
        seed(base_url, resources[start : start + SEEDED_AT_ONCE])
