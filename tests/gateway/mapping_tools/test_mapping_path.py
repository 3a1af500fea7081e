"""A mapping's whole path on the embedded bus: refused, taken up, what has no code listed, and only what differs replayed."""

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from findings_made import SEAL, message
from typer.testing import CliRunner

from gateway.commands.mapping import app
from gateway.emission import EmissionHop
from gateway.stores.folder_store import FolderStore
from schemas.messages import TOPIC_FINDINGS
from schemas.settings import BusSettings, load_settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import Seal
from workers.runner import Runner

HEAD = "overlay: x\ntitle: Facility X\nversion: '1'\npack: breast\nsystems: {lab: https://x.example/lab}\n"
BROKEN = HEAD + "tables: {T.pathologic: {T2: lba|T-TWO}}\n"
MENDED = HEAD + "tables: {T.pathologic: {T2: +lab|T-TWO}, N.pathologic: {N0: null}}\n"


class Site:
    """Emission at work under an overlay, and the commands of whoever mends it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seconds = folder, 1_700_000_000
        self.write(HEAD)
        self._bus = EmbeddedBus(folder / "bus.sqlite")
        store = FolderStore(folder / "fhir")
        self._runner = Runner(EmissionHop(load_settings(), store, SEAL), self._bus, BusSettings())

    def write(self, text: str) -> None:
        """Save the overlay, at another second than before."""
        (self._folder / "overlay.yaml").write_text(text)
        self._seconds += 10
        os.utime(self._folder / "overlay.yaml", (self._seconds, self._seconds))

    def send(self, **reports: dict[str, str]) -> None:
        """Put reports on the bus and let emission work."""
        values = [message(report=name, **found) for name, found in reports.items()]
        self._bus.publish([Outgoing(TOPIC_FINDINGS, value) for value in values])
        self.work()

    def work(self) -> None:
        """Let emission take what waits for it."""
        self._runner.step(0.0)

    def run(self, *arguments: str) -> str:
        """What `synoptic mapping` prints to both outputs."""
        result = CliRunner().invoke(app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    def versions(self) -> dict[str, int]:
        """The version of each Observation on the store."""
        found = [orjson.loads(path.read_bytes()) for path in (self._folder / "fhir" / "Observation").glob("*.json")]
        return {one["id"]: int(one["meta"]["versionId"]) for one in found}

    def holding(self, text: str) -> set[str]:
        """The ids of the Observations that hold a text."""
        paths = (self._folder / "fhir" / "Observation").glob("*.json")
        return {path.stem for path in paths if text in path.read_text()}

    def close(self) -> None:
        """End emission and the bus."""
        self._runner.close()
        self._bus.close()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose settings the commands read as well."""
    monkeypatch.setenv("SYNOPTIC_BUS__PATH", str(tmp_path / "bus.sqlite"))
    monkeypatch.setenv("SYNOPTIC_FHIR__FOLDER", str(tmp_path / "fhir"))
    monkeypatch.setenv("SYNOPTIC_MAPPING__OVERLAYS", orjson.dumps([str(tmp_path)]).decode())
    monkeypatch.setattr("gateway.mapping_tools.live.load_seal", lambda settings: SEAL)
    monkeypatch.setattr(Seal, "close", lambda seal: None)  # it is every test's
    opened = Site(tmp_path)
    yield opened
    opened.close()


def test_a_mapping_is_mended_while_emission_runs(site: Site, tmp_path: Path) -> None:
    """A broken overlay changes nothing; a sound one is compared, replayed once over what it concerns, and tells what has no code."""
    site.send(a={"T": "T2"}, b={"T": "T1"}, c={"T": "T1", "N": "N0"})
    site.write(BROKEN)
    site.send(d={"T": "T2"})
    assert site.holding("lba") == set()
    assert "unknown system 'lba'" in site.run("check", str(tmp_path))

    lines = [line for line in site.run("record").splitlines() if line.startswith("{")]
    (tmp_path / "recorded.jsonl").write_text("\n".join(lines))
    site.write(MENDED)
    difference = site.run("diff", "breast", str(tmp_path), "--over", str(tmp_path / "recorded.jsonl"))
    assert "3 of 4 reports would change" in difference
    assert "replayed 3 of 4 reports; 1 would stay" in site.run("replay")
    before = site.versions()
    site.work()
    after = site.versions()
    risen = {one for one in after if after[one] != before[one]}
    assert site.holding("T-TWO") < risen
    assert {after[one] - before[one] for one in risen} == {1}
    assert len(site.holding("T-TWO")) == 2
    assert "N.pathologic" in site.run("unmapped")
    assert "replayed 0 of 4 reports" in site.run("replay")
    site.work()
    assert site.versions() == after
