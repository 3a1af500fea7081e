"""The numbers of one training: architecture of the backbone, passes, rates, folds; `RECIPES` names the known ones."""

from typing import Literal

from model.kinds import AdapterKind, Precision
from schemas.frozen import Frozen

Optimiser = Literal["adamw", "paged_adamw_8bit"]
LANGUAGE_EPOCHS = 3
"""Passes over unlabelled text where it is given to a recipe that has no language phase of its own."""


class Passes(Frozen):
    """One phase of training: AdamW, cosine after a linear warm-up, early stopping where there is a validation set.

    A step sees `batch_size` x `accumulation` rows on each device. `paged_adamw_8bit` needs CUDA and bitsandbytes; plain
    AdamW stands in for it elsewhere. With `seeds` above one the phase runs that often from the same start in another
    order of rows, and the weights are averaged uniformly.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 32
    accumulation: int = 1
    warm_up: float = 0.03
    weight_decay: float = 0.01
    patience: int = 4
    averaging: float = 0.0
    optimiser: Optimiser = "adamw"
    seeds: int = 1


class Recipe(Frozen):
    """Everything that decides a checkpoint besides the reports, the pack and an external backbone.

    `variants_per_class` is the quota of swapped reports for each task and class, `recombined` the number of rows with
    facts of several reports (training/dataset/recombination.py); `weighted_tasks` get class weights
    N / (K n_c); `prompt_version` names a format of model/prompt.py; `window` is the length in tokens of the stretches
    of unlabelled text on which the language phase trains; `tasks` restricts the heads to some tasks (none: all);
    `adapter_sources` are the kinds of rows (training/dataset/rows.py) that the adapter learns from.
    """

    seed: int = 42
    prompt_version: str = "tokens-1"
    vocabulary_size: int = 3072
    hidden_size: int = 160
    layers: int = 2
    attention_heads: int = 4
    intermediate_size: int = 432
    window: int = 128
    language: Passes = Passes(epochs=0, learning_rate=2e-3)
    backbone: Passes = Passes(epochs=6, learning_rate=3e-3, averaging=0.99)
    adapter: Passes = Passes(epochs=6, learning_rate=5e-4, batch_size=16, patience=2)
    adapter_kind: AdapterKind = "lora"
    adapter_sources: tuple[str, ...] = ("gold",)
    precision: Precision = "float32"
    tasks: tuple[str, ...] = ()
    variants_per_class: int = 60
    recombined: int = 4000
    folds: int = 5
    validation_share: float = 0.12
    weighted_tasks: tuple[str, ...] = ("HER2",)
    processes: int = 2

    @property
    def trains_backbone(self) -> bool:
        """True where the backbone's own weights change, which an external one's never do."""
        return self.language.epochs > 0 or self.backbone.epochs > 0

    def with_language(self) -> "Recipe":
        """The recipe with a language phase, for which unlabelled text was given."""
        epochs = max(self.language.epochs, LANGUAGE_EPOCHS)
        return self.model_copy(update={"language": self.language.model_copy(update={"epochs": epochs})})


STARTER = Recipe()
TOY = Recipe(
    vocabulary_size=400,
    hidden_size=32,
    layers=1,
    attention_heads=2,
    intermediate_size=64,
    language=Passes(epochs=1, learning_rate=2e-3),
    backbone=Passes(epochs=1, learning_rate=2e-3),
    adapter=Passes(epochs=1, learning_rate=1e-3),
    variants_per_class=1,
    recombined=8,
    folds=2,
)
"""The whole path in seconds, to test the path; what it makes is of no use."""
REFERENCE = Recipe(
    prompt_version="text-1",
    language=Passes(epochs=0, learning_rate=0),
    backbone=Passes(epochs=0, learning_rate=0),
    # The reference prints neither rate, decay nor patience: assumed.
    adapter=Passes(
        epochs=3, learning_rate=2e-4, batch_size=2, accumulation=8, patience=1, optimiser="paged_adamw_8bit"
    ),
    precision="nf4",
    variants_per_class=0,
    recombined=0,
)
"""The reference system's schedule for an adapter on an external backbone (arXiv 2604.13328), real reports only."""
RECIPES = {"starter": STARTER, "toy": TOY, "reference": REFERENCE}
