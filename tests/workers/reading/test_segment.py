"""Segmentation: the text is covered exactly, sides and parts are found with and without line breaks."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pack_loader import load_pack
from workers.reading.document import Document
from workers.reading.segment import segment

SEGMENTATION = load_pack("breast").definition.segmentation
BILATERAL = """CLINICAL HISTORY: Bilateral masses.
FINAL DIAGNOSIS:
A. Breast, left, mastectomy: Invasive ductal carcinoma, 2.1 cm.
B. Sentinel node, left axilla: Negative (0/2).
C. Breast, right, mastectomy: Invasive lobular carcinoma, 1.0 cm.
GROSS DESCRIPTION:
A. The specimen weighs 400 g.
C. The specimen weighs 380 g.
ADDENDUM: Receptors were ordered.
"""
FRAGMENTS = (
    *("FINAL DIAGNOSIS:", "Gross description.", "ADDENDUM", "SYNOPTIC REPORT", "comment:", "A. ", "B) ", "1. "),
    *("left breast", "Right axilla", "Laterality: left", "uterus", "carcinoma", "5 cm", ". ", "\n", "\n\n", " ", ";"),
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))


def read(text: str) -> Document:
    """The document of a text under the breast pack."""
    return segment(text, SEGMENTATION)


def section_key(document: Document, offset: int) -> str:
    """The key of the one section that holds the character at an offset."""
    (key,) = (section.key for section in document.sections if section.start <= offset < section.end)
    return key


def without_breaks(text: str) -> str:
    """The text as one line, the way optical reading returns it: each old line ends in a full stop."""
    return " ".join(line if line.endswith((".", ":")) else f"{line}." for line in text.splitlines())


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_sections_and_passages_cover_the_text(text: str):
    """Sections and passages follow each other without gap or overlap, from the first character to the last."""
    document = read(text)
    for pieces in (document.sections, document.passages):
        assert pieces[0].start == 0
        assert pieces[-1].end == len(text)
        assert all(before.end == after.start for before, after in pairwise(pieces))


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_offsets_are_valid_and_stable(text: str):
    """Every offset lies in the text, every block's spans are ordered, and the same text gives the same document."""
    document = read(text)
    assert document == read(text)
    for block in document.blocks:
        assert all(0 <= start <= end <= len(text) for start, end in block.spans)
        assert list(block.spans) == sorted(block.spans)
    for section in document.sections:
        assert section.start <= section.body <= section.end
    for offset in range(0, len(text), 7):
        assert section_key(document, offset)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_text_of_one_side_never_crosses(text: str):
    """No block holds a character of a passage that names the other side."""
    document = read(text)
    for block in document.blocks:
        for passage in document.passages:
            if passage.side not in (None, block.side) and passage.end > passage.start:
                assert not block.holds(passage.start, passage.end)


@pytest.mark.parametrize("text", [BILATERAL, without_breaks(BILATERAL)], ids=["lines", "no lines"])
def test_bilateral_report_has_two_blocks(text: str):
    """Each side gets its own parts and the text of no side, with or without line breaks."""
    document = read(text)
    left, right = document.blocks
    assert (left.key, right.key) == ("breast-left", "breast-right")
    assert [(part.part, part.side) for part in document.specimens] == [("A", "left"), ("B", "left"), ("C", "right")]
    words = {"2.1 cm": (True, False), "1.0 cm": (False, True), "Receptors": (True, True), "380 g": (False, True)}
    for word, expected in words.items():
        start = text.index(word)
        assert (left.holds(start, start + 1), right.holds(start, start + 1)) == expected


def test_switch_ends_the_last_parts_side():
    """Text after the last part follows the side it switches to; a report of one side knows no switches."""
    both = read("DIAGNOSIS:\nA. Left breast: x.\nB. Right breast: y.\nLeft: pT1. Grade 1. Right: pT2. Grade 3.\n")
    sides = {word: both.passage_at(both.text.index(word)).side for word in ("pT1", "Grade 1", "pT2", "Grade 3")}
    assert sides == {"pT1": "left", "Grade 1": "left", "pT2": "right", "Grade 3": "right"}
    one = read("DIAGNOSIS:\nA. Left breast: carcinoma.\nMargins: Left: 2 mm. Right: 3 mm.\n")
    assert [block.key for block in one.blocks] == ["breast-left"]


