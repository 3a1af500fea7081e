"""`synoptic purge`: after it nothing of the patient can be read, wherever a copy of the bus file lies."""

import base64
import json
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from gateway import cli
from gateway.intake import Intake
from gateway.whose_report import sealed_report, whose
from schemas.messages import TOPIC_BUNDLES, TOPIC_DELAYED, TOPIC_REJECTED, TOPIC_REPORTS, TOPIC_TEXTS
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal, passing_seal
from workers.runner import Runner, run_until_idle

SYSTEM = "https://north.example/mrn"
TEXT = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Quittenstieg. pT2 pN0.\n"
BUS = Path("synoptic-data/bus.sqlite")


def report(mrn: str, number: int, **changes: object) -> bytes:
    """A report on a patient with this record number."""
    form = {"contentType": "text/plain", "data": base64.b64encode((TEXT + mrn).encode()).decode()}
    resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:lab", "value": f"S24-{number}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
        "subject": {"reference": f"Patient/{mrn}", "identifier": {"system": SYSTEM, "value": mrn}},
        "issued": "2024-03-05T10:00:00Z",
        "presentedForm": [form],
    }
    return json.dumps(resource | changes).encode()


def bundle(mrn: str) -> bytes:
    """What subscribers are sent about the patient."""
    subject = {"reference": "Patient/1", "identifier": {"system": SYSTEM, "value": mrn}}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": {"subject": subject}}]}).encode()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    return tmp_path


def end(*words: str) -> int:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def publish(folder: Path, *messages: bytes) -> None:
    """Publish as an operator does, then let intake read."""
    for number, message in enumerate(messages):
        (folder / f"{number}.json").write_bytes(message)
        assert end("publish", str(folder / f"{number}.json")) == 0
    read()


def read() -> None:
    """Let intake read what is on the bus."""
    own = Settings(bus=BusSettings(rejected_share=1.0))
    with closing(EmbeddedBus(BUS)) as bus, closing(Intake(own, seal=load_seal(own))) as intake:
        runner = Runner(intake, bus, own.bus)
        run_until_idle([runner])
        runner.close()


def records(topic: str) -> list[Record]:
    """All records of a topic."""
    with closing(EmbeddedBus(BUS)) as bus:
        return list(bus.read(topic))


def on_disk(folder: Path) -> bytes:
    """Every byte of the bus file, the key store and what lies beside them."""
    return b"".join(path.read_bytes() for path in (folder / "synoptic-data").iterdir())


def test_nothing_in_the_file_shows_a_text_even_before(folder, capsys):
    """What `synoptic publish` and intake write of a report is sealed: text, name and number are nowhere in the file."""
    publish(folder, report("0048151623", 1), report("0048151623", 2, status="no status"))
    assert [len(records(topic)) for topic in (TOPIC_REPORTS, TOPIC_TEXTS, TOPIC_REJECTED)] == [2, 1, 1]
    written = on_disk(folder)
    for planted in (b"Quittenstieg", b"0048151623", base64.b64encode(TEXT.encode())[:40]):
        assert planted not in written
    assert end("rejected", "show", "0", "--with-phi") == 0
    assert '"no status"' in capsys.readouterr().out


def test_purge_erases_one_patient_and_leaves_the_others(folder, capsys):
    """The key is gone, the rows are overwritten on the disk, and the other patient's messages are all there."""
    publish(folder, report("0048151623", 1), report("1111", 2), report("0048151623", 3, status="no status"))
    with closing(EmbeddedBus(BUS)) as bus:
        bus.publish([Outgoing(TOPIC_BUNDLES, bundle(mrn)) for mrn in ("0048151623", "1111")])
        bus.publish([Outgoing(TOPIC_REPORTS, report("0048151623", 4)), Outgoing(TOPIC_REPORTS, report("1111", 5))])
        bus.publish([Outgoing(TOPIC_REJECTED, b'{"value": "0048151623", '), Outgoing(TOPIC_REJECTED, b'{"00481516234')])
    assert end("purge", f"{SYSTEM}|0048151623", "--yes") == 0
    shown = capsys.readouterr()
    assert "keys deleted: 1 of 1" in shown.out
    assert "records overwritten in the bus file: 7" in shown.out
    assert [len(records(topic)) for topic in (TOPIC_REPORTS, TOPIC_TEXTS, TOPIC_BUNDLES, TOPIC_REJECTED)] == [
        2,
        1,
        1,
        1,
    ]
    left = on_disk(folder).replace(b'{"00481516234', b"")
    assert b"0048151623" not in left
    assert "0048151623" not in shown.out + shown.err


