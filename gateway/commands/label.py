"""`synoptic label`: what the labelling rules make of report texts, what they miss, and how often they are right."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer

from gateway.display.listing import print_rows
from gateway.routing import takes
from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack, load_pack
from training.labelling.audit import AuditScore, load_items, load_key, prepare_sample, save_items, score, understood
from training.labelling.audit_sample import AuditSample, candidates, write_sample
from training.labelling.coverage import Coverage, coverage_of, shares
from training.labelling.patient_conflicts import PatientConflicts, read_for_conflicts, with_several
from training.labelling.run import TextReading, in_parallel, label_lines, table_row
from training.reports.names import listed
from training.reports.texts import SourceReport, stream_reports

app = typer.Typer(no_args_is_help=True, add_completion=False)
audit = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(audit, name="audit", help="Measure the rules on a blinded sample that a person reads.")
Result = TypeVar("Result")

_QUIT = "quit"
_CLUSTERS = 40
_SHOWN = 90


class Format(StrEnum):
    """What goes to standard output."""

    JSONL = "jsonl"
    TABLE = "table"


Texts = Annotated[list[Path], typer.Argument(help="JSON lines with patient, site and text; .txt files; or folders")]
PackName = Annotated[str, typer.Option("--pack", help="the pack whose rules read")]
Processes = Annotated[int, typer.Option(help="processes that read side by side", min=1)]
Output = Annotated[Format, typer.Option("--format", help="one JSON line each, or a table")]
HeldBack = Annotated[
    list[str] | None,
    typer.Option(
        "--held-back",
        metavar="SITE[,SITE…]",
        help="hospitals whose reports are only counted; repeatable",
        callback=listed,
    ),
]
NoExcerpts = Annotated[bool, typer.Option("--no-excerpts", help="figures and places only, no words of a report")]


@app.command()
def run(
    texts: Texts,
    pack: PackName = "breast",
    output: Output = Format.JSONL,
    processes: Processes = 1,
    quotes: Annotated[bool, typer.Option("--quotes", help="also the words behind each label")] = False,
) -> None:
    """Print each report's labels, primary by primary: value, basis, rule, places and what contradicts it."""
    loaded = load_pack(pack)
    look = partial(label_lines, quotes=quotes)
    lines = (line for found in _each(texts, loaded, look, processes) for line in found)
    if output is Format.JSONL:
        _print_lines(lines)
        return
    header = ("patient", "report", "primary", *(task.key for task in loaded.definition.tasks))
    print_rows(header, (table_row(line, loaded.definition) for line in lines))


@app.command()
def coverage(
    texts: Texts,
    pack: PackName = "breast",
    output: Output = Format.TABLE,
    processes: Processes = 1,
    no_excerpts: NoExcerpts = False,
    held_back: HeldBack = None,
) -> None:
    """Print what no rule reads: the share of reports without a label, and the lines that speak of it, clustered."""
    loaded = load_pack(pack)
    found = Coverage(held_back or ())
    for report in _each(texts, loaded, coverage_of, processes):
        found.add(report)
    clusters = [cluster.as_data(not no_excerpts) for cluster in found.clusters()]
    parts = shares(found)
    if output is Format.JSONL:
        _print_lines([*parts, *clusters])
        return
    print_rows(tuple(parts[0]) if parts else (), ([str(cell) for cell in part.values()] for part in parts))
    print_rows(("task", "anchor", "reports", "hospitals", "wording"), _cluster_rows(clusters))


@app.command()
def conflicts(
    texts: Texts,
    pack: PackName = "breast",
    output: Output = Format.JSONL,
    processes: Processes = 1,
    no_excerpts: NoExcerpts = False,
    held_back: HeldBack = None,
) -> None:
    """Print the labels that wait for a person, because a report, or several of a patient, contradict each other."""
    loaded = load_pack(pack)
    look = partial(read_for_conflicts, excerpts=not no_excerpts)
    between = PatientConflicts(with_several(stream_reports(texts)), loaded.definition)

    def lines() -> Iterator[dict[str, Any]]:
        for report in _each(texts, loaded, look, processes):
            between.add(report)
            yield from report.lines
        yield from between.lines(held_back or ())

    shown = _without(lines(), held_back or ())
    if output is Format.JSONL:
        _print_lines(shown)
        return
    print_rows(("patient", "primary", "task", "rule", "values"), map(_conflict_row, shown))


@audit.command()
def sample(
    texts: Texts,
    out: Annotated[Path, typer.Option(help="the sample, .csv or .jsonl; what the rules said goes to NAME.key.jsonl")],
    size: Annotated[int, typer.Option(help="questions a task", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="another seed draws others")] = 42,
    pack: PackName = "breast",
    processes: Processes = 1,
    held_back: HeldBack = None,
) -> None:
    """Draw labels by task, value and hospital, and write lines of their reports without what the rules said."""
    prepare_sample(out)
    loaded = load_pack(pack)
    drawing = AuditSample(size)
    for found in _each(texts, loaded, partial(candidates, seed=seed), processes):
        for candidate in found:
            if candidate.item.site not in (held_back or ()):
                drawing.add(candidate)
    typer.echo(f"{write_sample(out, drawing.drawn())} questions in {out}", err=True)


