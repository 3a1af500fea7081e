"""Verdicts and figures: when an identifier counts as found, when a removal is right, and what nobody can judge."""

from dataclasses import replace

import pytest

from schemas.messages import KnownIdentifier
from training.deidentification.annotated import AnnotatedText, Mark, Passage
from training.deidentification.figure_tables import figure_tables
from training.deidentification.figures import set_figures
from training.deidentification.misses import miss_lines
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.verdicts import Verdicts, judge
from workers.privacy.deidentify import TAGS


def _mark(text: str, words: str, harbor: SafeHarbor | None, **more: object) -> Mark:
    start = text.index(words)
    label = harbor.title if harbor else "job"
    return Mark(start, start + len(words), label, harbor, **more)  # type: ignore[arg-type]


def _judged(*texts: AnnotatedText) -> Verdicts:
    return judge("test", texts)


def test_a_mark_is_found_when_no_letter_or_digit_of_it_is_left() -> None:
    """Separators do not count; what is found in part is not found, but its characters are."""
    text = "Seen on 03/07/2014. Firm tissue by phone 617-555-0134 too."
    marks = (_mark(text, "03/07/2014.", SafeHarbor.DATE), _mark(text, "tissue by phone 617-555-0134", SafeHarbor.PHONE))
    date, phone = _judged(AnnotatedText(text, marks)).marks
    assert date.found
    assert date.tag == "DATE"
    assert not phone.found
    assert (phone.removed, phone.characters) == (10, 23)


def test_a_removal_is_right_when_it_overlaps_any_mark() -> None:
    """A mark that Safe Harbor does not name makes a removal right as well; a removal beside all marks is false."""
    text = "Seen on 03/07/2014 and 04/08/2015."
    (first, second) = _judged(AnnotatedText(text, (_mark(text, "03/07/2014", None),))).removals
    assert first.right
    assert not second.right


def test_what_goes_from_the_report_without_planting_is_not_judged() -> None:
    """In a planted text nobody marked the report's own identifiers; what only planting brought about is judged."""
    text = "Seen 03/07/2014. Name: Quillfeather\nThe quillfeather lesion."
    passage = Passage(text.index("Name"), text.index("\n") + 1, "open")
    marks = (_mark(text, "Quillfeather", SafeHarbor.NAME, known=True, group="open", spelling="as known"),)
    known = (KnownIdentifier(kind="NAME", value="Quillfeather"),)
    own, planted, brought = _judged(AnnotatedText(text, marks, known, (passage,))).removals
    assert (own.own, own.right) == (True, False)
    assert (planted.own, planted.right, planted.group) == (False, True, "open")
    assert (brought.own, brought.right) == (False, False)


def test_figures_count_by_class_tag_group_and_spelling() -> None:
    """Every mark is in one row of its class; removals are counted by tag; an own removal is not a false one."""
    text = "Seen 03/07/2014. Name: Quillfeather\nlesion."
    marks = (_mark(text, "Quillfeather", SafeHarbor.NAME, known=True, group="open", spelling="as known"),)
    known = (KnownIdentifier(kind="NAME", value="Quillfeather"),)
    planted = AnnotatedText(text, marks, known, (Passage(17, 36, "open"),))
    figures = set_figures(_judged(planted, planted), rounds=20)
    rows = {row.part: row for row in figures.summary}
    assert (rows["Safe Harbor"].found.cases, rows["Safe Harbor"].found.of) == (2, 2)
    assert (rows["Safe Harbor"].right.cases, rows["Safe Harbor"].right.of, rows["Safe Harbor"].own) == (2, 2, 2)
    assert rows["known to the resource"].found.value == 1.0
    assert rows["open carriers"].right.of == 2
    assert [row.part for row in figures.classes] == ["name"]
    assert [row.part for row in figures.spellings] == ["as known"]
    assert rows["Safe Harbor"].found.bounds.low == 1.0


def test_what_safe_harbor_does_not_name_stays_out_of_the_headline() -> None:
    """It has a row of its own by its label, and is part only of all that is marked."""
    text = "The baker was seen on 03/07/2014."
    marks = (_mark(text, "baker", None), _mark(text, "03/07/2014", SafeHarbor.DATE))
    figures = set_figures(_judged(AnnotatedText(text, marks)), rounds=5)
    assert {row.part: row.found.of for row in figures.summary} == {"Safe Harbor": 1, "everything marked": 2}
    assert [(row.part, row.found.value) for row in figures.apart] == [("job", 0.0)]
    titles = figure_tables([figures])
    assert "Marked in a set, not named by Safe Harbor" in titles
    assert "Known to the resource, by spelling" not in titles


def test_misses_are_listed_with_their_words_but_not_those_of_held_out_carriers() -> None:
    """Who improves the rules sees what was missed and wrongly removed, and nothing of what judges them."""
    text = "Firm tissue. Soft lesion. On 03/07/2014."
    marks = (
        _mark(text, "tissue", SafeHarbor.OTHER, group="open"),
        _mark(text, "lesion", SafeHarbor.OTHER, group="held-out"),
    )
    planted = AnnotatedText(text, marks)
    lines = list(miss_lines(_judged(planted), [planted]))
    assert [line["words"] for line in lines] == ["tissue", "03/07/2014"]
    held_out = replace(planted, held_out=True)
    assert not list(miss_lines(_judged(held_out), [held_out]))


@pytest.mark.parametrize("harbor", SafeHarbor)
def test_each_class_has_a_tag_that_de_identification_writes(harbor: SafeHarbor) -> None:
    """A class whose tag nobody writes could never be right."""
    assert harbor.tag in TAGS


def test_safe_harbor_has_its_eighteen_paragraphs() -> None:
    """A to R, each at least once."""
    assert {harbor.value.letter for harbor in SafeHarbor} == set("ABCDEFGHIJKLMNOPQR")
