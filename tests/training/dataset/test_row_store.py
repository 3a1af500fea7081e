"""Behaviour of rows on disk: reached by position, in the order of their part, whatever their number."""

import multiprocessing
import tracemalloc
from pathlib import Path

import pytest

from schemas.errors import Code, SynopticError
from training.dataset import row_store
from training.dataset.row_store import RowStore, RowWriter


def _written(folder: Path, count: int, length: int = 10) -> None:
    with RowWriter(folder) as writer:
        for number in range(count):
            writer.append({"number": number, "text": "ü" * length})
        writer.write_index("train", [number for number in range(count) if number % 10])
        writer.write_index("test", [number for number in reversed(range(count)) if number % 10 == 0])
        writer.write_index("validation", [])


def test_rows_are_reached_by_position_across_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwards, backwards, by slice and in turn; a part may be empty."""
    monkeypatch.setattr(row_store, "SHARD_ROWS", 7)
    _written(tmp_path, 40)
    train, test = RowStore(tmp_path, "train"), RowStore(tmp_path, "test")
    assert (len(train), len(test), len(RowStore(tmp_path, "validation"))) == (36, 4, 0)
    assert (train[0]["number"], train[-1]["number"], test[0]["number"]) == (1, 39, 30)
    assert [row["number"] for row in train[8:10]] == [9, 11]
    assert [row["number"] for row in test] == [30, 20, 10, 0]
    assert len(list(tmp_path.glob("rows-*.jsonl"))) == 6
    with pytest.raises(IndexError):
        train[36]
    train.close()


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Going through twenty megabytes of rows holds far less than one."""
    _written(tmp_path, 5000, length=2000)
    tracemalloc.start()
    store = RowStore(tmp_path, "train")
    total = sum(row["number"] for row in store)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    store.close()
    assert total == sum(number for number in range(5000) if number % 10)
    assert peak < 500_000


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """A dataset can be compared by its files."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _written(tmp_path / name, 20)
    contents = [{path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())} for name in ("a", "b")]
    assert contents[0] == contents[1]


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """A part that is not there and a shard that was cut both end in one numbered error."""
    with pytest.raises(SynopticError) as missing:
        RowStore(tmp_path, "train")
    _written(tmp_path, 20)
    (tmp_path / "rows-00000.jsonl").write_bytes(b'{"number"')
    with pytest.raises(SynopticError) as cut:
        RowStore(tmp_path, "train")[3]
    assert missing.value.code is cut.value.code is Code.BAD_DATASET


def test_forked_processes_read_side_by_side(tmp_path: Path) -> None:
    """Folds train in processes that share the open files, and none moves the place at which another reads."""
    _written(tmp_path, 400, length=300)
    store = RowStore(tmp_path, "train")
    expected = [row["number"] for row in store]
    with multiprocessing.get_context("fork").Pool(2, initializer=_SHARED.append, initargs=(store,)) as pool:
        found = pool.map(_numbers_read, range(4))
    store.close()
    assert found == [expected * 5] * 4


_SHARED: list[RowStore] = []


def _numbers_read(_: int) -> list[int]:
    return [row["number"] for _ in range(5) for row in _SHARED[-1]]
