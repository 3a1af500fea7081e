"""The outcomes of an ablation as Markdown beside the reference system's figures, as JSON, and as a figure."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from training.ablation.run import Outcome
from training.ablation.variants import Variant
from training.measures.score_tables import markdown_table, with_interval
from training.measures.scoring import COMMON_SUPPORT
from training.plots import distribution_figure

Found = Sequence[tuple[Variant, Outcome]]

REFERENCE_F1 = {
    "naive": 0.554,
    "frozen": 0.490,
    "ia3": 0.512,
    "prefix": 0.972,
    "lora": 0.976,
    "single-task": 0.914,
    "full": 0.977,
    "window": 0.790,
    "slice": 0.976,
}
"""Mean macro F1 that arXiv 2604.13328 prints, on its own reports and registry labels."""
HEADER = (
    "variant",
    "what it is",
    f"macro F1 (≥{COMMON_SUPPORT} cases)",
    "accuracy",
    "coverage",
    "false values",
    "exact reports",
    "trainable parameters",
    "CPU seconds",
    "peak MB",
    "reference F1",
)


def write_report(found: Found, out: Path) -> Path:
    """Write ablations.md, ablations.json and ablations.png; gives the Markdown's path."""
    out.mkdir(parents=True, exist_ok=True)
    document = out / "ablations.md"
    document.write_text(markdown(found), encoding="utf-8")
    data = {variant.name: outcome.model_dump(mode="json") for variant, outcome in found}
    (out / "ablations.json").write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    shown = {
        "macro F1": {variant.name: outcome.score.macro_f1_common for variant, outcome in found},
        "accuracy": {variant.name: outcome.score.accuracy for variant, outcome in found},
    }
    distribution_figure(out / "ablations.png", "Ablations, hospitals held out", shown, "share")
    return document


def markdown(found: Found) -> str:
    """One table for each group of variants, then every variant task by task; the tasks of the means come first."""
    tables: dict[str, list[Sequence[str]]] = {}
    for variant, outcome in found:
        tables.setdefault(variant.table, [HEADER]).append(_row(variant, outcome))
    parts = [f"### {title}\n\n{markdown_table(rows)}" for title, rows in tables.items()]
    averaged = ", ".join(task.task for task in found[0][1].score.compared) if found else "no task"
    return (
        "\n\n".join(
            [f"Macro F1 is the mean over {averaged}.", *parts, f"### By task\n\n{markdown_table(_task_rows(found))}"]
        )
        + "\n"
    )


def _row(variant: Variant, outcome: Outcome) -> list[str]:
    """One variant over all tasks."""
    score = outcome.score
    reference = REFERENCE_F1.get(variant.name)
    return [
        variant.name,
        variant.says,
        with_interval(score, "macro_f1_common"),
        f"{score.accuracy:.3f}",
        f"{score.coverage:.3f}",
        f"{score.false_values} of {score.unstated}",
        f"{score.exact_reports} of {score.reports}",
        f"{outcome.parameters:,}",
        f"{outcome.seconds:.0f}",
        f"{outcome.megabytes:.0f}",
        "" if reference is None else f"{reference:.3f}",
    ]


def _task_rows(found: Found) -> list[list[str]]:
    """Macro F1 over common classes and accuracy of each task, one row a variant."""
    tasks = [task.task for task in found[0][1].score.tasks] if found else []
    rows = [["variant", *tasks]]
    for variant, outcome in found:
        figures = [f"{task.macro_f1_common:.3f} / {task.accuracy:.3f}" for task in outcome.score.tasks]
        rows.append([variant.name, *figures])
    return rows
