"""Behaviour of a verdict from outside: it moves the classifier as far as it was right on held-out rows."""

import math
import random

import pytest

from model.verdict import SILENT, VerdictWeights, fit_verdict_weights

VERDICTS = ("negative", "positive", SILENT)


def _rows(reliability: float) -> list[tuple[list[float], int, str]]:
    """A classifier that guesses, and verdicts that name the truth this often."""
    source = random.Random(7)
    rows = []
    for _ in range(300):
        truth = source.randrange(2)
        named = truth if source.random() < reliability else 1 - truth
        rows.append(([math.log(0.5)] * 2, truth, VERDICTS[named]))
    return rows


def test_a_reliable_verdict_decides_for_a_classifier_that_does_not_know() -> None:
    """Nineteen of twenty right makes the named class about as probable."""
    weights = fit_verdict_weights(_rows(0.95), 2, VERDICTS)
    assert weights.told([0.5, 0.5], "positive")[1] == pytest.approx(0.95, abs=0.04)
    assert weights.told([0.5, 0.5], "negative")[0] == pytest.approx(0.95, abs=0.04)


def test_a_verdict_by_chance_changes_nothing() -> None:
    """What is right half of the time is worth nothing."""
    weights = fit_verdict_weights(_rows(0.5), 2, VERDICTS)
    assert weights.told([0.8, 0.2], "positive") == pytest.approx([0.8, 0.2], abs=0.06)


def test_an_unknown_verdict_leaves_the_probabilities() -> None:
    """A pack may gain a class after the fit."""
    assert VerdictWeights(likelihoods={}).told([0.8, 0.2], "equivocal") == pytest.approx([0.8, 0.2])
