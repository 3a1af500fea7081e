"""`synoptic evaluate`: measures a checkpoint, the rules and the naive baseline against gold labels."""

from collections.abc import Callable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from schemas.pack import Policy
from schemas.pack_loader import load_pack
from schemas.settings import ModelSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.scoring import SystemScore


class Format(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def evaluate(
    texts: Annotated[Path, typer.Option(help="report texts, JSON lines with patient, site and text")],
    gold: Annotated[Path, typer.Option(help="annotations of these reports, JSON lines")],
    checkpoint: Annotated[
        str | None, typer.Option(help="a checkpoint folder; by default the one of the settings")
    ] = None,
    policy: Annotated[Policy | None, typer.Option(help="only this decision policy; by default both")] = None,
    pack: Annotated[str, typer.Option(help="the pack whose tasks are measured")] = "breast",
    output: Annotated[Format, typer.Option("--format", help="how the figures are printed")] = Format.TABLE,
) -> None:
    """Print accuracy, macro F1, coverage and false values by task, class, basis and hospital, with supports."""
    from model.engine import load_engine
    from training.evaluation import POLICIES, examine
    from training.evaluation import evaluate as score
    from training.gold import load_gold_reports

    loaded = load_pack(pack)
    reports = load_gold_reports(texts, gold)
    engine = load_engine(_model_settings(checkpoint))
    engine.manifest.require_pack(loaded.definition)
    policies = (policy,) if policy else POLICIES
    with _progress(len(reports)) as done:
        scores = score(examine(reports, loaded, engine, policies, done), loaded, policies)
    _print(scores, output)


def _model_settings(checkpoint: str | None) -> ModelSettings:
    """The settings' model, with another path where one is given."""
    settings = load_settings().model
    return settings.model_copy(update={"path": checkpoint}) if checkpoint else settings


@contextmanager
def _progress(total: int) -> "Iterator[Callable[[int], None]]":
    """A progress bar on standard error, silent when that is not a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reports", total=total)
        yield lambda count: progress.update(task, completed=count)


def _print(scores: "list[SystemScore]", output: Format) -> None:
    """The figures in the asked form on standard output."""
    from training.score_tables import as_data, class_rows, hospital_rows, markdown, summary_rows, task_rows

    if output is Format.JSON:
        typer.echo(orjson.dumps(as_data(scores), option=orjson.OPT_INDENT_2).decode())
        return
    if output is Format.MARKDOWN:
        typer.echo(markdown(scores))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for rows in (summary_rows(scores), task_rows(scores), class_rows(scores), hospital_rows(scores)):
        table = Table(*rows[0])
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
