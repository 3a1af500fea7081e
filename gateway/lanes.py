"""Works on several items at once, and on those that share a key one after another."""

from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from concurrent.futures import Executor, wait
from typing import TypeVar

from schemas.errors import Kind, SynopticError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_Lane = tuple[frozenset[Hashable], list[int]]
"""The keys that a lane's items have, and their places."""


def work_in_lanes(
    items: Sequence[Item], keys: Callable[[Item], Set[Hashable]], work: Callable[[Item], Answer], pool: Executor
) -> list[Answer]:
    """The answers in the order of the items; an error ends its own lane only, and is raised once all have ended."""
    answers: dict[int, Answer] = {}

    def work_on(places: Sequence[int]) -> None:
        for place in places:
            answers[place] = work(items[place])

    futures = [pool.submit(work_on, places) for _, places in _lanes([keys(item) for item in items])]
    wait(futures)
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise gravest(errors)
    return [answers[place] for place in range(len(items))]


def gravest(errors: Iterable[BaseException]) -> BaseException:
    """What to raise of several: what ends the hop before what makes it wait, and of these the longest wait."""
    return max(errors, key=_weight)


def _lanes(keys: Sequence[Set[Hashable]]) -> list[_Lane]:
    """Places by lane: whoever shares a key with one of a lane, by whatever detour, is of that lane."""
    lanes: list[_Lane] = []
    for place, wanted in enumerate(keys):
        joined = [lane for lane in lanes if lane[0] & wanted]
        places = sorted([place, *(earlier for lane in joined for earlier in lane[1])])
        lanes = [lane for lane in lanes if lane not in joined]
        lanes.append((frozenset(wanted).union(*(lane[0] for lane in joined)), places))
    return lanes


def _weight(error: BaseException) -> tuple[bool, bool, float]:
    if not isinstance(error, SynopticError):
        return False, False, 0.0
    kind = error.code.kind
    return kind is Kind.FATAL, kind is Kind.RETRY, error.retry_after or 0.0
