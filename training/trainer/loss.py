"""The masked multi-task loss: what a row says nothing about adds nothing to it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.classifier import Logits
from model.prompt import LabelSet
from training.trainer.batches import EncodedRow

UNKNOWN = -100
"""The label index of a task that a row says nothing about: it adds nothing to the loss."""


class MultiTaskLoss(nn.Module):
    """The masked sum over tasks of cross-entropy on stated rows and binary cross-entropy of the stated head."""

    def __init__(self, label_set: LabelSet, rows: Sequence[EncodedRow], weighted_tasks: Sequence[str]) -> None:
        super().__init__()
        self._label_set = label_set
        weighted = [task for task in label_set if task in weighted_tasks]
        self._weights = {task: class_weights(task, label_set[task], rows) for task in weighted}

    def forward(self, logits: Logits, rows: Sequence[EncodedRow]) -> Tensor:
        """The loss of one batch, on the logits' device."""
        place = next(iter(logits.classes.values())).device
        total = torch.zeros((), device=place)
        for task, classes in self._label_set.items():
            targets = torch.tensor([_class_index(row.labels, task, classes) for row in rows], device=place)
            if bool((targets != UNKNOWN).any()):
                weight = self._weights[task].to(place) if task in self._weights else None
                total = total + functional.cross_entropy(
                    logits.classes[task], targets, weight=weight, ignore_index=UNKNOWN
                )
            known = torch.tensor([task in row.labels for row in rows], device=place)
            if task in logits.stated and bool(known.any()):
                stated = torch.tensor([float(row.labels.get(task) is not None) for row in rows], device=place)
                total = total + functional.binary_cross_entropy_with_logits(logits.stated[task][known], stated[known])
        return total


def class_weights(task: str, classes: Sequence[str], rows: Sequence[EncodedRow]) -> Tensor:
    """N / (K n_c) over the classes that the rows hold; a class without rows has weight 0."""
    counts = Counter(row.labels.get(task) for row in rows)
    present = [label for label in classes if counts[label]]
    total = sum(counts[label] for label in present)
    return torch.tensor([total / (len(present) * counts[label]) if counts[label] else 0.0 for label in classes])


def _class_index(labels: Mapping[str, str | None], task: str, classes: Sequence[str]) -> int:
    """The position of the row's class, or UNKNOWN where it has none."""
    value = labels.get(task)
    return UNKNOWN if value is None else classes.index(value)
