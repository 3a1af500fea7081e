"""Behaviour of reading report texts: files, folders, places, and lines that are no report."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.reports.gold import RegistryValue
from training.reports.texts import SourceReport, files_of, placed_reports, report_at, stream_reports


def _write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def test_lines_and_plain_files_of_a_folder_are_reports(tmp_path: Path) -> None:
    """A folder gives its files by name; a plain file is a report of the patient that it is named after."""
    _write(tmp_path / "a.jsonl", {"patient": "p1", "site": "H", "text": "one"}, {"patient": "p2", "text": "two"})
    (tmp_path / "b.txt").write_text("three", encoding="utf-8")
    found = [(report.patient, report.hospital, report.text) for report in stream_reports([tmp_path])]
    assert found == [("p1", "H", "one"), ("p2", "", "two"), ("b", "", "three")]


def test_a_report_is_found_again_at_its_place(tmp_path: Path) -> None:
    """The place of a row leads to that row without reading the others."""
    path = _write(tmp_path / "a.jsonl", {"patient": "p1", "text": "one"}, {"patient": "p2", "text": "zwölf"})
    plain = tmp_path / "b.txt"
    plain.write_text("three", encoding="utf-8")
    files = files_of([path, plain])
    assert all(report_at(files, place) == report for place, report in placed_reports(files))


@pytest.mark.parametrize("line", [b"no JSON", b"[]", b'{"patient": "p"}', b'{"text": "x"}'])
def test_a_line_that_is_no_report_is_named(tmp_path: Path, line: bytes) -> None:
    """The error says which line of which file, and nothing of what stands there."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"patient": "p", "text": "x"}\n' + line)
    with pytest.raises(SynopticError) as caught:
        list(stream_reports([path]))
    assert caught.value.code is Code.BAD_TRAINING_FILE
    assert "line 2" in caught.value.detail


def test_a_folder_without_reports_is_wrong_use(tmp_path: Path) -> None:
    """Nothing to read is said, rather than nothing found."""
    with pytest.raises(SynopticError) as caught:
        files_of([tmp_path])
    assert caught.value.code is Code.EMPTY_FOLDER


def test_registry_values_take_the_spelling_of_the_pack() -> None:
    """A registry writes `Positive`, the pack `positive`; what is no class is no value; a row without any has none."""
    pack = load_pack("breast").definition
    report = SourceReport("p", "", registry={"ER": "Positive", "M": "MX"}, tier={"ER": "verified"})
    assert report.registry_values(pack)["ER"] == RegistryValue("positive", "verified")
    assert report.registry_values(pack)["M"].value is None
    assert SourceReport("p", "").registry_values(pack) == {}
