"""The check of real reports that a person has read: false Conditions, wrong sides, and what is merely missed."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import SynopticError
from schemas.findings import Assertion, Side
from schemas.pack_loader import PACKS_FOLDER
from training.evaluation.safety import ExpectedPrimary, SafetyCase, judge, load_cases, main
from training.reports.gold import digest
from workers.reading.report_reading import PrimaryReading

BENCHMARK = PACKS_FOLDER.parents[1] / "training" / "benchmark" / "safety.jsonl"
INVASIVE, IN_SITU = Assertion.PRIMARY_INVASIVE, Assertion.PRIMARY_IN_SITU


def found(side: Side | None, assertion: Assertion = INVASIVE) -> PrimaryReading:
    """A reading of one primary."""
    return PrimaryReading(f"breast-{side}" if side else "breast", "breast", side, assertion=assertion)


def case_of(*primaries: tuple[Side | None, Assertion]) -> SafetyCase:
    """A case that expects these primaries."""
    return SafetyCase(
        patient="P",
        text_sha256="",
        primaries=tuple(ExpectedPrimary(side=side, assertion=assertion) for side, assertion in primaries),
    )


@pytest.mark.parametrize(
    ("case", "readings", "false", "wrong", "missed"),
    [
        (case_of(), [], 0, 0, 0),
        (case_of(), [found("left")], 1, 0, 0),
        (case_of(("left", INVASIVE)), [found("left")], 0, 0, 0),
        (case_of(("left", INVASIVE)), [found("right")], 0, 1, 1),
        (case_of(("left", INVASIVE)), [found(None)], 0, 0, 0),
        (case_of(("left", INVASIVE)), [found("left", IN_SITU)], 1, 0, 1),
        (case_of(("left", INVASIVE)), [found("left"), found("right", IN_SITU)], 1, 0, 0),
        (case_of(("left", INVASIVE), ("right", INVASIVE)), [found("left")], 0, 0, 1),
        (case_of((None, INVASIVE)), [found("right")], 0, 0, 0),
    ],
)
def test_a_reading_is_judged_by_what_a_person_read(
    case: SafetyCase, readings: list[PrimaryReading], false: int, wrong: int, missed: int
):
    """A primary nobody told of is a false Condition, one on the other side is on the wrong side, a gap is a gap."""
    outcome = judge(case, readings)
    assert (len(outcome.false_conditions), len(outcome.wrong_sides), outcome.missed) == (false, wrong, missed)
    assert outcome.safe == (false + wrong == 0)


def written(folder: Path, text: str, primaries: list[dict[str, str]], read: str | None = None) -> list[str]:
    """The command's arguments for one report and one case; `read` is the text that the person read, if another."""
    case = {"patient": "P", "text_sha256": digest(read or text), "primaries": primaries}
    (folder / "texts.jsonl").write_bytes(orjson.dumps({"patient": "P", "text": text}) + b"\n")
    (folder / "cases.jsonl").write_bytes(orjson.dumps(case) + b"\n")
    return ["--texts", str(folder / "texts.jsonl"), "--cases", str(folder / "cases.jsonl")]


def test_the_command_ends_well_only_where_all_is_safe(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The exit code is 0 for a right reading and 1 for a made-up primary, which the output names without any text."""
    text = "DIAGNOSIS: Left breast, lumpectomy: Invasive ductal carcinoma, 1.2 cm."
    assert main(written(tmp_path, text, [{"side": "left", "assertion": "primary_invasive"}])) == 0
    assert main(written(tmp_path, text, [])) == 1
    output = capsys.readouterr().out
    assert "P: false Condition: breast-left primary_invasive" in output
    assert "ductal" not in output


def test_another_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A case is not judged by a text that the person did not read."""
    assert main(written(tmp_path, "DIAGNOSIS: Fibroadenoma.", [], read="another text")) == 1
    assert "SYN-720" in capsys.readouterr().err


def test_what_is_no_case_is_named(tmp_path: Path):
    """A line that is no case is named by its number."""
    path = tmp_path / "cases.jsonl"
    path.write_text('{"patient": "P", "text_sha256": ""}\n{}\n')
    with pytest.raises(SynopticError, match="line 2"):
        load_cases(path)


def test_the_shipped_cases_are_read_and_hold_no_words():
    """The benchmark's cases load, most make no primary, several are bilateral, and each has a digest."""
    cases = load_cases(BENCHMARK)
    assert sum(not case.primaries for case in cases) >= 60
    assert sum(len(case.primaries) > 1 for case in cases) >= 12
    assert all(len(case.text_sha256) == len(digest("")) for case in cases)
