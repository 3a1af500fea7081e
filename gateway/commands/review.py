"""`synoptic review`: what reports leave to a person, and what that person decides of it."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from gateway.composition import build_bus
from gateway.display.listing import print_rows
from gateway.review.desk import NUMBER_LENGTH, ReviewDesk, excerpts, number_of, read_reviewer
from gateway.review.tasks import Review
from gateway.stores.resource_store import Resource, open_store
from schemas.messages import TOPIC_DECISIONS, ReportContext, Settlement, Verdict
from schemas.settings import Settings, load_settings
from workers.buses.bus import Outgoing
from workers.privacy.sealing import Seal, load_seal

app = typer.Typer(no_args_is_help=True, add_completion=False)


class Kind(StrEnum):
    """The kinds of items."""

    FINDING = "finding"
    PRIMARY = "primary"
    CONFLICT = "conflict"


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSONL = "jsonl"


Number = Annotated[str, typer.Argument(help="a number from `synoptic review list`")]
By = Annotated[str | None, typer.Option("--by", help="who decides: Practitioner/ and an id, or system|value")]


@app.command("list")
def list_items(
    kind: Annotated[Kind | None, typer.Option("--kind", help="only items of this kind")] = None,
    finding: Annotated[str | None, typer.Option("--finding", help="only of this finding, such as T")] = None,
    report: Annotated[str | None, typer.Option("--report", help="only of this report: its reference or number")] = None,
    output: Annotated[Format, typer.Option("--format", help="table, or one JSON object a line")] = Format.TABLE,
) -> None:
    """List what awaits a person, with its values: patient data."""
    with _desk(load_settings()) as (desk, _):
        rows = [
            row
            for review in desk.waiting()
            if kind in (None, review.item.kind) and finding in (None, review.item.finding)
            if report in (None, *(row := _row(review, desk.context(review))).values())
        ]
    if output is Format.JSONL:
        sys.stdout.writelines(f"{orjson.dumps(row).decode()}\n" for row in rows)
        return
    columns = ("number", "kind", "primary", "focus", "finding", "value", "reason", "report", "resource")
    print_rows(columns, ([str(row[name] or "") for name in columns] for row in rows))


@app.command()
def show(number: Number) -> None:
    """Show what the report says, what it offers, and what the store holds: patient data, for the screen alone."""
    settings = load_settings()
    with _desk(settings) as (desk, seal), closing(build_bus(settings.bus)) as bus:
        review = desk.find(number)
        row, sides = _row(review, desk.context(review)), desk.sides(review)
        quotes = excerpts(review, bus, seal)
    for name, value in row.items():
        if value:
            typer.echo(f"{name}: {value}")
    for before, quote, after in quotes:
        typer.echo(f"the report says: {' '.join(before.split())} >{quote}< {' '.join(after.split())}")
    names = sorted({*sides.offered, *sides.stored})
    print_rows(
        ("resource", "the report offers", "the store holds"),
        ((name, _said(sides.offered.get(name)), _said(sides.stored.get(name))) for name in names),
    )


@app.command()
def accept(number: Number, by: By = None) -> None:
    """Let the report's value stand: it is written, and verified by you."""
    _decide(number, Verdict.ACCEPT, None, by)


@app.command()
def correct(
    number: Number,
    value: Annotated[str, typer.Argument(help="as a pathologist writes it: pT1c(m), G2, negative, 14")],
    by: By = None,
) -> None:
    """Write another value, verified by you."""
    _decide(number, Verdict.CORRECT, value, by)


@app.command()
def dismiss(number: Number, by: By = None) -> None:
    """Write nothing of the report: what stands in the store stays, and of a conflict is verified by you."""
    _decide(number, Verdict.DISMISS, None, by)


def _decide(number: str, verdict: Verdict, value: str | None, by: str | None) -> None:
    settings = load_settings()
    reviewer = read_reviewer(by or settings.review.by)
    decided = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with _desk(settings) as (desk, seal), closing(build_bus(settings.bus)) as bus:
        review = desk.find(number)
        settlement = Settlement(verdict=verdict, value=value, by=reviewer, decided=decided)
        decision = desk.decision(review, settlement)
        sealed = seal.enclose(decision.model_dump_json().encode(), desk.context(review).patient_key)
        bus.publish([Outgoing(TOPIC_DECISIONS, sealed, key=review.item.findings.report_hmac.encode())])
    typer.echo("sent; `synoptic run` writes it", err=True)


@contextmanager
def _desk(settings: Settings) -> Iterator[tuple[ReviewDesk, Seal]]:
    with closing(open_store(settings.fhir)) as store, closing(load_seal(settings)) as seal:
        yield ReviewDesk(settings, store, seal), seal


def _row(review: Review, context: ReportContext) -> dict[str, Any]:
    """An item as it is listed; no name, no date."""
    item = review.item
    return {
        "number": number_of(review, NUMBER_LENGTH),
        "task": review.reference,
        "kind": item.kind,
        "primary": item.primary,
        "focus": item.focus,
        "finding": item.finding,
        "value": item.value,
        "reason": item.reason,
        "report": context.report.literal,
        "accession": context.report_identifier.value,
        "resource": item.reference,
    }


def _said(resource: Resource | None) -> str:
    """A resource's statement in a few words."""
    if resource is None:
        return "-"
    status = resource.get("status") or _concept(resource.get("verificationStatus"))
    stated = resource.get("valueCodeableConcept") or (
        resource.get("code") if "verificationStatus" in resource else None
    )
    part: Resource = next(iter(resource.get("component", [])), {})
    quantity = resource.get("valueQuantity") or part.get("valueQuantity", {})
    number = f"{quantity.get('comparator', '')}{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    plain = resource.get("valueString") or str(resource.get("valueInteger", number))
    said = _concept(stated) or _concept(resource.get("dataAbsentReason")) or plain
    return f"{_concept(resource.get('code'))}: {said} ({status})" if said else f"({status})"


def _concept(concept: Resource | None) -> str:
    """A CodeableConcept's text, or its first coding."""
    concept = concept or {}
    coding: Resource = next(iter(concept.get("coding", [])), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")
