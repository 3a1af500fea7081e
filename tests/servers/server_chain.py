"""The product's hops over Kafka and a FHIR server, beside an EHR that holds what the reports refer to."""

import atexit
import json
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
from whole_chain import WholeChain

from gateway.service import Service
from gateway.stores.authorship import unversioned
from model.engine import Engine
from schemas.errors import SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_REPORTS
from schemas.settings import BusSettings, FhirSettings, LoggingSettings, PrivacySettings, Settings
from schemas.topics import TOPICS
from workers.buses.bus import Bus, Outgoing, Record
from workers.buses.kafka import KafkaBus
from workers.runner import Runner

Resource = dict[str, Any]
PRIVACY = PrivacySettings(key="0123456789abcdef0123456789abcdef")
WAIT_SECONDS = 240.0
LOOK_SECONDS = 0.25
HOPS = {
    "intake": "synoptic.diagnostic-reports",
    "extraction": "synoptic.report-texts",
    "emission": "synoptic.report-findings",
    "delayed": "synoptic.findings-delayed",
}
"""What each hop reads, in the order of the flow."""


def new_site() -> str:
    """A site that no other test has: its reports, patients and everything derived from them are its own."""
    return f"site{secrets.token_hex(5)}"


def settings_on(kafka_servers: str, fhir_url: str, site: str, **sections: dict[str, Any]) -> Settings:
    """The shipped settings over both servers, for one site; `bus` and `fhir` change keys of their sections."""
    bus = {
        "kind": "kafka",
        "bootstrap_servers": kafka_servers,
        "topic_prefix": f"{site}-",
        "replication_factor": 1,
        "session_timeout_seconds": 6,  # the least that a broker takes: a killed member is missed sooner
        "rejected_share": 1.0,
    }
    fhir = {"base_url": fhir_url, "organization": f"Organization/{site}"}
    return Settings(
        tenant=site,
        logging=LoggingSettings(level="error", format="json"),
        bus=BusSettings(**bus | sections.pop("bus", {})),
        fhir=FhirSettings(**fhir | sections.pop("fhir", {})),
        privacy=PRIVACY.model_copy(update={"key_store": _keys_folder() / f"{site}.sqlite"}),
        **sections,  # type: ignore[arg-type]
    )


@cache
def _keys_folder() -> Path:
    """Where the sites' key stores lie until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="synoptic-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def wait_until(condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return as soon as the condition holds; fail with what was waited for when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(LOOK_SECONDS)


class Ehr:
    """One site's part of the FHIR server: puts what an EHR holds there, and reads back all that was ever written."""

    def __init__(self, base_url: str, site: str) -> None:
        self.site = site
        self._client = httpx.Client(
            base_url=base_url, timeout=60, headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        )
        self._since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds")
        self.seeded: dict[str, int] = {}
        self.hold([{"resourceType": "Organization", "id": site, "name": "A hospital"}])

    def seed(self, messages: Iterable[bytes], patients: bool = True) -> None:
        """Hold what the site's reports refer to: their Patients and themselves; what is no report of the site is not."""
        found: dict[str, Resource] = {}
        for message in messages:
            report = self._report(message)
            if report is None:
                continue
            reference = report["subject"]["reference"]
            if patients:
                identifiers = [report["subject"]["identifier"]]
                found[reference] = {"resourceType": "Patient", "id": reference[8:], "identifier": identifiers}
            kept = {key: value for key, value in report.items() if key not in ("presentedForm", "subject")}
            found[f"DiagnosticReport/{report['id']}"] = kept | ({"subject": report["subject"]} if patients else {})
        self.hold(found.values())

    def edit(self, resource: Resource) -> None:
        """Write one resource as a person does, who asks nobody."""
        answer = self._client.put(f"{resource['resourceType']}/{resource['id']}", content=orjson.dumps(resource))
        assert answer.status_code == 200, answer.text

    def get(self, reference: str) -> Resource | None:
        """One resource as it stands."""
        answer = self._client.get(reference)
        return orjson.loads(answer.content) if answer.status_code == 200 else None

    def versions(self) -> dict[str, list[Resource]]:
        """Every version, oldest first, of everything about the site that the EHR itself did not write.

        Read from the history of the whole server, so that nothing of whatever type is overlooked. What is the site's
        names one of its Patients or reports, or what names them. Devices belong to nobody: those referred to count.
        """
        every: dict[str, list[Resource]] = defaultdict(list)
        for resource in self._history():
            every[f"{resource['resourceType']}/{resource['id']}"].insert(0, resource)
        owned = {name for name, versions in every.items() if self._mentions_site(versions)}
        tasks = [name for name in every if name.startswith("Task/")]
        owned |= {name for name in tasks if _references(every[name]) & owned}
        owned -= set(self.seeded)
        devices = {name for one in owned for name in _references(every[one]) if name.startswith("Device/")}
        found = {name: every[name] for name in sorted(owned)}
        return found | {name: [device] for name in sorted(devices) if (device := self.get(name))}

    def rewritten(self) -> list[str]:
        """What the EHR itself holds and somebody else wrote."""
        stored = {name: self.get(name) for name in self.seeded}
        return [name for name, one in stored.items() if one is None or _number(one) != self.seeded[name]]

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def hold(self, resources: Iterable[Resource]) -> None:
        """Put resources as the EHR does, each once."""
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in {f"{one['resourceType']}/{one['id']}": one for one in resources}.values()
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = self._client.post("", content=orjson.dumps(bundle))
        assert answer.status_code == 200, answer.text
        for entry, answered in zip(entries, answer.json()["entry"], strict=True):
            self.seeded[entry["request"]["url"]] = int(answered["response"]["etag"].strip('W/"'))

    def _report(self, message: bytes) -> Resource | None:
        try:
            report = json.loads(message)
        except (ValueError, RecursionError):
            return None
        named = isinstance(report, dict) and f'"{self.site}-report-' in message.decode()
        return report if named and "reference" in report.get("subject", {}) else None

    def _mentions_site(self, versions: list[Resource]) -> bool:
        return any(self.site in orjson.dumps(version).decode() for version in versions)

    def _history(self) -> Iterator[Resource]:
        """Every version that was written since this object was made, newest first, each once."""
        seen = set()
        url: str | None = "/_history"
        parameters: dict[str, str] | None = {"_since": self._since, "_count": "50"}
        while url:
            answer = self._client.get(url, params=parameters)
            assert answer.status_code == 200, answer.text
            page, parameters = answer.json(), None
            for entry in page.get("entry", []):
                resource = entry.get("resource")
                key = resource and (resource["resourceType"], resource["id"], resource["meta"]["versionId"])
                if key and key not in seen:
                    seen.add(key)
                    yield resource
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


