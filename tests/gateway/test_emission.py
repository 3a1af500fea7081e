"""The emission hop over a folder store and the shipped breast pack: written, replaced, merged, withdrawn, published."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from emission_made import context
from findings_made import SEAL, LackingStore, emit, make_hop, message, of_patient, record

from gateway.emission import DUE, WAITING_SINCE, EmissionHop, first_bundle
from gateway.stores.folder_store import HISTORY, FolderStore
from gateway.stores.resource_store import Put, Stored
from mappers.provenance import read_manifest
from schemas.errors import Code, SynopticError
from schemas.logs import WITHHELD, allow
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DELAYED,
    Identifier,
    Reference,
    ReportFindings,
    ReportVersion,
    SpecimenPart,
)
from schemas.metrics import CONFLICTS as CONFLICTS_METRIC
from schemas.metrics import UNMAPPED, WAITING, value_of
from schemas.pack_loader import load_pack
from schemas.settings import FhirSettings, Settings
from workers.buses.bus import Record
from workers.privacy.sealing import Seal
from workers.received import RECEIVED

VALUES = {"T": "T1", "N": "N0", "grade": "G2", "ER": "positive", "HER2": "negative"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the resources go."""
    return tmp_path / "fhir"


@pytest.fixture
def hop(folder) -> EmissionHop:
    """Emission over that folder."""
    return make_hop(FolderStore(folder))


def observations(folder: Path) -> dict[str, str]:
    """The status of each Observation of the folder, by id."""
    return {path.stem: json.loads(path.read_text())["status"] for path in (folder / "Observation").glob("*.json")}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of the store, its history too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json")}


def test_the_bundle_holds_what_the_folder_holds(hop, folder):
    """Each entry of the published Bundle is the resource of the store, apart from the store's version."""
    bundle = emit(hop, message(**VALUES))
    for entry in bundle["entry"]:
        stored = json.loads((folder / f"{entry['request']['url']}.json").read_text())
        stored["meta"].pop("versionId")
        if not stored["meta"]:
            del stored["meta"]
        assert stored == entry["resource"]
    assert len(observations(folder)) >= len(VALUES)


def test_a_bundle_for_a_folder_of_files_is_that_of_an_empty_store(hop):
    """What `extract --out` writes is what `run` would publish first."""
    findings = ReportFindings.model_validate_json(message(**VALUES))
    settings = Settings(_env_file=None)
    bundle, missing = first_bundle(findings, context(), load_pack("breast"), settings)
    assert bundle == emit(hop, message(**VALUES))
    assert missing == ()


def test_a_value_without_a_code_is_counted_and_logged(hop):
    """A category whose staging edition no year gives is not sent, and that is told without any content."""
    counted = value_of(UNMAPPED, task="T")
    undated = context(version=ReportVersion(issued="1970-01-01T00:00:00Z"), recorded="1970-01-01T00:00:00Z")
    findings = ReportFindings.model_validate_json(message(T="T1", ER="positive"))
    with structlog.testing.capture_logs() as lines:
        bundle = emit(hop, findings.model_copy(update={"sealed": SEAL.seal(undated)}).model_dump_json().encode())
    codes = [entry["resource"].get("code", {}).get("coding", [{}])[0].get("code") for entry in bundle["entry"]]
    assert "384625004" not in codes
    assert "16112-5" in codes
    assert value_of(UNMAPPED, task="T") == counted + 1
    (line,) = [line for line in lines if "without a code" in line["event"]]
    assert line == {"event": line["event"], "log_level": "warning", "hop": "emission", "count": 1}


def test_the_same_report_again_changes_no_file(hop, folder):
    """A replay writes nothing, makes no version, and publishes the same Bundle."""
    values = [message(**VALUES), message(2, T="T2", N="N0"), message(1, report="other", **VALUES)]
    first = [emit(hop, value) for value in values]
    before = snapshot(folder)
    assert [emit(hop, value) for value in values[1:]] == first[1:]
    emit(hop, values[0])
    assert snapshot(folder) == before


