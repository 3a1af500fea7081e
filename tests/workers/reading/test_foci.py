"""Which tumour mass a fact is of, and which masses are set aside."""

from collections.abc import Sequence

import pytest

from workers.reading.document import Document, Passage, Section
from workers.reading.facts import Fact
from workers.reading.foci import KIND, OTHER_FOCUS, by_focus

TEXT = "Tumor 1: 9 mm, ER negative. Tumor 2: 32 mm, ER positive. Nodes free."


def _document(text: str) -> Document:
    section = Section(key="diagnosis", priority=80, start=0, body=0, end=len(text))
    return Document(
        text=text,
        sections=(section,),
        passages=(Passage(start=0, end=len(text), section=section),),
        specimens=(),
        blocks=(),
    )


def _fact(kind: str, value: str, words: str, text: str = TEXT) -> Fact:
    start = text.index(words)
    return Fact(kind=kind, value=value, start=start, end=start + len(words), rule="test", section="diagnosis")


def _sizes(facts: Sequence[Fact]) -> list[float | None]:
    return [max((float(fact.value) for fact in facts if fact.kind == "size"), default=None)]


def _set_aside(facts: Sequence[Fact], text: str = TEXT) -> set[tuple[str, str]]:
    found = by_focus(facts, _document(text), ["ER"], _sizes)
    return {(fact.kind, fact.value) for fact in found if OTHER_FOCUS in fact.marks and fact.kind != KIND}


OPENERS = [_fact(KIND, "1", "Tumor 1"), _fact(KIND, "2", "Tumor 2")]
STATUS = [_fact("ER", "negative", "ER negative"), _fact("ER", "positive", "ER positive")]
MEASURED = [_fact("size", "9", "9 mm"), _fact("size", "32", "32 mm")]


def _ordered(*facts: Fact) -> list[Fact]:
    return sorted(facts, key=lambda fact: fact.start)


def test_facts_of_the_smaller_mass_are_set_aside() -> None:
    """Size decides, not the order in which masses are told."""
    assert _set_aside(_ordered(*OPENERS, *STATUS, *MEASURED)) == {("size", "9"), ("ER", "negative")}


def test_nothing_is_set_aside_where_a_mass_has_no_size() -> None:
    """It is not known which mass is the largest, so what differs is left to contradict."""
    assert _set_aside(_ordered(*OPENERS, *STATUS, MEASURED[0])) == set()


def test_masses_of_one_size_contradict() -> None:
    """Of two masses of 9 mm neither is the largest."""
    equal = [MEASURED[0], _fact("size", "9", "32 mm")]
    assert _set_aside(_ordered(*OPENERS, *STATUS, *equal)) == set()


@pytest.mark.parametrize(
    ("ranks", "aside"),
    [
        (("largest", "smaller"), {("ER", "positive")}),
        (("smaller", "largest"), {("ER", "negative")}),
        (("all", "all"), set()),
    ],
)
def test_words_rank_as_sizes_do(ranks: tuple[str, str], aside: set[tuple[str, str]]) -> None:
    """The larger tumor's facts stay, the smaller one's go, and what is said of all masses stays."""
    openers = [_fact(KIND, ranks[0], "Tumor 1"), _fact(KIND, ranks[1], "Tumor 2")]
    assert _set_aside(_ordered(*openers, *STATUS)) == aside


def test_what_stands_before_a_second_mass_is_of_the_first() -> None:
    """A first mass needs no word of its own."""
    text = "Carcinoma, 21 mm, ER positive. A second focus, 4 mm, ER negative."
    facts = [
        _fact("size", "21", "21 mm", text),
        _fact("ER", "positive", "ER positive", text),
        _fact(KIND, "2", "second focus", text),
        _fact("size", "4", "4 mm", text),
        _fact("ER", "negative", "ER negative", text),
    ]
    assert _set_aside(facts, text) == {("size", "4"), ("ER", "negative")}


def test_a_report_of_one_mass_is_left_as_it_is() -> None:
    """Without a word that opens a mass, no fact has a focus or a mark."""
    found = by_focus(_ordered(*STATUS, *MEASURED), _document(TEXT), ["ER"], _sizes)
    assert [(fact.focus, fact.marks) for fact in found] == [("", frozenset())] * 4
