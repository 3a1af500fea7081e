"""`synoptic train`: the whole way from report texts and labels to a calibrated checkpoint, in one command."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.routing import takes
from model.libraries import quiet_libraries
from schemas.pack_loader import load_pack


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
    texts: Annotated[Path, typer.Option(help="report texts, JSON lines with patient, site, text, registry, tier")],
    gold: Annotated[Path, typer.Option(help="annotations of some of these reports, JSON lines")],
    out: Annotated[Path, typer.Option(help="the checkpoint's folder; log, folds and figures go to <out>.work")],
    pack: Annotated[str, typer.Option(help="the pack whose tasks are learned")] = "breast",
    recipe: Annotated[
        RecipeName, typer.Option(help="starter; toy: seconds, of no use; reference: an adapter on --backbone")
    ] = RecipeName.STARTER,
    backbone: Annotated[
        Path | None, typer.Option(help="folder of a Llama checkpoint on which the recipe `reference` puts its adapter")
    ] = None,
    precision: Annotated[PrecisionName, typer.Option(help="of the backbone of --backbone")] = PrecisionName.NF4,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(help="more text for the language phase: plain, or JSON lines with text, site")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="only these tasks, for comparison: such a checkpoint is never served")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="another seed than the recipe's")] = None,
) -> None:
    """Train a checkpoint: read, vary, pre-train, adapt, cross-validate over hospitals, calibrate. Resumable.

    Several GPUs: `accelerate launch -m gateway.cli train ...`.
    """
    quiet_libraries()
    from training.corpus import Sources
    from training.pipeline import train as run
    from training.recipe import RECIPES

    changes = {
        "tasks": tuple(task or ()),
        **({"seed": seed} if seed is not None else {}),
        **({"precision": precision.value} if backbone else {}),
    }
    named = RECIPES[recipe]
    chosen = (named.with_language() if unlabelled else named).model_copy(update=changes)
    loaded = load_pack(pack)
    sources = Sources(texts, gold, lambda text: takes(text, (), (), loaded.definition.routing), tuple(unlabelled or ()))
    work = run(sources, out, loaded, chosen, lambda line: typer.echo(line, err=True), backbone)
    typer.echo(f"checkpoint in {out}; log, out-of-fold predictions and figures in {work}", err=True)
