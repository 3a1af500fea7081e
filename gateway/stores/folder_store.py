"""A resource store in a folder: one readable JSON file a resource, `Type/id.json`, as an EHR's FHIR server would hold it.

Beside them `.history/Type/id/N.json` keeps every version. A transaction is first written whole to a journal, then
applied: a process killed at any point leaves the old state, or a journal from which the next one to open the folder
completes the new state.
"""

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from gateway.stores.authorship import unversioned
from gateway.stores.resource_store import REVIEW_TASK, Put, Resource, Stored, Targets, reference_of
from schemas.errors import Code, SynopticError
from schemas.messages import Reference

HISTORY = ".history"
_JOURNAL = ".journal.json"
_LOCK = ".lock"
_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


class FolderStore:
    """The folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._targets: dict[str, tuple[int, int, bytes]] = {}
        with _reported():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            pass  # completes what a killed process left

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        """The present version of each that exists."""
        with self._locked():
            found = ((reference, self._read(reference)) for reference in references)
            return {reference: stored for reference, stored in found if stored is not None}

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        """Every Provenance that targets any of them, in the order of their ids."""
        wanted = frozenset(references)
        with self._locked():
            folder = self._folder / "Provenance"
            if not wanted or not folder.is_dir():
                return ()
            marks = [_mark(reference) for reference in wanted]
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if self._may_target(entry, marks))
            found = (_load(folder / name) for name in names)
            return tuple(resource for resource in found if _targets(resource) & wanted)

    def transact(self, puts: Sequence[Put], tasks: Sequence[Put] = ()) -> bool:
        """Write all, or none where any expected version is gone."""
        with self._locked():
            changed = []
            for put in (*puts, *tasks):
                stored = self._read(reference_of(put.resource))
                if (stored.version if stored else None) != put.expected:
                    return False
                if stored is None or unversioned(stored.resource) != unversioned(put.resource):
                    changed.append(put.resource)
            if changed:
                self._write(changed)
            return True

    def awaiting(self) -> Iterator[Stored]:
        """The Tasks for a person that are still requested, in the order of their ids."""
        with self._locked():
            names = [f"Task/{path.stem}" for path in sorted((self._folder / "Task").glob("*.json"))]
            found = [stored for name in names if (stored := self._read(name)) is not None]
        for stored in found:
            codes = stored.resource.get("code", {}).get("coding", [])
            if stored.resource.get("status") == "requested" and REVIEW_TASK in codes:
                yield stored

    def conditions_of(self, patient: str, codes: Collection[str]) -> tuple[Resource, ...]:
        """The Conditions of a patient with any of the codes, in the order of their ids."""
        with self._locked():
            found = [_load(path) for path in sorted((self._folder / "Condition").glob("*.json"))]
        return tuple(
            one
            for one in found
            if one.get("subject", {}).get("reference") == patient
            and not {
                f"{item.get('system')}|{item.get('code')}" for item in one.get("code", {}).get("coding", [])
            }.isdisjoint(codes)
        )

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """All as they are: a folder stands for no EHR, so what the report refers to is taken as given."""
        return Targets({reference: reference for reference in references})

    def serves_others(self) -> bool:
        """False: a disk that is full is full for every report."""
        return False

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self, reference: str) -> Stored | None:
        path = self._path(reference)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        resource = _parse(data)
        # A hand-edited file keeps its versionId: the bytes' digest tells that it is another version all the same.
        number = resource.get("meta", {}).get("versionId", "0")
        return Stored(resource, f"{number}-{hashlib.sha256(data).hexdigest()[:12]}")

    def _write(self, resources: Sequence[Resource]) -> None:
        """Journal, apply, forget the journal."""
        files: dict[str, Resource] = {}
        for resource in resources:
            reference = reference_of(resource)
            number = self._next_version(reference)
            versioned = {**resource, "meta": {**unversioned(resource).get("meta", {}), "versionId": str(number)}}
            files[f"{HISTORY}/{reference}/{number}.json"] = versioned
            files[f"{reference}.json"] = versioned
        _write_whole(self._folder / _JOURNAL, orjson.dumps(files))
        self._apply(files)

    def _apply(self, files: dict[str, Resource]) -> None:
        for name, resource in files.items():
            # After a power cut an old version may be missing, never a present one: syncing both would double the time.
            _write_whole(self._folder / name, orjson.dumps(resource, option=_PRETTY), not name.startswith(HISTORY))
        (self._folder / _JOURNAL).unlink()

    def _next_version(self, reference: str) -> int:
        """One more than any version seen, so that a number is never given twice, even after a deletion by hand."""
        folder = self._folder / HISTORY / reference
        numbers = [entry.stem for entry in folder.glob("*.json")]
        stored = self._read(reference)
        if stored is not None:
            numbers.append(stored.resource.get("meta", {}).get("versionId", "0"))
        return 1 + max((int(number) for number in numbers if number.isdigit()), default=0)

    def _path(self, reference: str) -> Path:
        kind, _, identifier = reference.partition("/")
        if not (kind.isalpha() and identifier and identifier.replace("-", "").replace(".", "a").isalnum()):
            raise SynopticError(Code.STORE_UNUSABLE, "a reference that is no Type/id")
        return self._folder / kind / f"{identifier}.json"

    def _may_target(self, entry: os.DirEntry[str], marks: Sequence[bytes]) -> bool:
        """Whether a Provenance file names any of the references, by short marks remembered until the file changes.

        Thousands of reports have a Provenance each: whole references in memory would grow with the store.
        """
        if not entry.name.endswith(".json"):
            return False
        status = entry.stat()
        known = self._targets.get(entry.name)
        if known is None or known[:2] != (status.st_mtime_ns, status.st_ino):
            targets = b"".join(_mark(reference) for reference in _targets(_load(Path(entry.path))))
            known = self._targets[entry.name] = (status.st_mtime_ns, status.st_ino, targets)
        return any(mark in known[2] for mark in marks)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The folder to ourselves, and whole: a journal left by a killed process is completed first."""
        with _reported(), (self._folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            journal = self._folder / _JOURNAL
            if journal.exists():
                self._apply(_parse(journal.read_bytes()))
            yield


def _targets(provenance: Resource) -> frozenset[str]:
    return frozenset(item.get("reference", "") for item in provenance.get("target", []))


def _mark(reference: str) -> bytes:
    """Eight bytes that stand for a reference; two may share them, so whatever they find is read in full."""
    return hashlib.sha256(reference.encode()).digest()[:8]


def _load(path: Path) -> Resource:
    return _parse(path.read_bytes())


def _parse(data: bytes) -> Resource:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise SynopticError(Code.STORE_UNUSABLE, "a file that is not JSON") from None
    if not isinstance(value, dict):
        raise SynopticError(Code.STORE_UNUSABLE, "a file that is no resource")
    return value


def _write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Write a file so that it is there whole or not at all; where `durable`, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _reported() -> Iterator[None]:
    """Turn the operating system's errors into a retry error that names no path."""
    try:
        yield
    except OSError as error:
        raise SynopticError(Code.STORE_UNAVAILABLE, os.strerror(error.errno or 0)) from None
