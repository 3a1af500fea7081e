"""The numbers of one training: architecture of the backbone, passes, rates, folds; `STARTER` makes what ships."""

from schemas.frozen import Frozen


class Passes(Frozen):
    """One phase of training: AdamW, cosine after a linear warm-up, early stopping where there is a validation set."""

    epochs: int
    learning_rate: float
    batch_size: int = 32
    warm_up: float = 0.03
    weight_decay: float = 0.01
    patience: int = 4
    averaging: float = 0.0


class Recipe(Frozen):
    """Everything that decides a checkpoint besides the reports and the pack.

    `variants_per_class` is the quota of swapped reports for each task and class; `weighted_tasks` get class weights
    N / (K n_c); `prompt_version` names a format of model/prompt.py.
    """

    seed: int = 42
    prompt_version: str = "tokens-1"
    vocabulary_size: int = 3072
    hidden_size: int = 160
    layers: int = 2
    attention_heads: int = 4
    intermediate_size: int = 432
    language: Passes = Passes(epochs=0, learning_rate=2e-3)
    backbone: Passes = Passes(epochs=10, learning_rate=3e-3, averaging=0.99)
    adapter: Passes = Passes(epochs=6, learning_rate=5e-4, batch_size=16, patience=2)
    variants_per_class: int = 60
    folds: int = 5
    validation_share: float = 0.12
    weighted_tasks: tuple[str, ...] = ("HER2",)
    processes: int = 2


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
    folds=2,
)
"""The whole path in seconds, to test the path; what it makes is of no use."""
