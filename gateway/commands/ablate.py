"""`synoptic ablate`: the reference system's tables on reports of hospitals that a classifier never saw."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.routing import takes
from model.libraries import quiet_libraries
from schemas.pack_loader import load_pack


def ablate(
    texts: Annotated[
        list[Path], typer.Option(help="report texts, JSON lines with patient, site, text; may be several")
    ],
    gold: Annotated[list[Path], typer.Option(help="annotations of some of these reports; may be several")],
    out: Annotated[Path, typer.Option(help="folder for ablations.md, .json and .png; one file a variant in work/")],
    only: Annotated[list[str] | None, typer.Option(help="only this variant; may be given several times")] = None,
    quick: Annotated[bool, typer.Option(help="tiny models, figures of no use in seconds, to try the path")] = False,
    pack: Annotated[str, typer.Option(help="the pack whose tasks are measured")] = "breast",
) -> None:
    """Train and measure each variant, hospital by hospital; what has run with the same input is not run again."""
    quiet_libraries()
    from training.ablation.report import write_report
    from training.ablation.run import ablate as run
    from training.dataset.corpus import Sources

    loaded = load_pack(pack)
    sources = Sources(texts, gold, lambda text: takes(text, (), (), loaded.definition.routing))
    found = run(sources, out, loaded, tuple(only or ()), quick, lambda line: typer.echo(line, err=True))
    typer.echo(f"{len(found)} variants in {write_report(found, out)}", err=True)
