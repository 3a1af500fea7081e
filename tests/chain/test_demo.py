"""`synoptic demo` on the shipped examples."""

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mappers.profiles import check_resources
from schemas.findings import Status
from schemas.messages import TOPIC_FINDINGS, TOPIC_TEXTS, Action, ReportFindings, ReportText
from schemas.pack_loader import load_pack
from schemas.settings import BusSettings, Settings
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal

pytestmark = pytest.mark.model

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((REPOSITORY / "examples" / "reports").glob("*.json"))
REJECTED = {"14-other-organ.json": "SYN-130", "15-corrupt.json": "SYN-119"}


@dataclass(frozen=True)
class Demo:
    """What the command printed and left behind."""

    code: int
    stdout: str
    folder: Path
    texts: tuple[ReportText, ...]
    findings: tuple[ReportFindings, ...]

    @property
    def bundles(self) -> dict[str, Any]:
        """The written Bundles by example."""
        files = sorted((self.folder / "bundles").iterdir())
        return {path.name.removesuffix(".bundle.json"): json.loads(path.read_bytes()) for path in files}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The command, run once."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    ended = subprocess.run(
        [Path(sys.executable).with_name("synoptic"), "demo", "--out", str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "300"},
    )
    assert ended.returncode == 0, ended.stderr
    with closing(EmbeddedBus(folder / "bus.sqlite")) as bus:
        seal = load_seal(Settings(bus=BusSettings(path=folder / "bus.sqlite")))
        texts = [ReportText.model_validate_json(seal.opened(record.value)) for record in bus.read(TOPIC_TEXTS)]
        findings = [ReportFindings.model_validate_json(record.value) for record in bus.read(TOPIC_FINDINGS)]
    return Demo(ended.returncode, ended.stdout, folder, tuple(texts), tuple(findings))


def test_every_example_but_two_is_coded(demo: Demo) -> None:
    """Seventeen examples: a Bundle for each but the other organ's and the corrupt one, which are explained by number."""
    assert len(EXAMPLES) >= 17
    assert set(demo.bundles) == {path.name for path in EXAMPLES} - set(REJECTED)
    explained = demo.stdout.split("Rejected")[-1].splitlines()
    for name, number in REJECTED.items():
        (line,) = [line for line in explained if name in line]
        assert number in line


def test_every_primary_has_a_row(demo: Demo) -> None:
    """The table has one row a primary, with its key, the bilateral example has two, and a line says what its signs mean."""
    table = demo.stdout.split("Evidence")[0]
    keys = [primary.key for one in demo.findings for primary in one.primaries]
    assert len(keys) >= 14
    for key, count in Counter(keys).items():
        assert table.count(f" {key} ") == count
    assert "?: waits for a person" in table
    (bilateral,) = [line for line in table.splitlines() if "05-bilateral" in line and "breast-left" in line]
    assert "breast-right" in table.split("05-bilateral")[2 if bilateral.index("05") < 5 else 1]


def test_evidence_is_shown_and_stands_in_the_source(demo: Demo) -> None:
    """`text[start:end] == quote` for every excerpt of every example, scans included; and the command shows excerpts."""
    quotes = 0
    for text, found in zip(demo.texts, demo.findings, strict=True):
        for primary in found.primaries:
            excerpts = [*primary.assertion_evidence, *primary.histology_evidence]
            excerpts += [item for finding in primary.findings.values() for item in finding.evidence]
            assert primary.assertion_evidence
            assert all(text.text[item.start : item.end] == item.quote for item in excerpts)
            quotes += len(excerpts)
    assert quotes >= 150
    assert demo.stdout.count("“") >= 100


def test_no_value_is_coded_without_evidence(demo: Demo) -> None:
    """Each coded finding of each example has at least one excerpt."""
    coded = [
        finding
        for found in demo.findings
        for primary in found.primaries
        for finding in primary.findings.values()
        if finding.status is Status.CODED
    ]
    assert len(coded) >= 80
    assert all(finding.value and finding.evidence for finding in coded)


def test_every_bundle_passes_our_own_checks(demo: Demo) -> None:
    """Profiles, codes, values and references of every written Bundle are without a fault; specimens are the EHR's.

    An addendum's manifest also targets what the report before it wrote.
    """
    mapping = load_pack("breast").mapping
    known: set[str] = set()
    for path in EXAMPLES:
        if path.name not in REJECTED:
            sent = [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]
            bundle = demo.bundles[path.name]
            resources = [entry["resource"] for entry in bundle["entry"]]
            known |= {f"{item['resourceType']}/{item['id']}" for item in sent}
            assert bundle["type"] == "transaction"
            assert check_resources(resources, mapping, known) == ()
            known |= {entry["request"]["url"] for entry in bundle["entry"]}


def test_the_benign_example_is_no_cancer(demo: Demo) -> None:
    """The benign example gives neither Condition nor Observation."""
    kinds = {entry["resource"]["resourceType"] for entry in demo.bundles["09-benign.json"]["entry"]}
    assert kinds == {"Device", "Provenance"}


def test_the_amended_example_replaces_and_the_addendum_merges(demo: Demo) -> None:
    """Second versions write to the ids of the first: one manifest each, and the pending receptors are no longer so."""
    for first, second in (
        ("07-first-version.json", "08-amended-version.json"),
        ("10-receptors-pending.json", "11-addendum.json"),
    ):
        manifests = [
            entry["request"]["url"]
            for name in (first, second)
            for entry in demo.bundles[name]["entry"]
            if entry["resource"]["resourceType"] == "Provenance"
        ]
        assert len(manifests) == 2
        assert len(set(manifests)) == 1
    pending = [found for found in demo.findings if found.action is Action.MERGE]
    assert [finding.status for one in pending for item in one.primaries for finding in [item.findings["ER"]]] != [
        Status.PENDING
    ]
