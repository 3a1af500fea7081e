"""Checkpoints as one folder of safetensors and JSON: backbone or a reference to one, adapter, heads, calibration."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaModel

from model.adapters import adapter_kind
from model.backbone import load_backbone, resolve_folder, save_backbone
from model.calibration import Calibration
from model.classifier import Classifier, backbone_config
from model.kinds import Precision, Storage
from model.manifest import (
    ADAPTER_FOLDER,
    BACKBONE_FOLDER,
    CALIBRATION_FILE,
    HEADS_FILE,
    MANIFEST_FILE,
    TOKENIZER_FILE,
    BackboneReference,
    Manifest,
    check_digests,
    digests,
    file_digest,
    read_calibration,
    read_manifest,
    write_model,
)
from model.tokenizer import SequenceTokenizer, read_tokenizer
from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition

_HEAD_MODULES = ("heads.", "stated_heads.")


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint; `digest` is that of its manifest, which holds the digests of all other files."""

    classifier: Classifier
    tokenizer: SequenceTokenizer
    manifest: Manifest
    calibration: Calibration
    digest: str


def save_checkpoint(
    folder: Path,
    classifier: Classifier,
    tokenizer: SequenceTokenizer,
    *,
    pack: PackDefinition,
    prompt_version: str,
    backbone: BackboneReference | None = None,
    calibration: Calibration | None = None,
    storage: Storage = "float32",
) -> Manifest:
    """Write a checkpoint; without a reference the backbone's weights go into it, in the storage precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (ADAPTER_FOLDER, BACKBONE_FOLDER):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    if backbone is None:
        if getattr(backbone_config(classifier.backbone), "quantization_config", None) is not None:
            raise SynopticError(Code.BAD_CHECKPOINT, "a quantised backbone can only be referred to")
        config = backbone_config(classifier.backbone)
        save_backbone(folder / BACKBONE_FOLDER, config, backbone_weights(classifier.backbone), storage)
    if isinstance(classifier.backbone, PeftModel):
        _save_adapter(classifier.backbone, folder / ADAPTER_FOLDER)
    save_file(_head_weights(classifier), folder / HEADS_FILE)
    tokenizer.save(folder / TOKENIZER_FILE)
    write_model(folder / CALIBRATION_FILE, calibration or Calibration())
    parts = [path for part in (ADAPTER_FOLDER, BACKBONE_FOLDER) for path in (folder / part).rglob("*")]
    names = [path.relative_to(folder).as_posix() for path in parts if path.is_file()]
    manifest = Manifest(
        pack=pack.id,
        pack_version=pack.version,
        prompt_version=prompt_version,
        granularity=pack.granularity,
        label_set=classifier.label_set,
        stated_heads=bool(classifier.stated_heads),
        adapter=adapter_kind(classifier.backbone),
        backbone=backbone,
        begin=tokenizer.begin,
        end=tokenizer.end,
        files=digests(folder, [HEADS_FILE, TOKENIZER_FILE, CALIBRATION_FILE, *names]),
    )
    write_model(folder / MANIFEST_FILE, manifest)
    return manifest


def load_checkpoint(
    path: str | Path, precision: Precision = "float32", device: str = "cpu", *, trainable: bool = False
) -> Checkpoint:
    """Load a checkpoint by folder or hub id, its files held against their digests; `trainable` opens the adapter."""
    folder = resolve_folder(str(path))
    manifest = read_manifest(folder)
    plain = _load_backbone(folder, manifest, precision, device).requires_grad_(False)
    tokenizer = read_tokenizer(folder / TOKENIZER_FILE, manifest.begin, manifest.end)
    if tokenizer.tokenizer.get_vocab_size() > plain.config.vocab_size:
        raise SynopticError(Code.BAD_CHECKPOINT, "the tokenizer knows more tokens than the backbone")
    try:
        frozen = manifest.adapter == "frozen"
        adapted = plain if frozen else _load_adapter(plain, folder / ADAPTER_FOLDER, trainable)
        classifier = Classifier(adapted, manifest.label_set, manifest.stated_heads)
        _load_heads(classifier, load_file(folder / HEADS_FILE))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise SynopticError(Code.BAD_CHECKPOINT, f"adapter or heads do not fit ({type(error).__name__})") from None
    classifier.train(trainable)
    classifier.heads.requires_grad_(trainable)
    classifier.stated_heads.requires_grad_(trainable)
    digest = file_digest(folder / MANIFEST_FILE)
    return Checkpoint(classifier, tokenizer, manifest, read_calibration(folder), digest)


def backbone_weights(backbone: LlamaModel | PeftModel) -> dict[str, Tensor]:
    """The backbone's own weights under their plain names, whatever adapter wraps it."""
    plain = backbone.get_base_model() if isinstance(backbone, PeftModel) else backbone
    return {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in plain.state_dict().items()
        if "lora_" not in name and "ia3_" not in name
    }


def _load_backbone(folder: Path, manifest: Manifest, precision: Precision, device: str) -> LlamaModel:
    if manifest.backbone is None:
        return load_backbone(folder / BACKBONE_FOLDER, precision, device)
    elsewhere = resolve_folder(manifest.backbone.name, manifest.backbone.revision)
    check_digests(elsewhere, manifest.backbone.files)
    return load_backbone(elsewhere, precision, device)


def _load_adapter(backbone: LlamaModel, folder: Path, trainable: bool) -> PeftModel:
    """Put the saved adapter on the backbone; raises where its configuration and its tensors do not match."""
    adapted = PeftModel.from_pretrained(backbone, str(folder), is_trainable=trainable)
    saved = load_file(folder / "adapter_model.safetensors")
    if saved.keys() != get_peft_model_state_dict(adapted).keys():  # PEFT would leave what is missing at its start
        raise ValueError("adapter")
    return adapted


def _save_adapter(backbone: PeftModel, folder: Path) -> None:
    """Write the adapter with PEFT, less its model card and any path of the machine that trained it."""
    backbone.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_bytes()) | {"base_model_name_or_path": None}
    for key in ("target_modules", "feedforward_modules"):
        if isinstance(settings.get(key), list):
            settings[key] = sorted(settings[key])
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _head_weights(classifier: Classifier) -> dict[str, Tensor]:
    return {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in classifier.state_dict().items()
        if name.startswith(_HEAD_MODULES)
    }


def _load_heads(classifier: Classifier, weights: dict[str, Tensor]) -> None:
    """Fill the heads; a missing, additional or misshapen tensor raises."""
    if weights.keys() != _head_weights(classifier).keys():
        raise ValueError("heads")
    classifier.load_state_dict(weights, strict=False)
