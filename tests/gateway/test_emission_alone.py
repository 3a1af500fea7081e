"""A report that the FHIR server cannot take, beside others that it can: it waits apart, and is rejected in the end."""

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

import pytest
from fhir_made import Person, settings_on, unique
from findings_made import make_hop, message, record
from servers.faulty_proxy import Fault, FaultyProxy, Predicate, answer, on, reset

from gateway.delayed import DelayedHop
from gateway.emission import DUE, WAITING_SINCE
from gateway.fhir.client import FhirClient
from gateway.stores.fhir_store import FhirStore
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_DELAYED, TOPIC_FINDINGS, TOPIC_REJECTED, Reference
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Backoff, Runner, run_until_idle

BEGIN = 1000.0
WRITES = on("POST", "^$", containing='"type":"transaction"')


class Site:
    """Emission with a clock that stands, and the server behind a proxy."""

    def __init__(self, url: str, has_written: bool = True, bus: BusSettings | None = None, **changes) -> None:
        """Write a report first, unless it is not to; nobody really pauses."""
        self.now = BEGIN
        self.person = Person(url)
        self.proxy = FaultyProxy(url)
        self.proxy.start()
        fhir = settings_on(self.proxy.base_url, **changes)
        self.attempts = fhir.attempts
        settings = Settings(_env_file=None, fhir=fhir, bus=bus or BusSettings())
        self.store = FhirStore(fhir, FhirClient(fhir, lambda seconds: None))
        self.emission = make_hop(self.store, settings, clock=lambda: self.now)
        self.delayed = DelayedHop(self.emission, fhir.target_retry_seconds, clock=lambda: self.now)
        if has_written:
            (result,) = self.emission.process(self.reports(unique("first")))
            assert topic_of(result) == TOPIC_BUNDLES

    def reports(self, *names: str) -> list[Record]:
        """Reports of as many patients, all on the server, with their findings."""
        return [record(self.findings(name)) for name in names]

    def findings(self, name: str) -> bytes:
        """One report's findings."""
        patient, key = f"patient-of-{name}", uuid5(NAMESPACE_URL, f"patient of {name}")
        self.person.put({"resourceType": "Patient", "id": patient})
        self.person.put({"resourceType": "DiagnosticReport", "id": name, "status": "final", "code": {"text": "p"}})
        subject = Reference(type="Patient", literal=f"Patient/{patient}")
        return message(report=name, about={"subject": subject, "patient_key": key}, T="T1", N="N0")

    def close(self) -> None:
        """Release all."""
        self.emission.close()
        self.proxy.stop()
        self.person.close()


@pytest.fixture
def sites(fhir_url) -> Iterator:
    """Open sites, and close them at the end."""
    opened = []

    def open_site(**changes) -> Site:
        opened.append(Site(fhir_url, **changes))
        return opened[-1]

    yield open_site
    for site in opened:
        site.close()


def writes_of(name: str) -> Predicate:
    """The transactions of one report."""
    return on("POST", "^$", containing=f'"DiagnosticReport/{name}"')


def topic_of(result: Result) -> str:
    """Where a result goes."""
    assert result.error is None
    return result.outgoing[0].topic


