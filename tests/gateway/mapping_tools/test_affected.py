"""Replaying what a changed mapping concerns: the newest version of each report, and only where the store would differ."""

import os
from pathlib import Path

import pytest
from findings_made import SEAL, message

from gateway.emission import EmissionHop
from gateway.mapping_tools.affected import changes, replay, survey
from gateway.stores.folder_store import FolderStore
from schemas.messages import TOPIC_FINDINGS
from schemas.settings import BusSettings, MappingSettings, Settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.runner import Runner, run_until_idle

HEAD = "overlay: x\ntitle: Facility X\nversion: '1'\npack: breast\nsystems: {lab: https://x.example/lab}\n"


@pytest.fixture
def bus(tmp_path: Path):
    """An embedded bus."""
    opened = EmbeddedBus(tmp_path / "bus.sqlite")
    yield opened
    opened.close()


def settings(folder: Path, overlay: str) -> Settings:
    """Settings with this overlay, written at another second each time."""
    (folder / "x").mkdir(exist_ok=True)
    (folder / "x" / "overlay.yaml").write_text(HEAD + overlay)
    os.utime(folder / "x" / "overlay.yaml", (1_000 + len(overlay), 1_000 + len(overlay)))
    return Settings(mapping=MappingSettings(overlays=(folder / "x",)))


def concerned(folder: Path, hop: EmissionHop):
    """Whether a record's resources differ from the store's."""
    return lambda record: changes(hop.preview(record), FolderStore(folder / "fhir"))


def emission(folder: Path, overlay: str) -> EmissionHop:
    """Emission under this overlay."""
    return EmissionHop(settings(folder, overlay), FolderStore(folder / "fhir"), SEAL)


def test_only_reports_whose_resources_change_are_replayed(tmp_path: Path, bus: EmbeddedBus) -> None:
    """Of two reports one has the changed code: its newest version goes through emission again and is updated in place."""
    values = [message(1, report="a", T="T2"), message(2, report="a", T="T2", N="N0"), message(1, report="b", T="T1")]
    bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in values])
    first = Runner(emission(tmp_path, ""), bus, BusSettings())
    run_until_idle([first])
    first.close()

    changed = emission(tmp_path, "tables: {T.pathologic: {T2: +lab|T-TWO}}\n")
    found = survey(bus, SEAL)
    assert (len(found.newest), found.beneath, dict(found.unreadable)) == (2, 0, {})
    tried = replay(bus, found.newest, concerned(tmp_path, changed), publish=False)
    assert (tried.affected, tried.unaffected) == (1, 1)
    assert len(list(bus.read(TOPIC_FINDINGS))) == 3
    replay(bus, found.newest, concerned(tmp_path, changed), publish=True)
    *_, last = bus.read(TOPIC_FINDINGS)
    assert last.value == values[1]
    second = Runner(changed, bus, BusSettings())
    run_until_idle([second])
    stored = "".join(path.read_text() for path in (tmp_path / "fhir" / "Observation").glob("*.json"))
    assert stored.count("T-TWO") == 1
    again = replay(bus, survey(bus, SEAL).newest, concerned(tmp_path, changed), publish=True)
    assert (again.affected, again.unaffected) == (0, 2)
    second.close()


def test_a_changed_code_of_the_condition_concerns_its_reports(tmp_path: Path, bus: EmbeddedBus) -> None:
    """The Condition is shared by the patient's reports; who spoke last in it is no difference, a code is."""
    bus.publish([Outgoing(TOPIC_FINDINGS, message(1, report=name, T="T2")) for name in ("a", "b")])
    first = Runner(emission(tmp_path, ""), bus, BusSettings())
    run_until_idle([first])
    first.close()
    newest = survey(bus, SEAL).newest
    for overlay, expected in (("", 0), ("tables: {disorder: {IDC/invasive: +lab|IDC}}\n", 2)):
        hop = emission(tmp_path, overlay)
        assert replay(bus, newest, concerned(tmp_path, hop), publish=False).affected == expected
        hop.close()


def test_a_mapping_that_says_the_same_concerns_nobody(tmp_path: Path, bus: EmbeddedBus) -> None:
    """A new case in the overlay changes no resource."""
    bus.publish([Outgoing(TOPIC_FINDINGS, message(1, report="a", T="T2"))])
    first = Runner(emission(tmp_path, ""), bus, BusSettings())
    run_until_idle([first])
    first.close()
    same = emission(tmp_path, "cases: [{name: a, findings: {}, expect: {T: none}}]\n")
    done = replay(bus, survey(bus, SEAL).newest, concerned(tmp_path, same), publish=True)
    same.close()
    assert (done.affected, done.unaffected) == (0, 1)


def test_addenda_and_unreadable_records_are_told(bus: EmbeddedBus) -> None:
    """A report beneath an addendum is counted, one that replaces it is not; and a record that holds no findings by its number."""
    values = [message(1, report="a", T="T2"), message(2, action="merge", report="a", ER="positive"), b"{}"]
    bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in values])
    found = survey(bus, SEAL)
    assert (len(found.newest), found.beneath, dict(found.unreadable)) == (1, 1, {"SYN-456": 1})
    bus.publish([Outgoing(TOPIC_FINDINGS, message(3, report="a", T="T3"))])
    assert survey(bus, SEAL).beneath == 0
