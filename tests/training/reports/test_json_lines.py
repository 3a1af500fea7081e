"""Behaviour of reading JSON lines, and names that an option lists."""

from pathlib import Path

import pytest

from schemas.errors import Code, SynopticError
from training.reports.json_lines import each_line
from training.reports.names import listed


def test_rows_come_with_their_place_and_blank_lines_are_none(tmp_path: Path) -> None:
    """The first byte of a line leads back to it, and its number counts every line."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"a": 2}')
    lines = list(each_line(path))
    assert [(line.row["a"], line.name, line.start) for line in lines] == [
        (1, "rows.jsonl, line 1", 0),
        (2, "rows.jsonl, line 3", 10),
    ]
    assert path.read_bytes()[lines[1].start :].startswith(b'{"a": 2}')


@pytest.mark.parametrize("content", [b'{"a": 1}\nnot json', b'{"a": 1}\n[1]', None])
def test_what_is_no_row_ends_in_the_code_asked_for(tmp_path: Path, content: bytes | None) -> None:
    """A broken line, a row that is no object and a missing file are named without their words."""
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SynopticError) as caught:
        list(each_line(path, Code.BAD_AUDIT))
    assert caught.value.code is Code.BAD_AUDIT
    assert ("line 2" in caught.value.one_line()) == (content is not None)
    assert "not json" not in caught.value.one_line()


def test_names_are_listed_with_commas_or_by_repetition() -> None:
    """Blanks and empty names fall away; an option that was not given lists none."""
    assert listed(["EW, OL", "S3", ","]) == ["EW", "OL", "S3"]
    assert listed(None) == []
