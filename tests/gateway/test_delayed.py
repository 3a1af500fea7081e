"""The hop of the findings that wait: due or not, written at last, rejected at the end, and never in anybody's way."""

import json
from pathlib import Path

import pytest
from findings_made import LackingStore, emit, make_hop, message, record

from gateway.delayed import DelayedHop
from gateway.emission import DUE, WAITING_SINCE
from gateway.stores.resource_store import MissingTargetError
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_DELAYED, TOPIC_FINDINGS, TOPIC_REJECTED
from schemas.metrics import EMITTED, value_of
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.received import RECEIVED
from workers.runner import Backoff, Runner, run_until_idle

RETRY_SECONDS = 15
BEGIN = 1000.0


class World:
    """A store without Patients, a clock that stands, and both hops over them."""

    def __init__(self, folder: Path) -> None:
        self.now = BEGIN
        self.folder = folder
        self.store = LackingStore(folder)
        self.store.lacking = frozenset({"Patient"})
        self.emission = make_hop(self.store, clock=lambda: self.now)
        self.delayed = DelayedHop(self.emission, RETRY_SECONDS, clock=lambda: self.now)

    def put_aside(self, value: bytes) -> Record:
        """Emission does not find the Patient; the record that then waits."""
        (result,) = self.emission.process([record(value)])
        return self.of(result.outgoing[0])

    def of(self, outgoing: Outgoing) -> Record:
        """An outgoing message of the topic of those that wait, as its record."""
        assert outgoing.topic == TOPIC_DELAYED
        return Record(TOPIC_DELAYED, 0, 0, outgoing.value, outgoing.key, outgoing.headers)

    @property
    def written(self) -> dict[str, bytes]:
        """Every file of the store."""
        return {str(path): path.read_bytes() for path in self.folder.rglob("*.json")}


@pytest.fixture
def world(tmp_path):
    """A store of the test's own."""
    return World(tmp_path / "fhir")


def test_nothing_is_looked_up_before_it_is_due(world):
    """A batch in which nothing is due is no work: the hop says when the first will be."""
    first = world.put_aside(message(T="T1"))
    world.now += 4
    second = world.put_aside(message(2, T="T1"))
    world.store.lacking = frozenset()
    with pytest.raises(SynopticError) as caught:
        world.delayed.process([second, first])
    assert (caught.value.code, caught.value.retry_after) == (Code.NOT_DUE, RETRY_SECONDS - 4)
    assert world.written == {}


def test_what_is_due_is_written_and_the_rest_put_back(world):
    """Of a mixed batch the due are done, each result in its place, and the others go back as they came."""
    first, other = world.put_aside(message(T="T1")), world.put_aside(message(report="other", T="T2"))
    world.now += RETRY_SECONDS - 1
    later = world.put_aside(message(report="later", T="T1"))
    world.now += 1
    world.store.lacking = frozenset()
    one, kept, two = world.delayed.process([first, later, other])
    assert [result.outgoing[0].topic for result in (one, two)] == [TOPIC_BUNDLES, TOPIC_BUNDLES]
    (back,) = kept.outgoing
    assert (back.topic, back.value, back.key, back.headers) == (TOPIC_DELAYED, later.value, later.key, later.headers)
    assert len(list((world.folder / "Provenance").glob("*.json"))) == 2


def test_findings_wait_for_their_patient_and_then_are_rejected_by_name(world):
    """Looked up again and again, from the first try on for as long as the site lets them wait, and no longer."""
    waiting = world.put_aside(message(T="T1"))
    tries = 0
    while waiting:
        world.now = float(waiting.header(DUE))
        (result,) = world.delayed.process([waiting])
        tries += 1
        if result.error is None:
            waiting = world.of(result.outgoing[0])
            assert waiting.header(WAITING_SINCE) == f"{BEGIN:.3f}"
        else:
            waiting = None
    assert result.error.code is Code.MISSING_TARGET
    assert "Patient" in result.error.one_line()
    assert (world.now, tries) == (BEGIN + 900, 900 / RETRY_SECONDS)
    assert world.written == {}


def test_what_only_the_server_knows_to_be_missing_is_waited_for_as_well(world, monkeypatch):
    """Gone between the look-up and the write, it delays its own report alone, and is written once it is back."""

    def lacking(puts, conflicts=()):
        raise MissingTargetError(["Condition", "Condition"])

    world.store.lacking = frozenset()
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "transact", lacking)
        waiting = world.put_aside(message(T="T1"))
        world.now = BEGIN + 900
        (result,) = world.delayed.process([waiting])
    assert (result.error.code, result.error.detail) == (Code.MISSING_TARGET, "Condition")
    (result,) = world.delayed.process([waiting])
    assert result.outgoing[0].topic == TOPIC_BUNDLES