def test_an_amended_report_replaces_and_withdraws(hop, folder):
    """What the newer version no longer states is entered in error, in the store and for subscribers."""
    emit(hop, message(1, **VALUES))
    bundle = emit(hop, message(2, T="T2", N="N0"))
    statuses = observations(folder)
    withdrawn = {identifier for identifier, status in statuses.items() if status == "entered-in-error"}
    assert 3 <= len(withdrawn) < len(statuses)
    published = {entry["resource"]["id"]: entry["resource"].get("status") for entry in bundle["entry"]}
    assert {published[identifier] for identifier in withdrawn} == {"entered-in-error"}


def test_an_addendum_withdraws_nothing(hop, folder):
    """An addendum's values stand beside the report's."""
    emit(hop, message(1, T="T1", N="N0"))
    before = set(observations(folder))
    emit(hop, message(2, "merge", HER2="positive"))
    after = observations(folder)
    assert before < set(after)
    assert "entered-in-error" not in after.values()


def test_a_withdrawn_report_leaves_a_tombstone(hop, folder):
    """Everything is taken back, the Condition too, and the late report it withdrew changes nothing."""
    emit(hop, message(1, **VALUES))
    bundle = emit(hop, message(3, "withdraw"))
    assert set(observations(folder).values()) == {"entered-in-error"}
    (condition,) = (folder / "Condition").glob("*.json")
    taken_back = json.loads(condition.read_text())
    assert taken_back["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in taken_back
    assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} >= {"Observation", "Condition"}
    before = snapshot(folder)
    emit(hop, message(2, T="T3"))
    assert snapshot(folder) == before


def test_a_persons_edit_stays_and_is_reported(hop, folder):
    """A corrected value survives the next version: one conflict record, one count, one log line without content."""
    emit(hop, message(1, **VALUES))
    edited = next(
        path for path in sorted((folder / "Observation").glob("*.json")) if "valueCodeableConcept" in path.read_text()
    )
    resource = json.loads(edited.read_text())
    resource["note"] = [{"text": "corrected by hand"}]
    edited.write_text(json.dumps(resource))
    counted = value_of(CONFLICTS_METRIC)
    with structlog.testing.capture_logs() as lines:
        emit(hop, message(2, T="T4", N="N1", grade="G3", ER="negative", HER2="positive"))
    assert json.loads(edited.read_text()) == resource
    (conflict,) = (folder / "Task").glob("*.json")
    assert json.loads(conflict.read_text())["focus"]["reference"] == f"Observation/{edited.stem}"
    assert value_of(CONFLICTS_METRIC) == counted + 1
    assert [(line["code"], line["count"]) for line in lines] == [(Code.PERSONS_VERSION.label, 1)]


class Rival(FolderStore):
    """A folder in which another writer is faster the first `times` times."""

    def __init__(self, folder: Path, times: int, rival: bytes) -> None:
        super().__init__(folder)
        self.times, self.rival, self.attempts = times, rival, 0

    def transact(self, puts, tasks=()):
        """Let the rival write first."""
        self.attempts += 1
        if self.times > 0:
            self.times -= 1
            day = 2 + self.attempts
            emit(make_hop(FolderStore(self._folder)), self.rival or message(day, T="T1"))
        return super().transact(puts, tasks)


def test_after_a_conflict_the_newer_version_is_read_and_wins(folder):
    """A worker that slept does not put its old version back: refused, it compares again and finds itself late."""
    rival = message(5, T="T3")
    store = Rival(folder, 1, rival)
    emit(make_hop(store), message(4, T="T1", N="N0"))
    assert store.attempts == 1
    expected = folder.with_name("expected")
    emit(make_hop(FolderStore(expected)), rival)
    assert set(observations(folder)) == set(observations(expected))


def test_a_worker_that_slept_does_not_put_back_another_content_of_the_same_version(folder):
    """Its successor wrote its batch and a later content under the same instants: awake and refused, it is late."""
    first, later = record(message(T="T1"), headers=((RECEIVED, "900.000"),)), record(message(T="T3"))
    later = replace(later, headers=((RECEIVED, "900.001"),))

    class Sleeper(FolderStore):
        attempts = 0

        def transact(self, puts, tasks=()):
            self.attempts += 1
            make_hop(FolderStore(folder)).process([first])
            make_hop(FolderStore(folder)).process([later])
            self.written = snapshot(folder)
            return super().transact(puts, tasks)

    store = Sleeper(folder)
    (result,) = make_hop(store).process([first])
    assert (result.error, store.attempts) == (None, 1)
    assert snapshot(folder) == store.written


