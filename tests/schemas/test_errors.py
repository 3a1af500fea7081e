"""The catalogue of numbered errors."""

from pathlib import Path

import pytest

import schemas.errors
from schemas.errors import Code, Kind, SynopticError, fault_location

RANGES = range(1, 8)
# A number that was ever released and is no longer used stands here, so that it is never given again.
RETIRED: frozenset[int] = frozenset()


def test_numbers_are_unique_and_never_used_again():
    """Two errors never share a number, and a retired number stays retired."""
    numbers = [member.number for member in Code]
    assert not RETIRED & set(numbers)
    assert list(Code.__members__) == [member.name for member in Code], "two errors of one number are one to Enum"


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_error_is_one_line_with_a_remedy(code):
    """Every error says on one line what happened and what to do, with or without a detail."""
    assert code.number // 100 in RANGES
    assert code.remedy
    for detail in ("", "a detail\nof two lines"):
        line = SynopticError(code, detail).one_line()
        assert line == " ".join(line.split())
        assert line.endswith(" ".join(code.remedy.split()))
    assert str(SynopticError(code)).startswith(f"SYN-{code.number} ")


def test_remedies_hold_for_commands_too():
    """Where a remedy promises that work goes on, it says as well what does not: a command that has ended."""
    promised = [code for code in Code if "by itself" in code.remedy]
    waited_for = {Code.BUS_UNAVAILABLE, Code.STORE_UNAVAILABLE, Code.OUT_OF_RESOURCES, Code.KEY_STORE_UNAVAILABLE}
    assert waited_for == set(promised)
    assert [code.label for code in promised if "command that has ended must be given again" not in code.remedy] == []


def test_detail_is_shown_or_refused_on_purpose():
    """A message either names its detail or has no place for one; no other placeholder exists."""
    for code in Code:
        assert code.message.replace("{detail}", "").count("{") == 0


def test_kinds_are_all_used():
    """The three kinds that steer the runner each occur."""
    assert {code.kind for code in Code} == set(Kind)


def test_location_of_a_fault_is_where_it_was_raised():
    """A fault's place is the innermost frame, and its text is left out."""

    def inner() -> None:
        raise ValueError("Erika Mustermann")

    with pytest.raises(ValueError, match="Erika") as caught:
        inner()
    assert fault_location(caught.value) == f"ValueError at test_errors:{inner.__code__.co_firstlineno + 1}"
    assert fault_location(ValueError("never raised")) == "ValueError"


def test_every_text_has_its_error() -> None:
    """errors.txt holds no paragraph whose number no error has: a text that nobody can meet is left over."""
    text = Path(schemas.errors.__file__).with_name("errors.txt").read_text(encoding="utf-8")
    numbers = [int(paragraph.split()[0]) for paragraph in text.split("\n\n")]
    assert numbers == sorted(code.number for code in Code)
