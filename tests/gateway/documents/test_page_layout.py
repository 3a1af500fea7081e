"""Where text stands on its page: runs, their packing, and the boxes of a span."""

from hypothesis import given, settings
from hypothesis import strategies as st
from layouts_made import HEIGHT, WIDTH, characters, paragraph, whole_page

from gateway.documents.page_layout import PageLayout, Run, append_layouts, boxes, pack_runs, unpack_runs
from gateway.documents.text_lines import join_lines
from schemas.messages import PageSpan

WORDS = st.lists(st.text("aiMtgä3().", min_size=1, max_size=9), min_size=1, max_size=8)
PAGES = st.lists(WORDS.map(" ".join), min_size=1, max_size=12)
CORNERS = st.integers(0, 1000)


def layout_of(lines: list[str]) -> PageLayout:
    """A page of these lines."""
    return join_lines(paragraph(lines), whole_page(WIDTH, HEIGHT))


def page_of(layout: PageLayout, start: int = 0) -> PageSpan:
    """The page as it travels with the report's text, which holds it from `start` on."""
    packed = tuple(pack_runs(layout.runs))
    return PageSpan(page=1, start=start, end=start + len(layout.text), reader="digital", layout=packed)


@settings(max_examples=100, deadline=None)
@given(PAGES)
def test_every_kept_character_lies_in_exactly_one_run(lines: list[str]) -> None:
    """Runs are in order and apart, within the text, and leave out nothing but white space."""
    layout = layout_of(lines)
    covered = [at for run in layout.runs for at in range(run.start, run.end)]
    assert covered == sorted(set(covered))
    outside = set(range(len(layout.text))) - set(covered)
    assert len(covered) + len(outside) == len(layout.text)
    assert all(layout.text[at].isspace() for at in outside)


@settings(max_examples=100, deadline=None)
@given(PAGES, st.data())
def test_boxes_of_a_span_lie_within_its_line(lines: list[str], data: st.DataObject) -> None:
    """Each character's box lies in the strip of its line, and half a letter or less from where it was drawn."""
    layout = layout_of(lines)
    page = page_of(layout, start=7)
    row = data.draw(st.integers(0, len(lines) - 1))
    start = 7 + sum(len(line) + 1 for line in lines[:row])
    drawn = iter(characters(lines[row], 50, 50 + 12 * row))
    for at, sign in enumerate(lines[row]):
        if sign == " ":
            continue
        piece = next(drawn)
        ((left, top, right, bottom),) = boxes(page, start + at, start + at + 1)
        assert (top, bottom) == (round(piece.top / HEIGHT * 1000), round(piece.bottom / HEIGHT * 1000))
        assert abs(left - piece.left / WIDTH * 1000) <= 6
        assert abs(right - piece.right / WIDTH * 1000) <= 6


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), CORNERS, CORNERS, CORNERS, CORNERS), max_size=30))
def test_packed_runs_come_back(parts: list[tuple[int, int, int, int, int, int]]) -> None:
    """Packing loses nothing, whatever the direction of the text."""
    runs: list[Run] = []
    end = 0
    for gap, length, *corners in parts:
        runs.append(Run(end + gap, end + gap + length, *corners))
        end = runs[-1].end
    assert list(unpack_runs(pack_runs(runs))) == runs


def test_span_over_two_lines_has_a_box_on_each() -> None:
    """A quote that goes on below is drawn as two boxes; several words on one line are one."""
    page = page_of(layout_of(["Tumor size two", "centimeters here"]))
    first, second = boxes(page, 6, 26)
    assert first[3] <= second[1]
    assert second[0] < first[0]


def test_text_without_a_layout_has_no_boxes() -> None:
    """Plain text, HTML and RTF have no place on a page, nor has what another page holds."""
    plain = PageSpan(page=1, start=0, end=20, reader="plain")
    assert boxes(plain, 0, 5) == ()
    assert boxes(page_of(layout_of(["pT2"]), start=30), 0, 5) == ()


def test_text_on_its_side_is_cut_along_its_own_line() -> None:
    """Half of a run that reads downwards is its upper half; one that reads from right to left, its right half."""
    assert Run(0, 10, 300, 100, 280, 500).box(0, 5) == (280, 100, 300, 300)
    assert Run(0, 10, 900, 620, 500, 600).box(0, 5) == (700, 600, 900, 620)


def test_layouts_follow_each_other_a_blank_line_apart() -> None:
    """Runs of the second move along with its text; one without text leaves no gap."""
    joined = append_layouts(
        [PageLayout("pT2", (Run(0, 3, 0, 0, 9, 9),)), PageLayout(" "), PageLayout("pN0", (Run(0, 3, 5, 5, 9, 9),))]
    )
    assert joined.text == "pT2\n\npN0"
    assert [(run.start, run.end) for run in joined.runs] == [(0, 3), (5, 8)]


def test_a_page_of_prose_costs_less_than_twice_its_text() -> None:
    """Runs stretch over letters as long as a straight line places them, so that a message stays small."""
    layout = layout_of(["Left breast mastectomy with invasive ductal carcinoma and margins free of tumor"] * 40)
    assert len(",".join(map(str, pack_runs(layout.runs)))) < 2 * len(layout.text)
