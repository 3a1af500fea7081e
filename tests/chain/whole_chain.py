"""The product's hops over an embedded bus and a folder store in one folder, run until nothing is left to read."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from generated import SITE

from gateway.composition import build_bus
from gateway.delayed import DelayedHop
from gateway.emission import EmissionHop
from gateway.intake import Intake
from gateway.stores.resource_store import open_store
from mappers.identity import RECEIVED
from model.engine import Engine
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, TOPIC_REPORTS
from schemas.pack_loader import load_pack
from schemas.settings import BusSettings, FhirSettings, Settings
from workers.buses.bus import Outgoing, Record
from workers.extraction import ExtractionHop, Extractor
from workers.privacy.sealing import load_seal
from workers.runner import Runner, run_until_idle

Resource = dict[str, Any]
_RECEPTION = re.compile(rb'\{\s*"url":\s*"%b",\s*"valueString":\s*"[^"]*"\s*\},\s*' % re.escape(RECEIVED).encode())


def settings_in(folder: Path, **sections: Any) -> Settings:
    """The shipped settings, with bus and store in the folder."""
    bus = {"path": folder / "bus.sqlite", "rejected_share": 1.0} | sections.pop("bus", {})
    fhir = {"folder": folder / "fhir"} | sections.pop("fhir", {})
    return Settings(bus=BusSettings(**bus), fhir=FhirSettings(**fhir), **sections)


class WholeChain:
    """Publishes reports, lets the hops work, and reads back what became of them."""

    site = SITE
    """Whose reports may be published here."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self._packs = {name: load_pack(name) for name in settings.packs}
        self.seal = load_seal(settings)
        self.extractor = Extractor(self._packs, engine, self.seal)
        self.bus = build_bus(settings.bus)
        self.intake = Intake(settings, seal=self.seal)
        self.emission = EmissionHop(settings, open_store(settings.fhir), self.seal)
        delayed = DelayedHop(self.emission, settings.fhir.target_retry_seconds)
        self._hops = (self.intake, ExtractionHop(self.extractor), self.emission, delayed)

    def run(self, *messages: bytes) -> None:
        """Publish the messages and work until idle."""
        self.bus.publish([Outgoing(TOPIC_REPORTS, message) for message in messages])
        runners = [Runner(hop, self.bus, self.settings.bus) for hop in self._hops]
        try:
            run_until_idle(runners)
        finally:
            for runner in runners:
                runner.close()

    def topic(self, name: str) -> list[Record]:
        """Every record of a topic, opened where it is sealed."""
        return [replace(record, value=self.seal.opened(record.value)) for record in self.bus.read(name)]

    @property
    def rejected(self) -> list[Record]:
        """The rejected records."""
        return self.topic(TOPIC_REJECTED)

    @property
    def bundles(self) -> list[Resource]:
        """The published Bundles."""
        return [orjson.loads(record.value) for record in self.topic(TOPIC_BUNDLES)]

    @property
    def store(self) -> dict[str, Resource]:
        """The present resources by reference."""
        return resources_in(self.settings.fhir.folder)

    @property
    def state(self) -> dict[str, Any]:
        """Everything that the store keeps, past versions included: equal exactly where nothing was written."""
        return digests_in(self.settings.fhir.folder)

    def edit(self, resource: Resource) -> None:
        """Put a resource as a person does, who asks nobody."""
        path = self.settings.fhir.folder / resource["resourceType"] / f"{resource['id']}.json"
        path.write_text(json.dumps(resource, indent=2))

    @property
    def conflicts(self) -> list[tuple[str, Resource]]:
        """What a person's version kept out: which reference, and what was offered."""
        tasks = [task for name, task in self.store.items() if name.startswith("Task/") and "focus" in task]
        return [(task["focus"]["reference"], task["contained"][0]) for task in tasks]

    def close(self) -> None:
        """Release subprocesses and files."""
        self.intake.close()
        self.emission.close()
        self.bus.close()


@contextmanager
def opened(settings: Settings, engine: Engine) -> Iterator[WholeChain]:
    """A chain that is closed at the end."""
    with closing(WholeChain(settings, engine)) as chain:
        yield chain


def resources_in(folder: Path) -> dict[str, Resource]:
    """The present resources of a folder store by reference."""
    return {
        f"{path.parent.name}/{path.stem}": orjson.loads(path.read_bytes())
        for path in sorted(folder.glob("[A-Z]*/*.json"))
    }


def without_reception(data: bytes) -> bytes:
    """JSON without the instant at which a manifest's report came in: all that two runs over the same reports differ in."""
    return _RECEPTION.sub(b"", data)


def digests_in(folder: Path) -> dict[str, str]:
    """Every file of a folder with the digest of its bytes, whenever the reports came in."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(without_reception(path.read_bytes())).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
