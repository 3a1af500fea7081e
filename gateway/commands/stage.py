"""`synoptic stage`: stage groups of categories written one case a line, such as "T2 N1a M0"."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from mappers.staging import stage_line
from schemas.errors import Code, SynopticError
from schemas.pack_loader import PACKS_FOLDER, load_pack
from schemas.tables import Staging

STANDARD_INPUT = "-"


class Format(StrEnum):
    """What goes to standard output."""

    JSONL = "jsonl"
    TEXT = "text"


def stage(
    source: Annotated[str, typer.Argument(help="a file of lines, or - for standard input")] = STANDARD_INPUT,
    site: Annotated[str, typer.Option(help="the pack whose stage table decides")] = "breast",
    output: Annotated[Format, typer.Option("--format", help="one JSON line a case, or plain text")] = Format.JSONL,
) -> None:
    """Print the group of each line, or the reason why there is none; "IIB if M0" where M is not stated."""
    if not (PACKS_FOLDER / site).is_dir():
        raise SynopticError(Code.BAD_PACK, f"no pack {site!r}")
    staging = load_pack(site).staging
    for line in _lines(source):
        answer = _answer(line, staging)
        if output is Format.JSONL:
            typer.echo(orjson.dumps(answer).decode())
        else:
            condition = f" if {answer['conditional_on']}" if answer["conditional_on"] else ""
            typer.echo(f"{line}: {answer['group'] or answer['reason']}{condition}")


def _lines(source: str) -> Iterator[str]:
    """The lines that hold anything."""
    text = typer.get_text_stream("stdin").read() if source == STANDARD_INPUT else _read(Path(source))
    return (line.strip() for line in text.splitlines() if line.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynopticError(Code.UNREADABLE_FILE, type(error).__name__) from None


def _answer(line: str, staging: Staging) -> dict[str, Any]:
    staged = stage_line(line, staging)
    return {
        "input": line,
        "group": staged.stage.group if staged.stage else None,
        "conditional_on": staged.stage.conditional_on if staged.stage else None,
        "reason": staged.reason,
    }
