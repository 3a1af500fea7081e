"""Builders for the tests of the emission hops: findings messages, records, hops, and a store that lacks resources."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from emission_made import context

from gateway.emission import EmissionHop
from gateway.stores.folder_store import FolderStore
from gateway.stores.resource_store import Resource, ResourceStore, Targets
from schemas.findings import Evidence, Finding, Primary
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_FINDINGS,
    Action,
    Configuration,
    Reference,
    ReportFindings,
)
from schemas.settings import Settings
from workers.buses.bus import Record
from workers.privacy.sealing import Seal

SEAL = Seal(b"0123456789abcdef0123456789abcdef")


def finding(value: str) -> Finding:
    """A coded finding with evidence."""
    return Finding(
        value=value,
        status="coded",
        basis="stated",
        probability=0.99,
        evidence=(Evidence(quote=value, start=0, end=len(value)),),
        source="model",
        attributes={"prefix": "p"} if value[0] in "TN" else {},
    )


def message(
    day: int = 1,
    action: str = "replace",
    report: str = "report",
    adapter: str = "a",
    about: Mapping[str, Any] | None = None,
    **values: str,
) -> bytes:
    """The findings of one version of a report, as extraction publishes them; `about` changes its context."""
    sealed = context(report, day, **(about or {}))
    primary = Primary(
        key="breast-left",
        organ="breast",
        laterality="left",
        principal=True,
        assertion="primary_invasive",
        histology="IDC",
        behaviour="invasive",
        procedure="mastectomy",
        findings={task: finding(value) for task, value in values.items()},
    )
    findings = ReportFindings(
        report_hmac=SEAL.report_hmac(sealed.report_key),
        action=Action(action),
        pack="breast",
        primaries=(primary,) if values else (),
        content_digest=f"{report} {day} {action} {sorted(values.items())}",
        configuration=Configuration(
            pack="breast",
            pack_version="1",
            pack_digest="p",
            model="m",
            model_digest="d",
            adapter_digest=adapter,
            policy="agreement",
        ),
        sealed=SEAL.seal(sealed),
    )
    return findings.model_dump_json().encode()


PATIENTS = [UUID(int=number) for number in range(4)]


def of_patient(number: int, day: int, **more: object) -> bytes:
    """A version of the only report of a patient, or of the report named in `more`."""
    report = str(more.pop("report", f"r{number}"))
    return message(day, report=report, about={"patient_key": PATIENTS[number], **more}, T=f"T{day}")


def record(value: bytes, topic: str = TOPIC_FINDINGS, headers: tuple[tuple[str, str], ...] = ()) -> Record:
    """A record as the bus gives it."""
    return Record(topic, 0, 0, value, key=b"k", headers=headers)


def make_hop(store: ResourceStore, settings: Settings | None = None, **more: Any) -> EmissionHop:
    """Emission over a store."""
    return EmissionHop(settings or Settings(_env_file=None), store, SEAL, **more)


def emit(hop: EmissionHop, value: bytes) -> Resource:
    """Process one message, which must succeed; the published Bundle."""
    (result,) = hop.process([record(value)])
    assert result.error is None
    outgoing, *_ = result.outgoing
    assert outgoing.topic == TOPIC_BUNDLES
    bundle: Resource = orjson.loads(outgoing.value)
    return bundle


class LackingStore(FolderStore):
    """A folder that lacks resources of some types, and knows others under another reference."""

    lacking: frozenset[str] = frozenset()
    known: Mapping[Reference, Reference] = {}

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """What is there, under the reference to use, and what is not."""
        missing = tuple(reference for reference in references if reference.type in self.lacking)
        found = {item: self.known.get(item, item) for item in references if item not in missing}
        return Targets(found, missing)
