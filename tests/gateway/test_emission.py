"""The emission hop over a folder store and the shipped breast pack: written, replaced, merged, withdrawn, published."""

import json
from pathlib import Path

import orjson
import pytest
import structlog
from emission_made import context

from gateway.emission import WAITING_SINCE, EmissionHop, first_bundle
from gateway.folder_store import CONFLICTS, HISTORY, FolderStore
from gateway.resource_store import Put, Resource, Stored
from mappers.provenance import read_manifest
from schemas.errors import Code, SynopticError
from schemas.findings import Evidence, Finding, Primary
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DELAYED,
    TOPIC_FINDINGS,
    Action,
    Configuration,
    ReportFindings,
    ReportVersion,
)
from schemas.metrics import CONFLICTS as CONFLICTS_METRIC
from schemas.metrics import UNMAPPED, value_of
from schemas.pack_loader import load_pack
from schemas.settings import Settings
from workers.bus import Record
from workers.sealing import Seal

SEAL = Seal(b"0123456789abcdef0123456789abcdef")
VALUES = {"T": "T1", "N": "N0", "grade": "G2", "ER": "positive", "HER2": "negative"}


def finding(value: str) -> Finding:
    """A coded finding with evidence."""
    return Finding(
        value=value,
        status="coded",
        basis="stated",
        probability=0.99,
        evidence=(Evidence(quote=value, start=0, end=len(value)),),
        source="model",
        attributes={"prefix": "p"} if value[0] in "TN" else {},
    )


def message(day: int = 1, action: str = "replace", report: str = "report", adapter: str = "a", **values: str) -> bytes:
    """The findings of one version of a report, as extraction publishes them."""
    about = context(report, day)
    primary = Primary(
        key="breast-left",
        organ="breast",
        laterality="left",
        principal=True,
        assertion="primary_invasive",
        histology="IDC",
        behaviour="invasive",
        procedure="mastectomy",
        findings={task: finding(value) for task, value in values.items()},
    )
    findings = ReportFindings(
        report_hmac=SEAL.report_hmac(about.report_key),
        action=Action(action),
        pack="breast",
        primaries=(primary,) if values else (),
        content_digest=f"{report} {day} {action} {sorted(values.items())}",
        configuration=Configuration(
            pack="breast",
            pack_version="1",
            pack_digest="p",
            model="m",
            model_digest="d",
            adapter_digest=adapter,
            policy="agreement",
        ),
        sealed=SEAL.seal(about),
    )
    return findings.model_dump_json().encode()


def record(value: bytes, topic: str = TOPIC_FINDINGS, headers: tuple = ()) -> Record:
    """A record as the bus gives it."""
    return Record(topic, 0, 0, value, key=b"k", headers=headers)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the resources go."""
    return tmp_path / "fhir"


@pytest.fixture
def hop(folder) -> EmissionHop:
    """Emission over that folder."""
    return make_hop(FolderStore(folder))


def make_hop(store, **more) -> EmissionHop:
    """Emission over a store."""
    return EmissionHop(Settings(_env_file=None), store, SEAL, **more)


def emit(hop: EmissionHop, value: bytes) -> Resource:
    """Process one message, which must succeed; the published Bundle."""
    (result,) = hop.process([record(value)])
    assert result.error is None
    (outgoing,) = result.outgoing
    assert outgoing.topic == TOPIC_BUNDLES
    return orjson.loads(outgoing.value)


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
    (conflict,) = (folder / CONFLICTS).glob("*.json")
    assert json.loads(conflict.read_text())["reference"] == f"Observation/{edited.stem}"
    assert value_of(CONFLICTS_METRIC) == counted + 1
    assert [(line["code"], line["count"]) for line in lines] == [(Code.PERSONS_VERSION.label, 1)]


class Rival(FolderStore):
    """A folder in which another writer is faster the first `times` times."""

    def __init__(self, folder: Path, times: int, rival: bytes) -> None:
        super().__init__(folder)
        self.times, self.rival, self.attempts = times, rival, 0

    def transact(self, puts):
        """Let the rival write first."""
        self.attempts += 1
        if self.times > 0:
            self.times -= 1
            day = 2 + self.attempts
            emit(make_hop(FolderStore(self._folder)), self.rival or message(day, T="T1"))
        return super().transact(puts)


def test_after_a_conflict_the_newer_version_is_read_and_wins(folder):
    """A worker that slept does not put its old version back: refused, it compares again and finds itself late."""
    rival = message(5, T="T3")
    store = Rival(folder, 1, rival)
    emit(make_hop(store), message(4, T="T1", N="N0"))
    assert store.attempts == 1
    expected = folder.with_name("expected")
    emit(make_hop(FolderStore(expected)), rival)
    assert set(observations(folder)) == set(observations(expected))


def test_endless_conflicts_end_as_a_retry(folder):
    """Refused at every attempt, emission asks the runner to try later."""
    store = Rival(folder, 99, b"")
    with pytest.raises(SynopticError) as caught:
        make_hop(store).process([record(message(30, T="T1"))])
    assert caught.value.code is Code.STORE_CONTENDED
    assert store.attempts == 5


class WithoutPatient(FolderStore):
    """A store that lacks whatever is asked for, until told otherwise."""

    lacking = True

    def missing_targets(self, references):
        """All, or none."""
        return tuple(references) if self.lacking else ()


def test_findings_wait_for_their_patient_and_then_are_rejected_by_name(folder):
    """Nothing is written without its subject: the findings go round the delayed topic until the time is up."""
    now = [1000.0]
    pauses = []
    store = WithoutPatient(folder)
    hop = make_hop(store, clock=lambda: now[0], pause=pauses.append)
    (first,) = hop.process([record(message(T="T1"))])
    (waiting,) = first.outgoing
    assert (waiting.topic, waiting.value, waiting.key) == (TOPIC_DELAYED, message(T="T1"), b"k")
    now[0] += 600
    (second,) = hop.process([record(waiting.value, TOPIC_DELAYED, waiting.headers)])
    assert second.outgoing[0].headers == waiting.headers == ((WAITING_SINCE, "1000"),)
    now[0] += 600
    (third,) = hop.process([record(waiting.value, TOPIC_DELAYED, waiting.headers)])
    assert third.error is not None
    assert third.error.code is Code.MISSING_TARGET
    assert "Patient" in third.error.one_line()
    assert len(pauses) == 2
    assert not (folder / "Observation").exists()
    store.lacking = False
    (fourth,) = hop.process([record(waiting.value, TOPIC_DELAYED, waiting.headers)])
    assert fourth.outgoing[0].topic == TOPIC_BUNDLES


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
