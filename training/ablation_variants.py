"""The variants of the reference system's tables: each changes one thing about how a report is read or learned from."""

from dataclasses import dataclass
from typing import Literal

from model.kinds import AdapterKind
from training.recipe import Passes, Recipe

System = Literal["naive", "rules", "trained"]
ReportText = Literal["starter", "slice", "window", "full"]
"""What stands in the Report block: the starter's short slice, a longer one, as much from anywhere, or all that fits."""

ABLATION = Recipe(
    window=256,
    language=Passes(epochs=3, learning_rate=3e-3, batch_size=16),
    backbone=Passes(epochs=0, learning_rate=0),
    adapter=Passes(epochs=8, learning_rate=3e-3, batch_size=8, patience=8),
    adapter_sources=("gold", "registry"),
    variants_per_class=0,
    folds=3,
    processes=1,
)
"""One language backbone for each fold, then every variant's adapter by the same schedule, on real reports only."""
TAUGHT = Passes(epochs=8, learning_rate=3e-3, batch_size=16, averaging=0.98)
"""The starter's own second phase: all parameters on every label, before the adapter."""
RATES: dict[AdapterKind, float] = {"lora": 3e-3, "ia3": 1e-2, "prefix": 1e-2, "frozen": 1e-2}
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
    taught: bool = False

    def recipe(self, base: Recipe) -> Recipe:
        """How its classifiers are trained."""
        adapter = base.adapter.model_copy(update={"learning_rate": RATES[self.adapter]})
        backbone = TAUGHT.model_copy(update={"epochs": min(TAUGHT.epochs, base.adapter.epochs)})
        return base.model_copy(
            update={
                "adapter_kind": self.adapter,
                "adapter": adapter,
                "backbone": backbone if self.taught else base.backbone,
            }
        )


SYSTEMS, ADAPTERS, TASKS = "Systems", "What is trained", "Tasks and sequences"
TEXTS, UNHINTED = "Text, with hints", "Text, without hints"
VARIANTS = (
    Variant("naive", SYSTEMS, "keywords and ±50 characters", system="naive"),
    Variant("rules", SYSTEMS, "labelling engine alone", system="rules"),
    Variant("lora", ADAPTERS, "LoRA r 16 on q, k, v, o"),
    Variant("frozen", ADAPTERS, "heads alone", adapter="frozen"),
    Variant("ia3", ADAPTERS, "(IA)³ on k, v, down", adapter="ia3"),
    Variant("prefix", ADAPTERS, "two virtual tokens", adapter="prefix"),
    Variant("taught-lora", ADAPTERS, "all parameters on every label first, then LoRA: the starter's path", taught=True),
    Variant("taught-frozen", ADAPTERS, "the same, then heads alone", adapter="frozen", taught=True),
    Variant("slice-unhinted", UNHINTED, "600 characters around anchors", text="slice", hints=False),
    Variant("window-unhinted", UNHINTED, "600 characters from anywhere", text="window", hints=False),
    Variant("full-unhinted", UNHINTED, "the report up to 512 tokens", text="full", hints=False),
    Variant("single-task", TASKS, "one adapter a task", single_task=True),
    Variant("per-task", TASKS, "one sequence for each report and task", per_task=True),
    Variant("slice", TEXTS, "600 characters around anchors", text="slice"),
    Variant("window", TEXTS, "600 characters from anywhere", text="window"),
    Variant("full", TEXTS, "the report up to 512 tokens", text="full"),
)
"""In the order of running: what the tables need most comes first."""
