"""Recorded findings: what may be kept of a report, and both forms of lines that commands read."""

import json
from pathlib import Path

import pytest
from mapping_cases import context, finding, findings, primary

from gateway.mapping_tools.recorded import read_recorded, record, write_line
from schemas.errors import Code, SynopticError
from schemas.messages import Reference, SpecimenPart


def test_a_recorded_line_holds_nobody() -> None:
    """Keys are hashed, dates are years, references of the EHR are gone; sender, gender, status and codes stay."""
    sent = context(
        organization=Reference(type="Organization", literal="Organization/42"),
        effective="2024-05-17",
        encounter=Reference(type="Encounter", literal="Encounter/secret"),
        specimens=(
            SpecimenPart(reference=Reference(type="Specimen", literal="Specimen/secret"), part="A", side="left"),
        ),
    )
    line = write_line(record(findings(primary(findings={"T": finding("T2")})), sent, "abc")).decode()
    for name in (str(sent.report_key), str(sent.patient_key), "secret", "05-17", "Patient/1", "DiagnosticReport/1"):
        assert name not in line
    kept = json.loads(line)["context"]
    assert kept["organization"]["literal"] == "Organization/42"
    assert (kept["gender"], kept["effective"], kept["specimens"][0]["part"]) == ("female", "2024", "A")


def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Findings and context come back; empty lines do not count."""
    recorded = record(findings(primary(findings={"T": finding("T2", "pT2", prefix="p")})), context(), "abc")
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(write_line(recorded) + b"\n\n")
    assert list(read_recorded(path)) == [recorded]


def test_lines_are_read_one_at_a_time(tmp_path: Path) -> None:
    """The first report is there before the last is read, so that a recording may be larger than memory."""
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(write_line(record(findings(primary()), context(), "abc")) + b"\n{")
    reports = read_recorded(path)
    assert next(reports).findings.primaries
    with pytest.raises(SynopticError, match=r"recorded\.jsonl:2"):
        next(reports)


def test_a_line_of_extract_is_read_too(tmp_path: Path) -> None:
    """With a context that says nothing of sender and gender; a rejected report has no findings and is passed over."""
    evidence = [{"quote": "pT2", "start": 0, "end": 3, "page": 1, "boxes": [[0, 0, 1, 1]]}]
    value = {
        "value": "T2",
        "detail": "pT2",
        "status": "coded",
        "basis": "stated",
        "probability": 0.9,
        "evidence": evidence,
    }
    primary_line = {"key": "breast-left", "laterality": "left", "principal": True, "assertion": "primary_invasive",
                    "histology": "IDC", "procedure": None, "findings": {"T": value}, "stage": {"group": "IIA"},
                    "foci": [{"key": "2", "histology": None, "findings": {"T": value}}]}  # fmt: skip
    path = tmp_path / "out.jsonl"
    lines = [{"pack": "breast", "outcome": "rejected", "primaries": []},
             {"pack": "breast", "outcome": "extracted", "primaries": [primary_line]}]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)))
    (recorded,) = read_recorded(path)
    (read,) = recorded.findings.primaries
    assert (read.key, read.organ, read.findings["T"].detail, recorded.context.gender) == (
        "breast-left", "breast", "pT2", None,
    )  # fmt: skip
    assert read.foci[0].findings == read.findings


@pytest.mark.parametrize("text", ["{", "[]", '{"outcome": "extracted"}', '{"findings": {}}'])
def test_what_is_no_such_line_is_named_by_its_number(tmp_path: Path, text: str) -> None:
    """SYN-615 with file and line, without what stands there."""
    path = tmp_path / "recorded.jsonl"
    path.write_text(f"\n{text}\n")
    with pytest.raises(SynopticError, match=r"recorded\.jsonl:2") as raised:
        list(read_recorded(path))
    assert raised.value.code is Code.BAD_RECORDED
