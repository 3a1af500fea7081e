"""`synoptic label`."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.commands.label import printable
from training.audit import load_items

OPENING = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. "


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Three reports of two hospitals, one that contradicts itself and one of another organ."""
    path = tmp_path / "texts.jsonl"
    rows = [
        {"patient": "p1", "site": "A", "text": OPENING + "pT2. ER positive."},
        {"patient": "p2", "site": "B", "text": OPENING + "pT1. ER 5 %, negative."},
        {"patient": "p3", "site": "A", "text": "Gallbladder: chronic cholecystitis."},
    ]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def _label(*arguments: object, answers: str = "") -> Result:
    result = CliRunner().invoke(build_app("label"), ["label", *map(str, arguments)], input=answers)
    assert result.exit_code == 0, result.output
    return result


def test_run_prints_a_line_a_report_and_no_words_of_it(texts: Path) -> None:
    """Reports of other organs are counted on standard error."""
    result = _label("run", texts)
    lines = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [(line["patient"], line["labels"]["T"]["value"]) for line in lines] == [("p1", "T2"), ("p2", "T1")]
    assert "carcinoma" not in result.stdout
    assert result.stderr.startswith("1 reports are not of the pack breast")


def test_run_prints_a_table(texts: Path) -> None:
    """Away from a terminal it is tab-separated, for scripts."""
    header, *rows = _label("run", texts, "--format", "table").stdout.splitlines()
    assert header.split("\t")[:4] == ["patient", "report", "primary", "T"]
    assert rows[0].split("\t")[:4] == ["p1", "", "breast-left", "T2"]


def test_coverage_prints_shares_and_then_wordings(texts: Path) -> None:
    """Both as rows that name their task, in either form."""
    lines = [orjson.loads(line) for line in _label("coverage", texts, "--format", "jsonl").stdout.splitlines()]
    shares = {(line["task"], line["hospital"]): line for line in lines if "hospital" in line}
    assert shares["PR", "all"]["share"] == 1
    assert shares["ER", "all"]["share"] == 0
    table = _label("coverage", texts, "--no-excerpts").stdout
    assert table.startswith("task\thospital\treports\twithout_label\tshare\tunread")
    assert "\ntask\tanchor\treports\thospitals\twording" in table


def test_conflicts_prints_both_sides_unless_the_hospital_is_held_back(texts: Path) -> None:
    """The queue holds what waits for a person; of a hospital held back only how much."""
    (line,) = _label("conflicts", texts).stdout.splitlines()
    assert [side["value"] for side in orjson.loads(line)["values"]] == ["negative", "positive"]
    held = _label("conflicts", texts, "--held-back", "B")
    assert held.stdout == ""
    assert "1 more in hospitals held back" in held.stderr
    assert "negative: " in _label("conflicts", texts, "--format", "table").stdout


def test_an_audit_is_drawn_answered_and_scored(texts: Path, tmp_path: Path) -> None:
    """Answers are kept one by one: what was interrupted goes on; what is no choice is asked again."""
    sample = tmp_path / "sample.csv"
    _label("audit", "sample", texts, "--out", sample, "--size", 2)
    items = load_items(sample)
    assert {item.patient for item in items} == {"p1", "p2"}
    first = _label("audit", "ask", sample, answers="nonsense\nnot_stated\nquit\n")
    assert "none of these" in first.stdout
    assert [item.answer for item in load_items(sample)][:2] == ["not_stated", ""]
    _label("audit", "ask", sample, answers="not_stated\n" * len(items))
    assert all(item.answer for item in load_items(sample))
    scores = [orjson.loads(line) for line in _label("audit", "score", sample, "--format", "jsonl").stdout.splitlines()]
    by_task = {one["task"]: one for one in scores}
    assert (by_task["HER2"]["answered"], by_task["HER2"]["agreed"]) == (2, 2)
    assert (by_task["T"]["agreed"], by_task["T"]["noise"]) == (0, 1.0)
    assert _label("audit", "score", sample).stdout.startswith("task\tanswered\tagreed")


def test_hospitals_held_back_are_not_drawn(texts: Path, tmp_path: Path) -> None:
    """Their words never reach whoever answers."""
    _label("audit", "sample", texts, "--out", tmp_path / "sample.jsonl", "--held-back", "B")
    assert {item.site for item in load_items(tmp_path / "sample.jsonl")} == {"A"}


def test_control_characters_never_reach_the_terminal() -> None:
    """A report could steer it; its lines stay."""
    assert printable("a\x1b[2Jb\nc") == "a [2Jb\nc"
