"""Registries over Kafka, with a FHIR server as the reference registry; and the EHR's server as where parts are found."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import pytest
from fhir_made import Person, settings_on, unique
from kafka import KafkaAdminClient
from registries_made import (
    CASE,
    VALUES,
    DictSource,
    Emission,
    ehr,
    make_registry,
    of_type,
    records,
    settings_in,
    subscribed,
)
from servers.faulty_proxy import FaultyProxy, answer, on

from gateway.registries.checks import check_target
from gateway.registries.delivery import open_delivery
from gateway.registries.hop import RegistryHop
from gateway.registries.ledger import Ledger
from gateway.registries.parcel import Parcel
from gateway.registries.sources import ServerSource
from gateway.service import Service
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.hop import group_of
from workers.runner import Backoff, Runner

NAMES = [f"s{number}" for number in range(4)]
DAYS = (1, 2, 3)
FAST = Backoff(first=0.05, most=0.2, attempts=300)
OWN_TOPIC = "registry.board"


class Site:
    """A tenant of its own on the broker: its Bundles, and what registries on it are made of."""

    def __init__(self, folder: Path, kafka_servers: str, prefix: str) -> None:
        """Create the topic that one registry has for itself, and a registry's state."""
        bus = BusSettings(
            kind="kafka",
            bootstrap_servers=kafka_servers,
            topic_prefix=prefix,
            session_timeout_seconds=6,
            replication_factor=1,
            partitions=2,
            batch_size=4,
        )
        self.settings = Settings(_env_file=None, tenant=prefix, bus=bus)
        self.bus = KafkaBus(bus)
        self._folder = folder
        self.state = folder / "registries.sqlite"
        self.manifests: set[str] = set()
        self.tenant = unique("tenant")
        self.reports = {name: f"{self.tenant}-{name}" for name in NAMES}
        with closing(KafkaAdminClient(bootstrap_servers=kafka_servers)) as admin:
            topic = {"num_partitions": 2, "replication_factor": 1}
            admin.create_topics({prefix + OWN_TOPIC: topic}, wait_for_metadata=True)

    def publish(self) -> dict[str, list[str]]:
        """Three versions of each report, as emission publishes them; the Bundles' identifiers by report, in order."""
        emission = Emission(self._folder / "fhir", self.settings)
        patient = {"patient_key": derived_key(self.tenant)}
        expected = defaultdict(list)
        outgoing = []
        for day in DAYS:
            for report in self.reports.values():
                bundle = emission.publish(day, report, {**CASE, **patient}, **VALUES)
                expected[report].append(bundle["identifier"]["value"])
                self.manifests.add(bundle["entry"][-1]["request"]["url"])
                outgoing.append(Outgoing(TOPIC_BUNDLES, orjson.dumps(bundle), key=report.encode()))
        self.bus.publish(outgoing)
        return dict(expected)

    def registry(self, name: str, **definition: Any) -> Runner:
        """A registry's runner; every report of the site is at the EHR."""
        resources: dict[str, Resource] = {}
        for report in self.reports.values():
            resources |= ehr(report)
        subscription = subscribed(name=name, **definition)
        hop = RegistryHop(
            subscription,
            open_delivery(subscription),
            DictSource(resources),
            Ledger(self.state),
            self.settings,
        )
        return Runner(hop, self.bus, self.settings.bus, FAST)

    def lag(self, name: str) -> int:
        """How many Bundles wait for a registry."""
        return self.bus.lag(group_of(f"registry_{name}"), [TOPIC_BUNDLES])[TOPIC_BUNDLES]


def derived_key(text: str) -> UUID:
    """A patient of the tenant's own, so that no two tests write one Condition."""
    return uuid5(NAMESPACE_URL, text)


@pytest.fixture
def site(tmp_path: Path, kafka_servers: str, topic_prefix: str) -> Iterator[Site]:
    """A tenant."""
    site = Site(tmp_path, kafka_servers, topic_prefix)
    yield site
    site.bus.close()


@pytest.fixture
def person(fhir_url: str) -> Iterator[Person]:
    """Somebody at the server."""
    with closing(Person(fhir_url)) as person:
        yield person


def by_report(bundles: list[Resource]) -> dict[str, list[str]]:
    """The Bundles' identifiers in the order in which they came, by report."""
    found = defaultdict(list)
    for bundle in bundles:
        (report,) = of_type(bundle, "DiagnosticReport")
        found[report["identifier"][0]["value"]].append(bundle["identifier"]["value"])
    return dict(found)


def test_a_registry_that_is_down_loses_nothing_and_delays_nobody(site: Site, fhir_url: str, person: Person) -> None:
    """While the server answers 503 another gets all on its topic; back again, it gets each once, each report in order."""
    with FaultyProxy(fhir_url) as proxy:
        down = proxy.inject(on("POST"), answer(503), None)
        sent: list[Resource] = []
        proxy.inject(lambda exchange: bool(sent.append(orjson.loads(exchange.body))), answer(500), None)
        fhir = {"base_url": proxy.base_url, "attempts": 1}
        state = site.registry("state", deliver={"fhir": fhir})
        board = site.registry("board", deliver={"kafka": {"topic": OWN_TOPIC}})
        expected = site.publish()
        count = sum(map(len, expected.values()))
        waiting: list[int] = []
        done = threading.Event()

        def watch() -> None:
            if site.lag("board") == 0 and not waiting and down.happened:
                waiting.append(site.lag("state"))
                down.withdraw()
            elif waiting and site.lag("state") == 0:
                done.set()
                service.stop()

        service = Service([state, board], watch, period=0.2)
        timer = threading.Timer(120, service.stop)
        timer.start()
        service.run()
        timer.cancel()
        for runner in (state, board):
            runner.hop.close()  # type: ignore[attr-defined]
    assert done.is_set()
    assert waiting == [count]
    assert by_report([orjson.loads(record.value) for record in site.bus.read(OWN_TOPIC)]) == expected
    assert by_report(sent) == expected
    assert list(site.bus.read(TOPIC_REJECTED)) == []
    (patient,) = of_type(sent[0], "Patient")
    assert person.get(f"Patient/{patient['id']}") is not None
    observation = of_type(sent[-1], "Observation")[0]
    assert person.get(f"Observation/{observation['id']}")["subject"]["reference"] == f"Patient/{patient['id']}"


