"""`synoptic deid`: shows what de-identification leaves of a document and why, and measures how well it works."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.display.removal_page import review_page
from gateway.display.removal_review import Review, count_line, review, terminal_legend, terminal_text
from gateway.fhir.parsing import pick_report
from gateway.intake import Intake
from gateway.known_identifiers import known_identifiers
from gateway.known_names import require_known
from gateway.private_files import write_private
from gateway.sources import SourceReport, read_source
from schemas.errors import Code, SynopticError
from schemas.messages import KnownIdentifier
from schemas.pack import Routing
from schemas.pack_loader import Pack, load_pack
from schemas.settings import Settings, load_settings
from workers.privacy.deidentify import CleanText
from workers.privacy.replacements import Replacements

if TYPE_CHECKING:
    from training.deidentification.annotated import AnnotatedText
    from training.deidentification.figures import SetFigures
    from training.measures.comparison import Comparison

app = typer.Typer(no_args_is_help=True, add_completion=False)
PLANTED = "planted"
_REFILLS = 4
_SENTENCES = 2500

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Text, PDF, image or FHIR files.")]


class Form(StrEnum):
    """What is printed of a document."""

    TEXT = "text"
    JSONL = "jsonl"


class Figures(StrEnum):
    """How figures are printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSONL = "jsonl"


@app.callback()
def deid() -> None:
    """De-identify text, show what was removed, and measure it."""


@app.command()
def text(
    files: Files,
    output: Annotated[Form, typer.Option("--format", help="Plain text, or one JSON line a document.")] = Form.TEXT,
) -> None:
    """Print each document without its identifiers; a FHIR file brings its own known ones."""
    rejected = False
    settings = load_settings()
    replacements = Replacements.of(settings)
    for source in _sources(files, settings):
        if source.report is None:
            rejected |= _refused(source)
            continue
        clean = replacements.deidentified(source.report)
        typer.echo(clean.text if output is Form.TEXT else _line(source.name, clean))
    if rejected:
        raise typer.Exit(1)


@app.command()
def check(
    files: Files,
    html: Annotated[
        Path | None,
        typer.Option(help="A page for a reviewer; it shows the identifiers, so keep it as you keep reports."),
    ] = None,
) -> None:
    """Show what is removed from each document, and why: in colour, or on a page with both texts side by side."""
    console = Console()
    rejected = False
    reviews: list[Review] = []
    settings = load_settings()
    replacements = Replacements.of(settings)
    for source in _sources(files, settings):
        if source.report is None:
            rejected |= _refused(source)
            continue
        one = review(source.name, source.report, replacements)
        typer.echo(count_line(one), err=True)
        if html is not None:
            reviews.append(one)
        else:
            console.print(terminal_text(one, coloured=console.is_terminal), soft_wrap=True)
    if html is not None:
        write_private(html, review_page(reviews).encode())
    elif console.is_terminal:
        console.print(terminal_legend())
    if rejected:
        raise typer.Exit(1)


@app.command()
def evaluate(
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FORMAT=FILE", help="An annotated set and its format; repeatable."),
    ] = None,
    plant: Annotated[
        list[Path] | None, typer.Option(help="Reports to plant invented patients' identifiers into; repeatable.")
    ] = None,
    reports: Annotated[int, typer.Option(help="How many reports are planted into.", min=1)] = 500,
    seed: Annotated[int, typer.Option(help="Another seed plants other identifiers.")] = 1,
    held_back: Annotated[str, typer.Option(help="Hospitals whose reports are left alone, such as EW,OL.")] = "",
    texts: Annotated[list[Path] | None, typer.Option(help="Report texts of --gold; repeatable.")] = None,
    gold: Annotated[
        list[Path] | None, typer.Option(help="Annotations: what de-identification costs extraction; repeatable.")
    ] = None,
    pack: Annotated[str, typer.Option(help="The pack whose rules extract.")] = "breast",
    misses: Annotated[
        Path | None, typer.Option(help="A file for what was missed and wrongly removed, with words.")
    ] = None,
    output: Annotated[Figures, typer.Option("--format", help="How the figures are printed.")] = Figures.TABLE,
) -> None:
    """Print recall and precision by class on annotated sets and on planted identifiers, and what extraction loses."""
    from training.deidentification.figures import set_figures
    from training.deidentification.misses import miss_lines
    from training.deidentification.verdicts import judge

    if not (sets or plant or gold):
        raise typer.BadParameter("give --set, --plant or --gold: there is nothing to measure")
    if bool(texts) != bool(gold):
        raise typer.BadParameter("--texts and --gold go together")
    named = [*_annotated_sets(sets or ())]
    if plant:
        named.append((PLANTED, _planted_set(plant, reports, seed, held_back)))
    found, missed = [], []
    for name, annotated in named:
        verdicts = judge(name, annotated)
        found.append(set_figures(verdicts))
        missed += list(miss_lines(verdicts, annotated)) if misses is not None else []
    if misses is not None:
        write_private(misses, b"".join(orjson.dumps(line) + b"\n" for line in missed))
    _print(found, _effects(texts, gold, load_pack(pack), seed) if texts and gold else (), output)


