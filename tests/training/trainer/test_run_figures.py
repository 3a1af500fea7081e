"""Behaviour of the figures that a training leaves: what they count."""

import pytest

from model.calibration import Row, TaskCalibration
from training.trainer.run_figures import confusion, reliability

CLASSES = ("T1", "T2")


def test_confusion_counts_what_states_nothing_too() -> None:
    """The last row and column are for no value: a false value stands in the last row, a missed one in the last column."""
    rows = [
        Row("T1", (2.0, 0.0), 3.0),
        Row("T1", (0.0, 2.0), 3.0),
        Row("T2", (0.0, 2.0), -3.0),
        Row(None, (2.0, 0.0), 3.0),
        Row(None, (2.0, 0.0), -3.0),
    ]
    assert confusion(CLASSES, rows, TaskCalibration()) == [[1, 1, 0], [0, 0, 1], [1, 0, 1]]


def test_reliability_compares_confidence_with_accuracy() -> None:
    """Two sure answers, one of them right: confidence near one, accuracy one half, two cases."""
    rows = [Row("T1", (9.0, 0.0), 3.0), Row("T2", (9.0, 0.0), 3.0), Row(None, (9.0, 0.0), 3.0)]
    ((confidence, accuracy, cases),) = reliability(rows, TaskCalibration(), CLASSES)
    assert confidence > 0.99
    assert accuracy == pytest.approx(0.5)
    assert cases == 2
