"""Llama-architecture backbones: one loader for the starter and for Llama-3-8B, in fp32, bf16 or 4-bit NF4."""

import json
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from transformers import AutoConfig, BitsAndBytesConfig, LlamaConfig, LlamaModel
from transformers.utils import logging as library_logging

from model.kinds import Precision, Storage
from model.manifest import TOKENIZER_FILE, BackboneReference, digests, refuse_pickles
from model.tokenizer import SequenceTokenizer, read_tokenizer
from schemas.errors import Code, SynopticError

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class BackboneShape:
    """The size of a small backbone to begin with."""

    hidden: int = 224
    layers: int = 5
    heads: int = 7
    key_value_heads: int = 7
    intermediate: int = 608


def resolve_folder(name: str, revision: str | None = None) -> Path:
    """The folder of that path, or of that hub id after fetching its configuration and safetensors alone."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_absolute() or name.count("/") != 1 or name.startswith("."):
        raise SynopticError(Code.NOT_A_CHECKPOINT, name)
    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=["*.json", "*.safetensors"], ignore_patterns=["original/*"]
            )
        )
    except (OSError, ValueError) as error:
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{name} ({type(error).__name__})") from None


def refer_to_backbone(name: str, revision: str | None = None) -> BackboneReference:
    """A reference to a backbone that stays where it is, with the digests of its configuration and weights."""
    folder = resolve_folder(name, revision)
    files = [path.name for path in folder.iterdir() if path.suffix in {".json", ".safetensors"}]
    return BackboneReference(name=name, revision=revision, files=digests(folder, files))


def load_backbone(folder: Path, precision: Precision = "float32", device: str = "cpu") -> LlamaModel:
    """Load a backbone without its language-model head; never a pickle, never remote code.

    SYN-309 where it cannot be read, SYN-310 where the device is missing, SYN-730 where NF4 cannot be had.
    """
    if not any(folder.glob("*.safetensors")):
        refuse_pickles(folder)
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} holds no safetensors")
    if precision == "nf4" and find_spec("bitsandbytes") is None:
        raise SynopticError(Code.NF4_UNAVAILABLE, "bitsandbytes is missing")
    # A download has shown its progress by now; reading local files needs no bar.
    library_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if not isinstance(config, LlamaConfig):
            raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} is no Llama but {config.model_type}")
        loaded: Any = LlamaModel.from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            attn_implementation="sdpa",
            device_map={"": _usable(device)},
            **_precision(precision),
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} ({type(error).__name__})") from None
    model, report = loaded
    if report["missing_keys"]:  # transformers would fill them at random
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} lacks {len(report['missing_keys'])} tensors")
    backbone = cast(LlamaModel, model)
    backbone.config.use_cache = False
    return backbone


def backbone_tokenizer(folder: Path) -> SequenceTokenizer:
    """The tokenizer beside a backbone, with the opening and closing ids of its configuration."""
    config = json.loads((folder / "config.json").read_bytes())
    begin, end = (_first(config.get(key)) for key in ("bos_token_id", "eos_token_id"))
    return read_tokenizer(folder / TOKENIZER_FILE, begin, end)


def save_backbone(folder: Path, config: LlamaConfig, weights: dict[str, torch.Tensor], storage: Storage) -> None:
    """Write config.json and model.safetensors anew; half precision halves the file and rounds the weights."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dtype: torch.dtype = getattr(torch, storage)
    kept = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in weights.items()}
    save_file(kept, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    LlamaConfig(**(config.to_dict() | {"architectures": ["LlamaModel"], "dtype": storage})).save_pretrained(folder)


def write_initial_backbone(folder: Path, tokenizer: SequenceTokenizer, shape: BackboneShape, seed: int = 42) -> None:
    """Write a small backbone of random weights with its tokenizer: where training from nothing begins."""
    config = LlamaConfig(
        vocab_size=tokenizer.tokenizer.get_vocab_size(),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=512,
        bos_token_id=tokenizer.begin,
        eos_token_id=tokenizer.end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaModel(config)
    save_backbone(folder, config, model.state_dict(), "float32")
    tokenizer.save(folder / TOKENIZER_FILE)


def _precision(precision: Precision) -> dict[str, Any]:
    if precision == "nf4":
        return {
            "dtype": torch.bfloat16,
            "quantization_config": BitsAndBytesConfig(  # type: ignore[no-untyped-call]
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
            ),
        }
    return {"dtype": getattr(torch, precision)}


def _usable(device: str) -> str:
    """The device, or SYN-310 where this machine has none of that name."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise SynopticError(Code.DEVICE_UNAVAILABLE, device) from None
    return device


def _first(value: int | list[int] | None) -> int | None:
    return value[0] if isinstance(value, list) else value
