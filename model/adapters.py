"""The adapter kinds that a checkpoint can carry, each a PEFT configuration; `frozen` trains the heads alone."""

from typing import TYPE_CHECKING

from peft import IA3Config, LoraConfig, PeftModel, PeftType, PrefixTuningConfig, TaskType, get_peft_model

from model.kinds import AdapterKind

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import LlamaModel


def add_adapter(backbone: "LlamaModel", kind: AdapterKind) -> "LlamaModel | PeftModel":
    """Freeze the backbone and put a fresh adapter of that kind on it."""
    backbone.requires_grad_(False)
    configuration = _configuration(kind)
    return backbone if configuration is None else get_peft_model(backbone, configuration)


def _configuration(kind: AdapterKind) -> "PeftConfig | None":
    """The PEFT configuration; the task type concerns PEFT's wrapper only, our heads stand outside it."""
    task = TaskType.FEATURE_EXTRACTION
    if kind == "lora":
        # The reference prints neither alpha nor dropout: both are assumed.
        targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
        return LoraConfig(task_type=task, r=16, lora_alpha=32, lora_dropout=0.05, target_modules=targets)
    if kind == "ia3":
        targets = ["k_proj", "v_proj", "down_proj"]
        return IA3Config(task_type=task, target_modules=targets, feedforward_modules=["down_proj"])
    if kind == "prefix":
        return PrefixTuningConfig(task_type=task, num_virtual_tokens=2)
    return None


def adapter_kind(backbone: "LlamaModel | PeftModel") -> AdapterKind:
    """Which kind a backbone carries."""
    if not isinstance(backbone, PeftModel):
        return "frozen"
    return _KINDS[backbone.active_peft_config.peft_type]


_KINDS: dict[str, AdapterKind] = {PeftType.LORA: "lora", PeftType.IA3: "ia3", PeftType.PREFIX_TUNING: "prefix"}
