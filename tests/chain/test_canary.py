"""PHI canaries on every path: none is seen outside the PHI zone, and all of them are seen inside it."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from canary import BAD, ENCRYPTED, GOOD, NEEDLES, SPELLINGS, canaries_in
from canary_child import KEY
from whole_chain import settings_in

from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_DECISIONS,
    TOPIC_FINDINGS,
    TOPIC_REJECTED,
    TOPIC_TEXTS,
    TOPIC_UNMAPPED,
)
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Record
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import MARK, load_seal

pytestmark = pytest.mark.model

REPOSITORY = Path(__file__).resolve().parents[2]
CHAINS = ("good", "failing-model", "failing-store")
COMMANDS = (
    ("rejected", "list"),
    ("rejected", "show", "0"),
    ("status",),
    ("doctor",),
    ("config", "show"),
)


@dataclass(frozen=True)
class Ran:
    """What the child process left behind: its folder and its two streams."""

    folder: Path
    stdout: str
    stderr: str

    def topic(self, chain: str, name: str) -> list[Record]:
        """The records of a topic, as they lie in the file."""
        with closing(EmbeddedBus(self.folder / chain / "bus.sqlite")) as bus:
            return list(bus.read(name))

    def opened(self, chain: str, name: str) -> list[bytes]:
        """The values of a topic as its hop reads them."""
        with closing(load_seal(settings_in(self.folder / chain, privacy=KEY))) as seal:
            return [seal.opened(record.value) for record in self.topic(chain, name)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The chains of canary_child.py over every canary, with everything logged."""
    folder = tmp_path_factory.mktemp("canary")
    script = Path(__file__).with_name("canary_child.py")
    ended = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert ended.returncode == 1, ended.stderr[-2000:]
    return Ran(folder, ended.stdout, ended.stderr)


def test_the_search_finds_each_spelling() -> None:
    """Case, umlauts, escapes and punctuation hide nothing from the search, and plain words are no canary."""
    for spelling in SPELLINGS:
        for form in (spelling, spelling.upper(), json.dumps(spelling), spelling.replace(" ", "_"), repr(spelling)):
            assert canaries_in(form), form
    assert canaries_in("Left breast, invasive ductal carcinoma, pT2 pN1a, ER positive 2024-03-05") == set()


def test_the_canaries_are_in_the_phi_zone(ran: Ran) -> None:
    """Every canary is in report-texts, the bad messages are whole in rejected-reports: the test below can see."""
    found = canaries_in(b"".join(ran.opened("good", TOPIC_TEXTS)))
    spelt_otherwise = {"grunzweig", "ottinger", "kathchen", "thaddaus"} | {
        "gruenzweig",
        "oettinger",
        "kaethchen",
        "thaddaeus",
    }
    assert found | spelt_otherwise == set(NEEDLES)
    rejected = dict(enumerate(ran.opened("good", TOPIC_REJECTED)))
    assert len(rejected) == len(BAD)
    # The encrypted PDF is another one in each process: its salt is random.
    assert [value for n, value in rejected.items() if n != ENCRYPTED] == [*BAD[:ENCRYPTED], *BAD[ENCRYPTED + 1 :]]
    assert len(ran.topic("good", TOPIC_FINDINGS)) == len(ran.topic("good", TOPIC_BUNDLES)) == len(GOOD)


def test_texts_lie_sealed_on_the_bus(ran: Ran) -> None:
    """No text shows in report-texts, nor in what intake rejected although it names its patient."""
    for chain in CHAINS:
        assert canaries_in(b"".join(record.value for record in ran.topic(chain, TOPIC_TEXTS))) == set()
    kept = [record.value for record in ran.topic("good", TOPIC_REJECTED)]
    assert sum(value.startswith(MARK) for value in kept) >= 12
    assert canaries_in(b"".join(value for value in kept if value.startswith(MARK))) == set()


def test_every_path_was_run(ran: Ran) -> None:
    """Values coded, in review and pending, benign, withdrawn, a failing model and store, uncaught exceptions."""
    findings = [json.loads(record.value) for record in ran.topic("good", TOPIC_FINDINGS)]
    statuses = {
        item["status"] for one in findings for primary in one["primaries"] for item in primary["findings"].values()
    }
    assert {"coded", "review", "pending", "not_stated"} <= statuses
    assert {one["action"] for one in findings} == {"replace", "merge", "withdraw"}
    assert findings[4]["primaries"] == []
    for chain, hop in (("failing-model", "extraction"), ("failing-store", "emission")):
        rejected = ran.topic(chain, TOPIC_REJECTED)
        assert [(record.header("code"), record.header("hop")) for record in rejected] == [("SYN-506", hop)] * 2
    events = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    assert {"debug", "info", "warning", "error"} & {event["level"] for event in events} >= {"info", "warning", "error"}
    uncaught = [event["exception"].split()[0] for event in events if event["event"] == "uncaught exception"]
    assert sorted(uncaught) == ["RuntimeError", "ValueError", "ValueError"]
    libraries = {event["logger"] for event in events if event["event"] == "message of a library"}
    assert libraries >= {"kafka.client", "asyncio", "py.warnings"}
    assert {page["reader"] for value in ran.opened("good", TOPIC_TEXTS) for page in json.loads(value)["pages"]} >= {
        "ocr"
    }
    codes = {record.header("code") for record in ran.topic("good", TOPIC_REJECTED)}
    assert len(codes) >= 11
    assert "synoptic_rejected_total" in ran.stdout


