"""`synoptic mapping`: check, try and change what turns findings into FHIR."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.display.listing import print_rows
from gateway.mapping_tools import concepts, live
from gateway.mapping_tools.chosen import Chosen, choose, judge
from schemas.errors import Code, SynopticError
from schemas.mapping_schema import SchemaName, schema_of
from schemas.overlay_loader import MAPPING_FILE
from schemas.pack_loader import check_pack
from schemas.pack_mapping import Case, CaseFinding
from schemas.settings import Settings, load_settings
from schemas.yaml_source import Fault, nearest, plain

app = typer.Typer(no_args_is_help=True, add_completion=False)
Which = Annotated[
    str, typer.Argument(metavar="MAPPING", help="a pack's id, or a folder with mapping.yaml or overlay.yaml")
]
Given = Annotated[str, typer.Option("--mapping", help="a pack's id, or a folder with mapping.yaml or overlay.yaml")]


@app.callback()
def mapping() -> None:
    """Check, try and change the mapping from findings to FHIR."""


@app.command()
def check(which: Which = "breast") -> None:
    """Print every fault of a pack, or of an overlay, with file, line and key; exit 1 if there is any."""
    faults = sorted(faults_of(which))
    for fault in faults:
        typer.echo(str(fault))
    name = Path(which).name
    if faults:
        typer.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in {name}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{name}: no faults", err=True)


@app.command()
def show(
    findings: Annotated[
        str | None, typer.Argument(help="findings as in a case: 'T: {value: T2, detail: pT2}'", show_default=False)
    ] = None,
    case: Annotated[str | None, typer.Option(help="the mapping's inline case of that name")] = None,
    over: Annotated[Path | None, typer.Option(help="recorded findings, or lines of `synoptic extract`")] = None,
    line: Annotated[int, typer.Option(min=1, help="which report of that file")] = 1,
    finding: Annotated[str | None, typer.Option(help="only this finding, such as T")] = None,
    given: Given = "breast",
) -> None:
    """Take one report's findings through the mapping, and explain each step: values, rules tried, resource made."""
    from gateway.mapping_tools.cases import report_of
    from gateway.mapping_tools.explanation import explain
    from gateway.mapping_tools.recorded import read_recorded

    if sum(one is not None for one in (findings, case, over)) != 1:
        raise typer.BadParameter("give findings, --case or --over")
    settings = load_settings()
    chosen = _choose(given, settings)
    only: tuple[str, ...] = (finding,) if finding else ()
    if over is not None:
        recorded = next((one for number, one in enumerate(read_recorded(over), 1) if number == line), None)
        if recorded is None:
            raise SynopticError(Code.BAD_RECORDED, f"{over.name} has no report {line}")
    else:
        stated = _typed_case(findings) if findings is not None else _named_case(case or "", chosen)
        recorded, only = report_of(stated, chosen.pack), only or tuple(stated.findings)
    for text in explain(recorded, chosen, settings, only):
        typer.echo(text)


@app.command("test")
def run_cases_of(which: Which = "breast") -> None:
    """Run the inline cases of a mapping or an overlay; exit 1 where one does not give what it expects."""
    from gateway.mapping_tools.cases import run_cases

    settings = load_settings()
    outcomes = list(run_cases(_choose(which, settings).pack, settings))
    for outcome in outcomes:
        typer.echo(f"{'FAILED' if outcome.faults else 'passed'}  {outcome.case.name}")
        for fault in outcome.faults:
            typer.echo(f"        {fault}")
    failed = sum(bool(outcome.faults) for outcome in outcomes)
    typer.echo(f"{len(outcomes) - failed} of {len(outcomes)} cases passed", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="a pack's id, or a folder with mapping.yaml or overlay.yaml")],
    after: Annotated[str, typer.Argument(help="the same")],
    over: Annotated[Path, typer.Option(help="recorded findings, or lines of `synoptic extract`")],
) -> None:
    """Say what another mapping would change over recorded findings: by resource, element and code, with counts."""
    from gateway.mapping_tools.differences import compare
    from gateway.mapping_tools.recorded import read_recorded

    settings = load_settings()
    sides = [_choose(given, settings).pack for given in (before, after)]
    found = compare(read_recorded(over), sides[0], sides[1], settings)
    rows = sorted(found.changes.items(), key=lambda item: (-item[1], item[0]))
    if rows:
        print_rows(
            ("count", "resource", "change", "element", "before", "after"),
            ((str(count), one.slot, one.kind, one.element, one.before, one.after) for one, count in rows),
        )
    for reason, count in found.refused.items():
        typer.echo(f"{count} not compared, {reason}", err=True)
    typer.echo(f"{found.touched} of {found.reports} reports would change", err=True)
    if found.refused:
        raise typer.Exit(1)


@app.command()
def schema(name: Annotated[SchemaName, typer.Argument(help="of mapping.yaml or of overlay.yaml")] = "mapping") -> None:
    """Print the JSON Schema of mapping.yaml or overlay.yaml, for an editor."""
    typer.echo(orjson.dumps(schema_of(name), option=orjson.OPT_INDENT_2).decode())


for command in (live.record, live.unmapped, live.replay, concepts.export_conceptmap, concepts.import_conceptmap):
    app.command()(command)


def faults_of(which: str) -> list[Fault]:
    """Every fault of a pack's files, or of an overlay and the mapping under it."""
    judged = judge(which, load_settings().mapping.codes)
    beside = check_pack(judged.folder) if judged.laid is None and judged.folder.joinpath(MAPPING_FILE).is_file() else []
    return list(dict.fromkeys([*beside, *judged.faults]))


def _choose(given: str, settings: Settings) -> Chosen:
    return choose(given, settings.mapping, settings.packs)


def _typed_case(text: str) -> Case:
    """The findings of the command line, as a case of a typical primary."""
    from pydantic import TypeAdapter, ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        given = TypeAdapter(dict[str, CaseFinding]).validate_python(plain(YAML(typ="rt").load(text)))
    except (YAMLError, ValidationError):
        raise typer.BadParameter("give findings such as 'T: {value: T2, detail: pT2}'") from None
    return Case(name="given", findings=given, expect={})


def _named_case(name: str, chosen: Chosen) -> Case:
    found = next((case for case in chosen.pack.mapping.cases if case.name == name), None)
    if found is None:
        names = [case.name for case in chosen.pack.mapping.cases]
        raise SynopticError(Code.NO_CASE, f"{name!r}; {nearest(name, names)}" if names else f"{name!r}; it has none")
    return found
