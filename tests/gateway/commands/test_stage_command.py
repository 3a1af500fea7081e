"""`synoptic stage`."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from gateway.commands.stage import stage
from schemas.errors import Code, SynopticError

APP = typer.Typer()
APP.command()(stage)
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "staging" / "invented-prognostic.yaml"


def run(*arguments: str, lines: str | bytes = "") -> Result:
    """The command's result."""
    return CliRunner().invoke(APP, list(arguments), input=lines)


def test_one_json_line_a_case() -> None:
    """Group, condition and reason of each line of standard input, with exactly these keys."""
    result = run("--site", "breast", "--format", "jsonl", "-", lines="pT2 pN0 M0\nT2 N1a\nT1 N1\nT2 N0 pM0\n")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(line) for line in lines] == [["input", "group", "conditional_on", "reason"]] * 4
    assert [(line["input"], line["group"], line["conditional_on"]) for line in lines] == [
        ("pT2 pN0 M0", "IIA", None),
        ("T2 N1a", "IIB", "M0"),
        ("T1 N1", None, None),
        ("T2 N0 pM0", "IIA", None),
    ]
    assert "N1mi" in lines[2]["reason"]
    assert [line["reason"] for line in lines if line["group"]] == [None] * 3


def test_lines_are_json_unless_asked_for_text() -> None:
    """People read "IIB if M0"; what is no category does not end the rest."""
    assert json.loads(run(lines="T2 N1a").stdout)["group"] == "IIB"
    result = run("--format", "text", lines="T2 N1a\nypT1 N0 M0\nrubbish\nT2 N0 pM0\n")
    assert result.stdout.splitlines() == [
        "T2 N1a: IIB if M0",
        "ypT1 N0 M0: no group after therapy (yp)",
        "rubbish: cannot read 'rubbish'; expected T, N, M",
        "T2 N0 pM0: IIA (there is no pM0, read as cM0)",
    ]
    assert result.exit_code == 0


def test_every_line_is_answered_in_its_place() -> None:
    """The answer to line n is line n, as written: empty lines too, but for the end of the file."""
    answers = [json.loads(line) for line in run(lines="T2 N0 M0\n\n  \n T1\tN0,M0 \n\n").stdout.splitlines()]
    assert [answer["input"] for answer in answers] == ["T2 N0 M0", "", "  ", " T1\tN0,M0 ", ""]
    assert [answer["group"] for answer in answers] == ["IIA", None, None, "IA", None]
    assert answers[1]["reason"] == "T, N not stated"


