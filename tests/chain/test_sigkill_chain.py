"""Three hops over bus and store, killed by SIGKILL at any point: nothing is lost, nothing is doubled."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from generated import amended, case, message
from killed_chain import PRIVACY
from killer import EACH, NONE
from whole_chain import digests_in, settings_in

from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS, TOPIC_REJECTED, TOPIC_REPORTS, TOPIC_TEXTS
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal

pytestmark = pytest.mark.model

MESSAGES = (
    message(case(0)),
    message(case(1)),
    b"no report",
    message(case(2)),
    message(amended(case(0), t="pT3", size="6.1 cm")),
    message(amended(case(1), status="entered-in-error")),
    message(case(0)),
)
POINTS = (
    *(
        f"{hop}: {point}"
        for hop in ("intake", "extraction", "emission")
        for point in ("before commit", "first output written", "all written", "after commit")
    ),
    "emission: before store",
    "emission: file half written",
    "emission: file written",
    "emission: file in place",
    "emission: journal applied",
    "emission: stored",
)
Processes = Callable[[Path, str, int], dict[str, Any]]


@pytest.fixture(scope="module")
def process() -> Iterator[Processes]:
    """Runs a process over a folder until it is idle or has killed itself at a point, and says how it ended."""
    script = Path(__file__).with_name("killed_chain.py")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        reader, writer = parent.stdout, parent.stdin

        def run(folder: Path, point: str, count: int) -> dict[str, Any]:
            writer.write(json.dumps({"folder": str(folder), "point": point, "count": count}) + "\n")
            writer.flush()
            while not (line := reader.readline()).startswith("{"):
                assert line, "the parent died"
            found: dict[str, Any] = json.loads(line)
            return found

        yield run
        writer.close()


def published(folder: Path) -> Path:
    """A folder with the messages on its bus."""
    bus = EmbeddedBus(folder / "bus.sqlite")
    bus.publish([Outgoing(TOPIC_REPORTS, value) for value in MESSAGES])
    bus.close()
    return folder


def topic(folder: Path, name: str) -> list[bytes]:
    """The values of a topic, opened, as a fresh process finds them."""
    settings = settings_in(folder, privacy=PRIVACY)
    with closing(load_seal(settings)) as seal, closing(EmbeddedBus(settings.bus.path)) as bus:
        return [seal.opened(record.value) for record in bus.read(name)]


def ends_as(folder: Path, undisturbed: Path) -> bool:
    """True where store, texts, Bundles and rejects are those of the other folder, byte for byte and in order."""
    same_files = digests_in(folder / "fhir") == digests_in(undisturbed / "fhir")
    same_topics = all(
        topic(folder, name) == topic(undisturbed, name) for name in (TOPIC_TEXTS, TOPIC_BUNDLES, TOPIC_REJECTED)
    )
    return same_files and same_topics and len(topic(folder, TOPIC_FINDINGS)) == len(topic(undisturbed, TOPIC_FINDINGS))


@pytest.fixture(scope="module")
def undisturbed(process: Processes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A folder in which nothing was killed, and how often each point was passed there."""
    folder = published(tmp_path_factory.mktemp("undisturbed"))
    ended = process(folder, NONE, 0)
    assert ended["signal"] == 0
    return folder, ended["passed"]


def test_the_undisturbed_run_passes_every_point(undisturbed: tuple[Path, dict[str, int]]) -> None:
    """Each point is passed at least twice; six Bundles, one reject, two reports standing and one withdrawn."""
    folder, passed = undisturbed
    assert {point for point in POINTS if passed.get(point, 0) < 2} == set()
    assert len(topic(folder, TOPIC_BUNDLES)) == len(MESSAGES) - 1
    assert topic(folder, TOPIC_REJECTED) == [b"no report"]
    conditions = [json.loads(path.read_bytes()) for path in (folder / "fhir" / "Condition").iterdir()]
    states = sorted(item["verificationStatus"]["coding"][0]["code"] for item in conditions)
    assert states == ["entered-in-error", "provisional", "provisional"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_killed_at_a_point_the_next_process_ends_as_if_nothing_had_been(
    process: Processes, undisturbed: tuple[Path, dict[str, int]], tmp_path: Path, point: str, share: float
) -> None:
    """Killed at its first, middle or last pass of a point that it proved to reach, the rest is done by the next one."""
    expected, passed = undisturbed
    count = 1 + round(share * (passed[point] - 1))
    folder = published(tmp_path)
    ended = process(folder, point, count)
    assert ended == {"signal": signal.SIGKILL, "reached": point, "passed": count}
    assert not ends_as(folder, expected) or (point, share) == ("emission: after commit", 1.0)
    assert process(folder, NONE, 0)["signal"] == 0
    assert ends_as(folder, expected)


def test_killed_again_and_again(process: Processes, undisturbed: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    """Every process but the last is killed, each a little further on, wherever that is: the end is the same."""
    expected, _ = undisturbed
    folder, kills, count = published(tmp_path), 0, 7
    while process(folder, EACH, count)["signal"] == signal.SIGKILL:
        kills, count = kills + 1, count + 11
    assert kills >= 5
    assert ends_as(folder, expected)


def test_work_done_again_after_a_kill_changes_nothing(
    process: Processes, undisturbed: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    """Killed after the store's write and before the bus's commit, the report is offered again: no further version."""
    expected, _ = undisturbed
    folder = published(tmp_path)
    assert process(folder, "emission: stored", 2)["reached"]
    written = digests_in(folder / "fhir")
    assert process(folder, "emission: before commit", 1)["reached"]
    assert digests_in(folder / "fhir") == written
    assert topic(folder, TOPIC_BUNDLES) == []
    assert process(folder, NONE, 0)["signal"] == 0
    assert ends_as(folder, expected)
