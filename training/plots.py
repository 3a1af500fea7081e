"""Figures as PNG files: training curves, confusion matrices, reliability, risk against coverage, distributions.

Drawn without a display. Colours follow Okabe and Ito, so that readers who see few colours can tell the lines apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDTH, HEIGHT = 6.4, 4.4
"""Inches; at 150 dots an inch a figure is 960 x 660 points."""
DOTS_PER_INCH = 150

Points = Sequence[tuple[float, float]]
"""A curve as pairs of x and y."""


@dataclass(frozen=True)
class Axis:
    """What an axis is called, and its limits where they are fixed."""

    label: str
    limits: tuple[float, float] | None = None


SHARE = (0.0, 1.02)
"""The limits of an axis of shares."""


def line_figure(path: Path, title: str, series: Mapping[str, Points], across: Axis, upward: Axis) -> None:
    """Named curves over one x axis, such as a training run's losses over its steps."""
    figure, axes = _canvas(title, across, upward)
    for (name, points), colour in zip(series.items(), _colours(len(series)), strict=True):
        axes.plot(*_columns(points), color=colour, label=name, marker="." if len(points) < 30 else None)
    _save(figure, axes, path, legend=bool(series))


def confusion_figure(
    path: Path, title: str, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]
) -> None:
    """Counts of what was true (rows) by what was answered (columns); each cell is shaded by its share of the row."""
    figure, axes = _canvas(title, Axis("answered"), Axis("true"))
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(False)
    for line, row in enumerate(counts):
        for column, count in enumerate(row):
            shade = "white" if shares[line][column] > 0.5 else "black"
            axes.text(column, line, str(count), ha="center", va="center", color=shade)
    _save(figure, axes, path)


def reliability_figure(path: Path, title: str, curves: Mapping[str, Sequence[tuple[float, float, int]]]) -> None:
    """Accuracy against confidence: each curve has one (confidence, accuracy, cases) for each bin that holds a case."""
    figure, axes = _canvas(title, Axis("confidence", SHARE), Axis("accuracy", SHARE))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
    for (name, bins), colour in zip(curves.items(), _colours(len(curves)), strict=True):
        axes.plot([one[0] for one in bins], [one[1] for one in bins], color=colour, label=name)
        axes.scatter([one[0] for one in bins], [one[1] for one in bins], s=[4 + one[2] for one in bins], color=colour)
    _save(figure, axes, path, legend=True)


def risk_coverage_figure(path: Path, title: str, curves: Mapping[str, Points]) -> None:
    """The share of wrong values among those coded, against the share of cases coded."""
    highest = max((risk for points in curves.values() for _, risk in points), default=0.0)
    line_figure(path, title, curves, Axis("coverage", SHARE), Axis("risk", (0.0, max(highest * 1.1, 0.05))))


def distribution_figure(path: Path, title: str, groups: Mapping[str, Mapping[str, float]], measure: str) -> None:
    """Bars by class, side by side for each group, such as a task's classes in each part of a dataset."""
    figure, axes = _canvas(title, Axis(""), Axis(measure))
    names = list(dict.fromkeys(name for counts in groups.values() for name in counts))
    width = 0.8 / max(len(groups), 1)
    for position, ((group, counts), colour) in enumerate(zip(groups.items(), _colours(len(groups)), strict=True)):
        places = [index + (position - (len(groups) - 1) / 2) * width for index in range(len(names))]
        axes.bar(places, [counts.get(name, 0) for name in names], width, color=colour, label=group)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    _save(figure, axes, path, legend=len(groups) > 1)


def _canvas(title: str, across: Axis, upward: Axis) -> "tuple[Figure, Axes]":
    """An empty figure that needs no display and that no global list keeps alive."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(across.label)
    axes.set_ylabel(upward.label)
    axes.grid(True, alpha=0.3)
    if across.limits:
        axes.set_xlim(*across.limits)
    if upward.limits:
        axes.set_ylim(*upward.limits)
    return figure, axes


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [point[0] for point in points], [point[1] for point in points]


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _save(figure: "Figure", axes: "Axes", path: Path, legend: bool = False) -> None:
    """Write the PNG without a date or a library version, so that the same figures give the same bytes."""
    if legend:
        figure.legend(*axes.get_legend_handles_labels(), fontsize="small", loc="outside right upper")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
