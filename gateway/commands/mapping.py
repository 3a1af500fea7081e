"""`synoptic mapping check`: every fault of a pack's mapping, each with file, line, key, what was expected."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import Code, SynopticError
from schemas.mapping_faults import nearest
from schemas.pack import PackDefinition
from schemas.pack_loader import PACKS_FOLDER, check_pack
from schemas.pack_mapping import Mapping
from schemas.pack_rules import LabelRules
from schemas.yaml_source import Fault, load_model, load_yaml

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def mapping() -> None:
    """Check and try the mapping from findings to FHIR."""


@app.command()
def check(
    pack: Annotated[str, typer.Argument(help="The pack's id, or a folder that holds one.")] = "breast",
) -> None:
    """Check a pack's files and its mapping; prints every fault with file, line and key, and ends with status 1 if any."""
    folder = Path(pack) if Path(pack).is_dir() else PACKS_FOLDER / pack
    if not folder.is_dir():
        known = ", ".join(sorted(entry.name for entry in PACKS_FOLDER.iterdir() if entry.is_dir()))
        raise SynopticError(Code.BAD_PACK, f"no pack {pack!r}; expected one of: {known}, or a folder")
    faults = check_pack(folder) or finding_faults(folder)
    for fault in faults:
        typer.echo(str(fault))
    if faults:
        typer.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in {folder.name}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{folder.name}: no faults", err=True)


def finding_faults(folder: Path) -> list[Fault]:
    """Findings that the mapping reads and nothing in the pack finds."""
    path = folder / "mapping.yaml"
    mapped, definition, labels = (
        load_model(folder / name, model)[0]
        for name, model in (("mapping.yaml", Mapping), ("pack.yaml", PackDefinition), ("labels.yaml", LabelRules))
    )
    if not (isinstance(mapped, Mapping) and isinstance(definition, PackDefinition) and isinstance(labels, LabelRules)):
        return []
    known = {*(task.key for task in definition.tasks), *labels.labels}
    lines, _ = load_yaml(path)
    return [
        Fault(path.name, int(lines["rules"].lc.item(index)[0]) + 1, f"rules.{index}.finding",
              f"nothing in the pack finds {rule.finding!r}; {nearest(rule.finding, sorted(known))}")
        for index, rule in enumerate(mapped.rules)
        if rule.finding is not None and rule.finding not in known
    ]  # fmt: skip
