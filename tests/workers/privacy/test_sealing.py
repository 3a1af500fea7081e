"""Sealing of a report's context, and the report's key outside the PHI zone."""

import stat
from pathlib import Path
from uuid import UUID

import pytest

from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, Reference, ReportContext, ReportVersion
from schemas.settings import BusSettings, PrivacySettings, Settings
from workers.privacy.patient_keys import PatientKeys
from workers.privacy.sealing import Seal, load_seal, passing_seal

SECRET = b"a secret of thirty-two characters"
CONTEXT = ReportContext(
    tenant="default",
    report_key=UUID(int=1),
    patient_key=UUID(int=2),
    report_identifier=Identifier(system="urn:ehr", value="S24-1234"),
    report=Reference(type="DiagnosticReport", literal="DiagnosticReport/1"),
    subject=Reference(type="Patient", identifier=Identifier(value="MRN-4711")),
    status="final",
    version=ReportVersion(),
    recorded="2026-01-02T03:04:05Z",
)


def test_opens_to_what_was_sealed(tmp_path):
    """The context comes back equal, also in a process that shares the secret and the key store."""
    seal = Seal(SECRET, PatientKeys(tmp_path / "keys"))
    sealed = seal.seal(CONTEXT)
    other = Seal(SECRET, PatientKeys(tmp_path / "keys"))
    assert other.open(sealed, seal.report_hmac(CONTEXT.report_key)) == CONTEXT
    assert other.opened(seal.enclose(b"a message", CONTEXT.patient_key)) == b"a message"
    assert other.opened(b"not sealed") == b"not sealed"


def test_shows_nothing():
    """No identifier can be read in the sealed text or the report's key."""
    seal = Seal(SECRET)
    shown = seal.seal(CONTEXT) + seal.report_hmac(CONTEXT.report_key) + repr(seal)
    shown += seal.enclose(b"MRN-4711", CONTEXT.patient_key).decode("latin-1")
    assert not [word for word in ("S24-1234", "MRN-4711", str(CONTEXT.report_key), SECRET.decode()) if word in shown]


def test_same_context_seals_to_the_same_bytes():
    """A report processed twice gives the same message, and another context another one."""
    seal = Seal(SECRET)
    assert seal.seal(CONTEXT) == seal.seal(CONTEXT)
    assert seal.seal(CONTEXT) != seal.seal(CONTEXT.model_copy(update={"status": "amended"}))


def test_report_key_depends_on_the_secret():
    """Without the secret nobody can compute which report a key stands for."""
    assert Seal(SECRET).report_hmac(UUID(int=1)) != Seal(SECRET[::-1]).report_hmac(UUID(int=1))
    assert Seal(SECRET).report_hmac(UUID(int=1)) != Seal(SECRET).report_hmac(UUID(int=2))


@pytest.mark.parametrize("case", ["other secret", "other store", "other report", "changed", "no base64", "empty"])
def test_wrong_seal_is_a_numbered_reject(case):
    """What cannot be opened is rejected by number, whatever is wrong with it."""
    keys = PatientKeys()
    seal = Seal(SECRET, keys)
    sealed, key = seal.seal(CONTEXT), seal.report_hmac(CONTEXT.report_key)
    opener = Seal(SECRET[::-1], keys) if case == "other secret" else Seal(SECRET) if case == "other store" else seal
    key = seal.report_hmac(UUID(int=9)) if case == "other report" else key
    sealed = {"changed": "A" * 40 + sealed[40:], "no base64": "ä!", "empty": ""}.get(case, sealed)
    with pytest.raises(SynopticError) as caught:
        opener.open(sealed, key)
    assert caught.value.code is Code.NOT_SEALED_HERE


def test_short_secret_is_refused():
    """A password of a few characters is no key."""
    with pytest.raises(SynopticError) as caught:
        Seal(b"short")
    assert caught.value.code is Code.BAD_PRIVACY_KEY


def embedded(folder: Path) -> Settings:
    """Settings with an embedded bus and no key."""
    return Settings(bus=BusSettings(path=folder / "data" / "bus.sqlite"))


def test_key_file_is_made_once_for_its_owner(tmp_path):
    """Without a key one is made beside the embedded bus, readable by its owner alone, and used from then on."""
    first = load_seal(embedded(tmp_path))
    path = tmp_path / "data" / "privacy.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().strip()) >= 32
    assert load_seal(embedded(tmp_path)).seal(CONTEXT) == first.seal(CONTEXT)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["patient-keys.sqlite", "privacy.key"]


def test_key_file_that_others_can_read_is_refused(tmp_path):
    """A key that others may have read is no secret."""
    load_seal(embedded(tmp_path))
    (tmp_path / "data" / "privacy.key").chmod(0o644)
    with pytest.raises(SynopticError, match="SYN-604"):
        load_seal(embedded(tmp_path))


def test_kafka_needs_a_key():
    """Several machines must share one key and one key store, so none is invented for them."""
    with pytest.raises(SynopticError, match="SYN-603"):
        load_seal(Settings(bus=BusSettings(kind="kafka")))
    with pytest.raises(SynopticError, match="SYN-608"):
        load_seal(Settings(bus=BusSettings(kind="kafka"), privacy=PrivacySettings(key=SECRET.decode())))


def test_key_of_the_settings_wins(tmp_path):
    """With privacy.key and privacy.key_store no file is made beside the bus."""
    privacy = PrivacySettings(key=SECRET.decode(), key_store=tmp_path / "keys")
    settings = embedded(tmp_path).model_copy(update={"privacy": privacy})
    assert load_seal(settings).seal(CONTEXT) == Seal(SECRET, PatientKeys(tmp_path / "keys")).seal(CONTEXT)
    assert not (tmp_path / "data").exists()


def test_passing_seal_is_another_each_time():
    """A chain that keeps nothing gets a secret that nobody else has."""
    assert passing_seal().seal(CONTEXT) != passing_seal().seal(CONTEXT)