def waiting(result: Result) -> Record:
    """A result that was put aside, as the record that the hop `delayed` reads."""
    (outgoing,) = result.outgoing
    assert outgoing.topic == TOPIC_DELAYED
    return Record(TOPIC_DELAYED, 0, 0, outgoing.value, outgoing.key, outgoing.headers)


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (answer(500), "SYN-451, status 500"),
        (answer(503, retry_after=1), "SYN-451, status 503"),
        (answer(507), "SYN-451, status 507"),
        (reset(), "SYN-451, ReadError"),
    ],
    ids=["500", "503", "507", "reset"],
)
def test_one_report_that_the_server_always_fails_for_holds_up_no_other(sites, fault, detail):
    """It is put aside while the others are written, tried again when due, and rejected by what was last said."""
    site = sites()
    poison, *others = unique("poison"), unique("a"), unique("b")
    happening = site.proxy.inject(writes_of(poison), fault, None)
    results = site.emission.process(site.reports(others[0], poison, others[1]))
    assert [topic_of(result) for result in results] == [TOPIC_BUNDLES, TOPIC_DELAYED, TOPIC_BUNDLES]
    aside = waiting(results[1])
    assert dict(aside.headers) == {WAITING_SINCE: "1000.000", DUE: "1015.000"}
    site.now = BEGIN + 15
    (again,) = site.delayed.process([aside])
    assert waiting(again).header(WAITING_SINCE) == "1000.000"
    site.now = BEGIN + 900
    (last,) = site.delayed.process([waiting(again)])
    assert (last.error.code, last.error.detail) == (Code.STORE_REJECTS, detail)
    assert happening.happened >= 3
    assert poison not in f"{last.error!r}"


def test_what_was_put_aside_is_written_once_the_server_takes_it(sites):
    """No other report need be there to see that the server works: it is asked for something small."""
    site = sites()
    poison = unique("poison")
    fault = site.proxy.inject(writes_of(poison), answer(500), None)
    (result,) = site.emission.process(site.reports(poison))
    aside = waiting(result)
    fault.withdraw()
    site.now += 15
    (result,) = site.delayed.process([aside])
    assert fault.happened >= 1
    assert topic_of(result) == TOPIC_BUNDLES


@pytest.mark.parametrize(("failures", "count"), [(2, 1), (8, 3)], ids=["one opens it", "several open it"])
def test_reports_that_fail_by_themselves_leave_nobody_alone(sites, failures, count):
    """Though their failures open the breaker, they are put aside, and every other report is written at once."""
    site = sites(breaker_failures=failures, breaker_seconds=600)
    poisons, others = [unique("poison") for _ in range(count)], [unique("good") for _ in range(4)]
    faults: list[Fault] = [site.proxy.inject(writes_of(name), answer(500), None) for name in poisons]
    results = site.emission.process(site.reports(*poisons))
    assert [topic_of(result) for result in results] == [TOPIC_DELAYED] * count
    assert all(fault.happened >= 1 for fault in faults)
    assert sum(fault.happened for fault in faults) >= failures
    results = site.emission.process(site.reports(*others))
    assert [topic_of(result) for result in results] == [TOPIC_BUNDLES] * 4


@pytest.mark.parametrize("fault", [answer(503), answer(429, retry_after=60), reset()], ids=["503", "429", "reset"])
def test_where_the_server_works_for_nobody_all_wait(sites, fault):
    """Nothing is put aside and nothing rejected: the bus keeps the batch until the server is back."""
    site = sites()
    reports = site.reports(*(unique() for _ in range(3)))
    happening = site.proxy.inject(on("POST"), fault, None)
    with pytest.raises(SynopticError) as caught:
        site.emission.process(reports)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    happening.withdraw()
    assert [topic_of(result) for result in site.emission.process(reports)] == [TOPIC_BUNDLES] * 3
    assert happening.happened >= 3


def test_a_server_that_fails_from_within_a_batch_on_makes_the_rest_wait(sites):
    """What was written before stays written; what was not is no report's own failure, though others succeeded."""
    site = sites(connections=1)
    first, second = site.reports(unique("a"), unique("b"))
    (done,) = site.emission.process([first])
    assert topic_of(done) == TOPIC_BUNDLES
    fault = site.proxy.inject(WRITES, answer(503), None)
    reads = site.proxy.inject(on("POST", "^$", containing='"Organization/synoptic"'), answer(503), None)
    with pytest.raises(SynopticError) as caught:
        site.emission.process([first, second])
    assert caught.value.code is Code.STORE_UNAVAILABLE
    assert (fault.happened >= 1, reads.happened) == (True, 1)


