"""`synoptic doctor`: checks the installation, one line each, and says what to fix."""

import typer

from gateway.doctor.checks import run_checks
from gateway.doctor.outcome import Outcome


def doctor() -> None:
    """Check settings, packs, model, bus, store, OCR and privacy key; exit 2 where something is to be fixed."""
    faults = 0
    for outcome in run_checks():
        faults += outcome.is_fault
        remedy = f"; {outcome.remedy}" if outcome.remedy else ""
        typer.echo(f"{_word(outcome):6} {outcome.name}: {outcome.found}{remedy}")
    if faults:
        raise typer.Exit(2)


def _word(outcome: Outcome) -> str:
    if outcome.is_fault:
        return "fault"
    return "advice" if outcome.is_advice else "ok"
