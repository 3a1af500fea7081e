"""`synoptic dataset`: report texts to labelled, divided training data on disk, and how its values are distributed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.display.listing import print_rows
from gateway.display.progress_bar import progress_bar
from gateway.routing import takes
from schemas.pack_loader import load_pack
from training.dataset.manifest import DatasetManifest, distribution_rows, draw_distributions, load_manifest

app = typer.Typer(no_args_is_help=True, add_completion=False)


class Unit(StrEnum):
    """What never stands in two parts."""

    PATIENT = "patient"
    HOSPITAL = "hospital"


class Granularity(StrEnum):
    """What one row asks."""

    PER_REPORT = "per_report"
    PER_TASK = "per_task"


class Format(StrEnum):
    """What goes to standard output."""

    JSON = "json"
    TABLE = "table"


@app.command()
def build(
    texts: Annotated[list[Path], typer.Option(help="report texts: JSON lines, .txt files or folders; repeatable")],
    out: Annotated[Path, typer.Option(help="a new folder; it will hold words of the reports")],
    gold: Annotated[list[Path] | None, typer.Option(help="annotations of some of these reports; repeatable")] = None,
    by: Annotated[Unit, typer.Option(help="what never stands in two parts")] = Unit.PATIENT,
    granularity: Annotated[Granularity, typer.Option(help="one row a report, or one a task")] = Granularity.PER_REPORT,
    pack: Annotated[str, typer.Option(help="the pack whose tasks are learned")] = "breast",
    seed: Annotated[int, typer.Option(help="another seed divides otherwise")] = 42,
    processes: Annotated[int, typer.Option(help="processes that read side by side", min=1)] = 1,
) -> None:
    """Label, consolidate by patient and divide reports 80/10/10; near-duplicates stay in one part."""
    from training.dataset.build import Plan
    from training.dataset.build import build as run

    loaded = load_pack(pack)
    plan = Plan(
        texts=tuple(texts),
        gold=tuple(gold or ()),
        out=out,
        routed=lambda text: takes(text, (), (), loaded.definition.routing),
        by=by.value,
        granularity=granularity.value,
        seed=seed,
        processes=processes,
    )
    with progress_bar("reports") as done:
        manifest = run(plan, loaded, done)
    _print(manifest)


@app.command()
def stats(
    folder: Annotated[Path, typer.Argument(help="what `synoptic dataset build` made")],
    output: Annotated[Format, typer.Option("--format", help="a table, or the whole manifest")] = Format.TABLE,
    figures: Annotated[Path | None, typer.Option(help="also draw one PNG a task into this folder")] = None,
) -> None:
    """Print how many reports each part holds of each class, with class weights."""
    manifest = load_manifest(folder)
    if output is Format.JSON:
        typer.echo(orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(manifest)
    for path in draw_distributions(manifest, figures) if figures else ():
        typer.echo(str(path), err=True)


def _print(manifest: DatasetManifest) -> None:
    """The parts, then the classes; what became of the other reports on standard error."""
    header = ("part", "rows", "reports", "patients", "hospitals")
    columns = ("rows", "reports", "patients", "hospitals")
    print_rows(
        header, ([name, *(str(getattr(part, column)) for column in columns)] for name, part in manifest.parts.items())
    )
    first, *rows = distribution_rows(manifest)
    print_rows(first, rows)
    grouped = f"{manifest.groups} groups, the largest of {manifest.largest_group} reports"
    typer.echo("; ".join([grouped, *(f"{count} {name}" for name, count in manifest.counts.items())]), err=True)
