"""Behaviour of comparing two readings of the same reports."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.measures.agreement import agreement_rows, kappa
from training.reports.gold import load_double_readings

BREAST = load_pack("breast").definition


def _write(path: Path, values: dict[str, str]) -> Path:
    rows = [
        {"patient": patient, "T": {"v": value, "basis": "stated", "quote": "x"}} for patient, value in values.items()
    ]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def test_only_reports_that_were_read_twice_are_compared(tmp_path: Path) -> None:
    """Two readers with some reports in common: each common report is one pair, whatever its file."""
    first = _write(tmp_path / "first.jsonl", {"a": "T1", "b": "T2", "c": "T3"})
    second = _write(tmp_path / "second.jsonl", {"b": "T2", "c": "T2", "d": "T1"})
    rows = agreement_rows(load_double_readings([first, second], BREAST))
    assert rows[1][:3] == ["T", "2", "1"]
    assert rows[1][3].startswith(".500 (.013–.987)")
    assert rows[-1][:3] == ["all", "2", "1"]


def test_a_third_reading_is_refused(tmp_path: Path) -> None:
    """Which two of three to compare is not for a program to choose."""
    files = [_write(tmp_path / f"{name}.jsonl", {"a": "T1"}) for name in "xyz"]
    with pytest.raises(SynopticError) as caught:
        load_double_readings(files, BREAST)
    assert caught.value.code is Code.ANNOTATED_TWICE


def test_a_value_that_the_pack_does_not_know_is_no_reading(tmp_path: Path) -> None:
    """A slip of one reader would count as disagreement: SYN-701 names its line."""
    with pytest.raises(SynopticError) as caught:
        load_double_readings(_write(tmp_path / "first.jsonl", {"a": "T1", "b": "T9"}), BREAST)
    assert caught.value.code is Code.BAD_TRAINING_FILE
    assert "first.jsonl, line 2" in caught.value.one_line()


def test_nothing_read_twice_is_no_agreement() -> None:
    """No pair, no figure."""
    assert agreement_rows([])[-1][1:4] == ["0", "0", "not defined"]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "a")] * 5, 1.0),
        ([("a", "a"), ("b", "b")] * 5, 1.0),
        ([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")], 0.0),
        ([("a", "a")] * 4 + [("b", "b")] * 4 + [("a", "b"), ("b", "a")], 0.6),
    ],
)
def test_kappa_is_agreement_beyond_chance(pairs: list[tuple[str, str]], expected: float) -> None:
    """Hand-counted: half agreement of two coin-tossers is none."""
    assert kappa(pairs) == pytest.approx(expected)
