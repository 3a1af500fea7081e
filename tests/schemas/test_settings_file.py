"""A settings file that cannot be read is a fault in the settings: told by its place, never by what stands there."""

import os

import pytest

from schemas.errors import Code, SynopticError
from schemas.settings import load_settings

CANARY = "hunter2-and-more"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, and no variable of Synoptic."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    return tmp_path


def fault() -> str:
    """What is wrong with the settings."""
    with pytest.raises(SynopticError) as caught:
        load_settings()
    assert caught.value.code is Code.BAD_SETTINGS
    assert CANARY not in str(caught.value)
    return caught.value.detail


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"tenant: a\nprivacy: {{key: {CANARY}\n".encode(), "synoptic.yaml, line 3, column 1: is not YAML"),
        (f"tenant: a\n  {CANARY}: b\n".encode(), "synoptic.yaml, line 2, column 19: is not YAML"),
        (f"privacy: *{CANARY}\n".encode(), "synoptic.yaml, line 1, column 10: is not YAML"),
        (f"privacy: !{CANARY} x\n".encode(), "synoptic.yaml, line 1, column 10: is not YAML"),
        (f"tenant: {CANARY}\x00\n".encode(), "synoptic.yaml: is not YAML"),
        (f"tenant: 2026-02-31 # {CANARY}\n".encode(), "synoptic.yaml: is not YAML"),
        (f"tenant: {CANARY}\xe9\n".encode("latin-1"), "synoptic.yaml: is not UTF-8"),
        (f"- {CANARY}\n".encode(), "synoptic.yaml: is no mapping from keys to values"),
        (CANARY.encode(), "synoptic.yaml: is no mapping from keys to values"),
        (f"1: {CANARY}\n".encode(), "synoptic.yaml: is no mapping from keys to values"),
    ],
)
def test_a_file_that_is_no_settings(folder, content, told):
    """Each fault names the file, and line and column where they are known."""
    (folder / "synoptic.yaml").write_bytes(content)
    assert fault() == told


def test_a_file_that_cannot_be_read(folder):
    """What stands in the way is named as the system names it."""
    (folder / "synoptic.yaml").mkdir()
    assert fault() == "synoptic.yaml: cannot be read (Is a directory)"


def test_a_file_that_was_named_must_be_there(folder, monkeypatch):
    """A misspelt SYNOPTIC_SETTINGS never lets the defaults in instead."""
    monkeypatch.setenv("SYNOPTIC_SETTINGS", "absent.yaml")
    assert fault() == "SYNOPTIC_SETTINGS: no such file"


@pytest.mark.parametrize("content", [None, "", "# nothing\n"])
def test_the_default_file_may_be_absent_or_empty(folder, monkeypatch, content):
    """All defaults are settings enough; a variable that is set to nothing names no file."""
    monkeypatch.setenv("SYNOPTIC_SETTINGS", "")
    if content is not None:
        (folder / "synoptic.yaml").write_text(content)
    assert load_settings().tenant == "default"


def test_the_named_file_is_read(folder, monkeypatch):
    """SYNOPTIC_SETTINGS comes in place of the default file."""
    (folder / "synoptic.yaml").write_text("tenant: default-file\n")
    (folder / "other.yaml").write_text("tenant: other-file\n")
    monkeypatch.setenv("SYNOPTIC_SETTINGS", "other.yaml")
    assert load_settings().tenant == "other-file"


@pytest.mark.parametrize(
    ("name", "section"),
    [("SYNOPTIC_PACKS", "packs"), ("SYNOPTIC_BUS", "bus"), ("SYNOPTIC_INTAKE__IDENTIFIER_SYSTEMS", "intake")],
)
def test_a_variable_that_is_no_json_is_a_fault(folder, monkeypatch, name, section):
    """A list or a section that is given as plain text is a fault of that section, and its value is not shown."""
    monkeypatch.setenv(name, CANARY)
    assert f'"{section}"' in fault()
