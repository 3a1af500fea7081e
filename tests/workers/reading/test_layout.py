"""Answers beside their labels: forms that lost their columns, tables of two sides, empty boxes."""

import pytest

from schemas.findings import Status
from schemas.layout import ColumnHead, FormLabel, LayoutRules, TickStyle
from schemas.pack_loader import load_pack
from workers.reading.layout import LaidOut, lay_out
from workers.reading.report_reading import PrimaryReading, read_report

RULES = LayoutRules(
    ticks=(TickStyle(ticked=r"_[xX]_", empty=r"_{2,}(?![xX])", beside=True),),
    labels=(
        FormLabel(words=r"side", answers=r"left|right"),
        FormLabel(words=r"size, (?:cm|mm)", answers=r"\d"),
        FormLabel(words=r"ER(?: \([^)]*\))?|PR", answers=r"pos|neg|\d"),
        FormLabel(words=r"(?:pathologic )?T", answers=r"p?T\d|\d[a-d]?\b", says="pT"),
        FormLabel(words=r"margins"),
    ),
    heads=(ColumnHead(words="left", title="Left breast"), ColumnHead(words="right", title="Right breast")),
    first_head="item",
    no_answer="not|see",
    page_breaks=r"\bpage \d",
)


def _squeezed(laid: LaidOut) -> str:
    return " | ".join(line.strip() for line in laid.text.splitlines() if line.strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Side\nER\nPR\nLeft\npos\nneg\nEnd", "Side: Left | ER: pos | PR: neg | End"),
        ("Side. ER. PR. Left. pos. neg. Margins are free.", "Side: Left | ER: pos | PR: neg | Margins are free."),
        ("Side\nSize, cm\nER\n- page 2 -\nLeft\n2.1\n95 %", "Side: Left | Size, cm: 2.1 cm | ER: 95 % | - page 2 -"),
        ("Side:\nClip:\nER:\nPR:\nLeft\ncoil\npos\nneg", "Side: Left | Clip: coil | ER: pos | PR: neg"),
        ("Right\npos\nT2\n:Side\n:ER\n:T", "Side: Right | ER: pos | pT: T2"),
        ("Side\nER\nPR\nMargins\nLeft\nneg\nnot done\nfree", "Side: Left | ER: neg | PR: not done | Margins: free"),
    ],
)
def test_answers_in_a_row_stand_beside_labels_in_a_row(text: str, expected: str) -> None:
    """In lines and in sentences, over a page break, before the labels, and with a unit that only the label names."""
    assert _squeezed(lay_out(text, RULES)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Side: left\nER: pos\nPR: neg",
        "Side\nLeft\nER\npos\nPR\nneg",
        "ER, PR and margins follow. Left. Right.",
        "Side\nER\nPR\nThe slides were seen by two pathologists.\nThey agree.\nThe surgeon was told.",
        "",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    """Answers already beside their labels, or no answers that fit: nothing changes."""
    laid = lay_out(text, RULES)
    assert laid.text == text
    assert laid.before is None


def test_columns_of_a_table_become_lists() -> None:
    """Each side's answers stand together, under the side's title, whichever side comes first."""
    text = "Item | Right | Left\nER | 0 % | 90 %\nSize, mm  12  30\nT 1c 2\nNotes"
    expected = (
        "Right breast: | ER: 0 % | Size, mm: 12 mm | pT: 1c | Left breast: | ER: 90 % | Size, mm: 30 mm | pT: 2 | Notes"
    )
    assert _squeezed(lay_out(text, RULES)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Item | Value\n| ER | pos |\n| Size, cm | 2.2 |\n| T | 1c |",
            "Item | Value | ER: pos | Size, cm: 2.2 cm | pT: 1c",
        ),
        ("Side     left\nER\tneg\nMargins  free", "Side: left | ER: neg | Margins: free"),
        ("Side     left\nER\tneg\nThe margins follow.", "Side     left | ER\tneg | The margins follow."),
        ("ER  PR\npos  neg\nSide  left\nT  2", "ER  PR | pos  neg | Side  left | T  2"),
    ],
)
def test_label_and_answer_of_a_row_are_joined(text: str, expected: str) -> None:
    """Three rows or more of one label and an answer that fits it, whatever parts them; fewer stay."""
    assert _squeezed(lay_out(text, RULES)) == expected


def test_a_head_without_rows_is_no_table() -> None:
    """Two sides in a line say nothing alone."""
    assert lay_out("Left Right\nThe slides were seen.", RULES).before is None


def test_lines_between_rows_are_kept() -> None:
    """What stands among the rows of a table and is none is of no column, and is not lost."""
    laid = lay_out("Left   Right\nER  pos  neg\nSee the comment below.\nPR  neg  pos", RULES)
    assert _squeezed(laid).startswith("See the comment below. | Left breast:")


def test_rows_further_below_are_of_no_head() -> None:
    """A specimen's title that reads like the head of a table leaves the diagnosis under it where it is."""
    text = "Left, right:\nCarcinoma, grade 2.\nER  pos  95 %\nPR  neg  0 %\n"
    assert lay_out(text, RULES).text == text


def test_options_of_empty_boxes_are_left_out() -> None:
    """Only what is ticked stays; blanks of a text without any tick stay too."""
    assert (
        _squeezed(lay_out("Side __ Left _X_ Right\n__ pT1\n_x_ pT2. __ pT3. Free", RULES))
        == "Side  Right | pT2. . Free"
    )
    assert lay_out("ER ____ positive", RULES).text == "ER ____ positive"


