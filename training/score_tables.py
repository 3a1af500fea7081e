"""Renders scores as Markdown for the model card and as plain data for JSON; supports stand beside every figure."""

from collections.abc import Sequence
from typing import Any

from training.scoring import COMMON_SUPPORT, SystemScore, TaskScore


def summary_rows(scores: Sequence[SystemScore]) -> list[list[str]]:
    """One row a system over all tasks, below a header row."""
    header = [
        "system",
        "accuracy",
        "macro F1 (95 %)",
        f"macro F1, classes of ≥{COMMON_SUPPORT}",
        "coverage",
        "accuracy of coded",
        "false values",
        "exact reports",
    ]
    return [header, *(_summary_row(score) for score in scores)]


def _summary_row(score: SystemScore) -> list[str]:
    """One system's figures over all tasks."""
    interval = score.macro_f1_interval
    bounds = f" ({_figure(interval.low)}–{_figure(interval.high)})" if interval else ""
    return [
        score.system,
        _figure(score.accuracy),
        _figure(score.macro_f1) + bounds,
        _figure(score.macro_f1_common),
        _figure(score.coverage),
        _figure(score.accuracy_of_coded),
        f"{score.false_values} of {score.unstated}",
        f"{score.exact_reports} of {score.reports}",
    ]


def task_rows(scores: Sequence[SystemScore]) -> list[list[str]]:
    """One row a task and system: accuracy, macro F1, coverage, accuracy of coded values, false values."""
    header = [
        "task",
        "system",
        "stated",
        "accuracy",
        "macro F1",
        "coverage",
        "accuracy of coded",
        "false values",
        "accuracy by basis",
    ]
    columns = zip(*(score.tasks for score in scores), strict=True)
    return [header] + [
        _task_row(score.system, task) for column in columns for score, task in zip(scores, column, strict=True)
    ]


def _task_row(system: str, task: TaskScore) -> list[str]:
    """One task's figures for one system."""
    bases = ", ".join(f"{basis} {right}/{count}" for basis, (right, count) in task.accuracy_by_basis.items())
    return [
        task.task,
        system,
        str(task.stated),
        _figure(task.accuracy),
        _figure(task.macro_f1),
        _figure(task.coverage),
        _figure(task.accuracy_of_coded),
        f"{task.false_values} of {task.unstated}",
        bases,
    ]


def class_rows(scores: Sequence[SystemScore]) -> list[list[str]]:
    """One row a class with its support and each system's F1; a class without support says so."""
    rows = [["task", "class", "support", *(f"F1 {score.system}" for score in scores)]]
    for position, task in enumerate(scores[0].tasks):
        for index, item in enumerate(task.classes):
            figures = [_figure(score.tasks[position].classes[index].f1) for score in scores]
            rows.append(
                [task.task, item.label, str(item.support), *(figures if item.support else ["no case"] * len(scores))]
            )
    return rows


def hospital_rows(scores: Sequence[SystemScore]) -> list[list[str]]:
    """One row a hospital with each system's exact reports."""
    rows = [["hospital", "reports", *(f"exact, {score.system}" for score in scores)]]
    for hospital, (_, count) in scores[0].exact_by_hospital.items():
        rows.append([hospital, str(count), *(str(score.exact_by_hospital[hospital][0]) for score in scores)])
    return rows


def markdown(scores: Sequence[SystemScore]) -> str:
    """All tables, as they stand in the model card."""
    tables = {
        "Over all tasks": summary_rows(scores),
        "By task": task_rows(scores),
        "By class": class_rows(scores),
        "By hospital": hospital_rows(scores),
    }
    return "\n\n".join(f"### {title}\n\n{markdown_table(rows)}" for title, rows in tables.items()) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first row is the header."""
    rule = ["---"] * len(rows[0])
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def as_data(scores: Sequence[SystemScore]) -> dict[str, Any]:
    """The figures as plain data: each system by name, with its counts and the rounded figures."""
    return {score.system: {**_figures(score), "counts": score.model_dump(mode="json")} for score in scores}


def _figures(score: SystemScore) -> dict[str, Any]:
    """The rounded figures of one system and of each of its tasks."""
    names = ("accuracy", "macro_f1", "macro_f1_common", "coverage", "accuracy_of_coded")
    return {
        **{name: round(getattr(score, name), 4) for name in names},
        "tasks": {
            task.task: {
                **{name: round(getattr(task, name), 4) for name in names},
                "without_support": list(task.without_support),
            }
            for task in score.tasks
        },
    }


def _figure(value: float) -> str:
    """A share as it is printed: three digits, without the leading zero."""
    return f"{value:.3f}".removeprefix("0")
