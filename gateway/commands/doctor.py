"""`synoptic doctor`: checks the installation, one line each, and says what to fix."""

import typer

from gateway.checks import run_checks


def doctor() -> None:
    """Check settings, packs, model, bus, store, OCR and privacy key; exit 2 where something is to be fixed."""
    faults = 0
    for outcome in run_checks():
        faults += outcome.is_fault
        remedy = f"; {outcome.remedy}" if outcome.is_fault else ""
        typer.echo(f"{'fault' if outcome.is_fault else 'ok':5}  {outcome.name}: {outcome.found}{remedy}")
    if faults:
        raise typer.Exit(2)
