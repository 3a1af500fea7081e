"""`synoptic label`."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.commands.label import printable
from schemas.errors import Code, SynopticError
from training.labelling.audit import key_path, load_items

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


def _error(*arguments: object) -> SynopticError:
    result = CliRunner().invoke(build_app("label"), ["label", *map(str, arguments)])
    assert isinstance(result.exception, SynopticError), result.output
    return result.exception


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


def test_conflicts_between_reports_of_a_patient_wait_too(tmp_path: Path) -> None:
    """Two reports of one day name different categories; another patient's two agree; held back, they are counted."""
    texts = tmp_path / "several.jsonl"
    rows = [
        {"patient": patient, "site": site, "report": f"r{number}", "date": "2024-05-01", "text": f"{OPENING}p{said}."}
        for number, (patient, site, said) in enumerate(
            [("p1", "A", "T1"), ("p2", "A", "T2"), ("p1", "B", "T2"), ("p2", "A", "T2")]
        )
    ]
    texts.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    (line,) = map(orjson.loads, _label("conflicts", texts).stdout.splitlines())
    assert (line["patient"], line["task"], line["between_reports"]) == ("p1", "T", True)
    assert [(side["value"], side["report"]) for side in line["values"]] == [("T1", "r0"), ("T2", "r2")]
    assert "T1: r0 2024-05-01 | T2: r2 2024-05-01" in _label("conflicts", texts, "--format", "table").stdout
    held = _label("conflicts", texts, "--held-back", "B")
    assert (held.stdout, "1 more in hospitals held back" in held.stderr) == ("", True)


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


@pytest.mark.parametrize("held_back", [("--held-back", "A, B"), ("--held-back", "A", "--held-back", "B")])
def test_several_hospitals_are_held_back_by_commas_or_a_repeated_option(
    texts: Path, tmp_path: Path, held_back: tuple[str, ...]
) -> None:
    """In every command that shows words, neither form lets a word of either hospital through."""
    lines = [
        orjson.loads(line) for line in _label("coverage", texts, "--format", "jsonl", *held_back).stdout.splitlines()
    ]
    assert lines
    assert all("wording" not in line for line in lines)
    assert _label("conflicts", texts, *held_back).stdout == ""
    _label("audit", "sample", texts, "--out", tmp_path / "sample.jsonl", *held_back)
    assert load_items(tmp_path / "sample.jsonl") == []


def test_a_sample_makes_its_folder_and_only_its_owner_may_read_it(texts: Path, tmp_path: Path) -> None:
    """Sample and key come of reports, also after an answer was kept."""
    sample = tmp_path / "new" / "folder" / "sample.csv"
    _label("audit", "sample", texts, "--out", sample)
    _label("audit", "ask", sample, answers="not_stated\nquit\n")
    assert {path.name for path in sample.parent.iterdir()} == {"sample.csv", "sample.csv.key.jsonl"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in sample.parent.iterdir())


def test_a_sample_of_another_suffix_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """The texts are not even there."""
    error = _error("audit", "sample", tmp_path / "missing.jsonl", "--out", tmp_path / "new" / "sample.xlsx")
    assert error.code is Code.AUDIT_NOT_WRITTEN
    assert not (tmp_path / "new").exists()


def test_no_sample_is_drawn_over_another(texts: Path, tmp_path: Path) -> None:
    """A person's answers stay; the same name in the other form has a key of its own."""
    sample = tmp_path / "sample.csv"
    _label("audit", "sample", texts, "--out", sample)
    before = sample.read_bytes(), key_path(sample).read_bytes()
    _label("audit", "sample", texts, "--out", sample.with_suffix(".jsonl"), "--seed", 7)
    assert _error("audit", "sample", texts, "--out", sample, "--seed", 7).code is Code.AUDIT_NOT_WRITTEN
    assert (sample.read_bytes(), key_path(sample).read_bytes()) == before


@pytest.mark.parametrize("command", ["ask", "score"])
def test_a_file_of_texts_is_no_sample(texts: Path, command: str) -> None:
    """It is refused, and stays as it is."""
    before = texts.read_bytes()
    assert _error("audit", command, texts).code is Code.BAD_AUDIT
    assert texts.read_bytes() == before


def test_a_question_of_no_task_of_the_pack_is_refused(tmp_path: Path) -> None:
    """The sample is another pack's."""
    sample = tmp_path / "sample.jsonl"
    sample.write_bytes(orjson.dumps({"id": "1", "task": "other", "question": "What?"}))
    assert _error("audit", "ask", sample).code is Code.BAD_AUDIT


def test_a_score_without_an_answer_says_so(texts: Path, tmp_path: Path) -> None:
    """Not a header above nothing."""
    _label("audit", "sample", texts, "--out", tmp_path / "sample.csv")
    result = _label("audit", "score", tmp_path / "sample.csv")
    assert result.stdout == ""
    assert "no question has an answer" in result.stderr


def test_control_characters_never_reach_the_terminal() -> None:
    """A report could steer it; its lines stay."""
    assert printable("a\x1b[2Jb\nc") == "a [2Jb\nc"
