"""Calibration: temperatures, thresholds, and the bound that they rest on."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.calibration import (
    Calibration,
    Row,
    TaskCalibration,
    choose_threshold,
    expected_calibration_error,
    fit_calibration,
    fit_task,
    fit_temperature,
    softmax,
    stated_probability,
)
from model.numerics import error_upper_bound
from schemas.pack import Target

TARGET = Target(accuracy=0.95, confidence=0.9)
CLASSES = ("negative", "positive")


def draw(count: int, sharpness: float, seed: int = 0) -> tuple[list[tuple[float, ...]], list[int]]:
    """Logits that are `sharpness` times as extreme as the labels drawn from them warrant."""
    source = random.Random(seed)
    logits, labels = [], []
    for _ in range(count):
        honest = source.gauss(0, 2)
        labels.append(int(source.random() < softmax((0.0, honest))[1]))
        logits.append((0.0, honest * sharpness))
    return logits, labels


def sure(label: str | None, value: str, count: int) -> list[Row]:
    """Rows of that true label which the model reads as that value with certainty."""
    logits = tuple(12.0 if name == value else 0.0 for name in CLASSES)
    return [Row(label, logits, 12.0)] * count


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_undoes_overconfidence(sharpness: float) -> None:
    """The fitted temperature is the factor by which the logits are too extreme."""
    logits, labels = draw(4000, sharpness)
    assert fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


def test_temperature_lowers_the_calibration_error() -> None:
    """Overconfident predictions are better calibrated after scaling."""
    logits, labels = draw(3000, 3.0)

    def error(temperature: float) -> float:
        rows = [softmax(row, temperature) for row in logits]
        hits = [row.index(max(row)) == label for row, label in zip(rows, labels, strict=True)]
        return expected_calibration_error([max(row) for row in rows], hits)

    assert error(fit_temperature(logits, labels)) < 0.03 < error(1.0)


def test_without_rows_nothing_is_scaled() -> None:
    """No row leaves a temperature of one and no task."""
    assert fit_temperature([], []) == 1.0
    assert fit_calibration({"T": CLASSES}, {"T": []}, TARGET) == Calibration()


@pytest.mark.parametrize(
    ("errors", "trials", "expected"), [(0, 10, 0.2057), (0, 45, 0.0499), (1, 77, 0.0496), (5, 100, 0.0908)]
)
def test_the_bound_is_the_exact_one(errors: int, trials: int, expected: float) -> None:
    """One-sided Clopper-Pearson bounds at 90 %, as tables print them."""
    assert error_upper_bound(errors, trials, 0.9) == pytest.approx(expected, abs=2e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(0, 20), st.sampled_from([0.8, 0.9, 0.95]))
def test_the_bound_solves_its_equation(trials: int, errors: int, confidence: float) -> None:
    """At the bound, as few errors have exactly the remaining probability; nothing tried means no promise."""
    bound = error_upper_bound(errors, trials, confidence)
    if errors >= trials:
        assert bound == 1.0
        return
    tail = math.fsum(
        math.comb(trials, count) * bound**count * (1 - bound) ** (trials - count) for count in range(errors + 1)
    )
    assert bound > errors / trials
    assert tail == pytest.approx(1 - confidence, abs=1e-6)


def test_the_threshold_is_the_lowest_that_keeps_the_promise() -> None:
    """Errors of low confidence push the threshold above them, no further."""
    confidences = [0.99] * 100 + [0.75] * 30
    correct = [True] * 100 + [False] * 30
    assert choose_threshold(confidences, correct, TARGET) == 0.8


def test_too_few_rows_promise_nothing() -> None:
    """Forty-four perfect rows cannot show 95 % at 90 % confidence; forty-five can."""
    assert choose_threshold([0.99] * 44, [True] * 44, TARGET) is None
    assert choose_threshold([0.99] * 45, [True] * 45, TARGET) == 0.5


def test_a_rare_class_is_only_ever_review() -> None:
    """A class with fewer rows than asked is named, and its rows do not count for the threshold."""
    rows = sure("negative", "negative", 60) + sure("positive", "negative", 0) + sure("positive", "positive", 9)
    fitted = fit_task(CLASSES, rows, TARGET, minimum_class_rows=10)
    assert fitted.review_only == ("positive",)
    assert fitted.threshold == 0.5


def test_a_value_where_none_is_stated_counts_as_an_error() -> None:
    """Reports that state nothing, but are read as if they did, take the threshold away."""
    right = sure("negative", "negative", 60) + sure("positive", "positive", 60)
    assert fit_task(CLASSES, right, TARGET).threshold == 0.5
    assert fit_task(CLASSES, right + sure(None, "positive", 20), TARGET).threshold is None


def test_the_stated_threshold_keeps_unstated_rows_out() -> None:
    """Unstated rows of middling P(stated) raise that threshold, and coding stays possible."""
    logits = (0.0, 12.0)
    rows = sure("negative", "negative", 60) + sure("positive", "positive", 60)
    rows += [Row(None, logits, 0.0)] * 30
    fitted = fit_task(CLASSES, rows, TARGET)
    assert fitted.stated_threshold > 0.5
    assert fitted.threshold == 0.5


def test_without_stated_heads_every_value_counts_as_stated() -> None:
    """A checkpoint without stated heads has P(stated) of one and needs no temperature for it."""
    rows = [Row(label, (0.0, 9.0) if label == "positive" else (9.0, 0.0), None) for label in CLASSES * 50]
    fitted = fit_task(CLASSES, rows, TARGET)
    assert stated_probability(None) == 1.0
    assert (fitted.stated_temperature, fitted.threshold) == (1.0, 0.5)


def test_calibration_survives_its_file() -> None:
    """calibration.json gives back the same calibration; an unknown task codes nothing."""
    calibration = Calibration(
        tasks={"T": TaskCalibration(temperature=1.25, threshold=0.9, stated_threshold=0.6, review_only=("T4",))}
    )
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
    assert calibration.task("unknown").threshold is None


def test_agreement_has_its_own_threshold() -> None:
    """Errors that the rules do not share leave the agreement threshold low, though the classifier alone has none."""
    right = [Row("positive", (0.0, 3.0), 12.0, rules="positive")] * 80
    also = [Row("negative", (3.0, 0.0), 12.0, rules="negative")] * 80
    wrong = [Row("negative", (0.0, 3.0), 12.0, rules="negative")] * 20
    fitted = fit_task(CLASSES, [*right, *also, *wrong], TARGET)
    assert fitted.threshold is None
    assert fitted.agreement_threshold is not None


def test_agreement_asks_only_that_a_value_is_more_probably_stated_than_not() -> None:
    """A stated threshold that unstated rows raised keeps the classifier policy back, not a value that the rules read."""
    raised = TaskCalibration(threshold=0.5, agreement_threshold=0.5, stated_threshold=0.9)
    assert raised.allows("agreement", "positive", 0.8, 0.6)
    assert not raised.allows("agreement", "positive", 0.8, 0.4)
    assert not raised.allows("classifier", "positive", 0.8, 0.6)


def test_a_few_rows_that_are_all_right_do_not_ask_for_certainty() -> None:
    """Three separable rows would be likeliest at a temperature near zero, where a wrong fourth one would be sure."""
    assert fit_temperature([(2.0, 0.0)] * 3, [0] * 3) > 0.3
