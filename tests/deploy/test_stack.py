"""`make stack` and the README's five-minute tour: its very lines are run, and what each of them shows is what it says."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deploy.local import stack as stack_module

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
START_SECONDS = 240
STOP_SECONDS = 60
TOUR_SECONDS = 420
BETWEEN_STEPS = "\x1e"
TABLE = re.compile(r"^(\w+)\tsynoptic\.[a-z-]+\t(\d+)\t(\d+)\t$", re.MULTILINE)


def tour_blocks() -> list[str]:
    """The indented blocks of the README's tour, in order."""
    section = README.partition("\n## Five-minute tour\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]


def wait_until(condition: Callable[[], object], seconds: float, failure: Callable[[], str]) -> None:
    """Wait for a condition; fail with what is known when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure()
        time.sleep(0.05)


def make_view(folder: Path) -> None:
    """A clone's view: links to all of this clone but its stack, and an environment that counts as installed."""
    for path in REPOSITORY.iterdir():
        if path.name not in {".git", ".stack", ".venv"}:
            (folder / path.name).symlink_to(path)
    environment = folder / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name not in {"runtime", "development"}:
            (environment / path.name).symlink_to(path)
    for name in ("runtime", "development"):
        (environment / name).touch()


def clean_environment(**others: str) -> dict[str, str]:
    """The variables of this process without settings of Synoptic or of make."""
    ours = ("SYNOPTIC_", "MAKE", "MFLAGS", "FHIR", "KAFKA")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | others


class Stack:
    """`make stack`, run as a person would in a terminal of its own."""

    def __init__(self, folder: Path, command: str, name: str) -> None:
        self.output = folder / name
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=folder,
                env=clean_environment(),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it wrote so far."""
        return self.output.read_text(encoding="utf-8")

    def wait_until_it_says(self, words: str) -> None:
        """Wait for words of its output; fail with all of it if it ends before."""
        wait_until(lambda: words in self.said() or self.process.poll() is not None, START_SECONDS, self.said)
        assert words in self.said(), self.said()

    def servers(self) -> list[psutil.Process]:
        """Every Java process beneath it."""
        beneath = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in beneath if process.name() == "java"]

    def interrupt(self) -> None:
        """Press Ctrl-C: the whole foreground group gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """End it at all events."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(STOP_SECONDS)


@dataclass(frozen=True)
class Tour:
    """What happened: the servers of a killed stack, what the second one said, and what each step printed."""

    killed: list[psutil.Process]
    servers: list[psutil.Process]
    said: str
    refused: subprocess.CompletedProcess[str]
    settings_mode: int
    steps: list[str]
    after: str
    folder: Path


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """Kill a stack as it starts, start it again, take the tour, and press Ctrl-C."""
    folder = tmp_path_factory.mktemp("clone")
    make_view(folder)
    first, *others = tour_blocks()
    killed = kill_at_start(folder, first)
    stack = Stack(folder, first, "stack.log")
    try:
        stack.wait_until_it_says("\nready: ")
        wait_until(lambda: "Ctrl-C" in stack.said(), STOP_SECONDS, stack.said)
        servers = stack.servers()
        refused = run_stack("--folder", str(folder / ".stack"))
        mode = (folder / ".stack" / "synoptic.yaml").stat().st_mode & 0o777
        steps = walk(folder, others)
        stack.interrupt()
        yield Tour(killed, servers, stack.said(), refused, mode, steps, stack.said(), folder)
    finally:
        stack.end()


def kill_at_start(folder: Path, command: str) -> list[psutil.Process]:
    """Start a stack and end it by SIGKILL when its Kafka runs; its servers."""
    stack = Stack(folder, command, "killed.log")
    wait_until(lambda: (folder / ".stack/kafka/node-1/server.log").exists(), START_SECONDS, stack.said)
    wait_until(stack.servers, START_SECONDS, stack.said)
    servers = stack.servers()
    os.killpg(stack.process.pid, signal.SIGKILL)
    stack.process.wait(STOP_SECONDS)
    return servers


def walk(folder: Path, blocks: list[str]) -> list[str]:
    """Run the blocks in one shell, as in one terminal; what each printed on standard output."""
    script = "".join(f"{block}printf '{BETWEEN_STEPS}'\n" for block in blocks)
    answer = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=TOUR_SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout.split(BETWEEN_STEPS)[:-1]


def run_stack(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command behind `make stack`, where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.stack", *arguments],
        cwd=REPOSITORY,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def values(output: str) -> dict[str, str]:
    """The keys and values of JSON lines that grep let through."""
    return {key: json.loads(value) for key, value in re.findall(r'"(\w+)": ("?[^",]*"?)', output)}


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_tour_has_these_steps():
    """The first block starts the servers, and six blocks follow in the other terminal."""
    first, *others = tour_blocks()
    assert first == "make stack\n"
    assert len(others) == 6


def test_it_says_how_to_use_it(tour):
    """When both servers take clients, their addresses and the next commands are printed."""
    assert re.search(r"ready: Kafka at 127\.0\.0\.1:\d+, FHIR at http://127\.0\.0\.1:\d+/fhir", tour.said)
    assert "source .stack/environment" in tour.said


def test_its_settings_are_its_owners_alone(tour):
    """The file with the privacy key is readable by nobody else."""
    assert tour.settings_mode == 0o600


def test_the_grade_is_read_back(tour):
    """After publishing and running, the server holds the first version of what the report says."""
    assert values(tour.steps[1]) == {"versionId": "1", "status": "final", "text": "G3"}


def test_the_server_takes_the_correction(tour):
    """The registrar's PUT is answered by 200."""
    assert tour.steps[2] == "200\n"


def test_the_correction_stays(tour):
    """Neither the same report again nor an amended one writes over what the registrar wrote."""
    observation, _, task = tour.steps[4].partition('"total"')
    assert values(observation) == {"versionId": "2", "status": "corrected", "text": "G2"}
    assert '"edited by a person"' in task


def test_the_conflict_waits_as_one_task(tour):
    """The server holds one Task, still requested, with what the amended report says."""
    task = tour.steps[4][tour.steps[4].index('"total"') :]
    assert re.match(r'"total": 1\b', task)
    assert '"status": "requested"' in task
    assert '"text": "G3"' in task


def test_nothing_is_left_to_do(tour):
    """Nothing waits before any hop, and the damaged document is listed by its number."""
    rows = {hop: (int(waiting), int(rejected)) for hop, waiting, rejected in TABLE.findall(tour.steps[5])}
    assert rows == {"intake": (0, 1), "extraction": (0, 0), "emission": (0, 0), "delayed": (0, 0), "review": (0, 0)}
    assert "\tSYN-119\tintake\t" in tour.steps[5]


def test_nothing_outlives_a_killed_stack(tour):
    """The servers of a stack that was killed were gone with it, or the second one could not have started."""
    assert tour.killed
    assert all(map(gone, tour.killed))


def test_nothing_outlives_an_interrupt(tour):
    """After Ctrl-C both servers are gone, and the settings and variables of the other terminal with them."""
    assert len(tour.servers) == 2
    assert all(map(gone, tour.servers))
    assert "both servers have stopped" in tour.after
    assert [path.name for path in (tour.folder / ".stack").iterdir() if path.is_file()] == ["lock"]


def test_a_second_one_is_refused(tour):
    """A stack over the folder of one that runs ends at once, in one line that names the other's process."""
    assert tour.refused.returncode == 1
    assert re.fullmatch(r"process \d+ already runs the servers of .*\n", tour.refused.stderr)
    assert len(tour.steps) == 6


def test_without_java_it_says_what_to_install(tmp_path):
    """Where there is no Java, one line says so, and how to get it."""
    answer = run_stack("--folder", str(tmp_path / "stack"), PATH=str(tmp_path), JAVA_HOME="")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "Java development kit" in answer.stderr


@pytest.mark.parametrize("option", ["--kafka-port", "--fhir-port"])
def test_a_port_that_is_taken_is_named(tmp_path, option):
    """Where another process listens on a port that was asked for, one line names it before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = run_stack("--folder", str(tmp_path / "stack"), option, str(port))
    assert answer.returncode == 1
    assert answer.stderr == f"another process listens on port {port}: name another with {option}\n"
    assert answer.stdout == ""


def test_one_port_for_both_is_refused(tmp_path, capsys):
    """The two servers cannot share a port, which is told before the first of them has it."""
    options = ["--folder", str(tmp_path / "stack"), "--kafka-port", "9", "--fhir-port", "9"]
    assert stack_module.main(options) == 1
    assert capsys.readouterr().err == "both servers cannot listen on port 9: name two\n"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "kafka"])
def test_a_port_that_there_is_not_is_wrong_use(tmp_path, capsys, port):
    """A number that is no port is refused with the range, and the folder is not even made."""
    with pytest.raises(SystemExit) as caught:
        stack_module.main(["--folder", str(tmp_path / "stack"), f"--fhir-port={port}"])
    assert caught.value.code == 2
    assert "argument --fhir-port: give a port from 1 to 65535" in capsys.readouterr().err
    assert not (tmp_path / "stack").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    """A folder that is not a stack's is refused, and nothing in it is touched."""
    precious = tmp_path / "thesis.txt"
    precious.write_text("chapter one")
    answer = run_stack("--folder", str(tmp_path))
    assert answer.returncode == 1
    assert "holds other files" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert precious.read_text() == "chapter one"


class EndingServer:
    """Stands for both servers: it starts, is there when it is first looked at, and has ended when it is next."""

    bootstrap_servers = "127.0.0.1:9"
    base_url = "http://127.0.0.1:9/fhir"

    def __init__(self, *arguments: object, **options: object) -> None:
        self.looks = iter([{1: 1}])
        self.calls: list[str] = []

    @property
    def pids(self) -> dict[int, int]:
        """The process, at the first look only."""
        return next(self.looks, {})

    @property
    def running(self) -> bool:
        """The FHIR server goes on."""
        return True

    def __enter__(self) -> "EndingServer":
        self.calls.append("start")
        return self

    def __exit__(self, *error: object) -> None:
        self.calls.append("stop")


def test_a_server_that_ends_ends_the_stack(tmp_path, monkeypatch, capsys):
    """Where Kafka ends by itself, the FHIR server is stopped too, and one line says which of them ended."""
    servers: list[EndingServer] = []
    for name in ("KafkaCluster", "FhirServer"):
        monkeypatch.setattr(stack_module, name, lambda *a, **o: servers.append(EndingServer()) or servers[-1])
    monkeypatch.setattr(stack_module.KafkaTopics, "require", lambda topics, names: None)
    monkeypatch.setattr(stack_module, "seed", lambda base_url, resources: None)
    assert stack_module.main(["--folder", str(tmp_path / "stack")]) == 1
    assert capsys.readouterr().err == "Kafka has ended by itself\n"
    assert [server.calls for server in servers] == [["start", "stop"]] * 2
    assert [path.name for path in (tmp_path / "stack").iterdir()] == ["lock"]
