"""Renders scores as Markdown for the model card and as plain data for JSON; supports stand beside every figure."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.measures.scoring import COMMON_SUPPORT, SystemScore, TaskScore

Rows = list[list[str]]
"""A table: its header, then its rows."""


def summary_rows(scores: Sequence[SystemScore]) -> Rows:
    """One row a system over all tasks, below a header row; intervals are 95 % over reports."""
    header = [
        "system",
        "accuracy",
        f"macro F1, classes of ≥{COMMON_SUPPORT}",
        "macro F1, all classes",
        "coverage",
        "accuracy of coded",
        "false values",
        "exact reports",
    ]
    return [header, *(_summary_row(score) for score in scores)]


def _summary_row(score: SystemScore) -> list[str]:
    """One system's figures over all tasks."""
    false_share = f" ({100 * score.false_values / score.unstated:.1f} %)" if score.unstated else ""
    return [
        score.system,
        with_interval(score, "accuracy"),
        with_interval(score, "macro_f1_common"),
        figure(score.macro_f1),
        figure(score.coverage),
        figure(score.accuracy_of_coded),
        f"{score.false_values} of {score.unstated}{false_share}",
        f"{score.exact_reports} of {score.reports}, {with_interval(score, 'exact')}",
    ]


def with_interval(score: SystemScore, name: str) -> str:
    """A figure, and its interval where one was drawn."""
    bounds = score.intervals.get(name)
    text = figure(getattr(score, name))
    return f"{text} ({figure(bounds.low)}–{figure(bounds.high)})" if bounds else text


def task_rows(scores: Sequence[SystemScore]) -> Rows:
    """One row a task and system: accuracy, macro F1, coverage, accuracy of coded values, false values."""
    header = [
        "task",
        "system",
        "stated",
        "accuracy",
        f"macro F1, ≥{COMMON_SUPPORT}",
        "macro F1, all",
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
        figure(task.accuracy),
        figure(task.macro_f1_common),
        figure(task.macro_f1),
        figure(task.coverage),
        figure(task.accuracy_of_coded),
        f"{task.false_values} of {task.unstated}",
        bases,
    ]


def class_rows(scores: Sequence[SystemScore]) -> Rows:
    """One row a class with its support and each system's F1; a class without support says so."""
    rows = [["task", "class", "support", *(f"F1 {score.system}" for score in scores)]]
    for position, task in enumerate(scores[0].tasks):
        for index, item in enumerate(task.classes):
            figures = [figure(score.tasks[position].classes[index].f1) for score in scores]
            rows.append(
                [task.task, item.label, str(item.support), *(figures if item.support else ["no case"] * len(scores))]
            )
    return rows


def hospital_rows(scores: Sequence[SystemScore]) -> Rows:
    """One row a hospital: each system's exact reports, right values among stated ones, and false values."""
    measures = [f"{score.system}: {name}" for score in scores for name in ("exact", "right", "false")]
    rows = [["hospital", "reports", "stated", *measures]]
    for places in zip(*(score.hospitals for score in scores), strict=True):
        cells = [str(count) for place in places for count in (place.exact, place.correct, place.false_values)]
        rows.append([places[0].hospital, str(places[0].reports), str(places[0].stated), *cells])
    return rows


def tables(scores: Sequence[SystemScore]) -> dict[str, Rows]:
    """All tables by their titles; the first names the tasks over which the means are taken."""
    compared = ", ".join(task.task for task in scores[0].compared) or "no task"
    return {
        f"Over all tasks (macro F1: the mean over {compared})": summary_rows(scores),
        "By task": task_rows(scores),
        "By class": class_rows(scores),
        "By hospital": hospital_rows(scores),
    }


def markdown(scores: Sequence[SystemScore]) -> str:
    """All tables, as they stand in the model card."""
    return markdown_tables(tables(scores))


def markdown_tables(named: Mapping[str, Rows]) -> str:
    """Tables below their titles."""
    return "\n\n".join(f"### {title}\n\n{markdown_table(rows)}" for title, rows in named.items()) + "\n"


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
        **{name: round(getattr(score, name), 4) for name in (*names, "exact")},
        "mean_over": [task.task for task in score.compared],
        "tasks": {
            task.task: {
                **{name: round(getattr(task, name), 4) for name in names},
                "without_support": list(task.without_support),
            }
            for task in score.tasks
        },
    }


def figure(value: float) -> str:
    """A share as it is printed: three digits, without the leading zero."""
    return f"{value:.3f}".removeprefix("0")


def defined(value: float | None) -> str:
    """A share that may not be defined."""
    return "not defined" if value is None else figure(value)
