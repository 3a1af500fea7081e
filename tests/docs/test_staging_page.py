"""docs/staging.md: every call on the page gives the output that the page shows."""

import os
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.commands.stage import stage
from schemas.rule_table import Assumption, LicensedTable, Words
from schemas.tables import Band, Row

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "staging.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^    \$ (.+)\n((?:^    (?!\$).+\n)+)", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("call", "shown"), CALLS)
def test_calls_give_what_is_shown(call: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases as words, lines from a pipe, derivations and the invented table."""
    monkeypatch.chdir(REPOSITORY)
    app = typer.Typer()
    app.command()(stage)
    before, _, command = call.rpartition(" | ")
    lines = shlex.split(before)[1].replace("\\n", os.linesep) if before else ""
    result = CliRunner().invoke(app, shlex.split(command)[2:], input=lines)
    assert result.stdout == re.sub("^    ", "", shown, flags=re.MULTILINE)


def test_the_page_shows_calls_of_every_kind() -> None:
    """The pattern above has found them."""
    assert len(CALLS) > 8


def test_every_key_of_the_format_is_explained() -> None:
    """No key of a table's file is missing on the page."""
    shapes = (LicensedTable, Assumption, Words, Band, Row)
    keys = {name for shape in shapes for name in shape.model_fields} - {"table", "inputs", "rows"}
    assert {key for key in keys if f"`{key}`" not in PAGE} == set()
