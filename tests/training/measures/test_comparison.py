"""Behaviour of comparing two systems on the same reports."""

import pytest

from schemas.pack import Task
from training.measures.comparison import OVERALL, compare, comparison_rows, mcnemar
from training.reports.gold import GoldValue, LabelledReport

TASKS = (
    Task(key="T", title="T", classes=("T1", "T2")),
    Task(key="ER", title="ER", classes=("positive", "negative")),
)
REPORTS = [
    LabelledReport(
        f"p{i}", "H", "", gold={"T": GoldValue(f"T{1 + i % 2}", "stated"), "ER": GoldValue("not_stated", "")}
    )
    for i in range(40)
]
RIGHT = [{"T": report.gold["T"].value} for report in REPORTS]
FALSE = [{**answer, "ER": "positive"} if i < 10 else answer for i, answer in enumerate(RIGHT)]
GUESSED = [{"T": "T1"} for _ in REPORTS]


def test_a_system_does_not_differ_from_itself() -> None:
    """No difference, an interval of no width, and a test that sees nothing."""
    for task in compare(("a", "b"), REPORTS, (RIGHT, RIGHT), TASKS).tasks:
        assert task.p_value == 1.0
        assert all((one.difference, one.interval.low, one.interval.high) == (0, 0, 0) for one in task.differences)


def test_a_better_system_is_ahead_by_an_interval_that_leaves_out_zero() -> None:
    """Twenty of forty values more are no chance: 2 in 2^20 for the test."""
    overall, tumour, _ = compare(("guessed", "right"), REPORTS, (GUESSED, RIGHT), TASKS).tasks
    assert (overall.task, tumour.task) == (OVERALL, "T")
    assert (tumour.only_first, tumour.only_second) == (0, 20)
    assert tumour.p_value == pytest.approx(2 / 2**20)
    assert [one.difference for one in overall.differences[::2]] == [0.5, 0.5]
    assert overall.differences[0].interval.low > 0


def test_false_values_count_in_the_test_where_accuracy_does_not_see_them() -> None:
    """Accuracy is over stated values; a value where the report states none still makes a case wrong."""
    *_, receptor = compare(("false", "right"), REPORTS, (FALSE, RIGHT), TASKS).tasks
    assert receptor.differences[0].difference == 0
    assert (receptor.only_first, receptor.only_second) == (0, 10)


@pytest.mark.parametrize(("split", "expected"), [((0, 0), 1.0), ((3, 3), 1.0), ((0, 5), 0.0625), ((1, 8), 0.0390625)])
def test_the_test_is_the_two_sided_binomial(split: tuple[int, int], expected: float) -> None:
    """Hand-counted tails of a fair coin."""
    assert mcnemar(*split) == pytest.approx(expected)


def test_the_table_names_both_systems_and_every_figure() -> None:
    """Three figures over all tasks, two for each task."""
    rows = comparison_rows(compare(("guessed", "right"), REPORTS, (GUESSED, RIGHT), TASKS))
    assert rows[0][2:4] == ["guessed", "right"]
    assert [row[:2] for row in rows[1:4]] == [
        ["all tasks", "accuracy"],
        ["all tasks", "macro F1"],
        ["all tasks", "exact reports"],
    ]
    assert len(rows) == 1 + 3 + 2 * len(TASKS)
