"""Behaviour of sequences whose items are made when they are asked for."""

import pytest

from training.dataset.lazy import chosen, joined, mapped, picked


def test_nothing_is_made_before_it_is_asked_for() -> None:
    """Each look makes the item anew, and only that one."""
    made: list[int] = []
    items = mapped(range(5), lambda item: made.append(item) or item * 10)
    assert (len(items), made) == (5, [])
    assert (items[-1], items[1:3], made) == (40, [10, 20], [4, 1, 2])
    with pytest.raises(IndexError):
        items[5]


def test_parts_are_joined_chosen_and_picked_by_position() -> None:
    """An empty part adds nothing; order is kept where items are chosen, and given where they are picked."""
    items = joined("ab", "", "cde")
    assert list(items) == list("abcde")
    assert list(chosen(items, lambda item: item in "ace")) == ["a", "c", "e"]
    assert list(picked(items, [4, 0])) == ["e", "a"]