def test_catching_up_sends_all_again_and_doubles_nothing(site: Site, fhir_url: str, person: Person) -> None:
    """From the beginning of the topic: the server holds the one Bundle of the case, of a report's last version."""
    expected = site.publish()
    last = {versions[-1] for versions in expected.values()}
    cases = set()
    for _ in range(2):
        runner = site.registry("archive", form="collection", deliver={"fhir": {"base_url": fhir_url}})
        while site.lag("archive"):
            runner.step(1.0)
        runner.close()
        assert isinstance(runner.hop, RegistryHop)
        runner.hop.close()
        site.bus.move(runner.group, TOPIC_BUNDLES, offset=0)
        with closing(Ledger(site.state)) as ledger:
            ledger.send_again("archive")
            found = [ledger.sent("archive", name) for name in site.manifests]
        assert {one.version.issued for one in found if one} == {f"2024-05-{DAYS[-1]:02d}T10:00:00Z"}
        cases |= {one.case for one in found if one}
        (case,) = cases
        # Which report comes last is open: they lie in several partitions.
        assert (person.get(f"Bundle/{case}") or {})["identifier"]["value"] in last


def test_a_real_server_processes_messages(tmp_path: Path, fhir_url: str, person: Person) -> None:
    """It stores the case that a message carries and says ok; one whose focus it cannot find is rejected under its 200."""
    report = unique("report")
    about = {**CASE, "patient_key": derived_key(report)}
    bundle = Emission(tmp_path / "fhir").publish(1, report, about, **VALUES)
    target = subscribed(form="message", deliver={"fhir": {"base_url": fhir_url}})
    (outcome,) = check_target(target)
    assert (outcome.remedy, "takes $process-message" in outcome.found) == ("", True)
    hop = make_registry(tmp_path, target, open_delivery(target), DictSource(ehr(report)))
    (result,) = hop.process(records(bundle))
    assert (result.error, result.ignored) == (None, None)
    with closing(Ledger(settings_in(tmp_path).registry.state)) as ledger:
        sent = ledger.sent("state", bundle["entry"][-1]["request"]["url"])
    assert (person.get(f"Bundle/{sent.case}") or {})["identifier"] == bundle["identifier"]
    lacking = {"resourceType": "MessageHeader", "focus": [{"reference": "Bundle/absent"}]}
    message = {"resourceType": "Bundle", "type": "message", "entry": [{"resource": lacking}]}
    with pytest.raises(SynopticError) as caught:
        open_delivery(target).deliver(Parcel("urn:uuid:1", "case", message), records({})[0])
    assert caught.value.code is Code.REGISTRY_REJECTS
    hop.close()


def test_nobody_moves_a_registry_that_runs(site: Site) -> None:
    """Kafka refuses the place of a group with members, and says so by number."""
    site.publish()
    subscription = site.bus.subscribe(group_of("registry_board"), [TOPIC_BUNDLES])
    while not subscription.poll(10, 5.0).records:
        pass
    with pytest.raises(SynopticError) as caught:
        site.bus.move(group_of("registry_board"), TOPIC_BUNDLES, offset=0)
    assert caught.value.code is Code.REGISTRY_RUNS
    subscription.close()


def test_parts_are_found_on_the_ehrs_server(fhir_url: str, person: Person) -> None:
    """In few batches, what is absent as None; a narrative that lies there by url comes along as bytes."""
    name = unique("report")
    binary = person.put({"resourceType": "Binary", "id": name, "contentType": "text/plain", "data": "SW52YXNpdmU="})
    patient = person.put({"resourceType": "Patient", "id": unique("p"), "gender": "female"})
    form = {"contentType": "text/plain", "url": f"{fhir_url}/{binary}"}
    report = person.put(
        {
            "resourceType": "DiagnosticReport",
            "id": name,
            "status": "final",
            "code": {"text": "pathology"},
            "subject": {"reference": patient},
            "presentedForm": [form],
        }
    )
    with closing(ServerSource(Settings(_env_file=None, fhir=settings_on(fhir_url)))) as source:
        read = source.about({"reference": report})
        found = read([{"reference": report}, {"reference": f"{fhir_url}/{patient}"}, {"reference": "Patient/absent"}])
        assert found[0] is not None
        assert found[0]["presentedForm"] == [{"contentType": "text/plain", "data": "SW52YXNpdmU="}]
        assert found[1] is not None
        assert found[1]["gender"] == "female"
        assert found[2] is None
        assert [one["id"] for one in source.written([patient])] == [patient.partition("/")[2]]


def test_a_real_server_says_that_it_takes_transactions(fhir_url: str) -> None:
    """`synoptic registry check` reads the reference registry's own CapabilityStatement."""
    (outcome,) = check_target(subscribed(deliver={"fhir": {"base_url": fhir_url}}))
    assert (outcome.is_fault, outcome.remedy) == (False, "")
    assert "takes transactions" in outcome.found
