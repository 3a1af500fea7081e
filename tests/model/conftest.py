"""A tiny pack, tokenizer and Llama that the model's tests share; all are made here, none is fetched."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.prompt import ALL_TASKS, Hint, PromptInput
from schemas.pack import PackDefinition, Target, Task

if TYPE_CHECKING:
    from model.classifier import Classifier
    from model.kinds import AdapterKind
    from model.tokenizer import SequenceTokenizer

LABEL_SET = {
    "T": ("T1", "T2", "T3", "T4"),
    "ER": ("negative", "positive"),
    "HER2": ("negative", "equivocal", "positive"),
}
REPORT = "FINAL DIAGNOSIS:\nLeft breast, mastectomy:   invasive ductal carcinoma, 2.3 cm.\n\n  ER positive (95%)."
HINTS = (
    Hint("T", "pT2", "T=T2"),
    Hint("ER", "positive\n(95%)", "ER=positive"),
    Hint("HER2", "IHC 2+, FISH not amplified", "HER2=2+"),
)


@pytest.fixture(scope="session")
def pack() -> PackDefinition:
    """A pack of three tasks with nothing but what the model reads."""
    return PackDefinition.model_construct(
        id="tiny",
        version="1.0.0",
        tasks=tuple(Task(key=key, title=key, classes=classes) for key, classes in LABEL_SET.items()),
        target=Target(accuracy=0.95, confidence=0.9),
    )


@pytest.fixture(scope="session")
def prompts() -> list[PromptInput]:
    """Prompts of very different lengths: ordinary, empty, far over the limit, without hints, many hints."""
    return [
        PromptInput(ALL_TASKS, LABEL_SET, REPORT, HINTS),
        PromptInput(ALL_TASKS, LABEL_SET, "", ()),
        PromptInput(ALL_TASKS, LABEL_SET, REPORT * 60, HINTS[:1]),
        PromptInput(ALL_TASKS, LABEL_SET, REPORT * 3, ()),
        PromptInput(ALL_TASKS, LABEL_SET, "Benign.", HINTS * 80),
    ]


@pytest.fixture(scope="session")
def tokenizer() -> "SequenceTokenizer":
    """A byte-level tokenizer trained on a few sentences."""
    from model.tokenizer import train_tokenizer

    return train_tokenizer([REPORT] * 5, [hint.token for hint in HINTS], vocabulary_size=400)


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: "SequenceTokenizer") -> Path:
    """A saved Llama with grouped-query attention that is small enough for any test."""
    from model.backbone import BackboneShape, write_initial_backbone

    folder = tmp_path_factory.mktemp("backbone")
    shape = BackboneShape(hidden=64, layers=2, heads=4, key_value_heads=2, intermediate=128)
    write_initial_backbone(folder, tokenizer, shape, seed=1)
    return folder


@pytest.fixture
def make_classifier(backbone_folder: Path) -> "Callable[[AdapterKind], Classifier]":
    """Makes a classifier of an adapter kind whose adapter and heads are far from their neutral start."""
    import torch

    from model.backbone import load_backbone
    from model.classifier import new_classifier

    def make(kind: "AdapterKind") -> "Classifier":
        torch.manual_seed(7)
        classifier = new_classifier(load_backbone(backbone_folder), LABEL_SET, stated_heads=True, adapter=kind)
        for name, parameter in classifier.named_parameters():
            if parameter.requires_grad and "heads" not in name:
                torch.nn.init.normal_(parameter, mean=1.0 if "ia3" in name else 0.0, std=0.2)
        return classifier.eval()

    return make
