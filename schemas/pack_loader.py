"""Loads a pack folder as one value, or lists every fault in all of its files at once."""

import hashlib
from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.mapping_vocabulary import vocabulary_of
from schemas.messages import ReportContext
from schemas.overlay_loader import (
    MAPPING_FILE,
    SHIPPED_CODES,
    SiteMapping,
    bad_overlay,
    digest_of,
    load_sites,
    read_overlays,
)
from schemas.pack import PackDefinition
from schemas.pack_folder import files_of, load_folder
from schemas.pack_mapping import Mapping
from schemas.pack_rules import FactRules, LabelRules
from schemas.rule_table import RuleTable
from schemas.settings import MappingSettings
from schemas.stage_tables import check_rule_table, derivation_paths, load_licensed_table
from schemas.yaml_source import Fault, load_model

PACKS_FOLDER = Path(__file__).resolve().parent / "packs"
FACTS_FOLDER = "facts"
_FILES: dict[str, type[Frozen]] = {
    "pack.yaml": PackDefinition,
    "labels.yaml": LabelRules,
    MAPPING_FILE: Mapping,
    "staging.yaml": RuleTable,
}


@dataclass(frozen=True)
class Pack:
    """All clinical knowledge of one site; `digest` is the SHA-256 of its files' bytes.

    `mapping_digest` is of what mapping and staging say; `overlays` are the mappings of facilities that have one of their
    own, in the order of the settings; `licensed` is the facility's own table of stage groups.
    """

    definition: PackDefinition
    facts: FactRules
    labels: LabelRules
    mapping: Mapping
    staging: RuleTable
    digest: str
    folder: Path
    mapping_digest: str
    overlays: tuple[SiteMapping, ...] = ()
    derivations: Map[str, RuleTable] = field(default_factory=dict)
    licensed: RuleTable | None = None

    @property
    def id(self) -> str:
        """The pack's name, which is its folder's."""
        return self.definition.id

    def for_report(self, context: ReportContext) -> "Pack":
        """The pack with the mapping for a report: of the first overlay that is for its sender, else its own."""
        for site in self.overlays:
            if site.facility is None or site.facility.fits(context):
                return replace(self, mapping=site.mapping, mapping_digest=site.digest, overlays=())
        return self


def check_pack(folder: Path) -> list[Fault]:
    """Every fault in the pack's files, in order of file and line."""
    found = load_folder(folder / FACTS_FOLDER, FactRules)[1]
    found += [fault for name, model in _FILES.items() for fault in load_model(folder / name, model)[1]]
    return sorted(
        [*found, *(fault for path in derivation_paths(folder).values() for fault in check_rule_table(path)[1])]
    )


@cache
def load_pack(identifier: str, packs_folder: Path = PACKS_FOLDER) -> Pack:
    """Load a pack by id; raises SYN-602 that lists every fault with file, line and key."""
    folder = packs_folder / identifier
    loaded = {name: load_model(folder / name, model) for name, model in _FILES.items()}
    facts, in_facts = load_folder(folder / FACTS_FOLDER, FactRules)
    derived = {name: check_rule_table(path) for name, path in derivation_paths(folder).items()}
    faults = sorted([*in_facts, *(fault for _, found in (*loaded.values(), *derived.values()) for fault in found)])
    definition, labels, mapping, staging = (model for model, _ in loaded.values())
    if faults or not (
        isinstance(definition, PackDefinition)
        and facts is not None
        and isinstance(labels, LabelRules)
        and isinstance(mapping, Mapping)
        and isinstance(staging, RuleTable)
    ):
        raise SynopticError(Code.BAD_PACK, "; ".join(str(fault) for fault in faults))
    files = [*(folder / name for name in _FILES), *files_of(folder / FACTS_FOLDER), *derivation_paths(folder).values()]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    derivations = {name: rules for name, (rules, _) in derived.items() if rules is not None}
    mapped = digest_of(mapping, staging)
    return Pack(definition, facts, labels, mapping, staging, digest, folder, mapped, derivations=derivations)


def load_packs(identifiers: Iterable[str], settings: MappingSettings) -> dict[str, Pack]:
    """The packs by id, each with the codes, the overlays and the licensed stage table of the settings."""
    packs = {identifier: load_pack(identifier) for identifier in identifiers}
    plain = settings.codes == SHIPPED_CODES and not settings.overlays and settings.prognostic_table is None
    return packs if plain else with_mappings(packs, settings)


def with_mappings(packs: Map[str, Pack], settings: MappingSettings) -> dict[str, Pack]:
    """The packs with mapping, overlays and licensed table as their files are now.

    Raises SYN-613 with every fault in any mapping, SYN-620 with those of the table.
    """
    licensed = load_licensed_table(settings.prognostic_table)
    overlays = read_overlays(settings.overlays, list(packs))
    result: dict[str, Pack] = {}
    faults: list[Fault] = []
    for identifier, pack in packs.items():
        own = [one for one in overlays if one.overlay.pack == identifier]
        loaded, found = load_sites(pack.folder, settings.codes, own, vocabulary_of(pack.definition, pack.labels))
        faults += found
        if not found:
            shipped, *others = (replace(one, digest=digest_of(one.mapping, pack.staging)) for one in loaded)
            result[identifier] = replace(
                pack, mapping=shipped.mapping, mapping_digest=shipped.digest, overlays=tuple(others), licensed=licensed
            )
    if faults:
        raise bad_overlay(faults)
    return result
