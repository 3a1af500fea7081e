"""The variants of the reference system's tables: each changes one thing about how a report is read or learned from."""

from dataclasses import dataclass
from typing import Literal

from model.kinds import AdapterKind
from training.recipe import STARTER, TOY, Passes, Recipe

System = Literal["naive", "rules", "trained"]
ReportText = Literal["starter", "slice", "window", "full"]
"""What stands in the Report block: the starter's short slice, a longer one, as much from anywhere, or all that fits."""

ABLATION = STARTER.model_copy(
    update={
        "backbone": STARTER.backbone.model_copy(update={"epochs": 5}),
        "adapter": Passes(epochs=6, learning_rate=2e-3, batch_size=8, patience=6),
        "variants_per_class": 40,
        "recombined": 2000,
        "folds": 3,
        "processes": 1,
    }
)
"""A shortened schedule of the starter's, the same for all variants, so that all of them take an hour of one core.

The backbone of each fold learns from varied and recombined rows; every variant's adapter then from gold.
"""
QUICK = TOY.model_copy(update={"language": Passes(epochs=0, learning_rate=0), "processes": 1})
"""Figures of no use in seconds, to try the path."""
RETAUGHT = Passes(epochs=5, learning_rate=2e-3, batch_size=8, averaging=0.98)
"""All parameters on every label in the variant's own form, for forms of input that the backbone never saw."""
RATES: dict[AdapterKind, float] = {"lora": 2e-3, "ia3": 1e-2, "prefix": 1e-2, "frozen": 1e-2}
"""The fewer parameters a kind has, the larger its steps: with LoRA's rate the others stand still."""


@dataclass(frozen=True)
class Variant:
    """One row of a table."""

    name: str
    table: str
    says: str
    system: System = "trained"
    adapter: AdapterKind = "lora"
    text: ReportText = "starter"
    hints: bool = True
    per_task: bool = False
    single_task: bool = False
    retaught: bool = False

    def recipe(self, base: Recipe) -> Recipe:
        """How its classifiers are trained."""
        adapter = base.adapter.model_copy(update={"learning_rate": RATES[self.adapter]})
        epochs = min(RETAUGHT.epochs, base.backbone.epochs) if self.retaught else 0
        backbone = RETAUGHT.model_copy(update={"epochs": epochs})
        return base.model_copy(update={"adapter_kind": self.adapter, "adapter": adapter, "backbone": backbone})


SYSTEMS, ADAPTERS, TASKS = "Systems", "What is trained", "Tasks and sequences"
TEXTS, UNHINTED = "Text, with hints", "Text, without hints"
VARIANTS = (
    Variant("naive", SYSTEMS, "keywords and ±50 characters", system="naive"),
    Variant("rules", SYSTEMS, "labelling engine alone", system="rules"),
    Variant("lora", ADAPTERS, "LoRA r 16 on q, k, v, o"),
    Variant("slice", TEXTS, "600 characters around anchors", text="slice", retaught=True),
    Variant("slice-unhinted", UNHINTED, "600 characters around anchors", text="slice", hints=False, retaught=True),
    Variant("window", TEXTS, "600 characters from anywhere", text="window", retaught=True),
    Variant("window-unhinted", UNHINTED, "600 characters from anywhere", text="window", hints=False, retaught=True),
    Variant("full", TEXTS, "the report up to 512 tokens", text="full", retaught=True),
    Variant("full-unhinted", UNHINTED, "the report up to 512 tokens", text="full", hints=False, retaught=True),
    Variant("per-task", TASKS, "one sequence for each report and task", per_task=True),
    Variant("frozen", ADAPTERS, "heads alone", adapter="frozen"),
    Variant("ia3", ADAPTERS, "(IA)³ on k, v, down", adapter="ia3"),
    Variant("prefix", ADAPTERS, "two virtual tokens", adapter="prefix"),
    Variant("starter", ADAPTERS, "all parameters on every label, then LoRA: the starter's path", retaught=True),
    Variant("single-task", TASKS, "one adapter a task", single_task=True),
)
"""In the order of running."""
NOT_AVERAGED = frozenset({"M"})
"""Tasks outside the means: reports hardly ever state M1 (3 of 538), so that its F1 is all or nothing by chance."""