@audit.command()
def ask(
    path: Annotated[Path, typer.Argument(metavar="SAMPLE", help="what `synoptic label audit sample` wrote")],
    pack: PackName = "breast",
) -> None:
    """Show one question after the other and keep each answer at once; an empty answer skips, `quit` ends."""
    tasks = {task.key: task for task in load_pack(pack).definition.tasks}
    items = load_items(path)
    if not {item.task for item in items} <= tasks.keys():
        raise SynopticError(Code.BAD_AUDIT, f"{path.name}: a task that the pack {pack} does not have")
    for position, item in enumerate(items):
        if item.answer:
            continue
        typer.echo(f"\n{position + 1} of {len(items)}: {item.question}, {item.primary}\n{printable(item.text)}\n")
        while True:
            given = typer.prompt(item.choices, default="", show_default=False).strip()
            answer = understood(given, tasks[item.task])
            if not given or given == _QUIT or answer:
                break
            typer.echo("none of these; an empty answer skips, quit ends")
        if given == _QUIT:
            return
        items[position] = replace(item, answer=answer or "")
        save_items(path, items)


@audit.command("score")
def score_sample(
    path: Annotated[Path, typer.Argument(metavar="SAMPLE", help="the sample with its answers; its key beside it")],
    pack: PackName = "breast",
    output: Output = Format.TABLE,
) -> None:
    """Print by task how often the answers agree with the rules, and the share of labels that are wrong."""
    scores = score(load_items(path), load_key(path), load_pack(pack).definition)
    if not scores:
        typer.echo("no question has an answer: give answers with `synoptic label audit ask`", err=True)
        return
    if output is Format.JSONL:
        _print_lines(vars(one) for one in scores)
        return
    header = ("task", "answered", "agreed", "agreement (95 %)", "label noise", "rules → person")
    print_rows(header, (_score_row(one) for one in scores))


def _score_row(one: AuditScore) -> list[str]:
    share = f"{one.agreed / one.answered:.3f} ({one.low:.3f}–{one.high:.3f})"
    confusions = ", ".join(f"{name} {count}" for name, count in one.confusions.items())
    return [one.task, str(one.answered), str(one.agreed), share, f"{one.noise:.3f}", confusions]


def printable(text: str) -> str:
    """The text without control characters, which could steer the terminal; lines stay."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _each(
    texts: Sequence[Path], pack: Pack, look: Callable[[TextReading, Pack], Result], processes: int
) -> Iterator[Result]:
    """What `look` makes of every report that routing gives to the pack; the others are counted."""
    left_out = 0

    def routed() -> Iterator[SourceReport]:
        nonlocal left_out
        for report in stream_reports(texts):
            if takes(report.text, (), (), pack.definition.routing):
                yield report
            else:
                left_out += 1

    yield from in_parallel(routed(), look, pack.id, processes)
    if left_out:
        typer.echo(f"{left_out} reports are not of the pack {pack.id} and were left out", err=True)


def _without(lines: Iterable[dict[str, Any]], hospitals: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The lines of other hospitals; those of these are counted."""
    held = 0
    for line in lines:
        if line["site"] in hospitals:
            held += 1
        else:
            yield line
    if held:
        typer.echo(f"{held} more in hospitals held back", err=True)


def _print_lines(lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        typer.echo(orjson.dumps(line).decode())


def _cluster_rows(clusters: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """The most frequent clusters of each task."""
    shown: dict[str, int] = {}
    for cluster in clusters:
        shown[cluster["task"]] = shown.get(cluster["task"], 0) + 1
        if shown[cluster["task"]] <= _CLUSTERS:
            hospitals = " ".join(f"{name}:{count}" for name, count in cluster["hospitals"].items())
            wording = cluster.get("wording", "")[:_SHOWN]
            yield [cluster["task"], str(cluster["anchor"]), str(cluster["reports"]), hospitals, wording]


def _conflict_row(line: dict[str, Any]) -> list[str]:
    """One label: its values, each with its first excerpt, or the report and date it comes from, where there is one."""
    values = []
    for side in line["values"]:
        told = (
            side["excerpts"][0]
            if side.get("excerpts")
            else " ".join(filter(None, (side.get("report"), side.get("date"))))
        )
        values.append(f"{side['value']}: {told}" if told else str(side["value"]))
    return [line["patient"], line["primary"], line["task"], line["rule"] or "several reports", " | ".join(values)]
