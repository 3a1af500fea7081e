"""Behaviour of the naive regex baseline, its known blindness included: it must stay naive to be a fair comparison."""

import pytest

from training.evaluation.naive import read_naively


@pytest.mark.parametrize(
    ("text", "task", "value"),
    [
        ("TNM: pT2 pN1 MX", "T", "T2"),
        ("Lymph nodes: pN1a (2/14)", "N", "N1"),
        ("Nottingham grade: III/III", "grade", "G3"),
        ("Estrogen receptor: Positive (90 %)", "ER", "positive"),
        ("PR negative", "PR", "negative"),
        ("HER-2/neu: equivocal (2+)", "HER2", "equivocal"),
    ],
)
def test_a_value_beside_its_keyword_is_read(text: str, task: str, value: str) -> None:
    """The plain cases of the published baseline are right."""
    assert read_naively(text)[task] == value


def test_a_value_beyond_the_window_is_not_seen() -> None:
    """Fifty characters to each side are all that it looks at."""
    assert "ER" not in read_naively("Estrogen receptor " + "x" * 60 + " positive")


def test_it_knows_no_negation_and_no_neighbour() -> None:
    """It takes the neighbouring marker's status for its own: why the rules and the classifier exist."""
    assert read_naively("ER positive, PR negative")["ER"] == "negative"


def test_a_text_without_keywords_has_no_answers() -> None:
    """Nothing found is nothing said."""
    assert read_naively("Gallbladder, cholecystectomy: chronic inflammation.") == {}
