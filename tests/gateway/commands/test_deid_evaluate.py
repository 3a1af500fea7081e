"""`synoptic deid evaluate`: annotated sets, a planted set, what extraction loses, and wrong use."""

import json
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError

TEXT = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2. Pathologic stage: pT2 pN1a."


def _run(*arguments: str):
    return CliRunner().invoke(build_app("deid"), ["deid", "evaluate", *arguments], env={"COLUMNS": "200"})


def _lines(*arguments: str) -> list[dict]:
    result = _run(*arguments, "--format", "jsonl")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


@pytest.fixture
def own_set(tmp_path: Path) -> Path:
    """One annotated text: a date that is found, a word that is not, and a removal beside them."""
    text = "On 03/07/2014 lesion, not 04/08/2015."
    spans = [{"start": 3, "end": 13, "class": "date"}, {"start": 14, "end": 20, "class": "other number"}]
    return _write(tmp_path / "own.jsonl", [{"text": text, "spans": spans}])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Reports of two hospitals."""
    rows = [{"patient": f"{site}{number}", "site": site, "text": TEXT} for site in "AB" for number in range(4)]
    return _write(tmp_path / "reports.jsonl", rows)


def test_a_set_is_measured_and_its_misses_are_listed_on_demand(own_set: Path, tmp_path: Path) -> None:
    """Recall and precision are counted; the file of misses holds the words, standard output does not."""
    misses = tmp_path / "misses.jsonl"
    (figures,) = _lines("--set", f"spans={own_set}", "--misses", str(misses))
    (summary,) = figures["summary"]
    assert (summary["found"]["cases"], summary["found"]["of"]) == (1, 2)
    assert (summary["right"]["cases"], summary["right"]["of"]) == (1, 2)
    assert [json.loads(line)["words"] for line in misses.read_text().splitlines()] == ["lesion", "04/08/2015"]
    assert "lesion" not in _run("--set", f"spans={own_set}").output


def test_misses_are_for_their_writer_alone_and_one_that_cannot_be_written_is_numbered(
    own_set: Path, tmp_path: Path
) -> None:
    """The file holds what the texts hold; a file in the place of its folder is SYN-752."""
    misses = tmp_path / "misses.jsonl"
    _lines("--set", f"spans={own_set}", "--misses", str(misses))
    assert misses.stat().st_mode & 0o077 == 0
    (tmp_path / "taken").touch()
    result = _run("--set", f"spans={own_set}", "--misses", str(tmp_path / "taken" / "misses.jsonl"))
    assert isinstance(result.exception, SynopticError)
    assert result.exception.code is Code.UNWRITABLE_FOLDER


def test_the_same_seed_plants_the_same_and_hospitals_held_back_are_left_alone(reports: Path) -> None:
    """Two runs print the same figures; with one hospital held back there are only the other's reports."""
    arguments = ("--plant", str(reports), "--reports", "4", "--held-back", "B")
    (first,) = _lines(*arguments)
    assert first == _lines(*arguments)[0]
    assert (first["set"], first["texts"]) == ("planted", 4)
    assert {"known to the resource", "held-out carriers", "open carriers"} <= {row["part"] for row in first["summary"]}
    result = _run("--plant", str(reports), "--reports", "5", "--held-back", "B")
    assert isinstance(result.exception, SynopticError)
    assert result.exception.code is Code.TOO_FEW_TEXTS


def test_extraction_is_compared_before_and_after(reports: Path, tmp_path: Path) -> None:
    """With gold, the tables say what the rules lose by de-identification."""
    values = {"T": {"v": "T2", "basis": "stated", "quote": "pT2"}}
    gold = _write(tmp_path / "gold.jsonl", [{"patient": "A0", "site": "A", "values": values}])
    result = _run("--texts", str(reports), "--gold", str(gold), "--format", "markdown")
    assert result.exit_code == 0, result.output
    assert "### Extraction by the rules: de-identified" in result.stdout
    assert "| all tasks | exact reports | 1.000 | 1.000 | +0.000" in result.stdout


def test_tables_name_their_columns(own_set: Path) -> None:
    """The table form has the same titles as the Markdown form."""
    table, markdown = (_run("--set", f"spans={own_set}", "--format", form).stdout for form in ("table", "markdown"))
    for title in ("In all", "By Safe Harbor's classes", "By tag"):
        assert title in table
        assert f"### {title}" in markdown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to measure"),
        (("--set", "names.json"), "expected FORMAT=FILE"),
        (("--set", "brat=names.json"), "brat: none of presidio"),
        (("--gold", "gold.jsonl"), "--texts and --gold go together"),
    ],
)
def test_wrong_use_says_what_is_expected(arguments: tuple[str, ...], message: str) -> None:
    """Exit status 2, and the options or formats that would do."""
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
