"""`synoptic stage`: stage groups of categories such as "T2 N1a M0", one case or many, with each step explained."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from mappers.staging import Staged, Stager
from schemas.errors import Code, SynopticError
from schemas.rule_table import LicensedTable, RuleTable
from schemas.settings import Settings
from schemas.stage_tables import (
    SITES_FOLDER,
    check_rule_table,
    derivation_paths,
    load_rule_table,
    load_staging,
)

STANDARD_INPUT = "-"


class Format(StrEnum):
    """What goes to standard output."""

    JSONL = "jsonl"
    TEXT = "text"


def stage(
    words: Annotated[
        list[str] | None, typer.Argument(help="one case; none or -: a case a line of standard input")
    ] = None,
    site: Annotated[str, typer.Option(help="breast, colorectal, lung, prostate, or a synonym")] = "breast",
    table: Annotated[str | None, typer.Option(help="a licensed table's file, or a derivation of the site")] = None,
    output: Annotated[Format | None, typer.Option("--format", help="text for one case, jsonl for lines")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="tell what was read, assumed and decided, and by whom")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="print every fault of the --table and end")] = False,
) -> None:
    """Print the group of each case, or the reason why there is none; "IIB if M0" where M is not stated."""
    if check:
        _check(table, site)
        return
    settings = Settings()
    rules = _rules(table, site, settings)
    stager = Stager(rules, settings.mapping.assume_m0)
    one = None if words in (None, [], [STANDARD_INPUT]) else " ".join(words or ())
    for line in _lines() if one is None else [one]:
        staged = stager.line(line)
        if (output or (Format.JSONL if one is None else Format.TEXT)) is Format.JSONL:
            typer.echo(orjson.dumps(_answer(line, staged, explain)).decode())
        else:
            _show(line, staged, rules, explain)
    if one is not None and not staged.readable:
        raise typer.Exit(1)


def _rules(table: str | None, site: str, settings: Settings) -> RuleTable:
    """The table that decides; raises SYN-622 for AJCC's groups where a setting switches them off."""
    if table is None:
        if not settings.mapping.anatomic_stage:
            raise SynopticError(Code.STAGING_OFF)
        return load_staging(site)
    derivation = _derivation(table, site)
    return load_rule_table(derivation) if derivation else load_rule_table(Path(table), LicensedTable)


def _derivation(table: str, site: str) -> Path | None:
    return derivation_paths(SITES_FOLDER / site).get(table)


def _check(table: str | None, site: str) -> None:
    """Print each fault with file, line and key; ends with status 1 if there is any."""
    faults = []
    if table is None:
        load_staging(site)
    elif derivation := _derivation(table, site):
        faults = check_rule_table(derivation)[1]
    else:
        faults = check_rule_table(Path(table), LicensedTable)[1]
    for fault in faults:
        typer.echo(str(fault))
    typer.echo(f"{table or site}: {len(faults) or 'no'} fault{'' if len(faults) == 1 else 's'}", err=True)
    if faults:
        raise typer.Exit(1)


def _lines() -> Iterator[str]:
    """The lines of standard input, empty ones too; bytes that are no UTF-8 become question marks."""
    for raw in sys.stdin.buffer:
        yield raw.decode("utf-8-sig", errors="replace").rstrip("\r\n")


def _answer(line: str, staged: Staged, explain: bool) -> dict[str, Any]:
    """The JSON line of docs/interfaces.md; `steps` only where asked for."""
    return {
        "input": line,
        "group": staged.stage.group if staged.stage else None,
        "conditional_on": staged.stage.conditional_on if staged.stage else None,
        "reason": "; ".join(_reasons(staged)) or None,
        **({"steps": staged.steps} if explain else {}),
    }


def _reasons(staged: Staged) -> list[str]:
    """Why there is no group or only a broad one, and what was assumed for it."""
    return [*filter(None, [staged.reason]), *(f"assumed {value}" for value in staged.assumed)]


def _show(line: str, staged: Staged, rules: RuleTable, explain: bool) -> None:
    """One line for a person, and where asked for the steps under it."""
    if staged.stage:
        condition = f" if {staged.stage.conditional_on}" if staged.stage.conditional_on else ""
        answer, said = f"{staged.stage.group}{condition}", [*staged.remarks, *_reasons(staged)]
    else:
        answer, said = staged.reason or "", list(staged.remarks)
    typer.echo(f"{line}: {answer}" + (f" ({'; '.join(said)})" if said else ""))
    if explain:
        told = [*staged.steps, f"{rules.system}: {'; '.join(rules.source)}", *([rules.notice] if rules.notice else [])]
        for step in told:
            typer.echo(f"  {step}")
