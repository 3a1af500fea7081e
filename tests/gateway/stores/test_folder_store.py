"""The folder store: the contract, readable files, a person's hand edits, and SIGKILL at every point of a write."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_contract import StoreContract, observation, task

from gateway.stores.folder_store import HISTORY, FolderStore
from gateway.stores.resource_store import Put
from schemas.errors import Code, SynopticError

CHILD = """
import os, signal, sys
from pathlib import Path
from gateway.stores import folder_store
from gateway.stores.resource_store import Put

point, number, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
passed = 0

def dying(name, plain):
    def step(*arguments, **keywords):
        global passed
        if name == point:
            passed += 1
            if passed == number:
                os.write(1, b"reached")
                os.kill(os.getpid(), signal.SIGKILL)
        return plain(*arguments, **keywords)
    return step

os.fsync = dying("before-fsync", os.fsync)
Path.replace = dying("before-rename", Path.replace)
Path.unlink = dying("before-forgetting", Path.unlink)
store = folder_store.FolderStore(Path(folder))
read = store.read(["Observation/a", "Observation/b"])
passed = 0
store.transact([
    Put({"resourceType": "Observation", "id": name, "valueString": "new"}, read[f"Observation/{name}"].version)
    for name in ("a", "b")
])
os.write(1, b"done")
"""


class TestFolderStore(StoreContract):
    """The folder keeps the contract."""

    @pytest.fixture
    def store(self, tmp_path):
        """An empty folder."""
        return FolderStore(tmp_path / "fhir")


def history(folder: Path, reference: str) -> list[dict]:
    """Every version of a resource, oldest first."""
    files = sorted((folder / HISTORY / reference).glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_bytes()) for path in files]


@pytest.mark.parametrize(
    ("point", "number"),
    [("before-fsync", number) for number in range(1, 4)]
    + [("before-rename", number) for number in range(1, 6)]
    + [("before-forgetting", 1)],
)
def test_a_killed_write_is_whole_or_absent(tmp_path, point, number):
    """SIGKILL at any file operation leaves, after reopening, both old resources or both new ones, versions unbroken."""
    store = FolderStore(tmp_path)
    assert store.transact([Put(observation("a", "old"), None), Put(observation("b", "old"), None)])
    child = subprocess.run([sys.executable, "-c", CHILD, point, str(number), str(tmp_path)], capture_output=True)
    assert child.stdout == b"reached", child.stderr
    assert child.returncode == -signal.SIGKILL
    reopened = FolderStore(tmp_path)
    read = reopened.read(["Observation/a", "Observation/b"])
    values = {stored.resource["valueString"] for stored in read.values()}
    committed = not (point in ("before-fsync", "before-rename") and number == 1)
    assert values == ({"new"} if committed else {"old"})
    for reference in ("Observation/a", "Observation/b"):
        versions = [item["meta"]["versionId"] for item in history(tmp_path, reference)]
        assert versions == (["1", "2"] if committed else ["1"])
    assert reopened.transact([Put(observation("a", "newer"), read["Observation/a"].version)])
    assert not list(tmp_path.glob(".journal.json"))


def test_files_are_readable_and_versions_are_kept(tmp_path):
    """A person finds Type/id.json, indented, and each earlier version in the history."""
    store = FolderStore(tmp_path)
    store.transact([Put(observation(), None)])
    store.transact([Put(observation(value="G2"), store.read(["Observation/a"])["Observation/a"].version)])
    text = (tmp_path / "Observation" / "a.json").read_text()
    assert text.count("\n") > 4
    assert [item["valueString"] for item in history(tmp_path, "Observation/a")] == ["G1", "G2"]


def test_a_hand_edited_file_is_another_version(tmp_path):
    """A write that was decided before a person edited the file is refused."""
    store = FolderStore(tmp_path)
    store.transact([Put(observation(), None)])
    version = store.read(["Observation/a"])["Observation/a"].version
    path = tmp_path / "Observation" / "a.json"
    path.write_text(path.read_text().replace("G1", "G3"))
    assert not store.transact([Put(observation(value="G2"), version)])


def test_a_number_is_never_given_twice(tmp_path):
    """A resource that a person deleted and that is written anew goes on counting its versions."""
    store = FolderStore(tmp_path)
    store.transact([Put(observation(), None)])
    (tmp_path / "Observation" / "a.json").unlink()
    store.transact([Put(observation(value="G2"), None)])
    assert store.read(["Observation/a"])["Observation/a"].resource["meta"]["versionId"] == "2"


def test_tasks_that_wait_are_found(tmp_path):
    """Only what is requested, and asks a person to decide: neither what was settled nor another program's Tasks."""
    store = FolderStore(tmp_path)
    others = [task("done", status="completed"), task("other", code={"text": "call the patient"})]
    store.transact([], [Put(one, None) for one in (task("b"), task("a"), *others)])
    assert [stored.resource["id"] for stored in store.awaiting()] == ["a", "b"]


@pytest.mark.parametrize("reference", ["../a", "Observation/../../a", "Observation", "Observation/", "Obs/a\nb"])
def test_a_reference_never_leaves_the_folder(tmp_path, reference):
    """What is no Type/id is refused."""
    with pytest.raises(SynopticError) as caught:
        FolderStore(tmp_path).read([reference])
    assert caught.value.code is Code.STORE_UNUSABLE


def test_a_broken_file_is_named_as_such(tmp_path):
    """A file that is no JSON is a numbered error, not a crash."""
    store = FolderStore(tmp_path)
    store.transact([Put(observation(), None)])
    (tmp_path / "Observation" / "a.json").write_text("{")
    with pytest.raises(SynopticError) as caught:
        store.read(["Observation/a"])
    assert caught.value.code is Code.STORE_UNUSABLE


def test_a_folder_that_cannot_be_made_is_retried(tmp_path):
    """The operating system's refusal is a retry error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SynopticError) as caught:
        FolderStore(tmp_path / "file" / "fhir")
    assert caught.value.code is Code.STORE_UNAVAILABLE


def test_resources_are_for_their_writer_alone(tmp_path):
    """Also in a folder that others may enter: what stands there names patients."""
    tmp_path.chmod(0o755)
    assert FolderStore(tmp_path).transact([Put(observation("a", "new"), None)])
    files = [path for path in tmp_path.rglob("*.json") if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