class UnorderedStore(FolderStore):
    """A folder that reads the manifest last, after another writer has come: a FHIR batch knows no order."""

    def __init__(self, folder: Path, rival: bytes) -> None:
        super().__init__(folder)
        self.rival: bytes | None = rival

    def read(self, references):
        """The first time, let the rival write while the batch is read."""
        rival, self.rival = self.rival, None
        if rival is None:
            return super().read(references)
        others = super().read([name for name in references if not name.startswith("Provenance/")])
        emit(make_hop(FolderStore(self._folder)), rival)
        return others | super().read([name for name in references if name.startswith("Provenance/")])


def test_what_was_read_before_the_manifest_decides_nothing(folder):
    """Resources that a rival wrote between the reads of one batch are not taken for what a person deleted."""
    earlier, first, second = of_patient(1, 1), message(1, **VALUES), message(2, **VALUES)
    emit(make_hop(FolderStore(folder)), earlier)
    emit(make_hop(UnorderedStore(folder, first)), second)
    assert not (folder / "Task").exists()
    expected = folder.with_name("expected")
    for value in (earlier, first, second):
        emit(make_hop(FolderStore(expected)), value)
    assert snapshot(folder) == snapshot(expected)


def test_endless_conflicts_end_as_a_retry(folder):
    """Refused at every attempt, emission asks the runner to try later."""
    store = Rival(folder, 99, b"")
    with pytest.raises(SynopticError) as caught:
        make_hop(store).process([record(message(30, T="T1"))])
    assert caught.value.code is Code.STORE_CONTENDED
    assert store.attempts == 5


def test_what_is_put_aside_is_logged_once(folder):
    """An operator reads which types are missing when findings are put aside, and not again at every look."""
    store = LackingStore(folder)
    store.lacking = frozenset({"Patient", "Encounter"})
    hop = make_hop(store, clock=lambda: 1000.0)
    first = message(T="T1", about={"encounter": Reference(type="Encounter", literal="Encounter/1")})
    with structlog.testing.capture_logs() as lines:
        (delayed,) = hop.process([record(first)])[0].outgoing
        hop.process([Record(TOPIC_DELAYED, 0, 0, delayed.value, delayed.key, delayed.headers)])
    (line,) = lines
    assert (line["event"], line["hop"], line["missing"]) == ("findings put aside", "emission", "Encounter, Patient")
    assert allow(None, "", {"missing": line["missing"]}) == {"missing": line["missing"], "event": WITHHELD}


def test_findings_without_their_patient_are_put_aside_and_nobody_waits_for_them(folder):
    """Nothing is written without its subject; the next report in the same batch, whose subject is there, is."""
    store = LackingStore(folder)
    store.lacking = frozenset({"Encounter"})
    counted = value_of(WAITING, target="Encounter")
    first = message(T="T1", about={"encounter": Reference(type="Encounter", literal="Encounter/1")})
    waiting, written = make_hop(store, clock=lambda: 1000.0).process(
        [record(first), record(message(report="b", T="T2"))]
    )
    (delayed,) = waiting.outgoing
    assert (delayed.topic, delayed.value, delayed.key) == (TOPIC_DELAYED, first, b"k")
    assert delayed.headers == ((WAITING_SINCE, "1000.000"), (DUE, "1015.000"))
    assert [outgoing.topic for outgoing in written.outgoing] == [TOPIC_BUNDLES]
    assert value_of(WAITING, target="Encounter") == counted + 1
    assert len(list((folder / "Provenance").glob("*.json"))) == 1


def test_findings_that_may_not_wait_are_rejected_by_name(folder):
    """Where the site lets nothing wait, what is missing is a reject that names types and nothing else."""
    store = LackingStore(folder)
    store.lacking = frozenset({"Patient", "DiagnosticReport"})
    settings = Settings(_env_file=None, fhir=FhirSettings(target_wait_seconds=0))
    (result,) = make_hop(store, settings).process([record(message(T="T1"))])
    assert result.error.code is Code.MISSING_TARGET
    assert result.error.detail == "DiagnosticReport, Patient"


