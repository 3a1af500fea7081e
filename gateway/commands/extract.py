"""`synoptic extract`: reports from files, FHIR or plain, to findings on standard output and Bundles in a folder."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from gateway.display.presentation import Extracted, Refusal, json_line, readers_line, table, wide_console
from gateway.display.showing import KeepingReader, show_evidence
from gateway.documents.reader import DocumentReader
from gateway.private_files import write_private
from gateway.sources import FILE_INSTANT, SOURCE_SUFFIXES, FileContext, SourceReport, read_instant, read_source
from mappers.mapping import Missing
from schemas.errors import Code, Kind, SynopticError, fault_location
from schemas.messages import ReportFindings, ReportText
from schemas.pack_loader import Pack, load_packs
from schemas.settings import MappingSettings, Settings, load_settings
from workers.extraction import Extractor

BATCH = 16
_UNDATED = "; a plain file has no date: give it with --issued"


class Format(StrEnum):
    """What goes to standard output."""

    JSONL = "jsonl"
    TEXT = "text"
    TABLE = "table"


def extract(
    paths: Annotated[list[Path], typer.Argument(help="FHIR JSON, NDJSON, text, HTML, RTF, PDF, images, or folders")],
    output: Annotated[
        Format, typer.Option("--format", help="one JSON line a report, its text, or a table")
    ] = Format.JSONL,
    out: Annotated[
        Path | None, typer.Option(help="also write one transaction Bundle a report into this folder")
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(help="also draw each value's evidence on the pages of its report, into this folder (PHI)"),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="the subject of plain files: Patient/1 or system|value")] = None,
    issued: Annotated[
        str | None, typer.Option(help="when plain files were issued: 2024-05-02, or an instant with its zone")
    ] = None,
) -> None:
    """Read reports from files and print their findings; exit 1 where one was rejected, 2 on wrong use."""
    given = FileContext(subject, _instant(issued))
    settings = load_settings()
    files = list(_files(paths))
    if output is Format.TEXT and (out or show):
        raise typer.BadParameter("--format text prints what is read and extracts nothing", param_hint="--out, --show")
    with closing(KeepingReader(settings.intake)) as reader:
        sources = _sources(files, settings, given, reader)
        if output is Format.TEXT:
            rejected = _print_texts(sources)
        else:
            packs = load_packs(settings.packs, settings.mapping)
            extracted = _extracted(sources, packs, settings)
            if out is not None:
                extracted = (_written(out, one, packs, settings) for one in extracted)
            if show is not None:
                extracted = _shown(extracted, show, reader)
            rejected = _print_findings(extracted, packs, settings.mapping, output)
    if rejected:
        raise typer.Exit(1)


def _instant(issued: str | None) -> str:
    if issued is None:
        return FILE_INSTANT
    try:
        return read_instant(issued)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--issued") from None


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those of a known suffix in the folders named, in order of their names."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SOURCE_SUFFIXES)
        if not found:
            raise SynopticError(Code.EMPTY_FOLDER)
        yield from found


def _sources(
    files: Iterable[Path], settings: Settings, given: FileContext, reader: DocumentReader
) -> Iterator[SourceReport]:
    from gateway.intake import Intake

    with closing(Intake(settings, reader=reader)) as intake:
        for file in files:
            for source in read_source(file, settings, given, intake):
                for note in source.notes:
                    typer.echo(f"{source.name}: {note}", err=True)
                yield source


def _shown(extracted: Iterable[Extracted], folder: Path, reader: KeepingReader) -> Iterator[Extracted]:
    """The outcomes as they come, once what each was read from is drawn."""
    for one in extracted:
        show_evidence(folder, one, reader)
        yield one


def _print_texts(sources: Iterable[SourceReport]) -> bool:
    rejected = False
    for source in sources:
        if source.report is not None:
            typer.echo(source.report.text)
            if any(page.layout for page in source.report.pages):
                typer.echo(f"{source.name}: {readers_line(source.report.pages)}", err=True)
        elif source.error is not None:
            rejected = True
            typer.echo(f"{source.name}: {source.error}", err=True)
    return rejected


def _extracted(sources: Iterator[SourceReport], packs: dict[str, Pack], settings: Settings) -> Iterator[Extracted]:
    """Extract in batches, in order; the model is loaded when the first report needs it."""
    extractor: Extractor | None = None
    while batch := list(islice(sources, BATCH)):
        reports = [source.report for source in batch if source.report is not None]
        if reports and extractor is None:
            extractor = _extractor(packs, settings)
        answers = iter(_answers(extractor, reports) if extractor else ())
        for source in batch:
            answer = next(answers) if source.report else source.error
            findings = answer if isinstance(answer, ReportFindings) else None
            refusal = Refusal.of(answer) if isinstance(answer, SynopticError) else None
            yield Extracted(source.name, source.report, findings, refusal, source.ignored)


def _answers(extractor: Extractor, reports: list[ReportText]) -> list[ReportFindings | SynopticError]:
    """Findings or an error for each report; a batch that fails as a whole is read again one by one."""
    try:
        return [*extractor.extract(reports)]
    except SynopticError as error:
        if error.code.kind is Kind.FATAL:
            raise
        failure = error
    except Exception as error:
        failure = SynopticError(Code.UNEXPECTED, fault_location(error))
    if len(reports) == 1:
        return [failure]
    return [answer for report in reports for answer in _answers(extractor, [report])]


def _extractor(packs: dict[str, Pack], settings: Settings) -> Extractor:
    from model.engine import load_engine
    from workers.privacy.sealing import passing_seal

    return Extractor(packs, load_engine(settings.model), passing_seal())


def _print_findings(
    extracted: Iterable[Extracted], packs: dict[str, Pack], choices: MappingSettings, output: Format
) -> bool:
    progress = Console(stderr=True)
    shown: list[Extracted] = []
    rejected = False
    with progress.status("reading") as status:
        for number, one in enumerate(extracted, start=1):
            status.update(f"{number} read")
            rejected |= one.error is not None
            if output is Format.JSONL:
                typer.echo(orjson.dumps(json_line(one, packs, choices)).decode())
            else:
                shown.append(one)
    if output is Format.TABLE:
        wide_console().print(table(shown, packs, choices))
        for one in shown:
            if one.error is not None:
                typer.echo(f"{one.source}: {one.error.code} {one.error.message}", err=True)
    return rejected


def _written(folder: Path, extracted: Extracted, packs: dict[str, Pack], settings: Settings) -> Extracted:
    """The outcome after its Bundle was written; a report whose resources break a profile is rejected, as `run` does."""
    try:
        _write(folder, extracted, packs, settings)
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise
        return replace(extracted, findings=None, error=Refusal.of(error))
    return extracted


def _write(folder: Path, extracted: Extracted, packs: dict[str, Pack], settings: Settings) -> None:
    """Write the transaction Bundle of a report that has findings, and tell what it could not hold."""
    from gateway.emission import first_bundle

    report, findings = extracted.report, extracted.findings
    if report is None or findings is None:
        return
    bundle, missing = first_bundle(findings, report.context, packs[report.pack], settings)
    write_bundle(folder, extracted.source, bundle)
    if missing:
        undated = report.context.recorded == FILE_INSTANT
        typer.echo(f"{extracted.source}: {_withheld(missing)}{_UNDATED if undated else ''}", err=True)


def _withheld(missing: Iterable[Missing]) -> str:
    """The tasks that the Bundle does not hold, by the table that has no code: names of the pack, never of the report."""
    tasks: dict[str, list[str]] = {}
    for one in missing:
        tasks.setdefault(one.table, []).append(one.slot)
    reasons = (f"{', '.join(dict.fromkeys(slots))} (no code in {table})" for table, slots in tasks.items())
    return f"not in the Bundle: {'; '.join(reasons)}"


def write_bundle(folder: Path, source: str, bundle: dict[str, Any]) -> None:
    """Write a transaction Bundle as `<source name>.bundle.json`; raises SYN-752 where it cannot be written."""
    content = orjson.dumps(bundle, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_private(folder / f"{source}.bundle.json", content)
