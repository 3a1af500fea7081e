"""Pairs two lists in order, so that what is paired fits best."""

from collections import Counter
from collections.abc import Sequence

_SKIPPED = -2


def align(fits: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs of rows and columns, both rising, of which the fits add up to the most; a fit of 0 is none.

    A row without a partner costs something, and so does a column before the last pair; columns after it are free. A pair
    is left out where another alignment of the same total gives one of the two another partner.
    """
    rows, columns = len(fits), len(fits[0]) if fits else 0
    ahead = _totals(fits, rows, columns, _SKIPPED)
    turned = [list(reversed(row)) for row in reversed(fits)]
    behind = _totals(turned, rows, columns, 0)
    total = max(ahead[rows])
    through = [
        (row, column)
        for row in range(rows)
        for column in range(columns)
        if fits[row][column]
        and ahead[row][column] + fits[row][column] + behind[rows - row - 1][columns - column - 1] == total
    ]
    in_row, in_column = Counter(row for row, _ in through), Counter(column for _, column in through)
    return [(row, column) for row, column in through if in_row[row] == in_column[column] == 1]


def _totals(fits: Sequence[Sequence[int]], rows: int, columns: int, leading: int) -> list[list[int]]:
    """The best total of the first rows with the first columns, for each number of both; `leading` for each column before them."""
    totals = [[column * leading for column in range(columns + 1)]]
    for row in range(1, rows + 1):
        line = [totals[row - 1][0] + _SKIPPED]
        for column in range(1, columns + 1):
            fit = fits[row - 1][column - 1]
            ways = [totals[row - 1][column] + _SKIPPED, line[column - 1] + _SKIPPED]
            line.append(max([*ways, totals[row - 1][column - 1] + fit] if fit else ways))
        totals.append(line)
    return totals