def test_everything_that_is_referred_to_is_looked_up_and_used_as_found(folder):
    """Identifiers become the server's own references, ids stay, and the same report again writes nothing."""
    subject = Reference(type="Patient", identifier=Identifier(system="urn:mrn", value="4711"))
    specimen = Reference(type="Specimen", identifier=Identifier(value="S24-1-A"))
    encounter = Reference(type="Encounter", literal="Encounter/9")
    report = context().report
    specimens = (SpecimenPart(reference=specimen),)
    value = message(about={"subject": subject, "encounter": encounter, "specimens": specimens}, **VALUES)
    before = emit(make_hop(FolderStore(folder.with_name("before"))), value)
    store = LackingStore(folder)
    store.known = {
        subject: subject.model_copy(update={"literal": "Patient/77"}),
        specimen: specimen.model_copy(update={"literal": "Specimen/78"}),
        report: report.model_copy(update={"literal": "DiagnosticReport/79"}),
        encounter: encounter,
    }
    bundle = emit(make_hop(store), value)
    assert [entry["request"] for entry in bundle["entry"]] == [entry["request"] for entry in before["entry"]]
    text = json.dumps(bundle)
    for literal in ("Patient/77", "Specimen/78", "DiagnosticReport/79"):
        assert f'"{literal}"' in text
        assert literal not in json.dumps(before)
    written = snapshot(folder)
    assert emit(make_hop(store), value) == bundle
    assert snapshot(folder) == written


def test_findings_sealed_elsewhere_and_of_unknown_packs_are_rejected(folder):
    """Another installation's findings and a pack that is not loaded are numbered rejects."""
    elsewhere = EmissionHop(Settings(_env_file=None), FolderStore(folder), Seal(b"x" * 32))
    (sealed,) = elsewhere.process([record(message(T="T1"))])
    (pack,) = make_hop(FolderStore(folder)).process(
        [record(message(T="T1").replace(b'"pack":"breast"', b'"pack":"x"'))]
    )
    assert [result.error.code for result in (sealed, pack)] == [Code.NOT_SEALED_HERE, Code.UNKNOWN_PACK]


def test_nothing_of_the_context_is_logged_or_printed(hop):
    """Neither the patient's reference nor the report's number leaves by a log line or an error."""
    with structlog.testing.capture_logs() as lines:
        results = hop.process([record(message(report="S24-77", T="T1")), record(b'{"S24-77": 1}')])
    assert "S24-77" not in repr(lines) + repr([result.error for result in results])


def test_versions_arriving_in_two_orders_end_alike(tmp_path):
    """Versions in any order leave the same active resources, each with one version for each change."""
    messages = [message(day, report=f"r{number}", T=f"T{day}", N="N0") for number in range(8) for day in (1, 2, 3)]
    folders = [tmp_path / "forwards", tmp_path / "backwards"]
    for folder, arriving in zip(folders, (messages, messages[::-1]), strict=True):
        hop = make_hop(FolderStore(folder))
        hop.process([record(value) for value in (*arriving, *messages)])
    active = [
        {name for name, status in observations(folder).items() if status != "entered-in-error"} for folder in folders
    ]
    assert active[0] == active[1]
    assert len(active[0]) >= 16
    backwards = folders[1] / HISTORY / "Observation"
    assert all(len(list(path.glob("*.json"))) == 1 for path in backwards.iterdir())


def test_a_put_needs_the_version_it_was_decided_on(folder):
    """The guard is the store's own: a put under a stale version is refused whoever sends it."""
    store = FolderStore(folder)
    emit(make_hop(store), message(T="T1"))
    (path,) = (folder / "Provenance").glob("*.json")
    manifest: Stored = store.read([f"Provenance/{path.stem}"])[f"Provenance/{path.stem}"]
    emit(make_hop(store), message(2, T="T2"))
    assert not store.transact([Put(manifest.resource, manifest.version)])


def test_the_manifest_says_which_version_is_there(hop, folder):
    """An integrator reads from the Provenance which report version the resources state."""
    emit(hop, message(2, T="T1"))
    (path,) = (folder / "Provenance").glob("*.json")
    assert read_manifest(json.loads(path.read_text())).version == ReportVersion(issued="2024-05-02T10:00:00Z")
