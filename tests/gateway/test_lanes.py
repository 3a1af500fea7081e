"""Working on several items at once: what shares a key keeps its order, and which of several errors comes out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.lanes import work_in_lanes
from schemas.errors import Code, SynopticError

FATAL = SynopticError(Code.STORE_REFUSES)
SHORT = SynopticError(Code.STORE_UNAVAILABLE, retry_after=1)
LONG = SynopticError(Code.STORE_UNAVAILABLE, retry_after=60)
DEFECT = ValueError("a defect")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Four threads."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def test_answers_stand_in_the_order_of_the_items(pool):
    """Whoever is done first, each answer belongs to its item; no item is no work."""
    assert work_in_lanes(range(100), lambda item: {item % 7}, lambda item: item * item, pool) == [
        item * item for item in range(100)
    ]
    assert work_in_lanes([], lambda item: {item}, str, pool) == []


def test_a_late_link_joins_lanes_in_the_order_of_the_items(pool):
    """Two items without a common key are in one lane as soon as a third shares one with each."""
    done = []
    work_in_lanes(["a", "b", "b", "ab", "a"], frozenset, done.append, pool)
    assert done == ["a", "b", "b", "ab", "a"]


def test_an_error_ends_its_own_lane_only(pool):
    """What comes after a failure under the same key is left; all other lanes are worked to their ends."""
    done = []

    def work(item: str) -> None:
        if item == "a2":
            raise SHORT
        done.append(item)

    with pytest.raises(SynopticError):
        work_in_lanes(["a1", "a2", "a3", "b1", "b2"], lambda item: {item[0]}, work, pool)
    assert sorted(done) == ["a1", "b1", "b2"]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((SHORT, LONG, SHORT), LONG),
        ((LONG, FATAL, SHORT), FATAL),
        ((DEFECT, SHORT), SHORT),
        ((DEFECT,), DEFECT),
    ],
    ids=["the longest wait", "what ends the hop", "a wait before a defect", "a defect alone"],
)
def test_of_several_errors_the_gravest_comes_out(pool, errors, expected):
    """A hop that cannot go on says so; else it waits as long as anybody asked for; a defect is for later."""

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(type(expected)) as caught:
        work_in_lanes(errors, lambda error: {id(error)}, fail, pool)
    assert caught.value is expected