@app.command()
def train(
    output: Annotated[Path, typer.Argument(help="The model; its digest is written beside it.")],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FORMAT=FILE", help="A set whose sentences take invented values; repeatable."),
    ] = None,
    reports: Annotated[
        list[Path] | None, typer.Option(help="Reports, in which the rules say what is a name; repeatable.")
    ] = None,
    skip: Annotated[int, typer.Option(help="How many of the reports are left to the evaluation.", min=0)] = 500,
    count: Annotated[int, typer.Option(help="How many reports are read after them.", min=0)] = 1000,
    held_back: Annotated[str, typer.Option(help="Hospitals whose reports are left alone, such as EW,OL.")] = "",
    abstracts: Annotated[
        list[Path] | None, typer.Option(help="Tables of tokens (IOB) of texts without a name; repeatable.")
    ] = None,
    passages: Annotated[int, typer.Option(help="How many passages of prose are invented.", min=1)] = 12000,
    seed: Annotated[int, typer.Option(help="Another seed invents other names.")] = 1,
) -> None:
    """Train the tagger that finds names and places in prose; schemas/name_tagger.crfsuite is the one in use."""
    from training.deidentification.invented_values import InventedValues
    from training.deidentification.set_readers import read_tokens
    from training.deidentification.tagger_examples import (
        from_reports,
        invented_prose,
        plain,
        refilled,
        vocabulary_cases,
    )
    from training.deidentification.tagger_training import train_tagger

    values = InventedValues(seed)
    examples = [*invented_prose(passages, values), *vocabulary_cases()]
    for _, annotated in _annotated_sets(sets or ()):
        examples += [refilled(text, values) for text in annotated for _ in range(_REFILLS)]
    chosen = islice(_texts_of_others(reports or (), held_back), skip, skip + count)
    examples += from_reports(chosen, values)
    for path in abstracts or ():
        examples += plain(islice(read_tokens(path), _SENTENCES))
    typer.echo(f"{len(examples)} texts, {train_tagger(examples, output)} words and signs")


def _annotated_sets(sets: Sequence[str]) -> "Iterator[tuple[str, tuple[AnnotatedText, ...]]]":
    """Each set by the name of its format; a format that nobody reads is wrong use."""
    from training.deidentification.set_readers import READERS, read_set

    for given in sets:
        name, separator, path = given.partition("=")
        if not separator:
            raise typer.BadParameter(f"{given}: expected FORMAT=FILE", param_hint="--set")
        require_known("--set", [name], list(READERS))
        yield name, read_set(name, Path(path))


def _planted_set(paths: Sequence[Path], count: int, seed: int, held_back: str) -> "tuple[AnnotatedText, ...]":
    """The first reports of other hospitals with identifiers planted in them; SYN-761 where there are too few."""
    from training.deidentification.planting import plant

    planted = tuple(plant(islice(_texts_of_others(paths, held_back), count), seed, _known))
    if len(planted) < count:
        raise SynopticError(Code.TOO_FEW_TEXTS, f"{len(planted)} of {count}")
    return planted


def _texts_of_others(paths: Sequence[Path], held_back: str) -> Iterator[str]:
    """The texts of reports from hospitals that are not held back."""
    from training.reports.names import listed
    from training.reports.texts import stream_reports

    spared = set(listed([held_back]))
    return (report.text for report in stream_reports(paths) if report.hospital not in spared or not report.hospital)


def _known(resources: dict[str, Any]) -> tuple[KnownIdentifier, ...]:
    return known_identifiers(pick_report(resources))


def _effects(texts: Sequence[Path], gold: Sequence[Path], pack: Pack, seed: int) -> "Sequence[Comparison]":
    from training.deidentification.extraction_effect import extraction_effect
    from training.reports.gold import load_gold_reports

    return extraction_effect(load_gold_reports(texts, gold, pack.definition), pack, seed, _known)


def _print(found: "Sequence[SetFigures]", effects: "Sequence[Comparison]", output: Figures) -> None:
    """The figures in the asked form on standard output."""
    from training.deidentification.figure_tables import figure_tables
    from training.measures.comparison import comparison_rows
    from training.measures.score_tables import markdown_tables

    if output is Figures.JSONL:
        for one in [*found, *effects]:
            typer.echo(one.model_dump_json())
        return
    tables = figure_tables(found)
    for effect in effects:
        tables[f"Extraction by the rules: {effect.second}"] = comparison_rows(effect)
    if output is Figures.MARKDOWN:
        typer.echo(markdown_tables(tables))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for title, rows in tables.items():
        table = Table(*rows[0], title=title, title_justify="left")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)


def _sources(files: Sequence[Path], settings: Settings) -> Iterator[SourceReport]:
    """Each report of the files, whatever organ it is about."""
    intake = Intake(settings, packs=[_reading_anything(load_pack(settings.packs[0]))])
    try:
        for path in files:
            yield from read_source(path, settings, intake=intake)
    finally:
        intake.close()


def _refused(source: SourceReport) -> bool:
    """Say why there is nothing to show of a document; True where it was rejected."""
    typer.echo(f"{source.name}: {source.error or source.ignored}", err=True)
    return source.error is not None


def _reading_anything(pack: Pack) -> Pack:
    """The pack with a routing that any text passes: who de-identifies asks about no organ."""
    return replace(pack, definition=pack.definition.model_copy(update={"routing": Routing()}))


def _line(name: str, clean: CleanText) -> str:
    removed = [
        {"start": item.start, "end": item.end, "class": item.tag, "reason": item.reason} for item in clean.removed
    ]
    return orjson.dumps({"source": name, "text": clean.text, "removed": removed}).decode()