def test_findings_are_written_once_their_patient_is_there(world):
    """What comes of waiting is the same Bundle and the same files as without."""
    waiting = world.put_aside(message(T="T1", N="N0"))
    world.now += RETRY_SECONDS
    world.store.lacking = frozenset()
    (result,) = world.delayed.process([waiting])
    assert result.outgoing[0].topic == TOPIC_BUNDLES
    written = world.written
    (again,) = world.emission.process([record(message(T="T1", N="N0"))])
    assert again.outgoing == result.outgoing
    assert world.written == written


def test_an_older_version_that_waited_does_not_undo_a_newer_one(world):
    """The newer version, which came when the Patient was there, is written at once; the older one then is late."""
    waiting = world.put_aside(message(1, T="T1", N="N0"))
    world.store.lacking = frozenset()
    emit(world.emission, message(2, T="T3"))
    written = world.written
    late = value_of(EMITTED, action="late")
    world.now += RETRY_SECONDS
    (result,) = world.delayed.process([waiting])
    assert result.error is None
    assert value_of(EMITTED, action="late") == late + 1
    assert world.written == written


def standing_values(folder: Path) -> set[str]:
    """The values of the Observations that are not withdrawn."""
    found = [json.loads(path.read_bytes()) for path in folder.glob("Observation/*.json")]
    standing = [item for item in found if item["status"] != "entered-in-error"]
    return {json.dumps(item.get("valueCodeableConcept")) for item in standing}


def test_a_content_that_waited_does_not_undo_a_later_one_of_the_same_version(world, tmp_path):
    """The laboratory sent another content under the same instants meanwhile: what came first is late, though written last."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    runners = [Runner(hop, bus, BusSettings(batch_size=1), Backoff(0, 0)) for hop in (world.emission, world.delayed)]
    bus.publish([Outgoing(TOPIC_FINDINGS, message(T="T1"), headers=((RECEIVED, "900.000"),))])
    run_until_idle(runners)
    world.store.lacking = frozenset()
    bus.publish([Outgoing(TOPIC_FINDINGS, message(T="T3"), headers=((RECEIVED, "900.001"),))])
    run_until_idle(runners)
    before = standing_values(world.folder)
    late = value_of(EMITTED, action="late")
    world.now += RETRY_SECONDS
    assert run_until_idle(runners) == 1
    assert value_of(EMITTED, action="late") == late + 1
    assert standing_values(world.folder) == before
    for runner in runners:
        runner.close()
    bus.close()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((WAITING_SINCE, "soon"), (DUE, "later")),
        ((WAITING_SINCE, "nan"), (DUE, "inf")),
        ((WAITING_SINCE, f"{BEGIN:.3f}"), (DUE, f"{BEGIN + 86400:.3f}")),
    ],
    ids=["none", "words", "no number", "another clock"],
)
def test_headers_that_say_no_time_hold_nothing_up(world, headers):
    """Without a time to go by, findings are tried at once, and then wait from now on."""
    waiting = Record(TOPIC_DELAYED, 0, 0, message(T="T1"), b"k", headers)
    (result,) = world.delayed.process([waiting])
    assert dict(result.outgoing[0].headers) == {WAITING_SINCE: "1000.000", DUE: "1015.000"}


def test_over_the_bus_only_the_report_without_its_patient_waits(world, tmp_path):
    """Over both hops: the report that waits holds up none that came later, and ends on neither topic but its own."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    runners = [Runner(hop, bus, BusSettings(batch_size=1), Backoff(0, 0)) for hop in (world.emission, world.delayed)]

    def publish(*values: bytes) -> None:
        bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in values])
        run_until_idle(runners)

    publish(message(T="T1"))
    world.store.lacking = frozenset()
    publish(*(message(report=f"r{number}", T="T2") for number in range(3)))
    assert len(list(bus.read(TOPIC_BUNDLES))) == 3
    assert bus.lag("synoptic-delayed", [TOPIC_DELAYED]) == {TOPIC_DELAYED: 1}
    assert [runner.waits for runner in runners] == [False, True]
    world.now += RETRY_SECONDS
    assert run_until_idle(runners) == 1
    assert len(list(bus.read(TOPIC_BUNDLES))) == 4
    assert list(bus.read(TOPIC_REJECTED)) == []
    for runner in runners:
        runner.close()
    bus.close()
