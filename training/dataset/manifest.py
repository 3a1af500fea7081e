"""What a dataset says of itself: how it was made, and how the values are distributed over its parts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.pack import Task

Granularity = Literal["per_report", "per_task"]
By = Literal["patient", "hospital"]
MANIFEST = "dataset.json"
NOT_STATED, UNKNOWN = "not stated", "unknown"
"""What the labels say of a report without a value: that it states none, or nothing at all."""

Values = Mapping[str, str | None]


class Part(Frozen):
    """Training, validation or test: how much it holds, and by task the reports of each class and of none."""

    rows: int
    reports: int
    patients: int
    hospitals: int
    distribution: dict[str, dict[str, int]]


class DatasetManifest(Frozen):
    """dataset.json. `class_weights` are N / (K n_c) over the training part's classes that have a report.

    `counts` tell what became of the reports that were given; `largest_group` is the most reports that had to stay
    together, because they are of one patient or hospital or fillings of one form.
    """

    format: Literal[1] = 1
    pack: str
    pack_version: str
    pack_digest: str
    by: By
    granularity: Granularity
    seed: int
    groups: int
    largest_group: int
    counts: dict[str, int]
    parts: dict[str, Part]
    class_weights: dict[str, dict[str, float]]


def load_manifest(folder: Path) -> DatasetManifest:
    """The manifest of a dataset; SYN-741 where the folder holds none."""
    try:
        return DatasetManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        raise SynopticError(Code.BAD_DATASET, MANIFEST) from None


def distribution(tasks: Sequence[Task], labels: Sequence[Values]) -> dict[str, dict[str, int]]:
    """By task, the reports of each class in the pack's order, then those that state none and those not known."""
    found: dict[str, dict[str, int]] = {}
    for task in tasks:
        counts = Counter(_named(held[task.key]) if task.key in held else UNKNOWN for held in labels)
        found[task.key] = {name: counts[name] for name in (*task.classes, NOT_STATED, UNKNOWN)}
    return found


def class_weights(tasks: Sequence[Task], counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """N / (K n_c) over the classes with a report; a class without one has weight 0."""
    weights = {}
    for task in tasks:
        held = {name: counts[task.key][name] for name in task.classes}
        present, total = sum(count > 0 for count in held.values()), sum(held.values())
        weights[task.key] = {
            name: round(total / (present * count), 4) if count else 0.0 for name, count in held.items()
        }
    return weights


def _named(value: str | None) -> str:
    return NOT_STATED if value is None else value


def distribution_rows(manifest: DatasetManifest) -> list[list[str]]:
    """One row a task and class: the reports of each part, and the class weight; the first row is the header."""
    rows = [["task", "class", *manifest.parts, "weight"]]
    for task, weights in manifest.class_weights.items():
        for name in (*weights, NOT_STATED, UNKNOWN):
            counts = [str(part.distribution[task][name]) for part in manifest.parts.values()]
            rows.append([task, name, *counts, f"{weights[name]:.2f}" if name in weights else ""])
    return rows


def draw_distributions(manifest: DatasetManifest, folder: Path) -> list[Path]:
    """One PNG a task: the share of each class in each part."""
    from training.plots import distribution_figure

    paths = []
    for task in manifest.class_weights:
        shares = {}
        for name, part in manifest.parts.items():
            known = {key: count for key, count in part.distribution[task].items() if key != UNKNOWN}
            total = max(sum(known.values()), 1)
            shares[f"{name} ({total})"] = {key: count / total for key, count in known.items()}
        paths.append(folder / f"{task}.png")
        distribution_figure(paths[-1], f"{task} by part", shares, "share of reports")
    return paths
