"""`synoptic mapping export-conceptmap | import-conceptmap`: code tables as FHIR R4 ConceptMaps, there and back."""

import io
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.mapping_tools.chosen import choose
from schemas.concept_map import CODES_TABLE, export_concept_map, import_concept_map
from schemas.errors import Code, SynopticError
from schemas.settings import load_settings
from schemas.yaml_source import nearest

Given = Annotated[str, typer.Option("--mapping", help="a pack's id, or a folder with mapping.yaml or overlay.yaml")]


def export_conceptmap(
    table: Annotated[str | None, typer.Argument(help="one table, such as T.pathologic, or codes; none: all")] = None,
    given: Given = "breast",
) -> None:
    """Print the code tables of a mapping as a FHIR R4 ConceptMap."""
    settings = load_settings()
    pack = choose(given, settings.mapping, settings.packs).pack
    known = [CODES_TABLE, *pack.mapping.tables]
    if table is not None and table not in known:
        raise typer.BadParameter(f"no table {table!r}; {nearest(table, known)}")
    resource = export_concept_map(pack.mapping, pack.id, pack.definition.version, table)
    typer.echo(orjson.dumps(resource, option=orjson.OPT_INDENT_2).decode())


def import_conceptmap(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="a FHIR R4 ConceptMap as JSON")],
    given: Given = "breast",
) -> None:
    """Print what a ConceptMap says as entries of an overlay.yaml: our tables' own, or a standard system to a local one."""
    from ruamel.yaml import YAML

    settings = load_settings()
    pack = choose(given, settings.mapping, settings.packs).pack
    try:
        resource = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SynopticError(Code.BAD_CONCEPT_MAP, f"{path.name}, {type(error).__name__}") from None
    found = import_concept_map(resource, pack.mapping, pack.id)
    sections = {"systems": found.systems, "codes": found.codes, "tables": found.tables}
    written = io.StringIO()
    writer = YAML()
    writer.width = 120
    writer.dump({name: entries for name, entries in sections.items() if entries}, written)
    typer.echo(written.getvalue(), nl=False)
    for reason in found.passed_over:
        typer.echo(f"not taken: {reason}", err=True)
