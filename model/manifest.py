"""What a checkpoint says of itself (synoptic.json): pack, prompt, label set, backbone, and a digest of every file."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from model.calibration import Calibration
from model.prompt import HintStyle, LabelSet, prompt_format
from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.pack import PackDefinition

MANIFEST_FILE = "synoptic.json"
CALIBRATION_FILE = "calibration.json"
TOKENIZER_FILE = "tokenizer.json"
HEADS_FILE = "heads.safetensors"
ADAPTER_FOLDER = "adapter"
BACKBONE_FOLDER = "backbone"
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})

_BACKBONE = f"{BACKBONE_FOLDER}/"
_Parsed = TypeVar("_Parsed", bound=BaseModel)


class BackboneReference(Frozen):
    """A backbone that stays outside the checkpoint: hub id or folder, revision, and the digests of its files."""

    name: str
    revision: str | None = None
    files: dict[str, str] = Field(default_factory=dict)


class Manifest(Frozen):
    """synoptic.json; `backbone` is None where the weights lie in the checkpoint's own backbone folder."""

    format_version: Literal[1] = 1
    pack: str
    pack_version: str
    prompt_version: str
    granularity: Literal["per_report", "per_task"]
    label_set: LabelSet
    stated_heads: bool
    adapter: Literal["lora", "ia3", "prefix", "frozen"]
    backbone: BackboneReference | None = None
    begin: int | None = None
    end: int | None = None
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def hint_style(self) -> HintStyle:
        """How hints are rendered, which the prompt version fixes."""
        return prompt_format(self.prompt_version).hint_style

    @property
    def name(self) -> str:
        """What provenance calls the model: the backbone's hub id or folder name, else the pack it was made for."""
        if self.backbone is None:
            return f"synoptic-{self.pack}"
        return Path(self.backbone.name).name if Path(self.backbone.name).is_absolute() else self.backbone.name

    @property
    def model_digest(self) -> str:
        """One digest of the backbone's files, the same wherever they lie."""
        own = {name.removeprefix(_BACKBONE): digest for name, digest in self.files.items() if _is_backbone(name)}
        return _digest_of(own if self.backbone is None else self.backbone.files)

    @property
    def adapter_digest(self) -> str:
        """One digest of all but the backbone: adapter, heads, tokenizer, calibration, prompt version, label set."""
        content = self.model_dump(mode="json", exclude={"backbone", "files"})
        return _digest_of(content | {name: digest for name, digest in self.files.items() if not _is_backbone(name)})

    def require_pack(self, pack: PackDefinition) -> None:
        """Raise SYN-305 unless the checkpoint was trained for this pack, version, label set and granularity."""
        label_set: LabelSet = {task.key: task.classes for task in pack.tasks}
        trained = (self.pack, self.pack_version, self.granularity, self.stated_heads)
        asked = (pack.id, pack.version, pack.granularity, pack.stated_heads)
        if trained != asked:
            raise SynopticError(Code.PACK_MISMATCH, f"trained for {trained}, asked for {asked}")
        if self.label_set != label_set:
            raise SynopticError(Code.PACK_MISMATCH, f"label set of {pack.id} {pack.version} differs")


def read_manifest(folder: Path) -> Manifest:
    """Read synoptic.json and hold every file of the checkpoint against its digest."""
    path = folder / MANIFEST_FILE
    refuse_pickles(folder)
    if not path.is_file():
        raise SynopticError(Code.NOT_A_CHECKPOINT, str(folder))
    manifest = _parse(Manifest, path)
    prompt_format(manifest.prompt_version)
    unsigned = sorted(
        {HEADS_FILE, TOKENIZER_FILE, CALIBRATION_FILE, *_weight_files(folder)} - manifest.files.keys(),
    )
    if unsigned:
        raise SynopticError(Code.DIGEST_MISMATCH, f"without a digest: {', '.join(unsigned)}")
    check_digests(folder, manifest.files)
    return manifest


def read_calibration(folder: Path) -> Calibration:
    """Read calibration.json."""
    return _parse(Calibration, folder / CALIBRATION_FILE)


def write_model(path: Path, model: BaseModel) -> None:
    """Write a model as JSON that people can read and that is the same bytes each time."""
    path.write_text(model.model_dump_json(indent=2) + "\n", encoding="utf-8")


def refuse_pickles(folder: Path) -> None:
    """Raise SYN-302 where a folder holds weights in a format that can run code."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in PICKLES)
    if found:
        raise SynopticError(Code.UNSAFE_WEIGHTS, ", ".join(found))


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each named file."""
    return {name: file_digest(folder / name) for name in sorted(names)}


def check_digests(folder: Path, expected: dict[str, str]) -> None:
    """Raise SYN-303 that names every file which is missing or differs."""
    wrong = [
        name
        for name, digest in expected.items()
        if not (folder / name).is_file() or file_digest(folder / name) != digest
    ]
    if wrong:
        raise SynopticError(Code.DIGEST_MISMATCH, ", ".join(sorted(wrong)))


def file_digest(path: Path) -> str:
    """The SHA-256 of one file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_backbone(name: str) -> bool:
    return name.startswith(_BACKBONE)


def _digest_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _weight_files(folder: Path) -> set[str]:
    """The files below the adapter and backbone folders, all of which a loader might read."""
    return {
        path.relative_to(folder).as_posix()
        for part in (ADAPTER_FOLDER, BACKBONE_FOLDER)
        for path in (folder / part).rglob("*")
        if path.is_file()
    }


def _parse(model: type[_Parsed], path: Path) -> _Parsed:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SynopticError(Code.BAD_CHECKPOINT, f"{path.name} ({type(error).__name__})") from None
