"""A part of a pack spread over files: joined in order, and every fault traced to its file and line."""

from pathlib import Path

import pytest

from schemas.pack_folder import load_folder
from schemas.pack_rules import FactRules

RULE = "{{name: {name}, kind: T, pattern: '{pattern}', value: '{value}'}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files: fragments and a rule, and a rule that uses the other file's fragment."""
    (tmp_path / "a.yaml").write_text(
        f"fragments:\n  digit: '[0-4]'\ngroups:\n  one:\n    - {RULE.format(name='a', pattern='T{digit}', value='T1')}\n"
    )
    (tmp_path / "b.yaml").write_text(
        f"groups:\n  two:\n    - {RULE.format(name='b', pattern='N{digit}', value='N1')}\n"
    )
    return tmp_path


def test_files_are_one_model(folder):
    """Rules of one file may use fragments of another, and stand in the order of the file names."""
    rules, faults = load_folder(folder, FactRules)
    assert faults == []
    assert rules is not None
    assert [rule.name for rule in rules.rules] == ["a", "b"]


def test_fault_names_its_own_file_and_line(folder):
    """What is wrong in the second file is reported there, at its line."""
    (folder / "b.yaml").write_text("groups:\n  two:\n    - {name: b, kind: T, pattern: x, value: y, oddity: 1}\n")
    _, (fault,) = load_folder(folder, FactRules)
    assert (fault.file, fault.line, fault.key) == ("b.yaml", 3, "groups.two.0.oddity")


def test_fault_in_a_list_counts_within_its_own_file(folder):
    """The second file's first mark is its number 0, although it is the second of all."""
    (folder / "a.yaml").write_text("marks:\n  - {name: near, kinds: [T], before: x}\n")
    (folder / "b.yaml").write_text("marks:\n  - {name: far, kinds: [T], window: -1}\n")
    _, (fault,) = load_folder(folder, FactRules)
    assert (fault.file, fault.line, fault.key) == ("b.yaml", 2, "marks.0.window")


def test_a_name_in_two_files_is_a_fault(folder):
    """A fragment of one name in two files is refused, with both files."""
    (folder / "b.yaml").write_text("fragments:\n  digit: x\n")
    _, (fault,) = load_folder(folder, FactRules)
    assert str(fault) == "b.yaml:2: fragments.digit: stands in a.yaml too"


def test_every_unreadable_file_is_named(folder):
    """Syntax errors of several files are listed together."""
    for name in ("a.yaml", "b.yaml"):
        (folder / name).write_text("groups: [")
    _, faults = load_folder(folder, FactRules)
    assert {fault.file for fault in faults} == {"a.yaml", "b.yaml"}


def test_a_folder_without_files_is_a_fault(tmp_path):
    """A missing or empty folder is one fault, not an empty reader."""
    _, (fault,) = load_folder(tmp_path / "facts", FactRules)
    assert fault.file == "facts"
