"""Tells a delivery that alone cannot be made from a registry that takes none at present.

A registry that is away holds up its own queue, and nothing is lost. A single delivery that fails for ever (a 500 for this
one Bundle, or for what the EHR has of it) must not: the others of its batch go ahead of it, and once they have been taken,
so many more failures set it aside. Where no other is there to be tried, one that was taken is made and sent once more,
which changes nothing. Where nothing at all is taken, everything waits, however long that lasts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.errors import Code, Kind, SynopticError
from workers.buses.bus import Record

TRIES = 8
"""Of a delivery that fails while others are taken: a minute and a half, as the runner waits between them."""
MOST_ALONE = 8
"""So many failures in a row, with nothing taken between them, are the registry's."""


@dataclass
class _Trouble:
    """A delivery that failed: how often, whether another was taken since, and how often it failed after that."""

    failures: int = 0
    others_taken: bool = False
    tries: int = 0


class Troubles:
    """The deliveries of the batch in work that failed, over all attempts at it."""

    def __init__(self, serves_others: Callable[[], bool], takes_again: Callable[[], bool]) -> None:
        """`serves_others` asks whether anything answers at the registry now, `takes_again` for the last one that it took."""
        self._serves_others = serves_others
        self._takes_again = takes_again
        self._open: dict[tuple[str, int, int], _Trouble] = {}
        self._in_a_row = 0

    def begin(self) -> None:
        """The batch is worked on, for the first time or again."""
        self._in_a_row = 0

    def taken(self) -> None:
        """The registry took a delivery."""
        self._in_a_row = 0
        for trouble in self._open.values():
            trouble.others_taken = True

    def failed(self, record: Record, error: SynopticError) -> SynopticError:
        """The error that the delivery waits with while the others go on, or SYN-484 that sets it aside.

        Raises it where no other need be tried: for a fatal one, a registry that named a time, or does not answer.
        """
        trouble = self._open.setdefault(record.place, _Trouble())
        if error.code.kind is not Kind.RETRY or error.retry_after or not self._serves_others():
            raise error
        trouble.failures += 1
        trouble.tries += trouble.others_taken
        if not trouble.others_taken and trouble.failures % TRIES == 0:
            trouble.others_taken = self._takes_again()
        if trouble.tries >= TRIES:
            return SynopticError(Code.FAILS_ALONE, f"{error.code.label}, {error.detail}")
        self._in_a_row += 1
        if self._in_a_row >= MOST_ALONE:
            raise error
        return error

    def over(self) -> None:
        """The batch is done."""
        self._open.clear()
