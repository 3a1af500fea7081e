"""Behaviour of the figures of probabilities: AUROC, calibration error, reliability."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.calibration import Calibration, TaskCalibration
from model.engine import Prediction
from schemas.pack import Task
from training.measures.probabilities import area_under_curve, probability_rows, probability_scores, uncalibrated
from training.reports.gold import GoldValue, LabelledReport

TASK = Task(key="ER", title="ER", classes=("positive", "negative", "equivocal"))
SCORES = st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7]), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_area_is_how_often_a_positive_scores_higher(positives: list[float], negatives: list[float]) -> None:
    """Ties count half: the ranking gives what counting all pairs gives."""
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    assert area_under_curve(positives, negatives) == pytest.approx(sum(pairs) / len(pairs))


def test_without_a_case_on_one_side_there_is_no_area() -> None:
    """A class that never occurs, or always, has no AUROC; it is named as not defined, not as a figure."""
    assert area_under_curve([], [0.5]) is None
    assert area_under_curve([0.5], []) is None


def test_the_temperature_is_undone_for_the_error_before_it() -> None:
    """Probabilities at temperature 2, taken back to what they were at 1."""
    before = {"a": 0.9, "b": 0.1}
    halved = {label: value**0.5 for label, value in before.items()}
    after = {label: value / sum(halved.values()) for label, value in halved.items()}
    assert uncalibrated(after, 2.0) == pytest.approx(before)


def test_scores_are_over_stated_cases_and_name_what_is_not_defined() -> None:
    """Four sure answers, three of them right; unstated cases only count for the AUROC of P(stated)."""
    gold = ["positive", "positive", "negative", "negative", "not_stated"]
    said = ["positive", "positive", "negative", "positive", "positive"]
    reports = [LabelledReport(str(i), "H", "", gold={"ER": GoldValue(value, "")}) for i, value in enumerate(gold)]
    predictions = [
        {
            "ER": Prediction(
                0.1 if gold[i] == "not_stated" else 0.9, {c: 0.8 if c == value else 0.1 for c in TASK.classes}
            )
        }
        for i, value in enumerate(said)
    ]
    (score,) = probability_scores(reports, predictions, Calibration(tasks={"ER": TaskCalibration()}), [TASK])
    assert score.stated == 4
    assert score.auroc == {"positive": 0.75, "negative": 0.75}
    assert score.auroc_stated == 1.0
    assert score.after.error == pytest.approx(0.05)
    assert [(one.cases, one.accuracy) for one in score.after.bins] == [(4, 0.75)]
    assert probability_rows([score])[1][2] == ".750"
