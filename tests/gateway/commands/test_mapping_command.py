"""`synoptic mapping check`."""

import shutil
from pathlib import Path

from typer.testing import CliRunner

from gateway.commands.mapping import app
from schemas.pack_loader import PACKS_FOLDER


def test_the_shipped_pack_is_clean() -> None:
    """No faults: status 0 and nothing on standard output."""
    result = CliRunner().invoke(app, ["check", "breast"])
    assert (result.exit_code, result.stdout) == (0, "")


def test_every_fault_is_printed_with_file_line_and_key(tmp_path: Path) -> None:
    """Two mistakes in two files: two lines, status 1."""
    pack = tmp_path / "breast"
    shutil.copytree(PACKS_FOLDER / "breast", pack)
    for name, old, new in (
        ("mapping.yaml", "table: grade, by: value", "table: grades, by: value"),
        ("staging.yaml", "N: N1mi, M: [M0, M0(i+)]}, result: IB", "N: N1m, M: [M0, M0(i+)]}, result: IB"),
    ):
        text = (pack / name).read_text(encoding="utf-8")
        assert old in text
        (pack / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(pack)])
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert any(line.startswith("mapping.yaml:") and "did you mean 'grade'?" in line for line in lines)
    assert any(line.startswith("staging.yaml:") and "N1mi" in line for line in lines)


def test_a_finding_that_nothing_finds_is_a_fault(tmp_path: Path) -> None:
    """A rule over a misspelt finding would never fire."""
    pack = tmp_path / "breast"
    shutil.copytree(PACKS_FOLDER / "breast", pack)
    text = (pack / "mapping.yaml").read_text(encoding="utf-8")
    (pack / "mapping.yaml").write_text(text.replace("finding: grade\n", "finding: grad\n", 1), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(pack)])
    assert result.exit_code == 1
    assert "did you mean 'grade'?" in result.stdout


def test_an_unknown_pack_lists_the_known_ones() -> None:
    """The error names what there is."""
    result = CliRunner().invoke(app, ["check", "brest"])
    assert "breast" in str(result.exception)