def test_lines_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is answered before the next is read, so that a long input needs no memory."""
    answered: list[str] = []
    monkeypatch.setattr("typer.echo", answered.append)

    def lines() -> Iterator[bytes]:
        for count in range(50):
            assert len(answered) == count
            yield b"T2 N1 M0\n"

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=lines()))
    stage()
    assert len(answered) == 50


def test_a_line_of_a_megabyte_is_answered() -> None:
    """With a reason, and the next line as well."""
    first, second = run(lines="T" * 1_000_000 + "\nT2 N0 M0\n").stdout.splitlines()
    assert json.loads(first)["reason"] == "longer than 500 characters: write one case a line"
    assert json.loads(second)["group"] == "IIA"


def test_a_broader_group_comes_with_its_reason() -> None:
    """In JSON as for people; what was assumed stands beside it."""
    answer = json.loads(run("--site", "colorectal", lines="T3 N1 M1").stdout)
    assert (answer["group"], answer["reason"][:22]) == ("IV", "M1 without subcategory")
    assert run("T3 N1 M1", "--site", "colorectal").stdout.startswith("T3 N1 M1: IV (M1 without subcategory")


def test_bytes_that_are_no_text_are_answered() -> None:
    """A line of a thousand others may be damaged."""
    result = run(lines=b"\xff\xfe\n\xef\xbb\xbfT2 N0 M0\r\n")
    assert [json.loads(line)["group"] for line in result.stdout.splitlines()] == [None, "IIA"]


def test_one_case_from_words_explained() -> None:
    """What was read, which row decided, whence it comes, and the licence to mind."""
    result = run("T2", "N1", "M0", "--site", "breast", "--explain")
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "T2 N1 M0: IIB",
        "  T2: T is T2",
        "  N1: N is N1 (one of N1mi, N1a, N1b, N1c)",
        "  M0: M is M0",
        "  row 6 (T2 · N1 · M0, M0(i+)): IIB",
    ]
    assert lines[5].startswith("  AJCC 8 anatomic: ")
    assert "needs a licence" in lines[6]
    steps = json.loads(run("T2 N1 M0", "--format", "jsonl", "--explain").stdout)["steps"]
    assert steps == [line.strip() for line in lines[1:5]]


def test_other_sites_by_name_and_synonym() -> None:
    """Prostate with PSA and Grade Group, rectum as colorectal."""
    assert run("T2a N0 M0 PSA 8.3 GG2", "--site", "prostate").stdout == "T2a N0 M0 PSA 8.3 GG2: IIB\n"
    assert run("T3", "N1c", "M0", "--site", "rectum").stdout == "T3 N1c M0: IIIB\n"


def test_one_case_that_cannot_be_read_ends_with_status_one() -> None:
    """A group that cannot be assigned is an answer, a word that is no category is not."""
    assert run("T1", "N1", "M0").exit_code == 0
    result = run("T2", "NO", "M0")
    assert (result.exit_code, result.stdout) == (
        1,
        "T2 NO M0: 'NO' has the letter O in place of a digit; did you mean N0?\n",
    )


def test_derivations_and_a_licensed_table() -> None:
    """`--table` takes a name of the site's or a file."""
    assert run("--table", "her2", "IHC 2+ ratio 1.8 copies 5.2").stdout.endswith(": negative\n")
    assert run("--table", str(EXAMPLE), "T2 N1a M0 G2 ER+ PR- HER2-").stdout.endswith(": X\n")


def test_check_prints_every_fault(tmp_path: Path) -> None:
    """As `synoptic mapping check`: one line a fault on standard output and status 1, nothing where there is none."""
    assert run("--check", "--table", str(EXAMPLE)).exit_code == run("--check").exit_code == 0
    broken = tmp_path / "table.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    broken.write_text(text.replace("licence:", "#").replace("result: Z", "results: Z"), encoding="utf-8")
    result = run("--check", "--table", str(broken))
    assert result.exit_code == 1
    faults = result.stdout.splitlines()
    assert "table.yaml:1: licence: Field required" in faults
    assert any(fault.startswith("table.yaml:41: table.rows.0.results: Extra inputs") for fault in faults)


def test_the_setting_that_turns_ajcc_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No group of a site then, but those of a licensed table."""
    monkeypatch.setenv("SYNOPTIC_MAPPING__ANATOMIC_STAGE", "false")
    error = run("T2 N0 M0").exception
    assert isinstance(error, SynopticError)
    assert error.code is Code.STAGING_OFF
    assert run("--table", str(EXAMPLE), "T1 N0 M0 G1").exit_code == 0


def test_the_setting_that_assumes_m0(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is then given, and says what was assumed."""
    monkeypatch.setenv("SYNOPTIC_MAPPING__ASSUME_M0", "true")
    assert run("T2 N0").stdout == "T2 N0: IIA (assumed M0)\n"
    answer = json.loads(run(lines="T2 N0").stdout)
    assert (answer["group"], answer["conditional_on"], answer["reason"]) == ("IIA", None, "assumed M0")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--site", "brest", "-"], Code.UNKNOWN_SITE), (["--table", "nowhere"], Code.BAD_RULE_TABLE)],
)
def test_wrong_use_is_a_numbered_error(arguments: list[str], code: Code) -> None:
    """An unknown site or file says so."""
    error = run(*arguments).exception
    assert isinstance(error, SynopticError)
    assert error.code is code
