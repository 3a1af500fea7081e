"""Several reports in one batch of emission: at once where nobody shares a patient, and each with its own fate."""

import threading
from pathlib import Path

import pytest
from emission_made import context
from findings_made import emit, make_hop, of_patient, record

from gateway.stores.folder_store import FolderStore
from schemas.errors import Code, SynopticError
from schemas.metrics import EMITTED, value_of


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the resources go."""
    return tmp_path / "fhir"


class MeetingStore(FolderStore):
    """A folder that lets nobody pass the look-up before as many reports as expected have come there."""

    def __init__(self, folder: Path, expected: int) -> None:
        super().__init__(folder)
        self.meeting = threading.Barrier(expected, timeout=30)

    def look_up(self, references):
        """Wait for the others."""
        self.meeting.wait()
        return super().look_up(references)


def test_reports_of_several_patients_are_written_at_once(folder):
    """Four reports of four patients are in work together, and their Bundles come out in the order of the records."""
    records = [record(of_patient(number, 1)) for number in range(4)]
    results = make_hop(MeetingStore(folder, 4)).process(records)
    keys = [result.outgoing[0].key for result in results]
    assert keys == [str(context(f"r{number}").report_key).encode() for number in range(4)]


class WatchedStore(FolderStore):
    """A folder that notes which reports are looked up, and when two of them were in work together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.working: set[str] = set()
        self.order: list[str] = []
        self.met: set[frozenset[str]] = set()

    def look_up(self, references):
        """A report begins."""
        name = next(item.literal for item in references if item.type == "DiagnosticReport")
        self.working.add(name)
        self.order.append(name)
        self.met |= {frozenset((name, other)) for other in self.working if other != name}
        return super().look_up(references)

    def transact(self, puts, tasks=()):
        """The report that targets this manifest ends."""
        answer = super().transact(puts, tasks)
        self.working -= {puts[-1].resource["entity"][0]["what"]["reference"]}
        return answer


def test_one_patients_reports_are_written_one_after_another(folder):
    """Whoever shares a patient or a report, by whatever detour, is written in the order of the records."""
    moved = "moved to another patient"
    values = [
        of_patient(0, 1),
        of_patient(0, 2, report="second of the first"),
        of_patient(1, 1, report=moved),
        of_patient(0, 2, report=moved),
        of_patient(1, 3),
    ]
    store = WatchedStore(folder)
    make_hop(store).process([record(value) for value in values])
    names = ["r0", "second of the first", moved, moved, "r1"]
    assert store.order == [f"DiagnosticReport/{name}" for name in names]
    assert store.met == set()


class AskedStore(FolderStore):
    """A folder that notes what it is asked to search Provenances of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[set[str]] = []

    def provenances_of(self, references):
        """Note the references."""
        self.asked.append(set(references))
        return super().provenances_of(references)


def test_provenances_are_searched_of_what_the_report_itself_may_share(folder):
    """The Devices that every report shares cause no search; what the patient already has does."""
    store = AskedStore(folder)
    hop = make_hop(store)
    for patient in (1, 2):
        emit(hop, of_patient(patient, 1))
    assert {path.parent.name for path in folder.glob("Device/*.json")} == {"Device"}
    assert store.asked == [set(), set()]
    emit(hop, of_patient(2, 2))
    assert {reference.partition("/")[0] for reference in store.asked[2]} >= {"Condition"}
    assert not any(reference.startswith("Device/") for reference in store.asked[2])


class FailingStore(FolderStore):
    """A folder that cannot be asked about one report."""

    failing = "DiagnosticReport/r1"

    def look_up(self, references):
        """Fail for that report."""
        if any(item.literal == self.failing for item in references):
            raise SynopticError(Code.STORE_UNAVAILABLE, "503", retry_after=7)
        return super().look_up(references)


def test_what_the_store_cannot_do_for_one_report_is_done_for_the_others(folder):
    """One report's retry discards no other's write: it is raised at the end, and the second time they are unchanged."""
    records = [record(of_patient(number, 1)) for number in range(4)]
    store = FailingStore(folder)
    with pytest.raises(SynopticError) as caught:
        make_hop(store).process(records)
    assert (caught.value.code, caught.value.retry_after) == (Code.STORE_UNAVAILABLE, 7)
    assert len(list((folder / "Provenance").glob("*.json"))) == 3
    counted = {action: value_of(EMITTED, action=action) for action in ("write", "unchanged")}
    store.failing = ""
    results = make_hop(store).process(records)
    assert all(result.error is None for result in results)
    assert value_of(EMITTED, action="write") == counted["write"] + 1
    assert value_of(EMITTED, action="unchanged") == counted["unchanged"] + 3


def test_a_reject_stays_with_its_record(folder):
    """A report that can never be written is a result among the others, in its place."""

    class Rejecting(FailingStore):
        def look_up(self, references):
            if any(item.literal == self.failing for item in references):
                raise SynopticError(Code.STORE_REJECTS, "422")
            return FolderStore.look_up(self, references)

    results = make_hop(Rejecting(folder)).process([record(of_patient(number, 1)) for number in range(4)])
    assert [result.error.code if result.error else None for result in results] == [
        None,
        Code.STORE_REJECTS,
        None,
        None,
    ]
