"""Counts that a report says twice are added up once."""

import pytest

from schemas.pack_rules import LabelRule
from workers.reading.conversion import number, roman
from workers.reading.counting import counted_once
from workers.reading.facts import Fact

RULE = LabelRule(
    name="counts", kind="nodes", choose="sum", number="positive", repeated_within=50, repeated_from={"examined": 6}
)


def counted(*values: str, apart: int = 100, rules: str = "") -> list[str]:
    """What is kept of counts such as 3/14, or 3/ without the nodes examined, each `apart` characters after the last."""
    facts = []
    for index, value in enumerate(values):
        positive, examined = value.split("/")
        attributes = {"positive": positive, "examined": examined} if examined else {"positive": positive}
        start = index * apart
        facts.append(Fact("nodes", value, start, start + 5, rules[index : index + 1], "diagnosis", attributes))
    return [fact.value for fact in counted_once(RULE, facts, lambda fact: number(fact.attributes["positive"]))]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (("0/1", "1/1", "2/10"), ["0/1", "1/1", "2/10"]),
        (("3/14", "0/2", "3/14"), ["3/14", "0/2"]),
        (("5/10", "2/3", "1/3", "2/4"), ["5/10"]),
        (("2/3", "1/3", "2/4", "5/10"), ["5/10"]),
        (("0/1", "1/1", "0/1", "1/1"), ["0/1", "1/1"]),
        (("1/1", "1/1"), ["1/1", "1/1"]),
        (("3/", "3/14"), ["3/14"]),
        ((), []),
    ],
    ids=["specimens", "said again", "total first", "total last", "list repeated", "two nodes", "less said", "none"],
)
def test_what_is_said_twice_counts_once(values: tuple[str, ...], kept: list[str]):
    """Repeated and added-up counts go, separate specimens stay."""
    assert counted(*values) == kept


def test_words_and_figures_are_one_count():
    """Two rules read "three of 14 (3/14)", which is one count."""
    assert counted("2/3", "2/3", apart=20, rules="ab") == ["2/3"]


def test_some_of_the_positive_nodes_are_no_further_nodes():
    """After "3/25", "two positive nodes are matted" speaks of nodes that were counted."""
    assert counted("3/25", "2/", apart=40) == ["3/25"]
    assert counted("3/25", "2/", apart=400) == ["3/25", "2/"]


@pytest.mark.parametrize(("text", "value"), [("XIV", 14), ("IX", 9), ("XA", None), ("1", 1), ("12", 12), ("XXXIV", 34)])
def test_roman_numerals(text: str, value: int | None):
    """Roman counts are read, with 1 as an I of OCR; other letters give none."""
    assert roman(text) == value
