"""`synoptic config show`: every setting with its value, as a synoptic.yaml that could be used as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel, SecretStr

from schemas.settings import Section, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command()
def show() -> None:
    """Print every key with its value, its meaning, and its default where the value differs; secrets are not printed."""
    typer.echo("# Each key is overridden by an environment variable: SYNOPTIC_BUS__PATH for path under bus.")
    for line in _lines(load_settings()):
        typer.echo(line)


def _lines(model: BaseModel, indent: str = "") -> Iterator[str]:
    for name, definition in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, Section):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
            continue
        notes = [definition.description] if definition.description else []
        if isinstance(value, SecretStr):
            notes.append("is set; not printed")
        elif value != definition.default:
            notes.append(f"default: {_scalar(definition.default)}")
        note = f"  # {'; '.join(notes)}" if notes else ""
        yield f"{indent}{name}: {_scalar(value)}{note}"


def _scalar(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "null"
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return str(yaml.safe_dump(plain, default_flow_style=True, width=10_000, allow_unicode=True)).split("\n")[0]
