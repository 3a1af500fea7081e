"""Which mapping a command is about: a pack's, one in a folder, or an overlay's; all that is wrong with it, and where."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.mapping_tools.shapes import shape_faults
from schemas.errors import Code, SynopticError
from schemas.mapping_vocabulary import read_vocabulary
from schemas.overlay import CodeChoice
from schemas.overlay_loader import (
    MAPPING_FILE,
    OVERLAY_FILE,
    OverlayFile,
    SiteMapping,
    bad_overlay,
    load_site,
    read_overlay,
)
from schemas.pack_loader import PACKS_FOLDER, Pack, load_pack
from schemas.settings import MappingSettings
from schemas.stage_tables import load_licensed_table
from schemas.yaml_source import Fault, nearest


@dataclass(frozen=True)
class Chosen:
    """A mapping as it would be used, for every report whoever sent it; `site` knows where its rules stand."""

    pack: Pack
    site: SiteMapping
    title: str


@dataclass(frozen=True)
class Judged:
    """What is wrong with a mapping, and the mapping where nothing is; `folder` holds the pack's files."""

    folder: Path
    laid: OverlayFile | None
    site: SiteMapping | None
    faults: list[Fault]


def judge(given: str, codes: CodeChoice) -> Judged:
    """The pack's id, a folder with mapping.yaml or overlay.yaml, or such a file; raises SYN-602 for what is none of these."""
    path = Path(given)
    folder = path.parent if path.is_file() else path
    if (folder / MAPPING_FILE).is_file():
        return _judged(folder, codes, None)
    if not ((folder / OVERLAY_FILE).exists() or folder.is_dir() or len(path.parts) > 1):
        if given not in _packs():
            raise SynopticError(
                Code.BAD_PACK, f"no pack {given!r}; expected one of: {', '.join(_packs())}, or a folder"
            )
        return _judged(PACKS_FOLDER / given, codes, None)
    laid, faults = read_overlay(folder)
    if laid is not None and laid.overlay.pack not in _packs():
        name = laid.overlay.pack
        faults = [Fault.at(laid.label, laid.source, ("pack",), f"no pack {name!r}; {nearest(name, _packs())}")]
    if laid is None or faults:
        return Judged(folder, laid, None, faults)
    return _judged(PACKS_FOLDER / laid.overlay.pack, codes, laid)


def choose(given: str, settings: MappingSettings, packs: Sequence[str]) -> Chosen:
    """The mapping that is meant; raises SYN-602, SYN-613 or SYN-620 with the faults. A bare mapping.yaml is of the first of `packs`."""
    judged = judge(given, settings.codes)
    if judged.site is None or judged.faults:
        raise bad_overlay(judged.faults)
    identifier = judged.folder.name if (PACKS_FOLDER / judged.folder.name).is_dir() else packs[0]
    site = judged.site
    licensed = load_licensed_table(settings.prognostic_table)
    pack = replace(
        load_pack(identifier), mapping=site.mapping, mapping_digest=site.digest, overlays=(), licensed=licensed
    )
    return Chosen(pack, site, f"{site.name} over {identifier}" if judged.laid else identifier)


def _judged(folder: Path, codes: CodeChoice, laid: OverlayFile | None) -> Judged:
    site, faults = load_site(folder, codes, laid, read_vocabulary(folder))
    return Judged(folder, laid, site, faults or (shape_faults(site) if site else []))


def _packs() -> list[str]:
    return sorted(entry.name for entry in PACKS_FOLDER.iterdir() if (entry / MAPPING_FILE).is_file())
