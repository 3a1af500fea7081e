"""Behaviour of the options of `synoptic train` that are wrong before anything is read."""

from typer.testing import CliRunner

from gateway.cli import build_app


def test_a_task_that_the_pack_lacks_is_a_usage_error_that_says_the_known_ones() -> None:
    """A misspelt --task would otherwise train on no label."""
    arguments = ["train", "--task", "T", "--task", "ZZ", "--dry-run"]
    result = CliRunner().invoke(build_app("train"), arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "ZZ: none of T, N, M" in result.output