def test_a_server_that_reads_and_does_not_write_makes_all_wait(sites):
    """Many reports in a row are not each alone: none is rejected, however long the server's disk is full."""
    site = sites()
    reports = site.reports(*(unique() for _ in range(10)))
    fault = site.proxy.inject(WRITES, answer(500), None)
    for _ in range(2):
        with pytest.raises(SynopticError) as caught:
            site.emission.process(reports)
        assert caught.value.code is Code.STORE_UNAVAILABLE
        site.now += 900
    assert fault.happened >= 10
    fault.withdraw()
    assert [topic_of(result) for result in site.emission.process(reports)] == [TOPIC_BUNDLES] * 10
    poison = unique("poison")
    site.proxy.inject(writes_of(poison), answer(500), None)
    (result,) = site.emission.process(site.reports(poison))
    assert topic_of(result) == TOPIC_DELAYED


def test_reports_that_fail_slowly_do_not_keep_a_batch_past_its_time(fhir_url):
    """Once half of the time is over that the bus allows, a report is put aside by its first failure."""
    site = Site(fhir_url, bus=BusSettings(poll_interval_seconds=0.001, session_timeout_seconds=0.0005))
    poison, other = unique("poison"), unique("other")
    fault = site.proxy.inject(writes_of(poison), answer(500), None)
    results = site.emission.process(site.reports(poison, other))
    assert [topic_of(result) for result in results] == [TOPIC_DELAYED, TOPIC_BUNDLES]
    assert fault.happened == site.attempts
    site.close()


@pytest.mark.parametrize("of_patient", ["Patient/", "Patient?_id="], ids=["write", "read"])
def test_one_report_that_is_refused_is_rejected(sites, of_patient):
    """A patient whose record is closed to us, or a text that a filter stops: the client itself is let in."""
    site = sites()
    poison, other = unique("poison"), unique("other")
    requests = on("POST", "^$", containing=f"{of_patient}patient-of-{poison}")
    fault = site.proxy.inject(requests, answer(403), None)
    refused, written = site.emission.process(site.reports(poison, other))
    assert (refused.error.code, refused.error.detail) == (Code.STORE_REJECTS, "SYN-458, status 403, processing")
    assert topic_of(written) == TOPIC_BUNDLES
    assert fault.happened == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_client_that_is_refused_everything_ends(sites, status):
    """Nothing is rejected for a fault of the settings."""
    site = sites()
    reports = site.reports(unique(), unique())
    fault = site.proxy.inject(on("POST"), answer(status), None)
    with pytest.raises(SynopticError) as caught:
        site.emission.process(reports)
    assert caught.value.code is Code.STORE_REFUSES
    assert fault.happened >= 2


def test_a_client_that_may_only_read_ends(sites):
    """Where nothing was ever written, a refused write says nothing of its report, though the Organization is read."""
    site = sites(has_written=False)
    fault = site.proxy.inject(WRITES, answer(403), None)
    with pytest.raises(SynopticError) as caught:
        site.emission.process(site.reports(unique()))
    assert caught.value.code is Code.STORE_REFUSES
    assert fault.happened == 2


def test_over_the_bus_the_others_go_on_and_the_poison_is_rejected_once(sites, tmp_path):
    """Both hops with the bus: eight reports are written in several batches, one ends among the rejected ones."""
    site = sites()
    poison = unique("poison")
    site.proxy.inject(writes_of(poison), answer(500), None)
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    runners = [Runner(hop, bus, BusSettings(batch_size=3), Backoff(0, 0, 3)) for hop in (site.emission, site.delayed)]
    names = [*(unique() for _ in range(4)), poison, *(unique() for _ in range(4))]
    bus.publish([Outgoing(TOPIC_FINDINGS, site.findings(name)) for name in names])
    run_until_idle(runners)
    assert len(list(bus.read(TOPIC_BUNDLES))) == 8
    assert list(bus.read(TOPIC_REJECTED)) == []
    site.now += 900
    run_until_idle(runners)
    (rejected,) = bus.read(TOPIC_REJECTED)
    assert rejected.header("code") == "SYN-459"
    assert len(list(bus.read(TOPIC_BUNDLES))) == 8
    for runner in runners:
        runner.close()
    bus.close()
