"""Reads a pack's mapping with what is laid over it, the licensed codes and a facility's overlay, and checks it as one.

A fault names the file that it comes from: `facility-x/overlay.yaml:12`, or the pack's own where an overlay took something
away that the shipped mapping needs.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.errors import Code, SynopticError
from schemas.mapping_faults import UNUSED
from schemas.mapping_vocabulary import Vocabulary, vocabulary_faults
from schemas.overlay import CodeChoice, Facility, Overlay
from schemas.overlay_layers import Layers
from schemas.pack_mapping import Location, Mapping
from schemas.yaml_source import Fault, dotted, fault_of, load_yaml, nearest, shaped

MAPPING_FILE = "mapping.yaml"
OVERLAY_FILE = "overlay.yaml"
SHIPPED_CODES: CodeChoice = "snomed"
_LISTED = 20


@dataclass(frozen=True)
class SiteMapping:
    """The mapping of one facility's reports; `digest` is of what it says, not of how it is written.

    `layers` know the file and line that each part of it comes from.
    """

    name: str
    mapping: Mapping
    digest: str
    layers: Layers = field(repr=False, compare=False)
    facility: Facility | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """For each rule, the file and line that it stands on."""
        found = (self.layers.place(("rules", index)) for index in range(len(self.mapping.rules)))
        return tuple(f"{file}:{line}" for file, line, _ in found)

    def fault(self, place: Location, message: str) -> Fault:
        """A fault of the mapping, in the file that this part of it comes from."""
        file, line, own = self.layers.place(place)
        return Fault(file, line, dotted(own), message)


@dataclass(frozen=True)
class OverlayFile:
    """An overlay as read: its shape, and its lines."""

    folder: Path
    overlay: Overlay
    source: Any

    @property
    def label(self) -> str:
        """What faults call the file."""
        return f"{self.folder.name}/{OVERLAY_FILE}"


def read_overlay(folder: Path) -> tuple[OverlayFile | None, list[Fault]]:
    """The overlay of a folder, or None with every fault of its shape."""
    label = f"{folder.name}/{OVERLAY_FILE}"
    source, faults = load_yaml(folder / OVERLAY_FILE, label)
    if faults:
        return None, faults
    overlay, faults = shaped(source, Overlay, label)
    if overlay is None:
        return None, faults
    # Left empty it would be for everybody, which nobody writes a key for.
    facility = Facility() if "facility" in source and overlay.facility is None else overlay.facility
    found = facility.faults() if facility else ()
    faults = [Fault.at(label, source, ("facility", *place), message) for place, message in found]
    return (None, faults) if faults else (OverlayFile(folder, overlay, source), [])


def codes_file(pack_folder: Path, choice: CodeChoice) -> Path:
    """The file of the pack that holds the codes of that choice, in an overlay's form."""
    return pack_folder / f"codes_{choice}.yaml"


def load_site(
    pack_folder: Path,
    choice: CodeChoice = SHIPPED_CODES,
    laid: OverlayFile | None = None,
    vocabulary: Vocabulary | None = None,
) -> tuple[SiteMapping | None, list[Fault]]:
    """The pack's mapping with an overlay, checked as one, and against the pack's words where these are known.

    Returns it, or None with every fault found.
    """
    source, faults = load_yaml(pack_folder / MAPPING_FILE)
    if faults:
        return None, faults
    if not isinstance(source, dict):
        return None, [Fault(MAPPING_FILE, 1, "(root)", "is not a mapping")]
    layers = Layers(MAPPING_FILE, source)
    choice = (laid.overlay.use_codes if laid else None) or choice
    if choice != SHIPPED_CODES:
        path = codes_file(pack_folder, choice)
        codes, faults = load_yaml(path)
        faults = faults or shaped(codes, Overlay, path.name)[1]
        if faults:
            return None, faults
        layers.lay(path.name, codes)
    if laid is not None:
        layers.lay(laid.label, laid.source)
    mapping, faults = _checked(layers, vocabulary)
    if mapping is None or faults:
        return None, faults
    name, facility = (laid.overlay.overlay, laid.overlay.facility) if laid else ("", None)
    return SiteMapping(name, mapping, digest_of(mapping), layers, facility), []


