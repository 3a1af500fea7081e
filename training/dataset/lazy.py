"""Sequences whose items are made when they are asked for: of a large one, only what is in use is held in memory."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar, overload

Item = TypeVar("Item")
Made = TypeVar("Made")


class Lazy(Sequence[Item]):
    """`length` items, each made anew by `make` of its position whenever it is asked for."""

    def __init__(self, length: int, make: Callable[[int], Item]) -> None:
        self._length = length
        self._make = make

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> list[Item]: ...
    def __getitem__(self, position: int | slice) -> Item | list[Item]:
        if isinstance(position, slice):
            return [self._make(at) for at in range(*position.indices(self._length))]
        if not -self._length <= position < self._length:
            raise IndexError(position)
        return self._make(position % self._length)


def mapped(items: Sequence[Item], make: Callable[[Item], Made]) -> Sequence[Made]:
    """What is made of each item."""
    return Lazy(len(items), lambda position: make(items[position]))


def picked(items: Sequence[Item], positions: Sequence[int]) -> Sequence[Item]:
    """The items at some positions, in that order."""
    return Lazy(len(positions), lambda position: items[positions[position]])


def chosen(items: Sequence[Item], keep: Callable[[Item], bool]) -> Sequence[Item]:
    """The items that are kept: one pass is made over all, and 8 bytes are held for each."""
    return picked(items, array("Q", (position for position, item in enumerate(items) if keep(item))))


def joined(*parts: Sequence[Item]) -> Sequence[Item]:
    """The parts one after the other."""
    ends = list(accumulate(len(part) for part in parts))

    def make(position: int) -> Item:
        number = bisect_right(ends, position)
        return parts[number][position - (ends[number - 1] if number else 0)]

    return Lazy(sum(len(part) for part in parts), make)
