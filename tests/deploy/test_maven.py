"""Folders are built by Maven once; Maven itself is played by a script that counts its runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import maven

REPOSITORY = Path(__file__).resolve().parents[2]
MVN = """#!/bin/sh
echo "$@" >> "{folder}/runs"
sleep 0.3
mkdir -p "{folder}/project/target"
echo made > "{folder}/project/target/made.jar"
if [ -e "{folder}/broken" ]; then echo "Could not resolve dependencies"; exit 1; fi
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a pom and one source, and a Maven on the PATH."""
    mvn = tmp_path / "mvn"
    mvn.write_text(MVN.format(folder=tmp_path), encoding="utf-8")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "pom.xml").write_text("<project/>", encoding="utf-8")
    (folder / "src" / "Server.java").write_text("class Server {}", encoding="utf-8")
    return folder


def runs(project: Path) -> list[str]:
    """How Maven was called."""
    file = project.with_name("runs")
    return file.read_text().splitlines() if file.exists() else []


def test_a_folder_is_built_once(project):
    """The second call finds the first one's target."""
    target = maven.build(project)
    assert (target / "made.jar").read_text() == "made\n"
    assert maven.build(project) == target
    (call,) = runs(project)
    assert call.endswith(f"--file {project}/pom.xml package")


@pytest.mark.parametrize("changed", ["pom.xml", "src/Server.java", "src/New.java"])
def test_a_change_builds_again_from_nothing(project, changed):
    """A change of pom or sources builds anew, and nothing of the old target stays."""
    (maven.build(project) / "old.jar").touch()
    (project / changed).write_text("changed", encoding="utf-8")
    assert not (maven.build(project) / "old.jar").exists()
    assert len(runs(project)) == 2


def test_a_failed_build_is_told_and_tried_again(project):
    """The fault quotes Maven, and a target that was begun does not pass for a finished one."""
    broken = project.with_name("broken")
    broken.touch()
    with pytest.raises(maven.BuildFailedError, match="Could not resolve dependencies"):
        maven.build(project)
    broken.unlink()
    maven.build(project)
    assert len(runs(project)) == 2


def test_several_processes_build_once(project):
    """Of processes that ask at the same time one builds, and all wait until the target is whole."""
    script = (
        "import sys; from pathlib import Path; from deploy.local import maven; print(maven.build(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(project)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for _ in range(3)]
    assert [child.communicate()[0].strip() for child in children] == [f"{project}/target"] * 3
    assert len(runs(project)) == 1
