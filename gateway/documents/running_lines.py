"""Joins pages where a sentence runs from one to the next, over the header and the footer that stand between its halves.

A line counts as a header or footer where it comes again, the same but for a page's number, among the first or the last
lines of half of the pages or more. It goes only where it breaks a sentence: anywhere else it may be a heading that holds
for what follows.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gateway.documents.page_layout import PageLayout

PAGE_GAP = "\n\n"
_DEPTH = 6  # lines at the top and at the foot of a page
_OF_PAGES = r"\d+(?:\s*(?:of|von|/)\s*\d+)?"
_PAGE_NUMBER = re.compile(rf"\b(?:page|seite)\s*{_OF_PAGES}|^[\s–-]*{_OF_PAGES}[\s–-]*$")
_SENTENCE_END = re.compile(r"[.:;!?]\W*$")
_GOES_ON = re.compile(r"(?![a-z][.)]\s)[a-zà-öø-ÿ(]|\d+(?:[.,]\d+)?\s?(?:cm|mm|%)")


def joined_pages(pages: Sequence[PageLayout]) -> list[tuple[str, PageLayout]]:
    """Each page with what parts it from the one before; without what is between the halves of a sentence."""
    lines = [page.text.split("\n") for page in pages]
    heads, feet = [_outermost(one) for one in lines], [_outermost(one[::-1]) for one in lines]
    often = [Counter(line for page in ends for line in set(page)) for ends in (heads, feet)]
    bounds = [[0, len(one)] for one in lines]
    gaps = ["", *[PAGE_GAP] * (len(pages) - 1)]
    for number in range(1, len(pages)):
        foot, top = _running(feet[number - 1], often[1], len(pages)), _running(heads[number], often[0], len(pages))
        end = max(len(lines[number - 1]) - foot, bounds[number - 1][0])
        if _runs_on("\n".join(lines[number - 1][:end]), "\n".join(lines[number][top:])):
            bounds[number - 1][1], bounds[number][0], gaps[number] = end, top, "\n"
    return [(gap, _part(page, *bound)) for gap, page, bound in zip(gaps, pages, bounds, strict=True)]


def _runs_on(before: str, after: str) -> bool:
    ending = before.rstrip()
    return bool(ending) and not _SENTENCE_END.search(ending[-20:]) and _GOES_ON.match(after.lstrip()) is not None


def _outermost(lines: Sequence[str]) -> list[str]:
    """The first lines as they are compared."""
    return [_PAGE_NUMBER.sub("#", " ".join(line.lower().split())) for line in lines[:_DEPTH]]


def _running(own: Sequence[str], often: Counter[str], pages: int) -> int:
    """How many of a page's outermost lines come again on other pages, blank lines around them included."""
    count = 0
    for number, line in enumerate(own, start=1):
        if line and often[line] < max(2, pages / 2):
            break
        count = number
    return count


def _part(page: PageLayout, first: int, last: int) -> PageLayout:
    """The page's lines from the first to before the last, with what is known of their places."""
    lines = page.text.split("\n")
    if (first, last) == (0, len(lines)):
        return page
    start = sum(len(line) + 1 for line in lines[:first])
    text = "\n".join(lines[first:last])
    inside = [run for run in page.runs if start <= run.start and run.end <= start + len(text)]
    return PageLayout(text, tuple(replace(run, start=run.start - start, end=run.end - start) for run in inside))
