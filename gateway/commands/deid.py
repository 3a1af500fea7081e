"""`synoptic deid text`: shows what de-identification leaves of a document, and what it removes."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.intake import Intake
from gateway.sources import SourceReport, read_source
from schemas.pack import Routing
from schemas.pack_loader import Pack, load_pack
from schemas.settings import load_settings
from workers.deidentify import CleanText, deidentify

app = typer.Typer(no_args_is_help=True, add_completion=False)


class Form(StrEnum):
    """What is printed."""

    TEXT = "text"
    JSONL = "jsonl"


@app.callback()
def deid() -> None:
    """De-identify text."""


@app.command()
def text(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Text, PDF, image or FHIR files.")],
    output: Annotated[Form, typer.Option("--format", help="Plain text, or one JSON line a document.")] = Form.TEXT,
) -> None:
    """Print each document without its identifiers; a FHIR file brings its own known ones."""
    settings = load_settings()
    intake = Intake(settings, packs=[_reading_anything(load_pack(settings.packs[0]))])
    try:
        rejected = sum(_show(source, output) for path in files for source in read_source(path, settings, intake=intake))
    finally:
        intake.close()
    if rejected:
        raise typer.Exit(1)


def _show(source: SourceReport, output: Form) -> bool:
    """Print one document; True where it was rejected."""
    if source.report is None:
        typer.echo(f"{source.name}: {source.error or source.ignored}", err=True)
        return source.error is not None
    clean = deidentify(source.report.text, source.report.known_identifiers)
    typer.echo(clean.text if output is Form.TEXT else _line(source.name, clean))
    return False


def _reading_anything(pack: Pack) -> Pack:
    """The pack with a routing that any text passes: who de-identifies asks about no organ."""
    return replace(pack, definition=pack.definition.model_copy(update={"routing": Routing()}))


def _line(name: str, clean: CleanText) -> str:
    removed = [{"start": item.start, "end": item.end, "class": item.tag} for item in clean.removed]
    return orjson.dumps({"source": name, "text": clean.text, "removed": removed}).decode()
