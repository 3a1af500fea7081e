"""docs/mapping-tutorial.md: every command is run as it stands there and prints what it says; its YAML is the example's."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway import cli
from schemas.yaml_source import plain

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIAL = (REPOSITORY / "docs" / "mapping-tutorial.md").read_text(encoding="utf-8")
EXAMPLE = REPOSITORY / "examples" / "mapping-facility-x"
STEP = re.compile(r"^    \$ synoptic (.*)\n((?:    (?!\$ ).*\n)*)", re.MULTILINE)
STEPS = [(match.group(1), match.group(2)) for match in STEP.finditer(TUTORIAL)]


@pytest.fixture(autouse=True)
def _in_the_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands run in the root of the clone, over a bus and a store of their own."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("SYNOPTIC_BUS__PATH", str(tmp_path / "bus.sqlite"))
    monkeypatch.setenv("SYNOPTIC_FHIR__FOLDER", str(tmp_path / "fhir"))


def printed(command: str) -> str:
    """What the command writes to standard output and error, in order, with single blanks."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written), pytest.raises(SystemExit):
        cli.main(shlex.split(command))
    return squeezed(written.getvalue())


def squeezed(text: str) -> str:
    """Each line with single blanks."""
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_tutorial_shows(command: str, shown: str) -> None:
    """Line by line; … stands for anything, and on a line of its own for any lines."""
    lines = [line.strip() for line in squeezed(shown).splitlines() if line]
    pattern = "".join(r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines)
    assert re.fullmatch(pattern, printed(command)), printed(command)


def test_the_tutorial_runs_each_kind_of_command() -> None:
    """At least ten steps, with those that an overlay needs among them."""
    names = {command.split()[1] for command, _ in STEPS}
    assert len(STEPS) >= 10
    assert {"check", "show", "test", "diff", "replay", "unmapped", "import-conceptmap"} <= names


def test_the_yaml_of_the_tutorial_is_the_examples() -> None:
    """The blocks one below the other are the example's overlay: who writes the file by hand has the whole of it."""
    overlay = plain(YAML(typ="rt").load((EXAMPLE / "overlay.yaml").read_text()))
    blocks = re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.DOTALL)
    parts = [plain(YAML(typ="rt").load(block)) for block in blocks]
    assert plain(YAML(typ="rt").load("".join(blocks[:-1]))) == overlay
    assert parts[-1] == {"mapping": {"overlays": ["examples/mapping-facility-x"]}}
