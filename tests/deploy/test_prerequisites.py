"""deploy/local/prerequisites.sh on machines that lack something, each a folder of small programs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "local" / "prerequisites.sh"
JAVAC = 'echo "javac {version}"'
OLD_JAVAC = 'echo "javac 1.8.0_402" >&2'
KIT = {"java": "exit 0", "javac": JAVAC.format(version="17.0.15"), "mvn": "exit 0"}
ROOT = {"id": "echo 0"}
USER = {"id": "echo 1000"}
SENTENCE = "install a Java development kit (17 or newer) and Maven: apt-get install openjdk-17-jdk-headless maven\n"
# Installs what it is asked for as apt-get would, and writes down that it was asked.
APT = """
echo "$@" >> "{folder}/apt.log"
case "$*" in
    *{refused}*) echo "E: Unable to locate package"; exit 100 ;;
    *install*) for name in java javac mvn; do cp "{folder}/later/$name" "{folder}/bin/$name"; done ;;
esac
"""


class Machine:
    """A machine that has only the given programs."""

    def __init__(self, folder: Path) -> None:
        """Choose where the programs stand."""
        self.folder = folder
        self.programs = folder / "bin"

    def put(self, programs: dict[str, str], folder: str = "bin") -> None:
        """Write programs of one line or a few."""
        for name, lines in programs.items():
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
            path.chmod(0o755)

    def put_apt(self, refused: str = "nothing") -> None:
        """Write an apt-get that installs a kit, unless it is asked for what it refuses."""
        self.put({"apt-get": APT.format(folder=self.folder, refused=refused)})
        (self.programs / "cp").symlink_to(shutil.which("cp"))
        self.put(KIT, "later")

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script with nothing else on the PATH."""
        variables = {"PATH": str(self.programs), **environment}
        shell = shutil.which("sh")
        return subprocess.run([shell, str(SCRIPT)], env=variables, capture_output=True, text=True, timeout=30)

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked for."""
        log = self.folder / "apt.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path):
    """An empty machine."""
    return Machine(tmp_path)


@pytest.mark.parametrize("version", ["17", "17.0.15", "21.0.7", "25-ea"])
def test_a_complete_machine_is_left_alone(machine, version):
    """With kit and Maven the script says and installs nothing, though it could."""
    machine.put(KIT | ROOT | {"javac": JAVAC.format(version=version)})
    machine.put_apt()
    answer = machine.run()
    assert (answer.returncode, answer.stdout, answer.stderr, machine.asked) == (0, "", "", [])


@pytest.mark.parametrize(
    "lacking",
    [
        {"mvn": None},
        {"java": None},
        {"javac": None},
        {"javac": JAVAC.format(version="11.0.2")},
        {"javac": OLD_JAVAC},
        {"javac": "echo 'No Java runtime present' >&2; exit 1"},
    ],
)
@pytest.mark.parametrize("kind", ["no root", "no apt-get"])
def test_one_line_says_what_to_install(machine, lacking, kind):
    """Without leave to install, or without apt-get, whatever lacks or is too old ends in the one line and status 1."""
    machine.put(KIT | (USER if kind == "no root" else ROOT))
    if kind == "no root":
        machine.put_apt()
    machine.put({name: lines for name, lines in lacking.items() if lines is not None})
    for name in (name for name, lines in lacking.items() if lines is None):
        (machine.programs / name).unlink()
    answer = machine.run()
    assert (answer.returncode, answer.stdout, answer.stderr, machine.asked) == (1, "", SENTENCE, [])


def test_root_installs_what_is_missing(machine):
    """Root on Debian gets both packages, without a question and with one line that says so."""
    machine.put(ROOT)
    machine.put_apt()
    answer = machine.run()
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == "installing a Java development kit and Maven for the servers of the tests\n"
    update, install = machine.asked
    assert "update" in update.split()
    assert {"install", "--yes", "openjdk-17-jdk-headless", "maven"} <= set(install.split())


def test_a_release_without_java_17_gets_its_own_kit(machine):
    """Where the named kit is not to be had, the release's default one is installed."""
    machine.put(ROOT)
    machine.put_apt(refused="openjdk-17")
    assert machine.run().returncode == 0
    assert "default-jdk-headless" in machine.asked[-1].split()


def test_a_package_list_that_cannot_be_fetched_does_not_stop_the_installation(machine):
    """One unreachable source of several leaves the packages of the others to be had."""
    machine.put(ROOT)
    machine.put_apt(refused="update")
    assert machine.run().returncode == 0
    assert len(machine.asked) == 2


def test_an_installation_that_fails_ends_in_the_one_line(machine):
    """Without network the last line says what to install."""
    machine.put(ROOT)
    machine.put_apt(refused="install")
    answer = machine.run()
    assert answer.returncode == 1
    assert answer.stderr.splitlines(keepends=True)[1:] == [SENTENCE]
    assert len(machine.asked) == 3


def test_the_kit_of_java_home_counts(machine):
    """A kit that only JAVA_HOME names is found, as the servers' starter finds it."""
    machine.put({"mvn": KIT["mvn"]} | USER)
    machine.put({name: KIT[name] for name in ("java", "javac")}, "kit/bin")
    assert machine.run(JAVA_HOME=str(machine.folder / "kit")).returncode == 0
    assert machine.run().returncode == 1


def test_the_script_can_be_run_as_a_program():
    """The script is executable and plain POSIX shell."""
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text().startswith("#!/bin/sh\n")
