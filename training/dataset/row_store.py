"""Rows on disk: JSON lines in shards, and for each part an index of where its rows begin.

A row is read by its place, whatever their number: the index is mapped into memory by the system, 8 bytes a row, and of
the rows only the one that is asked for is held. Processes that were forked from one that reads may read on side by
side. The same rows give the same bytes.
"""

import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import orjson

from schemas.errors import Code, SynopticError

SHARD_ROWS = 10_000
_OFFSET_BITS = 40
_ENTRY: Final = 8
_ORDER: Final = "little"
_INDEX = ".index"
_CHUNK = 4096


class RowWriter:
    """Appends rows to a new folder's shards; the number that `append` gives is the row's for `write_index`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = array("Q")
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file:
            self._file.close()

    def append(self, row: dict[str, Any]) -> int:
        """Write one row."""
        number = len(self._places)
        if number % SHARD_ROWS == 0:
            self.__exit__(None, None, None)
            self._file = _shard(self._folder, number // SHARD_ROWS).open("wb")
        if self._file is None:
            raise ValueError("no shard is open")
        self._places.append(number // SHARD_ROWS << _OFFSET_BITS | self._file.tell())
        self._file.write(orjson.dumps(row) + b"\n")
        return number

    def write_index(self, part: str, rows: Sequence[int]) -> None:
        """Name a part: its rows, in this order."""
        entries = (self._places[row].to_bytes(_ENTRY, _ORDER) for row in rows)
        (self._folder / f"{part}{_INDEX}").write_bytes(b"".join(entries))


class RowStore(Sequence[dict[str, Any]]):
    """The rows of one part, by position; SYN-741 where the folder has none of that name or is damaged."""

    def __init__(self, folder: Path, part: str) -> None:
        self._folder = folder
        self._files: dict[int, BinaryIO] = {}
        path = folder / f"{part}{_INDEX}"
        try:
            with path.open("rb") as file:
                # A part may be empty, and nothing cannot be mapped.
                self._index = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
        except OSError:
            raise SynopticError(Code.BAD_DATASET, path.name) from None

    def __len__(self) -> int:
        return len(self._index) // _ENTRY

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self._row(at) for at in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        return self._row(position % len(self))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(position) for position in range(len(self)))

    def _row(self, position: int) -> dict[str, Any]:
        place = int.from_bytes(self._index[position * _ENTRY : (position + 1) * _ENTRY], _ORDER)
        shard, offset = place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)
        try:
            if shard not in self._files:
                self._files[shard] = _shard(self._folder, shard).open("rb", buffering=0)
            row = orjson.loads(_line(self._files[shard].fileno(), offset))
        except (OSError, orjson.JSONDecodeError):
            raise SynopticError(Code.BAD_DATASET, _shard(self._folder, shard).name) from None
        return dict(row)

    def close(self) -> None:
        """Close the shards that were opened."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def _line(file: int, offset: int) -> bytes:
    """The line at an offset, read without moving the file's position, which forked processes share."""
    line = b""
    while chunk := os.pread(file, _CHUNK, offset + len(line)):
        line += chunk
        if b"\n" in chunk:
            break
    return line.partition(b"\n")[0]


def _shard(folder: Path, number: int) -> Path:
    return folder / f"rows-{number:05d}.jsonl"
