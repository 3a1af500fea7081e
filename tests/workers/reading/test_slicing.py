"""Slicing: whole lines around anchors, the first anchors first, always in reading order."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.pack_loader import load_pack
from workers.reading.slicing import slice_report

LINES = [f"line {number}" for number in range(20)]
TEXT = "\n".join(LINES)
ANCHORS = tuple(anchor for task in load_pack("breast").definition.tasks for anchor in task.anchors)


def whole(text: str) -> list[tuple[int, int]]:
    """The span of the whole text."""
    return [(0, len(text))]


def test_lines_around_an_anchor():
    """An anchor brings as many lines before and after it as asked."""
    assert slice_report(TEXT, whole(TEXT), ["line 7"], 2).split("\n") == LINES[5:10]


def test_overlapping_windows_merge_in_reading_order():
    """Windows that touch are one, and a later anchor's earlier line still comes first."""
    assert slice_report(TEXT, whole(TEXT), [r"line 12\b", r"line 9\b"], 2).split("\n") == LINES[7:15]


def test_first_anchors_stay_where_space_is_short():
    """With room for two lines, the most important anchor's line and its nearest neighbour remain."""
    assert slice_report(TEXT, whole(TEXT), [r"line 12\b", r"line 3\b"], 2, limit=16).split("\n") == LINES[11:13]


def test_without_an_anchor_the_first_lines_stand():
    """A text that holds no anchor is cut from its beginning."""
    assert slice_report(TEXT, whole(TEXT), ["nowhere"], 1, limit=13).split("\n") == LINES[:2]


def test_sentences_are_the_lines_of_text_without_breaks():
    """Where line breaks were lost, a sentence is a line, and a part's letter stays with it."""
    text = "DIAGNOSIS: A. Left breast. Carcinoma present. Margins free. pT2 stated. Nothing else."
    assert slice_report(text, whole(text), ["carcinoma"], 0) == "Carcinoma present."
    assert slice_report(text, whole(text), ["left"], 0) == "DIAGNOSIS: A. Left breast."


def test_text_outside_the_spans_never_appears():
    """Lines of the other side are not taken, however near they stand."""
    spans = [(0, TEXT.index("line 5")), (TEXT.index("line 9"), len(TEXT))]
    kept = slice_report(TEXT, spans, ["line 4", "line 7"], 3).split("\n")
    assert not set(kept) & {"line 5", "line 6", "line 7", "line 8"}


@given(st.text(alphabet="aT2. \n:pG", max_size=200), st.integers(0, 4), st.one_of(st.none(), st.integers(0, 80)))
def test_slice_is_made_of_the_text_within_its_limit(text: str, lines: int, limit: int | None):
    """A slice holds only lines of the text, in their order, and keeps to its limit."""
    cut = slice_report(text, whole(text), ANCHORS, lines, limit)
    position = 0
    for line in cut.split("\n"):
        position = text.index(line, position) + len(line)
    assert limit is None or len(cut) <= limit
    assert cut == slice_report(text, whole(text), ANCHORS, lines, limit)
