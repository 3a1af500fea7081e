"""Where a page's text stands on the page: runs of characters with boxes, packed small enough to travel with the text.

A run is a stretch of one line whose characters a straight line between its two corners places well enough, so a word
or more. Its corners are thousandths of the page's width and height from its top left, as the page is shown: `from` is
the corner where reading begins (at the top of the first letter), `to` the one where it ends (at the bottom of the last),
so that their signs tell the direction of the text, and text on its side is cut along its own line.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from schemas.messages import PageSpan

THOUSANDTHS = 1000
_GAP = "\n\n"

Box = tuple[int, int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Run:
    """Characters `start` to `end` of the page's text, between two corners."""

    start: int
    end: int
    from_x: int
    from_y: int
    to_x: int
    to_y: int

    @classmethod
    def between(cls, start: int, end: int, beginning: Point, ending: Point) -> "Run":
        """A run from corner to corner, kept on the page."""
        return cls(start, end, *(min(max(round(corner), 0), THOUSANDTHS) for corner in (*beginning, *ending)))

    def box(self, start: int, end: int) -> Box:
        """The box (left, top, right, bottom) of the characters of this run that lie in `start` to `end`."""
        first = (max(start, self.start) - self.start) / (self.end - self.start)
        last = (min(end, self.end) - self.start) / (self.end - self.start)
        across, down = self.to_x - self.from_x, self.to_y - self.from_y
        horizontal, vertical = (self.from_x, self.to_x), (self.from_y, self.to_y)
        if (across < 0) == (down < 0):
            horizontal = round(self.from_x + first * across), round(self.from_x + last * across)
        else:
            vertical = round(self.from_y + first * down), round(self.from_y + last * down)
        return min(horizontal), min(vertical), max(horizontal), max(vertical)


@dataclass(frozen=True, repr=False)
class PageLayout:
    """A page's text and its runs, in the order of the text and apart; no runs where nothing is known of the place."""

    text: str
    runs: tuple[Run, ...] = ()


def append_layouts(layouts: Sequence[PageLayout]) -> PageLayout:
    """The layouts that hold text one after the other, with a blank line between."""
    parts: list[str] = []
    runs: list[Run] = []
    length = 0
    for layout in layouts:
        if layout.text.strip():
            length += len(_GAP) if parts else 0
            runs += (replace(run, start=run.start + length, end=run.end + length) for run in layout.runs)
            parts.append(layout.text)
            length += len(layout.text)
    return PageLayout(_GAP.join(parts), tuple(runs))


def pack_runs(runs: Sequence[Run]) -> list[int]:
    """Small numbers, by rows of runs of one height: the way down to the row, its height, how many runs it has; of each,
    the gap to the one before it in the text, its length, the way right from where that one ended, and its width.
    """
    packed: list[int] = []
    end = x = y = 0
    for (top, bottom), row in groupby(runs, key=lambda run: (run.from_y, run.to_y)):
        members = list(row)
        packed += (top - y, bottom - top, len(members))
        y = top
        for run in members:
            packed += (run.start - end, run.end - run.start, run.from_x - x, run.to_x - run.from_x)
            end, x = run.end, run.to_x
    return packed


def unpack_runs(packed: Sequence[int]) -> Iterator[Run]:
    """The runs that `pack_runs` packed."""
    numbers = iter(packed)
    end = x = y = 0
    for down in numbers:
        y += down
        height, count = next(numbers), next(numbers)
        for _ in range(count):
            start = end + next(numbers)
            end = start + next(numbers)
            left = x + next(numbers)
            x = left + next(numbers)
            yield Run(start, end, left, y, x, y + height)


def boxes(page: PageSpan, start: int, end: int) -> tuple[Box, ...]:
    """Where the characters `start` to `end` of the report's text stand on the page: one box for each line they touch.

    Empty where the page has no layout (plain text, HTML, RTF) or holds none of them.
    """
    runs = list(unpack_runs(page.layout))
    first, last = start - page.start, end - page.start
    at = max(bisect_right([run.start for run in runs], first) - 1, 0)
    found: list[Box] = []
    for run in runs[at:]:
        if run.start >= last:
            break
        if run.end > first:
            _add(found, run.box(first, last))
    return tuple(found)


def _add(found: list[Box], box: Box) -> None:
    """Append the box, or widen the last one where both stand on one line, side by side."""
    left, top, right, bottom = box
    if found:
        before = found[-1]
        shared = min(bottom, before[3]) - max(top, before[1])
        if 2 * shared > min(bottom - top, before[3] - before[1]) and left >= before[0]:
            found[-1] = (before[0], min(top, before[1]), max(right, before[2]), max(bottom, before[3]))
            return
    found.append(box)
