"""What the trainer's tests share: a Llama of a few thousand parameters, and rows of a toy language."""

import random

import torch
from transformers import LlamaConfig, LlamaModel

from model.classifier import Classifier
from training.recipe import Passes
from training.trainer.batches import EncodedRow
from training.trainer.phase import Log, Phase, StateFile

torch.set_num_threads(1)

T_CLASSES = ("T1", "T2")


def tiny_backbone() -> LlamaModel:
    """A backbone whose weights are the same each time."""
    torch.manual_seed(0)
    return LlamaModel(
        LlamaConfig(
            vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=32,
        )
    )  # fmt: skip


def tiny_classifier() -> Classifier:
    """All of whose parameters train, and begin alike each time."""
    backbone = tiny_backbone()
    torch.manual_seed(1)
    return Classifier(backbone, {"T": T_CLASSES}, stated_heads=True)


def toy_rows(count: int) -> list[EncodedRow]:
    """Rows whose last token tells the label: 5 is T1, 6 is T2, 7 states none."""
    values = {5: "T1", 6: "T2", 7: None}
    generator = random.Random(1)
    return [
        EncodedRow((*(generator.randrange(8, 32) for _ in range(generator.randrange(1, 6))), last), {"T": values[last]})
        for last in generator.choices([5, 6, 7], k=count)
    ]


def phase_of(passes: Passes, log: Log = lambda entry: None, state: StateFile | None = None) -> Phase:
    """A phase of seed 42."""
    return Phase(passes, 42, log, state)
