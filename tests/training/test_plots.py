"""Behaviour of the figures: a PNG for each, the same bytes each time, and no display."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.plots import (
    Axis,
    confusion_figure,
    distribution_figure,
    line_figure,
    reliability_figure,
    risk_coverage_figure,
)

DRAWN: dict[str, Callable[[Path], None]] = {
    "lines": lambda path: line_figure(path, "Loss", {"training": [(0, 1), (1, 0.5)]}, Axis("step"), Axis("loss")),
    "confusion": lambda path: confusion_figure(path, "T", ["T1", "T2"], ["T1", "T2", "none"], [[3, 1, 0], [0, 2, 0]]),
    "reliability": lambda path: reliability_figure(path, "T", {"before": [(0.9, 0.7, 10)], "after": [(0.7, 0.7, 10)]}),
    "risk": lambda path: risk_coverage_figure(path, "All", {"classifier": [(0.5, 0.0), (1.0, 0.1)]}),
    "distribution": lambda path: distribution_figure(path, "T", {"train": {"T1": 5, "T2": 3}, "dev": {}}, "reports"),
    "nothing": lambda path: risk_coverage_figure(path, "Nothing was coded", {}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_each_figure_is_a_png_that_comes_out_the_same_each_time(tmp_path: Path, name: str) -> None:
    """A figure is written into a folder that may not exist yet, and two runs over the same figures agree."""
    first, second = tmp_path / "new" / "first.png", tmp_path / "second.png"
    DRAWN[name](first)
    DRAWN[name](second)
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.read_bytes() == second.read_bytes()
