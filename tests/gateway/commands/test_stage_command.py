"""`synoptic stage`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.commands.stage import stage
from schemas.errors import Code, SynopticError

APP = typer.Typer()
APP.command()(stage)


def test_one_json_line_a_case() -> None:
    """Group, condition and reason of each line of standard input."""
    result = CliRunner().invoke(
        APP, ["--site", "breast", "--format", "jsonl", "-"], input="pT2 pN0 M0\n\nT2 N1a\nT1 N1\n"
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["input"], line["group"], line["conditional_on"]) for line in lines] == [
        ("pT2 pN0 M0", "IIA", None),
        ("T2 N1a", "IIB", "M0"),
        ("T1 N1", None, None),
    ]
    assert "N1mi" in lines[2]["reason"]


def test_plain_text_from_a_file(tmp_path: Path) -> None:
    """People read "IIB if M0"."""
    path = tmp_path / "cases.txt"
    path.write_text("T2 N1a\nypT1 N0 M0\n", encoding="utf-8")
    result = CliRunner().invoke(APP, [str(path), "--format", "text"])
    assert result.stdout == "T2 N1a: IIB if M0\nypT1 N0 M0: no group after therapy (yp)\n"


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--site", "brest", "-"], Code.BAD_PACK), (["nowhere"], Code.UNREADABLE_FILE)]
)
def test_wrong_use_is_a_numbered_error(arguments: list[str], code: Code) -> None:
    """An unknown site or file says so."""
    error = CliRunner().invoke(APP, arguments, input="").exception
    assert isinstance(error, SynopticError)
    assert error.code is code