def test_a_copy_of_the_bus_cannot_be_read_after_the_purge(folder, capsys):
    """A backup of the bus put back after the purge ends as SYN-609, once, and is never replayed; new reports pass."""
    publish(folder, report("0048151623", 1), report("0048151623", 2, status="no status"))
    with closing(EmbeddedBus(BUS)) as bus:
        bus.empty_journal()
    shutil.copy(BUS, folder / "backup.sqlite")
    assert end("purge", f"{SYSTEM}|0048151623", "--yes") == 0
    shutil.copy(folder / "backup.sqlite", BUS)
    assert b"Quittenstieg" not in BUS.read_bytes()
    capsys.readouterr()
    assert end("rejected", "show", "0") == 0
    assert "erased: SYN-609" in capsys.readouterr().out
    assert end("rejected", "show", "0", "--with-phi") == 1
    assert "SYN-609" in capsys.readouterr().err
    assert end("rejected", "replay", "0") == 0
    shown = capsys.readouterr().err
    assert "replayed 0" in shown
    assert "not replayed 1: SYN-609" in shown
    with closing(EmbeddedBus(BUS)) as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, record.value) for record in bus.read(TOPIC_REPORTS)])
    publish(folder, report("0048151623", 3))
    assert [record.header("code") for record in records(TOPIC_REJECTED)][1:] == ["SYN-609", "SYN-609"]
    seal = load_seal(Settings())
    assert b"S24-3" in seal.opened(records(TOPIC_TEXTS)[-1].value)


def test_findings_of_the_patient_go_too(folder, capsys):
    """What waits sealed for emission is found by its key, in whichever topic."""
    publish(folder, report("0048151623", 1))
    seal = load_seal(Settings())
    text = json.loads(seal.opened(records(TOPIC_TEXTS)[0].value))
    from schemas.messages import ReportContext

    sealed = seal.seal(ReportContext.model_validate(text["context"]))
    with closing(EmbeddedBus(BUS)) as bus:
        bus.publish([Outgoing(TOPIC_DELAYED, json.dumps({"sealed": sealed}).encode())])
    assert end("purge", f"{SYSTEM}|0048151623", "--yes") == 0
    assert records(TOPIC_DELAYED) == []
    assert capsys.readouterr().out.count("records overwritten in the bus file: 3") == 1


def test_the_audit_line_names_no_patient(folder, capsys, monkeypatch):
    """One JSON line a key and one for the whole: the deleted key's identity and counts, nothing else."""
    publish(folder, report("0048151623", 1))
    monkeypatch.setenv("SYNOPTIC_LOGGING__FORMAT", "json")
    capsys.readouterr()
    assert end("purge", f"{SYSTEM}|0048151623", "--yes") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["patient erased", "purge done"]
    assert len(lines[0]["erasure"]) == 36
    assert (lines[1]["records"], lines[1]["count"]) == (2, 1)
    assert "0048151623" not in json.dumps(lines)


def test_patients_may_come_on_standard_input(folder, capsys, monkeypatch):
    """A line each, so that no identifier stands in the process list or the shell's history; unknown ones are said."""
    import io
    import sys

    publish(folder, report("0048151623", 1))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SYSTEM}|0048151623\nPatient/unknown\n\n"))
    assert end("purge", "-", "--yes") == 0
    shown = capsys.readouterr().out
    assert "keys deleted: 1 of 2" in shown
    assert "the others have no key" in shown


@pytest.mark.parametrize("words", [("",), ("|",), ("system|",)])
def test_a_patient_without_a_name_is_wrong_use(folder, words):
    """Nothing is deleted where no value was given."""
    assert end("purge", *words, "--yes") == 2


_SEAL = passing_seal()
_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-5, 5) | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from(["reference", "identifier", "value", "resourceType"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(element=strategies.sampled_from(["subject", "contained", "identifier", "status"]), junk=_JSON)
def test_whatever_intake_rejects_can_be_kept(element, junk):
    """Sealing a message for its patient never fails, and gives the same bytes back, whatever stands in it."""
    message = report("0048151623", 1, **{element: junk})
    assert _SEAL.opened(sealed_report(message, _SEAL, Settings())) == message
    assert whose(b'{"no', Settings()) is None