def test_every_place_leads_back() -> None:
    """A place in the new text is that of the same words in the old one; of label and answer together, the answer's."""
    text = "Seen.\nSide\nER\nPR\nLeft\npos\nneg\nEnd " + "of the report " * 20
    laid = lay_out(text, RULES)
    start = laid.text.index("ER: pos")
    assert text[slice(*laid.origin(start, start + 2))] == "ER"
    assert text[slice(*laid.origin(start + 4, start + 7))] == "pos"
    assert text[slice(*laid.origin(laid.text.index("End"), laid.text.index("End") + 3))] == "End"
    assert [text[slice(*span)] for span in laid.origins(start, start + 7)] == ["ER", "pos"]


def test_of_a_label_far_from_its_answer_the_answer_is_the_place() -> None:
    """A stretch from a label to an answer that stood far behind it is no evidence; the answer is."""
    labels = [f"ER ({number})" for number in range(40)]
    text = "\n".join(["Side", *labels, "Left", *["pos"] * 40])
    laid = lay_out(text, RULES)
    start = laid.text.index("Side: Left")
    assert text[slice(*laid.origin(start, start + 10))] == "Left"


def _principal(text: str) -> PrimaryReading:
    return next(reading for reading in read_report(text, load_pack("breast")) if reading.principal)


_CELLS = (
    "Laterality", "Histologic type", "Invasive tumor size", "Nottingham grade", "Lymphovascular invasion", "Nodes examined",
    "Nodes positive", "Pathologic T", "Pathologic N", "Estrogen receptor", "Progesterone receptor", "HER2",
    "Left", "Invasive lobular carcinoma", "3.4 cm", "2", "Not identified", "12", "0", "pT2", "pN0", "Positive, 90 %", "0 %", "1+",
)  # fmt: skip


@pytest.mark.parametrize("between", ["\n", ". "])
def test_a_form_without_its_columns_is_read_whole(between: str) -> None:
    """All labels, then all answers: every task is coded, and its evidence is in the text that came in."""
    text = between.join(("Breast, mastectomy", *_CELLS, "Signed."))
    reading = _principal(text)
    values = {task: label.value for task, label in reading.labels.items() if label.status is Status.CODED}
    assert reading.laterality == "left"
    assert {task: values[task] for task in ("T", "N", "grade", "ER", "PR", "HER2")} == {
        "T": "T2", "N": "N0", "grade": "G2", "ER": "positive", "PR": "negative", "HER2": "negative"
    }  # fmt: skip
    assert "1+" in text[slice(*reading.labels["HER2"].spans[0])]


def test_a_table_of_both_sides_gives_each_its_own() -> None:
    """The right tumour is the larger; its receptors stand in the second column."""
    text = (
        "A. Left breast, excision: invasive ductal carcinoma, 8 mm, pT1b.\nB. Right breast, mastectomy: invasive ductal "
        "carcinoma, 31 mm, pT2.\nImmunohistochemistry\n      Left     Right\nER    90 %     0 %\nPR    70 %     0 %\nHER2  0        3+\n"
    )
    sides = {reading.laterality: reading for reading in read_report(text, load_pack("breast"))}
    assert sides["right"].principal
    assert [sides["left"].labels[task].value for task in ("ER", "PR", "HER2")] == ["positive", "positive", "negative"]
    assert [sides["right"].labels[task].value for task in ("ER", "PR", "HER2")] == ["negative", "negative", "positive"]


def test_boxes_that_are_not_ticked_say_nothing() -> None:
    """A checklist's other options are no values, nor is its other side."""
    text = (
        "Breast, excision. Specimen laterality ___ Right _X_ Left. Histologic type _X_ Invasive ductal carcinoma. "
        "Primary tumor: ___ pT1c _X_ pT2 ___ pT3. Regional nodes: ___ pN0 ___ pN1a. Distant metastasis ___ pM1."
    )
    reading = _principal(text)
    assert (reading.laterality, reading.labels["T"].value) == ("left", "T2")
    assert reading.labels["N"].status is Status.NOT_STATED
    assert reading.labels["M"].status is Status.NOT_STATED


def test_more_labels_than_any_form_has_are_no_form() -> None:
    """Of a text of nothing but labels and answers, nothing is paired."""
    assert lay_out("\n".join([*["ER"] * 61, *["pos"] * 61]), RULES).before is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ER: positive [ ] negative [x]", "ER:  negative "),
        ("ER positive [ ] negative [x]\nPR positive [x] negative [ ]", "ER  negative  | PR positive "),
        ("ER: ✗ positive ✓ negative", "ER:  negative"),
        ("[x] Left\n[ ] HER2 positive   PR positive", "Left | PR positive"),
        ("[x] Left\n[ ] HER2 positive PR positive", "Left | PR positive"),
        ("ER: [ ] positive [✓] negative", "ER:  negative"),
        ("ER: [ ] positive [x] negative", "ER:  negative"),
    ],
)
def test_an_empty_box_takes_its_own_option_only(text: str, expected: str) -> None:
    """Boxes stand before or after their options, and a blank between a label and its value is no box."""
    laid = _squeezed(lay_out(text, load_pack("breast").definition.layout))
    assert laid.split() == expected.split()
