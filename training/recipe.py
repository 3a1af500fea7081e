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
    vocabulary_size: int = 4096
    hidden_size: int = 192
    layers: int = 4
    attention_heads: int = 6
    intermediate_size: int = 512
    language: Passes = Passes(epochs=1, learning_rate=2e-3)
    backbone: Passes = Passes(epochs=4, learning_rate=1.5e-3, averaging=0.995)
    adapter: Passes = Passes(epochs=12, learning_rate=1e-3, batch_size=16)
    variants_per_class: int = 80
    folds: int = 5
    validation_share: float = 0.12
    weighted_tasks: tuple[str, ...] = ("HER2",)
    threads: int = 2


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
