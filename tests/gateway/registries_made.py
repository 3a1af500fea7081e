"""Builders for the tests of registries: an EHR in a dict, coded reports as emission publishes them, and registries that note."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from findings_made import emit, make_hop, message

from gateway.registries.delivery import Delivery, FolderDelivery
from gateway.registries.hop import RegistryHop
from gateway.registries.ledger import Ledger
from gateway.registries.parcel import Parcel
from gateway.registries.subscription import Definition, Subscription
from gateway.stores.folder_store import FolderStore
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, Reference
from schemas.settings import FhirSettings, RegistrySettings, Settings
from workers.buses.bus import Outgoing, Record

VALUES = {"T": "T2", "N": "N1", "grade": "G2", "ER": "positive"}
ENCOUNTER = Reference(type="Encounter", literal="Encounter/9")
CASE = {"encounter": ENCOUNTER}


def ehr(report: str = "report", **changes: Any) -> dict[str, Resource]:
    """What the EHR has of a report and its patient, by literal reference."""
    narrative = {"contentType": "text/plain", "data": "SW52YXNpdmUgZHVjdGFsIGNhcmNpbm9tYS4="}
    found: list[Resource] = [
        {
            "resourceType": "DiagnosticReport",
            "id": report,
            "identifier": [{"system": "https://hospital.example/accession", "value": report}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
            "subject": {"reference": "Patient/1"},
            "encounter": {"reference": "Encounter/9"},
            "performer": [{"reference": "Organization/laboratory"}, {"reference": "PractitionerRole/p"}],
            "result": [{"reference": "Observation/of-the-laboratory"}],
            "presentedForm": [narrative],
            **changes,
        },
        {
            "resourceType": "Patient",
            "id": "1",
            "meta": {"versionId": "7", "lastUpdated": "2024-01-01T00:00:00Z"},
            "identifier": [{"system": "https://hospital.example/mrn", "value": "4711"}],
            "name": [{"family": "Mustermann", "given": ["Erika"]}],
            "gender": "female",
            "generalPractitioner": [{"reference": "Practitioner/family-doctor", "display": "their doctor"}],
        },
        {
            "resourceType": "Encounter",
            "id": "9",
            "status": "finished",
            "class": {"code": "IMP"},
            "subject": {"reference": "Patient/1"},
        },
        {"resourceType": "Organization", "id": "laboratory", "identifier": [{"system": "urn:clia", "value": "05D"}]},
        {"resourceType": "PractitionerRole", "id": "p", "practitioner": {"reference": "Practitioner/pathologist"}},
        {"resourceType": "Practitioner", "id": "pathologist", "name": [{"family": "Virchow"}]},
        {"resourceType": "Practitioner", "id": "family-doctor", "name": [{"family": "Hausarzt"}]},
        {"resourceType": "Organization", "id": "synoptic", "name": "Synoptic"},
    ]
    return {f"{resource['resourceType']}/{resource['id']}": resource for resource in found}


class DictSource:
    """An EHR in a dict, beside a store that emission wrote to."""

    def __init__(self, resources: Mapping[str, Resource], store: FolderStore | None = None) -> None:
        """Hold it."""
        self.resources = dict(resources)
        self._store = store

    def about(self, report: Resource) -> Any:
        """The dict answers by literal."""
        return lambda references: [self.resources.get(str(item.get("reference"))) for item in references]

    def written(self, names: Sequence[str]) -> list[Resource]:
        """What stands in the store."""
        found = self._store.read(names) if self._store else {}
        return [found[name].resource for name in names if name in found]

    def close(self) -> None:
        """Nothing is open."""


class Noting:
    """A registry that notes what it is given, and fails as long as it has a failure left, or at what it cannot take.

    `answers`: whether it answers at all while it fails.
    """

    is_done_at_once = True

    def __init__(self, *failures: SynopticError, answers: bool = False) -> None:
        """Remember what to raise."""
        self.failures = list(failures)
        self.fails_at: dict[str, SynopticError] = {}
        self.answers = answers
        self.asked: list[str] = []
        self.parcels: list[Parcel] = []

    def deliver(self, parcel: Parcel, record: Record) -> tuple[Outgoing, ...]:
        """Take it, or fail."""
        self.asked.append(parcel.identifier)
        if self.failures:
            raise self.failures.pop(0)
        if parcel.identifier in self.fails_at:
            raise self.fails_at[parcel.identifier]
        self.parcels.append(parcel)
        return ()

    def serves_others(self) -> bool:
        """As it was told."""
        return self.answers

    @property
    def identifiers(self) -> list[str]:
        """The Bundles in the order in which they came."""
        return [parcel.identifier for parcel in self.parcels]

    def close(self) -> None:
        """Nothing is open."""


AWAY = SynopticError(Code.REGISTRY_UNAVAILABLE, "status 503")


class Emission:
    """Emission over a folder, and what it published."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        """Write there."""
        self.store = FolderStore(folder)
        self._hop = make_hop(self.store, settings)
        self.published: list[Resource] = []

    def publish(self, day: int = 1, report: str = "report", about: Mapping[str, Any] = CASE, **values: str) -> Resource:
        """Emit a version of a report; its Bundle."""
        action = values.pop("action", "replace")
        bundle = emit(self._hop, message(day, action=action, report=report, about=about, **values))
        self.published.append(bundle)
        return bundle


def records(*bundles: Resource, start: int = 0) -> list[Record]:
    """The Bundles as the bus gives them."""
    return [Record(TOPIC_BUNDLES, 0, start + number, orjson.dumps(one), b"k") for number, one in enumerate(bundles)]


def subscribed(name: str = "state", **definition: Any) -> Subscription:
    """A registry, to a folder unless it is told otherwise."""
    deliver = {"deliver": {"folder": {"path": "registry"}}}
    return Subscription(name=name, definition=Definition.model_validate({**deliver, **definition}))


def settings_in(folder: Path, **changes: Any) -> Settings:
    """Settings whose files lie in the folder."""
    registry = RegistrySettings(folder=folder / "registries", state=folder / "registries.sqlite")
    return Settings(_env_file=None, registry=registry, fhir=FhirSettings(folder=folder / "fhir"), **changes)


def make_registry(
    folder: Path,
    subscription: Subscription | None = None,
    delivery: Delivery | None = None,
    source: Any = None,
    settings: Settings | None = None,
) -> RegistryHop:
    """A registry's hop over what is given; its ledger lies in the folder."""
    chosen = settings or settings_in(folder)
    return RegistryHop(
        subscription or subscribed(),
        delivery or FolderDelivery(folder / "registry"),
        source or DictSource(ehr()),
        Ledger(chosen.registry.state),
        chosen,
    )


def of_type(bundle: Resource, kind: str) -> list[Resource]:
    """The resources of that type in a Bundle."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
