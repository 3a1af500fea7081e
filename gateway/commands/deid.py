"""`synoptic deid text`: shows what de-identification leaves of a document, and what it removes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.sources import read_source
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
    rejected = 0
    for path in files:
        for source in read_source(path, settings):
            if source.report is None:
                rejected += source.error is not None
                typer.echo(f"{source.name}: {source.error or source.ignored}", err=True)
                continue
            clean = deidentify(source.report.text, source.report.known_identifiers)
            typer.echo(clean.text if output is Form.TEXT else _line(source.name, clean))
    if rejected:
        raise typer.Exit(1)


def _line(name: str, clean: CleanText) -> str:
    removed = [{"start": item.start, "end": item.end, "class": item.tag} for item in clean.removed]
    return orjson.dumps({"source": name, "text": clean.text, "removed": removed}).decode()