def test_swapped_parts_keep_their_sides():
    """Keys follow the side, not the order in the text."""
    first = "DIAGNOSIS:\nA. Left breast: carcinoma.\nB. Right breast: carcinoma.\n"
    second = "DIAGNOSIS:\nA. Right breast: carcinoma.\nB. Left breast: carcinoma.\n"
    assert [block.key for block in read(first).blocks] == [block.key for block in read(second).blocks]
    assert read(second).blocks[0].parts == ("B",)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("FINAL DIAGNOSIS:", "diagnosis"),
        ("Final Pathologic Diagnosis:", "diagnosis"),
        ("Diagnosis.", "diagnosis"),
        ("SYNOPTIC REPORT - BREAST.", "synoptic"),
        ("ADDENDUM 2:", "addendum"),
        ("Amended report:", "addendum"),
        ("MICROSCOPIC DESCRIPTION:", "microscopic"),
        ("Gross description:", "gross"),
        ("CLINICAL HISTORY:", "history"),
        ("PRE-OP DIAGNOSIS:", "history"),
        ("FROZEN SECTION DIAGNOSIS:", "intraoperative"),
        ("Immunohistochemistry results:", "receptors"),
        ("SPECIMEN(S):", "specimens"),
        ("Comment:", "comment"),
        ("LINAL DIAGNOSTS: Breast", "diagnosis"),
        ("MICROSCOPIC EXAM/DIAGNOSIS: Breast", "diagnosis"),
        ("HISTOLOGICAL FINDINGS: Breast", "microscopic"),
        ("SNOMED codes: M85003", "boilerplate"),
    ],
)
def test_headers_are_known(header: str, key: str):
    """The usual headers of reports open their section."""
    document = read(f"Some opening words.\n{header} the text of it.")
    assert section_key(document, document.text.index("the text")) == key


def test_a_word_inside_a_sentence_is_no_header():
    """The word diagnosis in running text opens nothing."""
    document = read("Findings support the diagnosis of carcinoma. The history is long. Compatible with the. diagnosis.")
    assert [section.key for section in document.sections] == ["opening"]


def test_note_between_parts_does_not_swallow_the_next_part():
    """After a comment on part A, part B belongs to the diagnosis again."""
    document = read(
        "DIAGNOSIS:\nA. Left breast, biopsy: benign.\nComment: See above.\nB. Left breast, core: carcinoma.\n"
    )
    assert section_key(document, document.text.index("carcinoma")) == "diagnosis"


def test_other_organs_specimen_is_left_out():
    """What was said of a uterus sent with the breast belongs to no primary of the breast."""
    text = "DIAGNOSIS:\nA. Uterus, hysterectomy: Carcinoma of 5 cm.\nB. Left breast, excision: Carcinoma of 2 cm.\n"
    (block,) = read(text).blocks
    assert not block.holds(text.index("5 cm"), text.index("5 cm") + 4)
    assert block.holds(text.index("2 cm"), text.index("2 cm") + 4)


@pytest.mark.parametrize(
    "unit", [" ", "\n", "A. ", "DIAGNOSIS: ", "left breast. right breast. ", "x", "history ", "\n "]
)
def test_long_runs_are_cut_whole(unit: str):
    """A hundred kilobytes of any repeated piece are covered (a reader that goes back over runs would hang here)."""
    text = unit * (100_000 // len(unit))
    document = read(text)
    assert document.passages[-1].end == document.sections[-1].end == len(text)


def test_a_line_whose_dots_lead_to_an_answer_is_no_header():
    """Dots that lead to an answer on the same line make a line of a list, not a section."""
    document = read("Procedure ........ Mastectomy\nLaterality ....... Left\nComment .......... None\n")
    assert [section.key for section in document.sections] == ["opening"]
    assert [block.side for block in document.blocks] == ["left"]


def test_a_list_of_answers_after_the_procedure_is_a_synoptic():
    """Headers that count only within a section of some kinds open one there, and are text elsewhere."""
    after_procedure = read("Procedure: Mastectomy\nHistologic type: Ductal carcinoma\n")
    in_diagnosis = read("DIAGNOSIS: Mastectomy\nHistologic type: Ductal carcinoma\n")
    assert [section.key for section in after_procedure.sections] == ["specimens", "synoptic"]
    assert [section.key for section in in_diagnosis.sections] == ["diagnosis"]
