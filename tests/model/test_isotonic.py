"""Behaviour of isotonic calibration: it rises, it promises no certainty, and it must earn its place."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.isotonic import choose_knots, fit_knots, map_confidence

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_never_becomes_less(pairs: list[tuple[float, bool]], first: float, second: float) -> None:
    """The map rises over the whole range, and no confidence becomes certainty."""
    knots = fit_knots(pairs)
    low, high = (map_confidence(knots, one) for one in sorted((first, second)))
    assert 0 < low <= high < 1


def test_without_knots_a_confidence_is_itself() -> None:
    """The neutral calibration bends nothing."""
    assert map_confidence((), 0.7) == 0.7


def test_between_knots_the_line_is_straight_and_beyond_them_level() -> None:
    """Half-way between two knots is half-way between their values."""
    knots = ((0.5, 0.6), (0.9, 0.8))
    assert map_confidence(knots, 0.7) == pytest.approx(0.7)
    assert (map_confidence(knots, 0.1), map_confidence(knots, 0.99)) == (0.6, 0.8)


def test_it_is_chosen_where_confidence_misleads_and_left_out_where_it_is_honest() -> None:
    """Answers that are right in seven of ten cases whatever the confidence are bent; honest ones stay as they are."""
    source = random.Random(1)
    confidences = [source.uniform(0.5, 1) for _ in range(600)]
    misleading = [(confidence, source.random() < 0.7) for confidence in confidences]
    honest = [(confidence, source.random() < confidence) for confidence in confidences]
    assert map_confidence(choose_knots(misleading), 0.99) == pytest.approx(0.7, abs=0.08)
    assert choose_knots(honest) == ()


def test_few_rows_bend_nothing() -> None:
    """Five rows cannot show that a bend helps."""
    assert choose_knots([(0.9, False)] * 5) == ()
