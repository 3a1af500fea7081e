"""The running emission takes up a changed mapping between batches, and refuses a broken one."""

import os
from pathlib import Path

import orjson
import structlog
from findings_made import SEAL, message

from gateway.doctor.checks import check_packs
from gateway.emission import EmissionHop
from gateway.mapping_tools.watch import WatchedPacks
from gateway.stores.folder_store import FolderStore
from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS
from schemas.metrics import MAPPING_CHANGES, value_of
from schemas.settings import BusSettings, MappingSettings, Settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.runner import Runner

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "staging" / "invented-prognostic.yaml"

HEAD = "overlay: x\ntitle: Facility X\nversion: '1'\npack: breast\nsystems: {lab: https://x.example/lab}\n"
TABLE = "tables: {T.pathologic: {T2: +lab|T-TWO}}\n"


class Site:
    """Emission over the embedded bus, under an overlay that a test rewrites."""

    def __init__(self, folder: Path) -> None:
        (folder / "x").mkdir()
        self._overlay = folder / "x" / "overlay.yaml"
        self._seconds = 1_700_000_000
        self.write(HEAD)
        self.bus = EmbeddedBus(folder / "bus.sqlite")
        settings = Settings(mapping=MappingSettings(overlays=(folder / "x",)))
        self.runner = Runner(EmissionHop(settings, FolderStore(folder / "fhir"), SEAL), self.bus, BusSettings())

    def write(self, text: str) -> None:
        """Write the overlay, long ago, at another second than before."""
        self._overlay.write_text(text)
        self._seconds += 10
        os.utime(self._overlay, (self._seconds, self._seconds))

    def codes(self, report: str) -> set[str]:
        """Send one report through; the codes of the published Bundle."""
        self.bus.publish([Outgoing(TOPIC_FINDINGS, message(report=report, T="T2"))])
        self.runner.step(0.0)
        *_, last = self.bus.read(TOPIC_BUNDLES)
        entries = orjson.loads(last.value)["entry"]
        values = [entry["resource"].get("valueCodeableConcept", {}).get("coding", []) for entry in entries]
        return {coding["code"] for codings in values for coding in codings}

    def close(self) -> None:
        """End the hop and the bus."""
        self.runner.close()
        self.bus.close()


def test_a_sound_change_is_taken_up_without_restart(tmp_path: Path) -> None:
    """The next batch is mapped by the new overlay, and that is counted."""
    site = Site(tmp_path)
    taken = value_of(MAPPING_CHANGES, action="taken")
    assert "T-TWO" not in site.codes("one")
    site.write(HEAD + TABLE)
    assert {"T-TWO", "1229852009"} <= site.codes("two")
    assert value_of(MAPPING_CHANGES, action="taken") == taken + 1
    site.close()


def test_a_broken_change_is_refused_and_the_old_mapping_stays(tmp_path: Path) -> None:
    """One numbered line with file and line, one count, and the reports go on; the corrected file is taken up."""
    site = Site(tmp_path)
    site.write(HEAD + TABLE)
    assert "T-TWO" in site.codes("one")
    refused = value_of(MAPPING_CHANGES, action="refused")
    site.write(HEAD + TABLE.replace("T.pathologic", "T.patho") + "rules: [{slot: A, template: no}]\n")
    with structlog.testing.capture_logs() as lines:
        assert "T-TWO" in site.codes("two")
        assert "T-TWO" in site.codes("three")
    (line,) = [line for line in lines if line["event"] == "changed mapping refused"]
    assert line["error"].code.label == "SYN-411"
    assert "x/overlay.yaml:7: rules.0.template: no template 'no'" in str(line["error"])
    assert value_of(MAPPING_CHANGES, action="refused") == refused + 1
    site.write(HEAD)
    assert "T-TWO" not in site.codes("four")
    site.close()


def test_a_file_that_is_just_being_written_waits(tmp_path: Path) -> None:
    """What was written within the last second is looked at again before the next batch."""
    (tmp_path / "overlay.yaml").write_text(HEAD)
    os.utime(tmp_path / "overlay.yaml", (1_000, 1_000))
    now = 2_000.0
    watched = WatchedPacks(Settings(mapping=MappingSettings(overlays=(tmp_path,))), clock=lambda: now)
    before = watched.current()["breast"]
    (tmp_path / "overlay.yaml").write_text(HEAD + TABLE)
    os.utime(tmp_path / "overlay.yaml", (1_999.5, 1_999.5))
    assert watched.current()["breast"] is before
    now = 2_001.0
    assert watched.current()["breast"] is not before


def test_doctor_checks_the_overlays(tmp_path: Path) -> None:
    """One line for all of them: valid, or SYN-613 with what to correct, also where what they make is no FHIR."""
    (tmp_path / "overlay.yaml").write_text(HEAD)
    settings = Settings(mapping=MappingSettings(overlays=(tmp_path,)))
    *_, outcome = check_packs(settings)
    assert (outcome.name, outcome.remedy) == ("mapping", "")
    (tmp_path / "overlay.yaml").write_text(HEAD + "without: [X]\n")
    *_, outcome = check_packs(settings)
    assert "SYN-613" in f"{outcome.found} {outcome.remedy}"
    (tmp_path / "overlay.yaml").write_text(HEAD + "templates: {result: {statsu: final}}\n")
    *_, outcome = check_packs(settings)
    assert "no element 'statsu' in Observation" in outcome.found


def test_doctor_checks_the_licensed_table(tmp_path: Path) -> None:
    """A broken one is a fault with its number."""
    table = tmp_path / "table.yaml"
    table.write_text(EXAMPLE.read_text(encoding="utf-8").replace("M: M1, grade", "M: M2, grade"), encoding="utf-8")
    *_, outcome = check_packs(Settings(mapping=MappingSettings(prognostic_table=table)))
    assert (outcome.is_fault, outcome.found[:7]) == (True, "SYN-620")


def test_a_changed_licensed_table_is_taken_up_and_a_broken_one_refused(tmp_path: Path) -> None:
    """As the mapping is: the table before it stays in use, and its faults are told."""
    table, text = tmp_path / "table.yaml", EXAMPLE.read_text(encoding="utf-8")

    def written(content: str, second: int) -> str:
        """Write the table as of this second, look, and return what is in use."""
        table.write_text(content, encoding="utf-8")
        os.utime(table, (second, second))
        licensed = watched.current()["breast"].licensed
        assert licensed is not None
        return licensed.system

    table.write_text(text, encoding="utf-8")
    watched = WatchedPacks(Settings(mapping=MappingSettings(prognostic_table=table)))
    assert written(text, 1_000) == "invented example, not a classification"
    changed = text.replace("system: invented example, not a classification", "system: another")
    assert written(changed, 2_000) == "another"
    refused = value_of(MAPPING_CHANGES, action="refused")
    with structlog.testing.capture_logs() as lines:
        assert (
            written(changed.replace("system: another", "system: third").replace("M: M1, grade", "M: M2, grade"), 3_000)
            == "another"
        )
    assert value_of(MAPPING_CHANGES, action="refused") == refused + 1
    (line,) = [line for line in lines if line["event"] == "changed mapping refused"]
    assert "'M2' is no value of M" in str(line["error"])
