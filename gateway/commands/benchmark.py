"""`synoptic benchmark build|texts|agreement`: the open benchmark from annotations, its texts, and how sure the gold is."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.pack_loader import load_pack
from training.reports.benchmark import write_benchmark, write_texts
from training.reports.gold import load_double_readings, load_gold_reports

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def benchmark() -> None:
    """Make the open benchmark and its texts."""


@app.command()
def build(
    texts: Annotated[list[Path], typer.Option(help="report texts, JSON lines with patient, site and text; repeatable")],
    gold: Annotated[list[Path], typer.Option(help="annotations with their quotes, JSON lines; repeatable")],
    out: Annotated[Path, typer.Option(help="the benchmark file to write, JSON lines")],
    pack: Annotated[str, typer.Option(help="the pack whose tasks are annotated")] = "breast",
) -> None:
    """Write annotations without a word of the reports: value, basis, offsets, digests of quote and text."""
    reports = load_gold_reports(texts, gold, load_pack(pack).definition)
    write_benchmark(reports, out)
    typer.echo(f"{len(reports)} reports in {out.name}", err=True)


@app.command()
def texts(
    corpus: Annotated[Path, typer.Option(help="TCGA_Reports.csv as published")],
    out: Annotated[Path, typer.Option(help="the text file to write, JSON lines with patient, site and text")],
) -> None:
    """Write the public corpus as the texts that `synoptic evaluate` reads beside the benchmark."""
    typer.echo(f"{write_texts(corpus, out)} reports in {out.name}", err=True)


@app.command()
def agreement(
    gold: Annotated[list[Path], typer.Option(help="annotations, JSON lines; repeatable: who stands twice is compared")],
    pack: Annotated[str, typer.Option(help="the pack whose tasks are annotated")] = "breast",
) -> None:
    """Print how often two independent readings of the same reports agree, task by task."""
    from training.measures.agreement import agreement_rows
    from training.measures.score_tables import markdown_table

    typer.echo(markdown_table(agreement_rows(load_double_readings(gold, load_pack(pack).definition))))
