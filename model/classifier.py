"""The multi-task classifier: a Llama backbone with an adapter, read by linear heads on the last real token."""

from dataclasses import dataclass
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from model.adapters import add_adapter
from model.kinds import AdapterKind
from model.prompt import LabelSet


@dataclass(frozen=True)
class Logits:
    """The heads' outputs in fp32: by task [rows, classes], and [rows] of the stated head where there is one."""

    classes: dict[str, Tensor]
    stated: dict[str, Tensor]


class Classifier(nn.Module):
    """Backbone, adapter and heads; the heads are fp32 and outside PEFT, so no adapter method can touch them."""

    def __init__(self, backbone: LlamaModel | PeftModel, label_set: LabelSet, stated_heads: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.label_set = label_set
        config = backbone_config(backbone)
        place = next(backbone.parameters()).device
        self.heads = nn.ModuleDict(
            {
                task: nn.Linear(config.hidden_size, len(classes), device=place, dtype=torch.float32)
                for task, classes in label_set.items()
            }
        )
        self.stated_heads = nn.ModuleDict(
            {task: nn.Linear(config.hidden_size, 1, device=place, dtype=torch.float32) for task in label_set}
            if stated_heads
            else {}
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Logits:
        """Logits of every task for a batch padded on either side."""
        hidden = self.pooled(input_ids, attention_mask)
        return Logits(
            classes={task: head(hidden) for task, head in self.heads.items()},
            stated={task: head(hidden).squeeze(-1) for task, head in self.stated_heads.items()},
        )

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The hidden state of each row's last real token, in fp32.

        Padding moves to the right, where causal attention never looks: no mask is needed, positions count from the
        first real token, and scaled dot-product attention takes its fastest kernel.
        """
        input_ids, attention_mask = pad_right(input_ids, attention_mask)
        hidden = self.backbone(input_ids=input_ids).last_hidden_state
        return last_real_token(hidden, attention_mask).to(torch.float32)

    def merged(self) -> "Classifier":
        """The classifier with its LoRA or (IA)3 adapter folded into the backbone's weights, which change in place.

        Never for a quantised backbone, whose weights would be rounded again; a prefix has nothing to fold.
        """
        if not isinstance(self.backbone, PeftModel) or self.backbone.active_peft_config.is_prompt_learning:
            return self
        self.backbone = cast(LlamaModel, self.backbone.merge_and_unload())
        return self

    def trainable_parameters(self) -> int:
        """How many parameters training would change."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


def new_classifier(
    backbone: LlamaModel, label_set: LabelSet, *, stated_heads: bool, adapter: AdapterKind = "lora"
) -> Classifier:
    """A classifier to train: frozen backbone, fresh adapter, fresh heads."""
    return Classifier(add_adapter(backbone, adapter), label_set, stated_heads)


def backbone_config(backbone: LlamaModel | PeftModel) -> LlamaConfig:
    """The Llama configuration below any adapter."""
    return cast(LlamaConfig, backbone.config)


def pad_right(input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
    """The same rows with all padding on the right."""
    order = torch.argsort(attention_mask, dim=1, descending=True, stable=True)
    return input_ids.gather(1, order), attention_mask.gather(1, order)


def last_real_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The rightmost position that the mask calls real, for either padding side; padding ids are never looked at."""
    positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    last = (attention_mask * positions).argmax(dim=1)
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), last]
