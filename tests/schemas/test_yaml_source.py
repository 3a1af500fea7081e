"""Configuration files that are no YAML, or more than a configuration: one fault with the line, at once."""

from pathlib import Path

import pytest

from schemas.yaml_source import load_yaml, nearest

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a: 1\n\tb: 2\n", "own.yaml:2: (syntax): a tab: indent with spaces"),
        (b"a: b: c\n", "own.yaml:1: (syntax): a colon where none can stand"),
        (b"a: 1\na: 2\n", 'own.yaml:2: (syntax): found duplicate key "a"'),
        (b"a: 1\n---\nb: 2\n", "own.yaml:2: (syntax): a second document begins here"),
        (b"a: 1\nb: \x00\n", "own.yaml:2: (file): holds the character 0x00, which YAML does not allow"),
        ("a: 1\nb: ä\n".encode("latin-1"), "own.yaml:2: (file): is not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), "own.yaml:1: (file): is not UTF-8 text"),
        (b"a: *x\n", "own.yaml:1: (syntax): found undefined alias 'x'"),
        (b"a: 1\nb: " + b"[" * 3000 + b"]" * 3000, "own.yaml:2: (syntax): is nested too deep"),
        (BOMB.encode(), "own.yaml:1: (file): its aliases make more than 500000 values of it"),
        (b"# " + b"x" * 5_000_000, "own.yaml:1: (file): is larger than 4 MB"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_one_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    """Told by file and line; a bomb is found before it is expanded."""
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    data, faults = load_yaml(path)
    assert data is None
    assert [str(one)[: len(fault)] for one in faults] == [fault]


def test_a_mark_of_byte_order_and_other_line_ends_are_no_fault(tmp_path: Path) -> None:
    """Editors of Windows write both."""
    path = tmp_path / "own.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load_yaml(path) == ({"a": 1, "b": 2}, [])


def test_an_unlike_name_is_told_what_there_is() -> None:
    """A dozen of many, and how many there are."""
    assert nearest("sn", ["sm", "loinc"]) == "did you mean 'sm'?"
    assert nearest("zzz", map(str, range(20))).endswith("10, 11, … (20 in all)")
