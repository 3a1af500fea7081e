"""`synoptic train`: the whole way from report texts and labels to a calibrated checkpoint, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.routing import takes
from model.libraries import quiet_libraries
from schemas.pack_loader import load_pack


def train(
    texts: Annotated[Path, typer.Option(help="report texts, JSON lines with patient, site, text, registry, tier")],
    gold: Annotated[Path, typer.Option(help="annotations of some of these reports, JSON lines")],
    out: Annotated[Path, typer.Option(help="the checkpoint's folder; log and fold predictions go to <out>.work")],
    pack: Annotated[str, typer.Option(help="the pack whose tasks are learned")] = "breast",
    seed: Annotated[int | None, typer.Option(help="another seed than the recipe's")] = None,
    toy: Annotated[bool, typer.Option(help="a model of no use in seconds, to try the path")] = False,
) -> None:
    """Train a checkpoint: read, vary, pre-train, adapt, cross-validate over hospitals, calibrate. Resumable."""
    quiet_libraries()
    from training.pipeline import Sources
    from training.pipeline import train as run
    from training.recipe import STARTER, TOY

    recipe = TOY if toy else STARTER
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    loaded = load_pack(pack)
    sources = Sources(texts, gold, lambda text: takes(text, (), (), loaded.definition.routing))
    work = run(sources, out, loaded, recipe, lambda line: typer.echo(line, err=True))
    typer.echo(f"checkpoint in {out}, log and out-of-fold predictions in {work}", err=True)
