"""Options of boxes that nobody ticked are left out; those of ticked ones stay."""

from itertools import pairwise

import pytest

from schemas.layout import FormLabel, LayoutRules, TickStyle
from workers.reading.boxes import Boxes

BOXES = Boxes(
    LayoutRules(
        ticks=(
            TickStyle(ticked=r"_+[xX]_+", empty=r"(?<!_)_{2,12}(?!_|[xX]_)", blank=True),
            TickStyle(ticked=r"\[[xX]\]", empty=r"\[ ?\]"),
        ),
        labels=(FormLabel(words="ER|PR", answers="pos|neg"), FormLabel(words="grade", answers=r"[123]")),
    )
)


def _shown(text: str) -> str:
    """The text without what is left out, and without runs of white space."""
    kept, at = [], 0
    for start, end in BOXES.dropped(text):
        kept.append(text[at:start])
        at = end
    return " ".join("".join([*kept, text[at:]]).split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ER: [ ] positive [x] negative", "ER: negative"),
        ("ER: [x] positive [ ] negative", "ER: positive"),
        ("[ ] Grade 1\n[x] Grade 2\n[ ] Grade 3", "Grade 2"),
        ("___ Grade 1\n_x_ Grade 2\n___ Grade 3", "Grade 2"),
        ("ER: positive [x] negative [ ]", "ER: positive"),
    ],
)
def test_only_ticked_options_stay(text: str, shown: str) -> None:
    """Boxes stand before their options or behind them, in a line or in lines of their own."""
    assert _shown(text) == shown


@pytest.mark.parametrize("text", ["ER ____ positive", "No box stands here.", ""])
def test_text_without_a_list_of_boxes_stays(text: str) -> None:
    """A lone blank leads from a label to its value."""
    assert _shown(text) == text


def test_form_that_nobody_filled_in_says_nothing() -> None:
    """Where no box of a list is ticked, none of its options is an answer."""
    assert _shown("ER: [ ] positive [ ] negative") == "ER:"


def test_what_is_left_out_is_told_in_order_and_once() -> None:
    """Stretches do not overlap."""
    spans = list(BOXES.dropped("ER: [ ] positive [x] negative\nPR: [x] positive [ ] negative\n___ a\n_x_ b"))
    assert all(start < end for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