class ServerChain(WholeChain):
    """The hops as `synoptic run` runs them, in threads of this process; several sites may use one chain in turn."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        super().__init__(settings, engine)
        self.ehr = Ehr(settings.fhir.base_url or "", settings.tenant)
        self.site = settings.tenant
        self._due = 0
        self._opened: dict[str, set[tuple[int, int]]] = {}
        self._hops_bus = KafkaBus(settings.bus)
        self._runners = [Runner(hop, self._hops_bus, settings.bus) for hop in self._hops]
        self._service = Service(self._runners, lambda: None)
        self._thread = threading.Thread(target=self._service.run, name="service")
        self._thread.start()

    def turn_to(self, site: str) -> None:
        """Go on with a site of its own, as if nothing had been before."""
        self.ehr.close()
        self.ehr = Ehr(self.settings.fhir.base_url or "", site)
        self.site = site
        self._due = 0
        self._opened = {
            topic.name: {_place(one) for one in super(ServerChain, self).topic(topic.name)} for topic in TOPICS
        }

    def run(self, *messages: bytes) -> None:
        """Hold what the messages refer to, publish them, and wait until each has its Bundle or its reject.

        Lag alone tells too little: a transaction's records may become visible a moment after its offsets.
        """
        self.ehr.seed(messages)
        self._due += sum(map(self._has_an_end, messages))
        self.bus.publish([Outgoing(TOPIC_REPORTS, message) for message in messages])
        wait_until(lambda: not self._thread.is_alive() or self._is_done(), "all hops done")
        assert self._thread.is_alive(), "a hop stopped"

    def topic(self, name: str) -> list[Record]:
        """Every record of a topic since the chain turned to its site, in the order of each partition."""
        before = self._opened.get(name, set())
        return [record for record in super().topic(name) if _place(record) not in before]

    @property
    def store(self) -> dict[str, Resource]:
        """The present resources of the site by reference."""
        return {name: versions[-1] for name, versions in self.ehr.versions().items()}

    @property
    def state(self) -> dict[str, Any]:
        """Every version of every resource of the site."""
        return self.ehr.versions()

    def edit(self, resource: Resource) -> None:
        """Put a resource as a person does, who asks nobody."""
        self.ehr.edit(unversioned(resource))

    @property
    def conflicts(self) -> list[tuple[str, Resource]]:
        """What a person's version kept out, from the Tasks that say so."""
        return [
            (task["focus"]["reference"], task["contained"][0])
            for name, task in self.store.items()
            if name.startswith("Task/") and "focus" in task
        ]

    def _has_an_end(self, message: bytes) -> bool:
        try:
            return self.intake.read(message).ignored is None
        except SynopticError:
            return True

    def _is_done(self) -> bool:
        return is_idle(self.bus) and len(self.topic(TOPIC_BUNDLES)) + len(self.rejected) >= self._due

    def close(self) -> None:
        """Drain the hops, then release everything."""
        self._service.stop()
        self._thread.join()
        self._hops_bus.close()
        self.ehr.close()
        super().close()


@contextmanager
def opened_on(settings: Settings, engine: Engine) -> Iterator[ServerChain]:
    """A chain on servers that is closed at the end."""
    chain = ServerChain(settings, engine)
    try:
        yield chain
    finally:
        chain.close()


def is_idle(bus: Bus, hops: Iterable[str] = HOPS) -> bool:
    """True where none of the hops has a record to read; asked in the order of the flow, so that none slips through."""
    return all(bus.lag(f"synoptic-{hop}", [HOPS[hop]])[HOPS[hop]] == 0 for hop in hops)


def _references(versions: list[Resource]) -> set[str]:
    """Everything that the versions refer to."""
    return {found.decode() for one in versions for found in re.findall(rb'"reference":"([^"]+)"', orjson.dumps(one))}


def _place(record: Record) -> tuple[int, int]:
    return record.partition, record.offset


def _number(resource: Resource) -> int:
    return int(resource["meta"]["versionId"])
