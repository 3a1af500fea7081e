"""The patients' keys: one each, shared by processes, and gone for good when deleted."""

import multiprocessing
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from schemas.errors import Code, Kind, SynopticError
from workers.privacy.patient_keys import PatientKeys
from workers.privacy.sealing import MARK, Seal, key_identity

SECRET = b"a secret of thirty-two characters"
PATIENT, OTHER = UUID(int=7), UUID(int=8)
TO_COMMIT = (sqlite3.SQLITE_TRANSACTION, "COMMIT")


def identities(path: Path, count: int) -> set[bytes | None]:
    """The keys that `count` patients are given."""
    seal = Seal(SECRET, PatientKeys(path))
    return {key_identity(seal.enclose(b"message", UUID(int=number))) for number in range(count)}


def test_every_patient_has_one_key(tmp_path):
    """The same patient has the same key in every message and process, another patient another one."""
    assert len(identities(tmp_path / "keys", 5)) == 5
    assert identities(tmp_path / "keys", 5) == identities(tmp_path / "keys", 5)


def test_the_new_patients_of_a_batch_share_one_commit(tmp_path):
    """However many of them there are, the disk is waited for once; for known ones it is not written to."""
    keys = PatientKeys(tmp_path / "keys")
    said: list[str] = []
    keys._connection.set_trace_callback(said.append)
    seal = Seal(SECRET, keys)
    messages = [(b"message", UUID(int=number % 20)) for number in range(32)]
    sealed = seal.enclose_all(messages)
    assert len(set(map(key_identity, sealed))) == 20
    assert said.count("COMMIT") == 1
    assert Seal(SECRET, PatientKeys(tmp_path / "keys")).enclose_all(messages) == sealed
    assert seal.enclose_all(messages) == sealed
    assert said.count("BEGIN IMMEDIATE") == said.count("COMMIT") == 1


def test_a_batch_whose_keys_are_not_on_the_disk_is_not_sealed(tmp_path):
    """Where the commit fails, no message of the batch comes out and no key is kept; the next try makes them."""
    keys = PatientKeys(tmp_path / "keys")
    seal = Seal(SECRET, keys)
    known = seal.enclose(b"message", PATIENT)
    keys._connection.set_authorizer(
        lambda action, what, *_: sqlite3.SQLITE_DENY if (action, what) == TO_COMMIT else sqlite3.SQLITE_OK
    )
    with pytest.raises(SynopticError, match="SYN-610"):
        seal.enclose_all([(b"message", OTHER), (b"message", PATIENT)])
    keys._connection.set_authorizer(None)
    assert Seal(SECRET, PatientKeys(tmp_path / "keys")).erase(OTHER) is None
    first, second = seal.enclose_all([(b"message", OTHER), (b"message", PATIENT)])
    assert second == known
    assert PatientKeys(tmp_path / "keys").is_erased(key_identity(first)) is False
    assert Seal(SECRET, PatientKeys(tmp_path / "keys")).opened(first) == b"message"


def test_processes_that_start_together_share_the_keys(tmp_path):
    """Whoever is second takes the first one's key: four processes and their threads end with one a patient."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(identities, [(tmp_path / "keys", 20)] * 4)
    assert found[0] == found[1] == found[2] == found[3]
    seal = Seal(SECRET, PatientKeys(tmp_path / "keys"))
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: seal.enclose(b"message", OTHER), range(50)))) == 1


def test_erased_is_told_from_unknown(tmp_path):
    """After the key is deleted its messages end as SYN-609, in every process; those of a foreign store as SYN-605."""
    seal, elsewhere = (Seal(SECRET, PatientKeys(tmp_path / "keys")) for _ in range(2))
    message, other = seal.enclose(b"text", PATIENT), seal.enclose(b"text", OTHER)
    assert len(seal.erase(PATIENT) or "") == 36
    for reader in (seal, elsewhere):
        with pytest.raises(SynopticError) as caught:
            reader.opened(message)
        assert caught.value.code is Code.ERASED
        assert reader.opened(other) == b"text"
    with pytest.raises(SynopticError) as caught:
        Seal(SECRET, PatientKeys(tmp_path / "foreign")).opened(other)
    assert caught.value.code is Code.NOT_SEALED_HERE


def test_what_comes_afterwards_has_a_new_key(tmp_path):
    """The patient may be treated again: new messages are sealed and opened, the old ones stay erased."""
    seal = Seal(SECRET, PatientKeys(tmp_path / "keys"))
    before = seal.enclose(b"text", PATIENT)
    assert seal.erase(PATIENT)
    after = seal.enclose(b"text", PATIENT)
    assert seal.opened(after) == b"text"
    assert key_identity(after) != key_identity(before)
    with pytest.raises(SynopticError, match="SYN-609"):
        seal.opened(before)


def test_a_patient_without_key_is_no_error():
    """Erasing twice, or whom nobody knows, does nothing."""
    seal = Seal(SECRET)
    assert seal.erase(PATIENT) is None


def test_nothing_of_the_key_is_left_in_its_file(tmp_path):
    """The wrapped key and its patient's HMAC are overwritten in the file, and no journal stays beside it."""
    keys = PatientKeys(tmp_path / "keys")
    wrapped, patient = b"W" * 80, b"P" * 32
    made = ((b"%018d" % number, b"%080d" % number) for number in range(200))
    keys.of_patients([b"%032d" % number for number in range(200)], lambda: next(made))
    keys.of_patients([patient], lambda: (b"I" * 18, wrapped))
    assert wrapped in (tmp_path / "keys").read_bytes()
    assert keys.erase(patient) == b"I" * 18
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert wrapped not in left
    assert patient not in left
    assert keys.is_erased(b"I" * 18)


def test_only_its_owner_reads_the_file(tmp_path):
    """The file is made for its owner; one that others may read is refused, and so is a folder that is not there."""
    PatientKeys(tmp_path / "keys").close()
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    (tmp_path / "keys").chmod(0o640)
    for path in (tmp_path / "keys", tmp_path / "not-mounted" / "keys"):
        with pytest.raises(SynopticError, match="SYN-612"):
            PatientKeys(path)


def test_a_store_that_is_away_is_waited_for(tmp_path):
    """A key store that fails under way is no reason to reject anything: the hop tries again."""
    keys = PatientKeys(tmp_path / "keys")
    seal = Seal(SECRET, keys)
    message = seal.enclose(b"text", PATIENT)
    keys.close()
    with pytest.raises(SynopticError) as caught:
        seal.opened(message)
    assert (caught.value.code, caught.value.code.kind) == (Code.KEY_STORE_UNAVAILABLE, Kind.RETRY)


@pytest.mark.parametrize("cut", [0, 5, 18, 30])
def test_a_cut_message_is_a_numbered_reject(cut):
    """Whatever begins with the mark and cannot be opened ends by number."""
    seal = Seal(SECRET)
    message = seal.enclose(b"text of a report", PATIENT)
    with pytest.raises(SynopticError, match="SYN-605"):
        seal.opened(message[: len(MARK) + cut])
