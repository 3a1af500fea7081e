"""A training of Llama-3-8B's shape on the meta device: shapes, parameter counts and memory, without any weights.

What a production run would build is built, adapter and heads included, and asked about one batch; a fault of shapes or
counts shows in seconds on any machine.
"""

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaModel

from model.classifier import Classifier, new_classifier
from model.kinds import AdapterKind, Precision
from model.prompt import TOKEN_LIMIT, LabelSet
from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from training.recipe import Recipe

LLAMA_3_8B = LlamaConfig(
    hidden_size=4096,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    intermediate_size=14336,
    vocab_size=128256,
)
NF4_BYTES = 0.5 + 0.127 / 8
"""A weight in NF4, with its share of the doubly quantised scales (QLoRA, arXiv 2305.14314)."""
WEIGHT_BYTES: dict[Precision, float] = {"float32": 4, "bfloat16": 2, "nf4": NF4_BYTES}
OPTIMISER_BYTES = {"adamw": 8, "paged_adamw_8bit": 2}
"""Two moments a trained parameter."""
KEPT_STATES = 34
"""Values of the hidden size's width that a layer keeps for the way back, a token, with scaled dot-product attention:
norms, projections and products of Llama-3's widths; an estimate, checked against no device."""


class DryRun(Frozen):
    """What a training would be; bytes are of weights, trained parameters with optimiser, and activations of a batch."""

    adapter: AdapterKind
    precision: Precision
    backbone_parameters: int
    adapter_parameters: int
    head_parameters: int
    logits: dict[str, tuple[int, ...]]
    weight_bytes: int
    training_bytes: int
    activation_bytes: int

    @property
    def gigabytes(self) -> float:
        """All of it."""
        return (self.weight_bytes + self.training_bytes + self.activation_bytes) / 1e9


def dry_run(config: LlamaConfig, label_set: LabelSet, stated_heads: bool, recipe: Recipe) -> DryRun:
    """Build the classifier on the meta device and pass one micro-batch of full-length rows through it."""
    with torch.device("meta"):
        classifier = new_classifier(
            LlamaModel(config), label_set, stated_heads=stated_heads, adapter=recipe.adapter_kind
        )
        ids = torch.zeros((recipe.adapter.batch_size, TOKEN_LIMIT), dtype=torch.long)
        logits = classifier(ids, torch.ones_like(ids))
    shapes = {task: tuple(tensor.shape) for task, tensor in logits.classes.items()}
    expected = {task: (recipe.adapter.batch_size, len(classes)) for task, classes in label_set.items()}
    if shapes != expected:
        raise SynopticError(Code.TRAINING_FAILED, f"heads answer {shapes}, expected {expected}")
    heads = sum(tensor.numel() for name, tensor in classifier.named_parameters() if "heads." in name)
    trained = classifier.trainable_parameters()
    return DryRun(
        adapter=recipe.adapter_kind,
        precision=recipe.precision,
        backbone_parameters=_parameters(classifier) - trained,
        adapter_parameters=trained - heads,
        head_parameters=heads,
        logits=shapes,
        weight_bytes=_weight_bytes(classifier, recipe.precision),
        # Adapter and heads lie in fp32 with a gradient each.
        training_bytes=trained * (4 + 4 + OPTIMISER_BYTES[recipe.adapter.optimiser]),
        activation_bytes=ids.numel() * config.num_hidden_layers * config.hidden_size * KEPT_STATES * 2,
    )


def read_config(folder: Path | None) -> LlamaConfig:
    """The shape of a backbone in a folder, whose weights are not looked at, or Llama-3-8B's; SYN-309."""
    if folder is None:
        return LLAMA_3_8B
    try:
        content = json.loads((folder / "config.json").read_bytes())
    except (OSError, json.JSONDecodeError) as error:
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} ({type(error).__name__})") from None
    if content.get("model_type") != "llama":
        raise SynopticError(Code.BACKBONE_UNAVAILABLE, f"{folder.name} is no Llama but {content.get('model_type')}")
    return LlamaConfig(**content)


def _parameters(classifier: Classifier) -> int:
    return sum(parameter.numel() for parameter in classifier.parameters())


def _weight_bytes(classifier: Classifier, precision: Precision) -> int:
    """The frozen weights: NF4 holds the linear layers only, embeddings and norms stay in bf16."""
    total = 0.0
    for name, parameter in classifier.named_parameters():
        if not parameter.requires_grad:
            linear = parameter.dim() == 2 and "embed_tokens" not in name
            held = precision if linear or precision != "nf4" else "bfloat16"
            total += parameter.numel() * WEIGHT_BYTES[held]
    return round(total)
