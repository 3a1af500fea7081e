"""`synoptic train`: the whole way from report texts and labels to a calibrated checkpoint, in one command."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from gateway.known_names import require_known
from gateway.routing import takes
from model.libraries import quiet_libraries
from schemas.pack_loader import Pack, load_pack

if TYPE_CHECKING:
    from training.dataset.corpus import Material
    from training.recipe import Recipe


class RecipeName(StrEnum):
    """The recipes of training/recipe.py."""

    STARTER = "starter"
    TOY = "toy"
    REFERENCE = "reference"


class PrecisionName(StrEnum):
    """How an external backbone is held in memory."""

    NF4 = "nf4"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


def train(
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            help="report texts, JSON lines with patient, site, text, registry, tier; several times for several files"
        ),
    ] = None,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="annotations of some of these reports, JSON lines; may be several; else registry values"),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="what `synoptic dataset build` made, in place of --texts and --gold")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="the checkpoint's folder; log, folds and figures go to <out>.work")
    ] = None,
    pack: Annotated[str, typer.Option(help="the pack whose tasks are learned")] = "breast",
    recipe: Annotated[
        RecipeName | None,
        typer.Option(help="starter; toy: of no use, in seconds; reference: what --backbone gets"),
    ] = None,
    backbone: Annotated[Path | None, typer.Option(help="folder of a Llama checkpoint that gets an adapter")] = None,
    precision: Annotated[PrecisionName, typer.Option(help="of the backbone of --backbone")] = PrecisionName.NF4,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(help="more text for the language phase: plain, or JSON lines with text, site")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="only these tasks, for comparison: such a checkpoint is never served")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="another seed than the recipe's")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print shapes, counts and memory for --backbone, else for Llama-3-8B")
    ] = False,
) -> None:
    """Train a checkpoint: read, vary, pre-train, adapt, cross-validate over hospitals, calibrate. Resumable.

    Several GPUs: `accelerate launch --no_python synoptic train ...`.
    """
    quiet_libraries()
    name = recipe or (RecipeName.REFERENCE if backbone or dry_run else RecipeName.STARTER)
    chosen = _recipe(name, bool(unlabelled), backbone, precision, tuple(task or ()), seed)
    loaded = load_pack(pack)
    require_known("--task", task or (), [one.key for one in loaded.definition.tasks])
    if dry_run:
        _print_plan(loaded, chosen, backbone)
        return
    if out is None or bool(texts) == bool(dataset) or (gold and dataset):
        raise typer.BadParameter("give --out and either --texts (and --gold) or --dataset; or give --dry-run")
    from training.trainer.pipeline import train as run

    material = _material(texts or (), gold or (), dataset, tuple(unlabelled or ()), loaded)
    work = run(material, out, loaded, chosen, lambda line: typer.echo(line, err=True), backbone)
    typer.echo(f"checkpoint in {out}; log, out-of-fold predictions and figures in {work}", err=True)


def _material(
    texts: Sequence[Path], gold: Sequence[Path], dataset: Path | None, unlabelled: tuple[Path, ...], pack: Pack
) -> "Material":
    """The dataset, or the texts with their labels."""
    from training.dataset.corpus import Sources
    from training.dataset.stored_corpus import StoredDataset

    if dataset is not None:
        return StoredDataset(dataset, unlabelled)
    return Sources(texts, gold, lambda text: takes(text, (), (), pack.definition.routing), unlabelled)


def _recipe(
    name: RecipeName,
    unlabelled: bool,
    backbone: Path | None,
    precision: PrecisionName,
    tasks: tuple[str, ...],
    seed: int | None,
) -> "Recipe":
    """The named recipe with what the options change."""
    from training.recipe import RECIPES

    changes = {
        "tasks": tasks,
        **({"seed": seed} if seed is not None else {}),
        **({"precision": precision.value} if backbone else {}),
    }
    named = RECIPES[name]
    return (named.with_language() if unlabelled else named).model_copy(update=changes)


def _print_plan(pack: Pack, recipe: "Recipe", backbone: Path | None) -> None:
    """What training on a backbone of that shape would be, as JSON on standard output."""
    from training.trainer.dry_run import dry_run, read_config

    label_set = {task.key: task.classes for task in pack.definition.tasks if task.key in (recipe.tasks or [task.key])}
    plan = dry_run(read_config(backbone), label_set, pack.definition.stated_heads, recipe)
    content = {**plan.model_dump(mode="json"), "gigabytes": round(plan.gigabytes, 1)}
    typer.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
