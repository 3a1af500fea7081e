"""`synoptic doctor`: what it looks at, and what it says to do."""

import os
from importlib.util import find_spec

import pytest

from gateway import cli
from gateway.commands import doctor as doctor_command
from gateway.doctor import checks
from gateway.doctor.outcome import Outcome
from schemas.settings import BusSettings, FhirSettings, ModelSettings, PrivacySettings, Settings
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal


@pytest.fixture
def settings(tmp_path):
    """Settings whose files lie in a folder of the test."""
    return Settings(
        bus=BusSettings(path=tmp_path / "data" / "bus.sqlite"), fhir=FhirSettings(folder=tmp_path / "data" / "fhir")
    )


def test_shipped_packs_are_valid(settings):
    """The packs that ship pass the check that an operator runs."""
    assert [outcome for outcome in checks.check_packs(settings) if outcome.is_fault] == []


def test_pack_faults_name_file_and_line(settings, tmp_path, monkeypatch):
    """Each fault of a pack is a line of its own, with file and line."""
    (tmp_path / "breast").mkdir()
    (tmp_path / "breast" / "pack.yaml").write_text("id: breast\nnonsense: 1\n")
    monkeypatch.setattr(checks, "PACKS_FOLDER", tmp_path)
    outcomes = list(checks.check_packs(settings))
    assert all(outcome.is_fault for outcome in outcomes)
    assert any(outcome.found.startswith("pack.yaml:2: nonsense:") for outcome in outcomes)


def test_missing_model_has_a_remedy(settings, tmp_path):
    """A model.path that leads nowhere says so."""
    broken = settings.model_copy(update={"model": ModelSettings(path=str(tmp_path / "absent"))})
    (outcome,) = checks.check_model(broken)
    assert outcome.is_fault
    assert "synoptic train" in outcome.remedy


def test_folder_that_is_no_checkpoint_is_a_numbered_fault(settings, tmp_path):
    """A model.path without a manifest is a fault with a number."""
    broken = settings.model_copy(update={"model": ModelSettings(path=str(tmp_path))})
    (outcome,) = checks.check_model(broken)
    assert outcome.is_fault
    assert outcome.found.startswith("SYN-")


def test_bus_before_and_after_the_first_run(settings):
    """A bus that does not exist yet is fine and is not made; one that exists is opened."""
    (outcome,) = checks.check_bus(settings)
    assert not outcome.is_fault
    assert not settings.bus.path.exists()
    EmbeddedBus(settings.bus.path).close()
    (outcome,) = checks.check_bus(settings)
    assert outcome == Outcome("bus", "embedded, writable")


def test_broken_bus_file(settings):
    """A file that is no bus is a fault, and is left as it is."""
    settings.bus.path.parent.mkdir()
    settings.bus.path.write_bytes(b"no database" * 100)
    (outcome,) = checks.check_bus(settings)
    assert outcome.is_fault
    assert outcome.found.startswith("SYN-503")


def test_kafka_without_its_library(settings, monkeypatch):
    """Where the extra is missing, that is the fault, and nothing else is tried."""
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "kafka" else find_spec(name))
    (outcome,) = checks.check_bus(settings.model_copy(update={"bus": BusSettings(kind="kafka")}))
    assert outcome.found == "not installed: kafka"
    assert "synoptic-gateway[kafka]" in outcome.remedy


def test_store_folder_that_is_a_file(settings, tmp_path):
    """A file where the store's folder should be is a fault."""
    (outcome,) = checks.check_store(settings)
    assert not outcome.is_fault
    (tmp_path / "file").write_text("")
    (outcome,) = checks.check_store(settings.model_copy(update={"fhir": FhirSettings(folder=tmp_path / "file" / "x")}))
    assert outcome.is_fault


def test_privacy_key(settings):
    """No key yet is fine; a key file that others read and a short key are faults."""
    (outcome,) = checks.check_privacy_key(settings)
    assert not outcome.is_fault
    assert not settings.bus.path.parent.exists()
    load_seal(settings)
    (outcome,) = checks.check_privacy_key(settings)
    assert outcome == Outcome("privacy key", "usable")
    (settings.bus.path.parent / "privacy.key").chmod(0o640)
    (outcome,) = checks.check_privacy_key(settings)
    assert outcome.is_fault
    (outcome,) = checks.check_privacy_key(settings.model_copy(update={"privacy": PrivacySettings(key="short")}))
    assert outcome.is_fault
    assert "short" not in outcome.found.replace("shorter", "")


def test_doctor_prints_a_line_each_and_ends_with_two_on_a_fault(tmp_path, monkeypatch, capsys):
    """Every check is one line; a fault carries its remedy and makes the exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYNOPTIC_MODEL__PATH", str(tmp_path / "absent"))
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor"])
    assert caught.value.code == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok     settings: valid"
    assert [line for line in lines if line.startswith("fault  model:") and "; give the folder" in line]
    assert len(lines) >= 7


def test_doctor_with_faulty_settings_says_only_that(tmp_path, monkeypatch, capsys):
    """Without valid settings the other checks mean nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synoptic.yaml").write_text("nonsense: 1\n")
    (outcome,) = checks.run_checks()
    assert outcome.is_fault
    assert outcome.found.startswith("SYN-601")


@pytest.mark.parametrize(
    ("outcome", "line", "code"),
    [
        (Outcome("a", "well"), "ok     a: well", 0),
        (Outcome("a", "so so", "do this", is_advice=True), "advice a: so so; do this", 0),
        (Outcome("a", "bad", "do this"), "fault  a: bad; do this", 2),
    ],
)
def test_only_faults_change_the_exit_status(monkeypatch, capsys, outcome, line, code):
    """Advice is printed with what to do, and lets the command end with 0."""
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    monkeypatch.setattr(doctor_command, "run_checks", lambda: [outcome])
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor"])
    assert caught.value.code == code
    assert capsys.readouterr().out == f"{line}\n"
