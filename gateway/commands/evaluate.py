"""`synoptic evaluate`: measures a checkpoint, the rules and the naive baseline against gold labels."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.display.progress_bar import progress_bar
from gateway.known_names import require_known
from gateway.routing import takes
from schemas.errors import Code, SynopticError
from schemas.pack import Policy
from schemas.pack_loader import Pack, load_pack
from schemas.settings import ModelSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.engine import Engine
    from training.dataset.rows import ReportReading
    from training.evaluation.measurement import Measured
    from training.evaluation.systems import Examined


class Format(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def evaluate(
    texts: Annotated[list[Path], typer.Option(help="report texts, JSON lines with patient, site and text; repeatable")],
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="annotations or benchmark rows of these reports; repeatable; by default registry values"),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="a checkpoint folder; by default the one of the settings")
    ] = None,
    against: Annotated[str | None, typer.Option(help="another checkpoint, to compare with on the same reports")] = None,
    rules_only: Annotated[bool, typer.Option(help="measure the rules and the naive baseline, without a model")] = False,
    policy: Annotated[Policy | None, typer.Option(help="only this decision policy; by default both")] = None,
    held_back: Annotated[
        list[str] | None, typer.Option(help="hospitals to report apart, such as EW,OL; repeatable")
    ] = None,
    mean_over: Annotated[
        list[str] | None, typer.Option(help="tasks of the mean macro F1, such as T,N; repeatable; by default all")
    ] = None,
    pack: Annotated[str, typer.Option(help="the pack whose tasks are measured")] = "breast",
    figures: Annotated[Path | None, typer.Option(help="a folder for the figures, PNG")] = None,
    output: Annotated[Format, typer.Option("--format", help="how the figures are printed")] = Format.TABLE,
) -> None:
    """Print figures by task, class, basis and hospital, with supports and intervals, and compare systems."""
    from training.evaluation.measurement import Question, measure
    from training.evaluation.systems import POLICIES
    from training.reports.names import listed

    loaded = load_pack(pack)
    question = Question((policy,) if policy else POLICIES, tuple(listed(held_back)), tuple(listed(mean_over)))
    require_known("--mean-over", question.mean_over, [task.key for task in loaded.definition.tasks])
    readings = _readings(texts, gold, loaded)
    require_known("--held-back", question.held_back, sorted({reading.report.hospital for reading in readings}))
    engine = None if rules_only else _engine(checkpoint, loaded)
    examined = _examine(readings, loaded, engine, question.policies)
    other = None
    if against is not None:
        other = Path(against).name, _examine(readings, loaded, _engine(against, loaded), question.policies)
    measured = measure(examined, loaded, engine.calibration if engine else None, question, other)
    if figures is not None:
        measured.draw(figures)
    _print(measured, output)


def _readings(texts: list[Path], gold: list[Path] | None, pack: Pack) -> "list[ReportReading]":
    """The annotated reports as they are read, or without annotations those that the registry says something of.

    Raises SYN-702 where there is none.
    """
    from training.dataset.rows import read_labelled
    from training.reports.gold import load_gold_reports, load_silver_reports

    routing = pack.definition.routing
    if gold:
        reports = load_gold_reports(texts, gold, pack.definition)
    else:
        reports = load_silver_reports(texts, pack.definition, lambda text: takes(text, (), (), routing))
    if not reports:
        names = ", ".join(path.name for path in texts)
        raise SynopticError(Code.GOLD_WITHOUT_TEXT, f"no report of {names} has a registry value and goes to the pack")
    with progress_bar("reading", len(reports)) as done:
        readings = []
        for report in reports:
            readings.append(read_labelled(report, pack))
            done(len(readings))
        return readings


def _engine(checkpoint: str | None, pack: Pack) -> "Engine":
    """The checkpoint of the settings, or another; SYN-305 where it was not trained for the pack."""
    from model.engine import load_engine

    settings = load_settings().model
    chosen: ModelSettings = settings.model_copy(update={"path": checkpoint}) if checkpoint else settings
    engine = load_engine(chosen)
    engine.manifest.require_pack(pack.definition)
    return engine


def _examine(
    readings: "Sequence[ReportReading]", pack: Pack, engine: "Engine | None", policies: "Sequence[Policy]"
) -> "Sequence[Examined]":
    from training.evaluation.systems import examine

    with progress_bar("classifying", len(readings)) as done:
        return examine(readings, pack, engine, policies, done)


def _print(measured: "Measured", output: Format) -> None:
    """The figures in the asked form on standard output."""
    from training.measures.score_tables import markdown_tables

    if output is Format.JSON:
        typer.echo(orjson.dumps(measured.data(), option=orjson.OPT_INDENT_2).decode())
        return
    if output is Format.MARKDOWN:
        typer.echo(markdown_tables(measured.tables()))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for title, rows in measured.tables().items():
        table = Table(*rows[0], title=title, title_justify="left")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
