"""One site whose findings a test publishes and whose emission runs in other processes, and what must have come of it.

The checks take nothing from the processes: they read the FHIR server's whole history and the topics as committed.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generated import Case, case
from servers.server_chain import Ehr, is_idle, new_site, settings_on, wait_until
from two_hundred_contract import expected_observations, said
from whole_chain import resources_in, without_reception

from gateway.emission import EmissionHop
from gateway.intake import Intake
from gateway.stores.authorship import unversioned
from gateway.stores.folder_store import FolderStore
from mappers.identity import canonical_json
from model.engine import Engine
from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS, TOPIC_REJECTED, TOPIC_REPORTS
from schemas.pack_loader import load_pack
from workers.buses.bus import Outgoing, Record
from workers.buses.kafka import KafkaBus
from workers.extraction import ExtractionHop, Extractor
from workers.privacy.sealing import load_seal

Resource = dict[str, Any]
EMISSION = ("emission", "delayed")


class Bench:
    """Publishes findings for one site, and says what the server and the topics must hold in the end."""

    def __init__(self, kafka_servers: str, fhir_url: str, engine: Engine, folder: Path, **sections: Any) -> None:
        """The folder takes what the same findings give when nothing goes wrong."""
        self.site = new_site()
        self.settings = settings_on(kafka_servers, fhir_url, self.site, **sections)
        self.ehr = Ehr(fhir_url, self.site)
        self.bus = KafkaBus(self.settings.bus)
        seal = load_seal(self.settings)
        self._intake = Intake(self.settings, seal=seal)
        packs = {name: load_pack(name) for name in self.settings.packs}
        self._extraction = ExtractionHop(Extractor(packs, engine, seal))
        self._folder = folder / self.site
        self._undisturbed = EmissionHop(self.settings, FolderStore(self._folder))
        self._expected_bundles: list[bytes] = []

    def cases(self, count: int) -> list[Case]:
        """The first cases of the site."""
        return [case(number, self.site) for number in range(count)]

    def findings(self, *messages: bytes) -> list[Outgoing]:
        """What intake and extraction make of the messages."""
        texts = self._results(self._intake, TOPIC_REPORTS, messages)
        found = self._results(self._extraction, texts[0].topic, [text.value for text in texts])
        assert [one.topic for one in found] == [TOPIC_FINDINGS] * len(messages)
        return found

    def publish(self, *messages: bytes, patients: bool = True) -> None:
        """Hold what the reports refer to, and put their findings on the bus."""
        self.bus.publish(self.expect(*messages, patients=patients))

    def expect(self, *messages: bytes, patients: bool = True) -> list[Outgoing]:
        """Hold what the reports refer to, and note what has to come of them; their findings."""
        self.ehr.seed(messages, patients)
        found = self.findings(*messages)
        for one in found:
            (bundle,) = self._results(self._undisturbed, one.topic, [one.value])
            self._expected_bundles.append(bundle.value)
        return found

    def wait(self) -> None:
        """Return when each report has its Bundle or its reject, and emission has nothing left to read.

        Lag alone tells too little: a transaction's records may become visible a moment after its offsets.
        """
        wait_until(
            lambda: len(self.bundles) + len(self.rejected) >= len(self._expected_bundles), "an end of each report"
        )
        wait_until(lambda: is_idle(self.bus, EMISSION), "emission has nothing left to read")

    def wait_for_bundles(self, count: int) -> None:
        """Return when subscribers see at least so many Bundles."""
        wait_until(lambda: len(self.bundles) >= count, f"{count} Bundles")

    def wait_for_findings(self, count: int) -> None:
        """Return when emission can read at least so many findings: the transactions that published them are over."""
        wait_until(lambda: sum(1 for _ in self.bus.read(TOPIC_FINDINGS)) >= count, f"{count} findings")

    @property
    def bundles(self) -> list[bytes]:
        """The Bundles that subscribers see."""
        return [record.value for record in self.bus.read(TOPIC_BUNDLES)]

    @property
    def rejected(self) -> list[Record]:
        """The rejected records."""
        return list(self.bus.read(TOPIC_REJECTED))

    @property
    def written(self) -> dict[str, list[Resource]]:
        """Every version of the Conditions and Observations of the site."""
        return {
            name: versions
            for name, versions in self.ehr.versions().items()
            if name.startswith(("Condition/", "Observation/"))
        }

    def require_values(self, *cases: Case) -> None:
        """Fail unless each patient has one standing Condition and the Observations that the case states, each once."""
        by_patient: dict[str, list[Resource]] = defaultdict(list)
        for versions in self.written.values():
            if not _is_withdrawn(versions[-1]):
                by_patient[versions[-1]["subject"]["reference"]].append(versions[-1])
        assert set(by_patient) == {f"Patient/{one.patient}" for one in cases}
        for one in cases:
            standing = by_patient[f"Patient/{one.patient}"]
            observations = [item for item in standing if item["resourceType"] == "Observation"]
            found = Counter((item["code"]["coding"][0]["code"], said(item)) for item in observations)
            assert found == Counter(expected_observations(one).items())
            assert len(standing) == len(observations) + 1

    def require_each_bundle_once(self) -> None:
        """Fail unless subscribers see one Bundle for each report, and no other."""
        assert Counter(self.bundles) == Counter(self._expected_bundles)

    def require_undisturbed(self) -> None:
        """Fail unless everything is as if nothing had gone wrong: resources, versions, Bundles, and nothing else."""
        versions = self.ehr.versions()
        expected = resources_in(self._folder)
        assert set(versions) == set(expected)
        for name, resource in expected.items():
            found, wanted = (canonical_json(unversioned(one)) for one in (versions[name][-1], resource))
            assert without_reception(found) == without_reception(wanted), name
        counted = {name: len(found) for name, found in versions.items() if not name.startswith("Device/")}
        assert counted == {name: int(expected[name]["meta"]["versionId"]) for name in counted}
        assert self.ehr.rewritten() == []
        self.require_each_bundle_once()
        assert self.rejected == []

    def close(self) -> None:
        """Release everything."""
        self._undisturbed.close()
        self._intake.close()
        self.bus.close()
        self.ehr.close()

    def _results(self, hop: Any, topic: str, values: Sequence[bytes]) -> list[Outgoing]:
        results = hop.process([Record(topic, 0, number, value) for number, value in enumerate(values)])
        assert [result.error for result in results] == [None] * len(values)
        return [outgoing for result in results for outgoing in result.outgoing]


def _is_withdrawn(resource: Resource) -> bool:
    status = resource.get("status") or resource["verificationStatus"]["coding"][0]["code"]
    return bool(status == "entered-in-error")
