"""Loads a pack folder as one value, or lists every fault in all of its files at once."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.pack import PackDefinition
from schemas.pack_folder import files_of, load_folder
from schemas.pack_mapping import Mapping
from schemas.pack_rules import FactRules, LabelRules
from schemas.tables import Staging
from schemas.yaml_source import Fault, load_model

PACKS_FOLDER = Path(__file__).resolve().parent / "packs"
FACTS_FOLDER = "facts"
_FILES: dict[str, type[Frozen]] = {
    "pack.yaml": PackDefinition,
    "labels.yaml": LabelRules,
    "mapping.yaml": Mapping,
    "staging.yaml": Staging,
}


@dataclass(frozen=True)
class Pack:
    """All clinical knowledge of one site; `digest` is the SHA-256 of its files' bytes."""

    definition: PackDefinition
    facts: FactRules
    labels: LabelRules
    mapping: Mapping
    staging: Staging
    digest: str

    @property
    def id(self) -> str:
        """The pack's name, which is its folder's."""
        return self.definition.id


def check_pack(folder: Path) -> list[Fault]:
    """Every fault in the pack's files, in order of file and line."""
    in_facts = load_folder(folder / FACTS_FOLDER, FactRules)[1]
    return sorted(
        [*in_facts, *(fault for name, model in _FILES.items() for fault in load_model(folder / name, model)[1])]
    )


@cache
def load_pack(identifier: str, packs_folder: Path = PACKS_FOLDER) -> Pack:
    """Load a pack by id; raises SYN-602 that lists every fault with file, line and key."""
    folder = packs_folder / identifier
    loaded = {name: load_model(folder / name, model) for name, model in _FILES.items()}
    facts, in_facts = load_folder(folder / FACTS_FOLDER, FactRules)
    faults = sorted([*in_facts, *(fault for _, found in loaded.values() for fault in found)])
    definition, labels, mapping, staging = (model for model, _ in loaded.values())
    if faults or not (
        isinstance(definition, PackDefinition)
        and facts is not None
        and isinstance(labels, LabelRules)
        and isinstance(mapping, Mapping)
        and isinstance(staging, Staging)
    ):
        raise SynopticError(Code.BAD_PACK, "; ".join(str(fault) for fault in faults))
    files = [*(folder / name for name in _FILES), *files_of(folder / FACTS_FOLDER)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return Pack(definition, facts, labels, mapping, staging, digest)
