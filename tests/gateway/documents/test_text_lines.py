"""Lines from boxes: reading order, words broken by hyphens, and text that only looks like text."""

import pytest
from layouts_made import HEIGHT, WIDTH, characters, paragraph, whole_page

from gateway.documents.columns import Piece
from gateway.documents.text_lines import join_lines
from gateway.documents.text_quality import TextQuality

LEFT = (
    "The specimen is received in",
    "formalin and consists of one",
    "breast with attached skin of",
    "the upper outer quadrant and",
    "a firm white mass which has",
    "an irregular border.",
)
RIGHT = (
    "Sections show a carcinoma of",
    "ductal type which infiltrates",
    "the fat and touches no margin",
    "of the specimen. The nodes do",
    "not hold any metastasis, and",
    "the skin is free of tumor.",
)
LABELS = ("Procedure", "Tumor size", "Histologic type of the tumor", "Grade", "Margins", "Lymph nodes")
VALUES = ("mastectomy", "2.3 cm", "invasive ductal carcinoma", "G2", "free", "none of 14 positive")


def text_of(pieces: list[Piece]) -> str:
    """The text of a page with these pieces."""
    return join_lines(pieces, whole_page(WIDTH, HEIGHT)).text


def test_narrow_letters_side_by_side_are_two() -> None:
    """Only what is struck over itself counts once: the pairs of cell, fatty and Cassette stay."""
    assert text_of(paragraph(("cell, fatty, Cassette II",))) == "cell, fatty, Cassette II"


@pytest.mark.parametrize("shift", [0, 3, 6])
def test_columns_of_prose_are_read_one_after_the_other(shift: float) -> None:
    """A title over both comes first and a footer last, whether or not the lines of both columns stand level."""
    pieces = characters("SURGICAL PATHOLOGY REPORT OF THE DEPARTMENT, with a line over the whole page", 50, 20)
    pieces += paragraph(LEFT, 50) + paragraph(RIGHT, 310, 50 + shift)
    pieces += characters("This line below both of the columns goes over the whole width of the page again", 50, 140)
    lines = [line for line in text_of(pieces).split("\n") if line]
    assert lines[1:-1] == [*LEFT, *RIGHT]
    assert lines[0].startswith("SURGICAL")
    assert lines[-1].startswith("This line")


def test_three_columns_are_read_in_turn() -> None:
    """A column that is parted again is read again."""
    narrow = [line[:28] for line in LEFT]
    pieces = paragraph(narrow, 10) + paragraph(RIGHT, 200) + paragraph(narrow, 400)
    assert text_of(pieces).split("\n") == [*narrow, *RIGHT, *narrow]


def test_rows_of_labels_and_values_stay_lines() -> None:
    """A table has a free strip as well, and each value stays with its label."""
    rows = [f"{label}  {value}" for label, value in zip(LABELS, VALUES, strict=True)]
    assert text_of(paragraph(LABELS, 50) + paragraph(VALUES, 300)).split("\n") == rows


def test_labels_with_colons_are_no_column() -> None:
    """Labels as long as prose are labels still."""
    labels = tuple(line[:24] + ":" for line in LEFT)
    rows = [f"{label}  {value}" for label, value in zip(labels, RIGHT, strict=True)]
    assert text_of(paragraph(labels, 50) + paragraph(RIGHT, 310)).split("\n") == rows


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("invasive carci-", "noma of breast", "invasive carcinoma\nof breast"),
        ("a node-", "negative tumor", "a node-negative\ntumor"),
        ("a PR-", "positive tumor", "a PR-positive\ntumor"),
        ("fibro\u00ad", "adenomatoid change", "fibroadenomatoid\nchange"),
        ("INVASIVE CARCI-", "NOMA", "INVASIVE CARCINOMA"),
        ("A REEXCIS-", "ION MARGIN", "A REEXCISION\nMARGIN"),
        ("PR-", "POSITIVE", "PR-POSITIVE"),
        ("levels 2-", "3 examined", "levels 2-\n3 examined"),
        ("sentinel -", "negative", "sentinel -\nnegative"),
        ("Comment-", "The tumor", "Comment-\nThe tumor"),
    ],
)
def test_words_broken_at_a_line_end_are_whole_again(first: str, second: str, text: str) -> None:
    """Only where the hyphen breaks a word does it go; one between two words stays, and no number is joined."""
    assert text_of(paragraph((first, second))) == text


def test_mended_word_leads_back_to_both_lines() -> None:
    """The text has the word whole, and its two halves stand where they were drawn."""
    layout = join_lines(paragraph(("invasive carci-", "noma of breast")), whole_page(WIDTH, HEIGHT))
    at = layout.text.index("carcinoma")
    runs = [run for run in layout.runs if run.start < at + 9 and run.end > at]
    assert "".join(layout.text[max(run.start, at) : min(run.end, at + 9)] for run in runs) == "carcinoma"
    assert len({run.from_y for run in runs}) == 2


def test_hyphen_in_a_row_of_a_table_joins_nothing() -> None:
    """The line below a row begins in another cell."""
    pieces = paragraph(("Type", "noma")) + paragraph(("invasive carci-", "of the breast"), 300)
    assert text_of(pieces) == "Type  invasive carci-\nnoma  of the breast"


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        (" ".join(LEFT + RIGHT), True),
        ("pT2 pN0", True),
        ("Die Patientin hat einen Tumor der linken Mamma, der mit dem Rand nicht in Kontakt ist. " * 3, True),
        ("Wkh vshflphq lv uhfhlyhg lq irupdolq dqg frqvlvwv ri rqh euhdvw zlwk dwwdfkhg vnlq " * 3, False),
        ("\ue001\ue002\ue003 \ue004\ue005 pT2", False),
        ("7 + 3 / 2 ; : ( ab ) . , - = % & * # @ ! ? ~ ^ | < > 5 4 3 2 1 ab , . " * 30, False),
    ],
)
def test_text_layer_without_sense_is_told_from_text(text: str, readable: bool) -> None:
    """Letters in place of other letters, private signs and mere marks are no text; a few unknown words are."""
    assert TextQuality.of(text).is_readable is readable
