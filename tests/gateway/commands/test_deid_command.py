"""`synoptic deid text`: what it prints of text and FHIR files, whatever organ they are about."""

import json
import re
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from gateway.cli import build_app

REPORT = {
    "resourceType": "DiagnosticReport",
    "identifier": [{"system": "urn:lab", "value": "S24-001234"}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
    "subject": {"reference": "Patient/1", "display": "Anna Müller"},
    "issued": "2024-03-05T10:00:00Z",
    "conclusion": "MUELLER, ANNA (S24-1234): colon polyp, 12 mm.",
}


def run(*arguments: str):
    """The command's outcome."""
    return CliRunner().invoke(build_app("deid"), ["deid", "text", *arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Run where no settings file lies."""
    monkeypatch.chdir(tmp_path)


def test_a_fhir_file_brings_its_own_identifiers(tmp_path):
    """Names and numbers of the resource go from its text in other spellings; the organ does not matter."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT))
    result = run(str(path), "--format", "jsonl")
    assert result.exit_code == 0, result.output
    line = json.loads(result.stdout)
    assert line["source"] == "report.json"
    assert line["text"] == "[NAME] ([ID]): colon polyp, 12 mm."
    text = REPORT["conclusion"]
    removed = [(text[item["start"] : item["end"]], item["class"]) for item in line["removed"]]
    assert removed == [("MUELLER, ANNA", "NAME"), ("S24-1234", "ID")]
    assert [item["reason"] for item in line["removed"]] == ["known", "known"]


def test_plain_text_goes_by_patterns_and_contexts(tmp_path):
    """A text file has no resource; by default only the clean text is printed."""
    path = tmp_path / "note.txt"
    path.write_text("Seen by Dr. Testperson on 03/07/2014: lung nodule.")
    result = run(str(path))
    assert result.exit_code == 0
    assert result.stdout == "Seen by Dr. [NAME] on [DATE]: lung nodule.\n"


def test_dates_move_and_names_are_numbered_where_the_settings_say_so(tmp_path, monkeypatch):
    """The same two dates lie as far apart as before, and no date is what it was."""
    monkeypatch.setenv("SYNOPTIC_PRIVACY__DATES", "shift")
    monkeypatch.setenv("SYNOPTIC_PRIVACY__NAMES", "number")
    monkeypatch.setenv("SYNOPTIC_PRIVACY__KEY", "a secret of thirty-two characters")
    path = tmp_path / "note.txt"
    path.write_text("Seen by Dr. Testperson on 03/07/2014 and Dr. Muster on 03/17/2014: lung nodule.")
    result = run(str(path))
    assert result.exit_code == 0, result.output
    found = re.fullmatch(
        r"Seen by Dr. \[NAME 1\] on (\d\d/\d\d/\d{4}) and Dr. \[NAME 2\] on (\S+): lung nodule.\n", result.stdout
    )
    first, second = (datetime.strptime(written, "%m/%d/%Y") for written in found.groups())
    assert second - first == timedelta(days=10)
    assert first != datetime(2014, 3, 7)


def test_an_unreadable_file_is_one_line_and_the_others_go_on(tmp_path):
    """A reject is named on standard error and in the exit code; the next file is still printed."""
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "good.txt").write_text("pT2")
    result = run(str(tmp_path / "bad.json"), str(tmp_path / "good.txt"))
    assert result.exit_code == 1
    assert result.stdout == "pT2\n"
    assert result.stderr.startswith("bad.json: SYN-")
