"""The command line as a whole: what it lists, what it imports, how it ends."""

import importlib
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli
from schemas.errors import Code, SynopticError

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "peft", "fhir", "kafka", "prometheus_client", "pydantic_settings", "rich", "numpy")


def end(arguments: list[str]) -> int:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(autouse=True)
def _quiet_logs(monkeypatch):
    """Keep the test process's own logging as it is."""
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)


def test_help_lists_every_command(capsys):
    """`synoptic --help` names all commands, each with a line."""
    assert end(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if f"  {name} " not in shown] == []


def test_a_crash_leaves_no_core_file(capsys):
    """What a process has read is not written to a disk when it is killed."""
    assert end(["--help"]) == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def test_help_imports_no_heavy_library():
    """The help appears without any library that only the work needs."""
    script = (
        "import json, sys\nfrom gateway import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_module(name):
    """Each listed command is a module with a function of its name, or a Typer app; nothing else is in the folder."""
    module = importlib.import_module(f"gateway.commands.{name}")
    assert hasattr(module, "app") or callable(getattr(module, name))


def test_every_module_is_listed():
    """No command module is forgotten in the list."""
    modules = {path.stem for path in (REPOSITORY / "gateway" / "commands").glob("*.py")} - {"__init__"}
    assert modules == set(cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_documented(name):
    """The README or a page of docs/ shows how each command is called."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    assert any(f"synoptic {name}" in page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    """`synoptic COMMAND --help` works for each of them."""
    assert end([name, "--help"]) == 0
    assert "Usage: synoptic" in capsys.readouterr().out


def test_version(capsys):
    """`synoptic --version` prints the version alone."""
    assert end(["--version"]) == 0
    assert capsys.readouterr().out.strip()[0].isdigit()


@pytest.mark.parametrize("arguments", [["nonsense"], ["publish"], ["rejected", "nonsense"], ["run", "nonsense"]])
def test_wrong_use_exits_with_two(arguments):
    """A wrong command, a missing argument and a wrong choice are wrong use."""
    assert end(arguments) == 2


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SynopticError(Code.BAD_PACK, "here"), 2, "SYN-602 "),
        (SynopticError(Code.NOT_JSON, "here"), 1, "SYN-101 "),
        (ModuleNotFoundError("x", name="torch.nn"), 2, "SYN-606 the library torch "),
        (ValueError("Erika Mustermann"), 2, "SYN-607 the program has a defect (ValueError at test_cli:"),
    ],
)
def test_errors_are_one_numbered_line(monkeypatch, capsys, error, code, line):
    """Whatever ends a command is one line on standard error with a number; a defect never prints its text."""

    def fail(_invoked):
        raise error

    monkeypatch.setattr(cli, "build_app", fail)
    assert end(["doctor"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(line)
    assert captured.err.count("\n") == 1
    assert "Erika" not in captured.err
