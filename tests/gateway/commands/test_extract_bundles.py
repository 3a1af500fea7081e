"""`synoptic extract --out` tells what a Bundle does not hold, and what a date changes."""

import json
from pathlib import Path

import pytest

from gateway import cli, emission
from gateway.commands import extract
from schemas.errors import Code, SynopticError
from schemas.messages import ReportFindings, ReportText

CASE = Path(__file__).resolve().parents[2] / "golden" / "breast" / "mastectomy_with_nodes"
PATHOLOGIC_T = "384625004"


class GoldenExtractor:
    """Answers every report with the findings of the golden case, without the edition that it states."""

    def extract(self, reports: list[ReportText]) -> list[ReportFindings]:
        """The same findings for each."""
        findings = json.loads((CASE / "findings.json").read_bytes())
        for found in findings["primaries"][0]["findings"].values():
            found.get("attributes", {}).pop("edition", None)
        return [ReportFindings.model_validate(findings) for _ in reports]


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the model nor the process's own logging is touched."""
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    monkeypatch.setattr(extract, "_extractor", lambda _packs, _settings: GoldenExtractor())


def run(*arguments: str) -> int | str | None:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["extract", *arguments])
    return caught.value.code


def codes_in(folder: Path) -> set[str]:
    """The first code of each Observation of the one Bundle."""
    bundle = json.loads((folder / "report.txt.bundle.json").read_bytes())
    resources = [entry["resource"] for entry in bundle["entry"]]
    return {item["code"]["coding"][0]["code"] for item in resources if item["resourceType"] == "Observation"}


def test_withheld_values_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a date no edition is known: one line on standard error names tasks and table, never the report's words."""
    assert run(str(CASE / "report.txt"), "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if "not in the Bundle" in line]
    assert line.startswith("report.txt: not in the Bundle: T, N")
    assert "staging_method" in line
    assert line.endswith("give it with --issued")
    assert PATHOLOGIC_T not in codes_in(tmp_path)
    assert json.loads(captured.out)["primaries"][0]["findings"]["T"]["status"] == "coded"


def test_with_a_date_the_categories_are_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The date gives the edition, so nothing is withheld."""
    assert run(str(CASE / "report.txt"), "--out", str(tmp_path), "--issued", "2024-05-02") == 0
    assert "not in the Bundle" not in capsys.readouterr().err
    assert PATHOLOGIC_T in codes_in(tmp_path)


def test_a_date_that_is_none_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, before anything is read."""
    assert run(str(CASE / "report.txt"), "--issued", "May 2024") == 2
    assert "--issued" in capsys.readouterr().err


def test_a_report_that_cannot_be_mapped_is_rejected_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Bundle that would break a profile is that report's numbered outcome; the reports after it are written."""
    answers = iter([SynopticError(Code.BAD_RESOURCES, "x"), ({"resourceType": "Bundle"}, ())])

    def first_bundle(*_: object) -> object:
        answer = next(answers)
        if isinstance(answer, SynopticError):
            raise answer
        return answer

    monkeypatch.setattr(emission, "first_bundle", first_bundle)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes((CASE / "report.txt").read_bytes())
    assert run(str(tmp_path), "--out", str(tmp_path / "out")) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["outcome"], first["error"]["code"], first["primaries"]) == ("rejected", "SYN-401", [])
    assert (second["outcome"], second["error"]) == ("extracted", None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.txt.bundle.json"]
