"""Which mapping a command is about: a pack's, one in a folder, or an overlay's; with the line that each rule stands on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.errors import Code, SynopticError
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
from schemas.yaml_source import Fault


@dataclass(frozen=True)
class Chosen:
    """A mapping as it would be used, for every report whoever sent it; `site` knows where its rules stand."""

    pack: Pack
    site: SiteMapping
    title: str


@dataclass(frozen=True)
class Place:
    """Where a mapping lies: the folder of the pack's files, and the overlay over it, if any."""

    folder: Path
    overlay: Path | None = None


def place_of(given: str) -> tuple[Place, list[Fault]]:
    """The pack's id, a folder with mapping.yaml or overlay.yaml, or such a file; and why an overlay cannot be read."""
    path = Path(given)
    folder = path.parent if path.is_file() else path
    if (folder / MAPPING_FILE).is_file():
        return Place(folder), []
    if (folder / OVERLAY_FILE).exists() or folder.is_dir() or len(path.parts) > 1:
        laid, faults = read_overlay(folder)
        return Place(pack_folder(laid.overlay.pack) if laid else folder, folder), faults
    return Place(pack_folder(given)), []


def pack_folder(identifier: str) -> Path:
    """The folder of a pack that ships; raises SYN-602 that lists them where there is none of that name."""
    folder = PACKS_FOLDER / identifier
    if not (folder / MAPPING_FILE).is_file():
        known = ", ".join(sorted(entry.name for entry in PACKS_FOLDER.iterdir() if (entry / MAPPING_FILE).is_file()))
        raise SynopticError(Code.BAD_PACK, f"no pack {identifier!r}; expected one of: {known}, or a folder")
    return folder


def choose(given: str, settings: MappingSettings, packs: Sequence[str]) -> Chosen:
    """The mapping that is meant; raises SYN-602 or SYN-613 with its faults. A bare mapping.yaml is of the first of `packs`."""
    place, faults = place_of(given)
    laid: OverlayFile | None = None
    if place.overlay is not None and not faults:
        laid, faults = read_overlay(place.overlay)
    site, found = load_site(place.folder, settings.codes, laid) if not faults else (None, faults)
    if site is None:
        raise bad_overlay(found)
    identifier = place.folder.name if (PACKS_FOLDER / place.folder.name).is_dir() else packs[0]
    pack = replace(load_pack(identifier), mapping=site.mapping, mapping_digest=site.digest, overlays=())
    return Chosen(pack, site, f"{laid.overlay.overlay} over {identifier}" if laid else identifier)
