"""Behaviour of the figures: what counts as right, covered, false and exact."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pack import Task
from training.measures.resampling import Answers, accuracies, coded_task, exact_shares, macro_f1s, once, resampled
from training.measures.score_tables import as_data, class_rows, markdown
from training.measures.scoring import SystemScore, score_system
from training.reports.gold import GoldValue, LabelledReport

TASKS = (
    Task(key="T", title="T", classes=("T1", "T2", "T3")),
    Task(key="ER", title="ER", classes=("positive", "negative")),
)


def _report(hospital: str = "H1", **values: str) -> LabelledReport:
    gold = {task: GoldValue(value, "none" if value == "not_stated" else "stated") for task, value in values.items()}
    return LabelledReport(f"p-{hospital}", hospital, "", gold=gold)


def _score(pairs: list[tuple[LabelledReport, Answers]], rounds: int = 0) -> SystemScore:
    reports, answers = zip(*pairs, strict=True)
    return score_system("some", reports, answers, TASKS, rounds)


def test_a_value_where_the_gold_has_none_is_a_false_value() -> None:
    """A guess in an unstated case is counted, lowers the accuracy of coded values, and the report is not exact."""
    score = _score([(_report(T="T1", ER="not_stated"), {"T": "T1", "ER": "positive"})])
    receptor = score.tasks[1]
    assert (receptor.false_values, receptor.unstated, receptor.accuracy_of_coded) == (1, 1, 0.0)
    assert score.exact_reports == 0


def test_nothing_coded_lowers_coverage_and_accuracy_but_is_no_false_value() -> None:
    """An abstention is neither right nor a wrong value."""
    score = _score([(_report(T="T1", ER="positive"), {"T": "T1", "ER": None})])
    receptor = score.tasks[1]
    assert (receptor.coverage, receptor.accuracy, receptor.false_values, receptor.coded) == (0.0, 0.0, 0, 0)
    assert score.accuracy_of_coded == 1.0


def test_macro_f1_is_the_mean_over_supported_classes_and_false_values_cost_precision() -> None:
    """Hand-counted: T1 is found twice for one case (F1 2/3), T2 once of two (F1 2/3), T3 has no case."""
    rows = [
        (_report(T="T1"), {"T": "T1"}),
        (_report(T="T2"), {"T": "T1"}),
        (_report(T="T2"), {"T": "T2"}),
    ]
    task = _score(rows).tasks[0]
    assert task.macro_f1 == pytest.approx(2 / 3)
    assert task.without_support == ("T3",)
    assert task.macro_f1_common == 0.0


def test_a_missing_form_answered_with_nothing_is_exact() -> None:
    """Pending and not_stated are right when nothing is coded."""
    score = _score([(_report(T="T1", ER="pending"), {"T": "T1"})])
    assert score.exact_reports == 1


def test_exact_reports_are_counted_by_hospital() -> None:
    """Each hospital shows its own share, since its reports share a format."""
    score = _score([(_report("A", T="T1"), {"T": "T1"}), (_report("B", T="T1"), {"T": "T2"})])
    assert [(place.hospital, place.exact, place.correct, place.stated) for place in score.hospitals] == [
        ("A", 1, 1, 1),
        ("B", 0, 0, 1),
    ]


def test_the_interval_is_the_same_at_each_run_and_holds_the_figure() -> None:
    """The bootstrap is seeded: two runs print the same model card."""
    rows = [
        (_report(T=f"T{1 + i % 3}", ER="positive" if i % 2 else "negative"), {"T": "T1", "ER": "positive"})
        for i in range(30)
    ]
    first, second = _score(rows, rounds=100), _score(rows, rounds=100)
    assert first == second
    assert set(first.intervals) == {"accuracy", "macro_f1", "macro_f1_common", "exact"}
    for name, bounds in first.intervals.items():
        assert bounds.low <= getattr(first, name) <= bounds.high


VALUES = st.sampled_from(["T1", "T2", "T3", "TX", "not_stated"])


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=12))
def test_the_gold_scores_full_marks_against_itself(values: list[str]) -> None:
    """Whatever the mix of values, answering exactly the gold is perfect and codes nothing false."""
    rows = [(_report(T=value), {"T": value if value in TASKS[0].classes else None}) for value in values]
    score = _score(rows)
    assert score.exact_reports == len(values)
    assert score.false_values == 0
    assert score.tasks[0].accuracy in (0.0, 1.0)
    assert score.tasks[0].macro_f1 == score.tasks[0].accuracy


def test_tables_name_classes_without_a_case() -> None:
    """A class without support is printed as such, never as a figure."""
    score = _score([(_report(T="T1", ER="positive"), {"T": "T1", "ER": "positive"})])
    assert ["T", "T3", "0", "no case"] in class_rows([score])
    assert "| T | some | 1 | 1.000 | .000 | 1.000 |" in markdown([score])
    assert as_data([score])["some"]["tasks"]["T"]["without_support"] == ["T2", "T3"]


def test_resampled_figures_are_those_of_the_score_where_every_report_is_drawn_once() -> None:
    """The matrix products of the intervals and the counts of the tables are the same figures."""
    reports = [_report(T=f"T{1 + i % 3}", ER=("positive", "negative", "pending")[i % 3]) for i in range(20)]
    answers = [{"T": f"T{1 + i % 2}", "ER": "positive" if i % 4 else None} for i in range(20)]
    score = score_system("some", reports, answers, TASKS, 0)
    coded = [coded_task(task, reports, answers) for task in TASKS]
    drawn = once(len(reports))
    assert accuracies(coded, drawn)[0] == pytest.approx(score.accuracy)
    assert macro_f1s(coded, drawn, 1)[0] == pytest.approx(score.macro_f1)
    assert macro_f1s(coded, drawn, 3)[0] == pytest.approx(score.macro_f1_common)
    assert exact_shares(coded, drawn)[0] == pytest.approx(score.exact)


def test_the_mean_is_over_the_tasks_that_are_asked_for() -> None:
    """A figure beside another's is taken over the same tasks, though the gold would allow more."""
    rows = [(_report(T=f"T{1 + i % 2}", ER="positive" if i % 2 else "negative"), {"T": "T1"}) for i in range(12)]
    reports, answers = zip(*rows, strict=True)
    score = score_system("some", reports, answers, TASKS, 0, mean_over=("T",))
    assert [task.task for task in score.compared] == ["T"]
    assert score.macro_f1 == score.tasks[0].macro_f1


def test_confusion_counts_every_annotated_case_once() -> None:
    """Rows are the gold's classes and no value, columns the answers'; the diagonal is what is right."""
    rows = [(_report(T="T1"), {"T": "T2"}), (_report(T="TX"), {"T": "T3"}), (_report(T="T2"), {})]
    assert _score(rows).tasks[0].confusion == ((0, 1, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0), (0, 0, 1, 0))


def test_resamples_drawn_in_blocks_are_as_many_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus too large to be drawn at once gets all its rounds, each of the size of the corpus."""
    monkeypatch.setattr("training.measures.resampling.CELLS", 70)
    assert list(resampled({"size": lambda drawn: drawn.sum(axis=1)}, 20, 10)["size"]) == [20.0] * 10