def test_no_canary_in_logs_metrics_and_errors(ran: Ran) -> None:
    """Neither stream of a process that logs everything shows one: logs, metrics, reasons, uncaught exceptions."""
    assert canaries_in(ran.stderr) == set()
    assert canaries_in(ran.stdout) == set()


def test_no_canary_in_findings(ran: Ran) -> None:
    """Beside the sealed field, report-findings holds none: not in quotes, keys, reasons or headers."""
    for chain in CHAINS:
        for record in ran.topic(chain, TOPIC_FINDINGS):
            message = json.loads(record.value)
            assert len(message.pop("sealed")) > 100
            assert canaries_in(json.dumps(message, ensure_ascii=False)) == set()
            assert canaries_in(f"{record.key!r} {record.headers}") == set()


def test_quotes_stand_beside_canaries(ran: Ran) -> None:
    """Evidence is quoted from lines that hold canaries, so the test above is not about empty findings."""
    texts = [json.loads(value)["text"] for value in ran.opened("good", TOPIC_TEXTS)]
    findings = [json.loads(record.value) for record in ran.topic("good", TOPIC_FINDINGS)]
    beside = 0
    for text, one in zip(texts, findings, strict=True):
        for primary in one["primaries"]:
            for finding in primary["findings"].values():
                for evidence in finding["evidence"]:
                    assert text[evidence["start"] : evidence["end"]] == evidence["quote"]
                    start = text.rfind("\n", 0, evidence["start"]) + 1
                    beside += bool(canaries_in(text[start:].split("\n", 1)[0]))
    assert beside >= 20


def test_no_canary_in_names_keys_and_headers(ran: Ran) -> None:
    """File names, message keys, reject headers and hop states are outside the PHI zone."""
    names = "\n".join(str(path.relative_to(ran.folder)) for path in ran.folder.rglob("*"))
    assert canaries_in(names) == set()
    for chain in CHAINS:
        for topic in (TOPIC_TEXTS, TOPIC_BUNDLES, TOPIC_REJECTED):
            for record in ran.topic(chain, topic):
                assert canaries_in(f"{record.key!r} {record.headers}") == set()
        assert canaries_in(b"".join(record.value for record in ran.topic(chain, TOPIC_STATES))) == set()


def test_no_canary_in_resources_beyond_who_they_are_about(ran: Ran) -> None:
    """Coded resources are PHI by their subject alone: evidence and texts in them are de-identified."""
    for path in (ran.folder / "good" / "fhir").rglob("*.json"):
        resource = json.loads(path.read_bytes())
        for element in ("subject", "patient", "for"):
            resource.pop(element, None)
        assert canaries_in(json.dumps(resource, ensure_ascii=False)) == set(), path.name


def test_registries_keep_canaries_to_their_deliveries(ran: Ran) -> None:
    """Who is entitled gets the patient; what is kept of it, the names of its files and the rejects' headers hold none."""
    folder = ran.folder / "registries"
    delivered = list((folder / "board").iterdir())
    assert len(delivered) >= 3
    assert len(canaries_in(b"".join(path.read_bytes() for path in delivered))) > 10
    assert canaries_in(" ".join(path.name for path in delivered)) == set()
    assert canaries_in(b"".join(path.read_bytes() for path in (folder / "state").iterdir())) == set()
    rejected = ran.topic("registries", TOPIC_REJECTED)
    assert {record.header("code") for record in rejected} == {"SYN-483"}
    assert canaries_in("".join(f"{record.headers} {record.key!r}" for record in rejected)) == set()


def test_decisions_and_values_without_a_code_show_none(ran: Ran) -> None:
    """A decision lies sealed; what has no code is told by words of the pack and a keyed hash."""
    for topic in (TOPIC_DECISIONS, TOPIC_UNMAPPED):
        records = ran.topic("registries", topic)
        assert records, topic
        assert canaries_in("".join(f"{record.value!r} {record.headers} {record.key!r}" for record in records)) == set()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_canary_in_what_an_operator_sees(ran: Ran, words: tuple[str, ...]) -> None:
    """Listing rejects, showing one's reason, the settings and the doctor name no patient."""
    environment = os.environ | {
        "SYNOPTIC_BUS__PATH": str(ran.folder / "good" / "bus.sqlite"),
        "SYNOPTIC_FHIR__FOLDER": str(ran.folder / "good" / "fhir"),
    }
    program = Path(sys.executable).with_name("synoptic")
    ended = subprocess.run([program, *words], capture_output=True, text=True, env=environment, cwd=ran.folder)
    assert ended.returncode in (0, 1)
    assert len(ended.stdout + ended.stderr) > 20
    assert canaries_in(ended.stdout) == set()
    assert canaries_in(ended.stderr) == set()


def test_no_canary_in_what_extract_says_of_bad_reports(tmp_path: Path) -> None:
    """Each bad message as a file ends as one line with its number; neither stream repeats a word of it."""
    paths = [tmp_path / f"{number:02d}.json" for number in range(len(BAD))]
    for path, value in zip(paths, BAD, strict=True):
        path.write_bytes(value)
    ended = subprocess.run(
        [Path(sys.executable).with_name("synoptic"), "extract", *paths],
        capture_output=True,
        text=True,
        env=os.environ | {"SYNOPTIC_INTAKE__MAXIMUM_ATTACHMENT_BYTES": "1000000"},
        cwd=tmp_path,
    )
    assert ended.returncode == 1
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["outcome"] for answer in answers] == ["rejected"] * len(BAD)
    assert canaries_in(ended.stdout + ended.stderr) == set()