def load_sites(
    pack_folder: Path, choice: CodeChoice, overlays: Iterable[OverlayFile], vocabulary: Vocabulary
) -> tuple[tuple[SiteMapping, ...], list[Fault]]:
    """The mapping for everybody, then each overlay's; the faults of all of them."""
    sites: list[SiteMapping] = []
    faults: list[Fault] = []
    for laid in (None, *overlays):
        site, found = load_site(pack_folder, choice, laid, vocabulary)
        faults += found
        if site is not None:
            sites.append(site)
    return tuple(sites), list(dict.fromkeys(faults))


def read_overlays(folders: Sequence[Path], packs: Sequence[str]) -> list[OverlayFile]:
    """The overlays of the settings; raises SYN-613 with every fault of all of them, and for one that no pack takes."""
    read = [read_overlay(folder) for folder in folders]
    faults = [fault for _, found in read for fault in found]
    overlays = [overlay for overlay, _ in read if overlay is not None]
    names: set[str] = set()
    for one in overlays:
        if one.overlay.pack not in packs:
            faults.append(
                Fault(one.label, 1, "pack", f"no pack {one.overlay.pack!r}; {nearest(one.overlay.pack, packs)}")
            )
        if one.overlay.overlay in names:
            faults.append(Fault(one.label, 1, "overlay", f"{one.overlay.overlay!r} is the name of another overlay too"))
        names.add(one.overlay.overlay)
    faults += _never_used(overlays)
    if faults:
        raise bad_overlay(faults)
    return overlays


def _never_used(overlays: Sequence[OverlayFile]) -> Iterator[Fault]:
    """Senders that an earlier overlay of the same pack has already: the first one that fits is used."""
    owners: dict[tuple[str, str, str], str] = {}
    for one in overlays:
        facility, pack = one.overlay.facility, one.overlay.pack
        senders = [(key, name) for key in Facility.model_fields for name in getattr(facility, key, ())]
        for key, name in senders or [("", "")]:
            owner = owners.get((pack, "", "")) or owners.setdefault((pack, key, name), one.overlay.overlay)
            if owner != one.overlay.overlay:
                place = ("facility", key) if key else ("overlay",)
                yield Fault.at(
                    one.label, one.source, place, f"{name or 'every report'} is {owner}'s, which comes first"
                )


def bad_overlay(faults: Iterable[Fault]) -> SynopticError:
    """SYN-613 that lists the first faults, and says how many more there are."""
    found = [str(fault) for fault in faults]
    more = [f"and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return SynopticError(Code.BAD_OVERLAY, "; ".join([*found[:_LISTED], *more]))


def digest_of(mapping: Mapping, *more: BaseModel) -> str:
    """SHA-256 of what a mapping and what goes with it say: comments and cases change nothing."""
    parts = [mapping.model_dump_json(exclude={"cases"}), *(one.model_dump_json() for one in more)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _checked(layers: Layers, vocabulary: Vocabulary | None) -> tuple[Mapping | None, list[Fault]]:
    try:
        mapping = Mapping.model_validate(layers.data)
    except ValidationError as error:
        shape = [fault_of(item, *layers.place(item["loc"]), Mapping) for item in error.errors(include_url=False)]
        return None, [*layers.faults, *dict.fromkeys(shape)]
    faults = list(layers.faults)
    said = vocabulary_faults(mapping, vocabulary) if vocabulary else ()
    for place, message in (*mapping.faults(), *said):
        file, line, own = layers.place(place)
        # What an overlay leaves unused of the shipped file is no mistake of anybody; nor is a case that shows what it left out.
        is_unused = message.startswith(UNUSED) and file == MAPPING_FILE and layers.has_more
        is_shown = place[:1] == ("cases",) and place[2] == "expect" and place[3] in layers.left_out
        if not is_unused and not is_shown:
            faults.append(Fault(file, line, dotted(own), message))
    return mapping, faults
