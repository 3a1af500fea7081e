"""Reads JSON lines: one object a line, one held at a time; what is none is named by file and line, never by its words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import Code, SynopticError


@dataclass(frozen=True)
class Line:
    """One row, how an error names it, and the first byte of its line in the file."""

    row: dict[str, Any] = field(repr=False)
    name: str
    start: int


def each_line(path: Path, code: Code = Code.BAD_TRAINING_FILE) -> Iterator[Line]:
    """The rows of one file, blank lines left out; the code's error where the file or a line cannot be read."""
    try:
        with path.open("rb") as file:
            start = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    name = f"{path.name}, line {number}"
                    yield Line(parsed(line, name, code), name, start)
                start += len(line)
    except OSError as error:
        raise SynopticError(code, f"{path.name}: {error.strerror}") from None


def parsed(line: bytes, name: str, code: Code = Code.BAD_TRAINING_FILE) -> dict[str, Any]:
    """The object of one line; the code's error where it holds none."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise SynopticError(code, f"{name}: not JSON") from None
    if not isinstance(row, dict):
        raise SynopticError(code, f"{name}: no object")
    return row
