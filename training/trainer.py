"""Trains a classifier on encoded prompts: masked multi-task loss, AdamW, cosine with warm-up, early stopping."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaModel

from model.classifier import Classifier, Logits
from model.prompt import LabelSet
from training.recipe import Passes

UNKNOWN = -100
"""The label index of a task that a row says nothing about: it adds nothing to the loss."""

Log = Callable[[dict[str, float | int | str]], None]


@dataclass(frozen=True)
class EncodedRow:
    """One sequence and what is known of it: a class, None where none is stated; unknown tasks are absent."""

    tokens: tuple[int, ...] = field(repr=False)
    labels: Mapping[str, str | None] = field(repr=False)


class MultiTaskLoss(nn.Module):
    """The masked sum over tasks of cross-entropy on stated rows and binary cross-entropy of the stated head."""

    def __init__(self, label_set: LabelSet, rows: Sequence[EncodedRow], weighted_tasks: Sequence[str]) -> None:
        super().__init__()
        self._label_set = label_set
        self._weights = {task: class_weights(task, label_set[task], rows) for task in weighted_tasks}

    def forward(self, logits: Logits, rows: Sequence[EncodedRow]) -> Tensor:
        """The loss of one batch."""
        total = torch.zeros(())
        for task, classes in self._label_set.items():
            targets = torch.tensor([_class_index(row.labels, task, classes) for row in rows])
            if bool((targets != UNKNOWN).any()):
                weight = self._weights.get(task)
                total = total + functional.cross_entropy(
                    logits.classes[task], targets, weight=weight, ignore_index=UNKNOWN
                )
            known = torch.tensor([task in row.labels for row in rows])
            if task in logits.stated and bool(known.any()):
                stated = torch.tensor([row.labels.get(task) is not None for row in rows], dtype=torch.float32)
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


def batches(rows: Sequence[EncodedRow], size: int, generator: random.Random) -> list[list[EncodedRow]]:
    """Shuffled batches of rows of like length, so that little is padded."""
    order = sorted(rows, key=lambda row: len(row.tokens) + generator.uniform(-12, 12))
    cut = [order[start : start + size] for start in range(0, len(order), size)]
    generator.shuffle(cut)
    return cut


def padded(rows: Sequence[EncodedRow]) -> tuple[Tensor, Tensor]:
    """Token ids and mask of one batch, padded on the right."""
    width = max(len(row.tokens) for row in rows)
    ids = torch.tensor([[*row.tokens, *[0] * (width - len(row.tokens))] for row in rows])
    mask = torch.tensor([[1] * len(row.tokens) + [0] * (width - len(row.tokens)) for row in rows])
    return ids, mask


def fit(
    classifier: Classifier,
    rows: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    passes: Passes,
    weighted_tasks: Sequence[str],
    seed: int,
    log: Log,
) -> None:
    """Train what is trainable; with a validation set, end at its lowest loss and stop when patience is used up."""
    loss = MultiTaskLoss(classifier.label_set, rows, weighted_tasks)
    generator = random.Random(seed)  # noqa: S311 - shuffling, not security
    steps = passes.epochs * math.ceil(len(rows) / passes.batch_size)
    stepper = Stepper(classifier, passes, steps)
    best, best_state, waited = math.inf, _trainable_state(classifier), 0
    for epoch in range(passes.epochs):
        classifier.train()
        losses = []
        for batch in batches(rows, passes.batch_size, generator):
            value = loss(classifier(*padded(batch)), batch)
            stepper.step(value)
            losses.append(float(value.detach()))
        entry: dict[str, float | int | str] = {"epoch": epoch, "loss": round(sum(losses) / len(losses), 4)}
        if validation:
            held_out = mean_loss(classifier, validation, loss)
            entry["validation_loss"] = round(held_out, 4)
            waited = 0 if held_out < best else waited + 1
            if held_out < best:
                best, best_state = held_out, _trainable_state(classifier)
        log(entry)
        if waited >= passes.patience:
            break
    if validation:
        classifier.load_state_dict(best_state, strict=False)
    else:
        stepper.use_average()
    classifier.eval()


class Stepper:
    """The optimiser with its schedule, and a running average of the weights where the recipe asks for one."""

    def __init__(self, module: nn.Module, passes: Passes, steps: int) -> None:
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=passes.learning_rate, weight_decay=passes.weight_decay, betas=(0.9, 0.98)
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: rate_at(step, steps, passes.warm_up)
        )
        self._averaging = passes.averaging
        self._average = [parameter.detach().clone() for parameter in self._parameters] if passes.averaging else []

    def step(self, loss: Tensor) -> None:
        """One update with the gradient clipped to norm 1."""
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._schedule.step()
        for average, parameter in zip(self._average, self._parameters if self._average else (), strict=True):
            average.lerp_(parameter.detach(), 1 - self._averaging)

    def use_average(self) -> None:
        """Put the running average in place of the last weights."""
        for average, parameter in zip(self._average, self._parameters if self._average else (), strict=True):
            parameter.data.copy_(average)


def rate_at(step: int, steps: int, warm_up: float) -> float:
    """The share of the learning rate: linear warm-up, then a half cosine to zero."""
    rising = max(1, round(steps * warm_up))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


def _trainable_state(classifier: Classifier) -> dict[str, Tensor]:
    """A copy of the parameters that training changes."""
    return {
        name: parameter.detach().clone() for name, parameter in classifier.named_parameters() if parameter.requires_grad
    }


@torch.no_grad()
def mean_loss(classifier: Classifier, rows: Sequence[EncodedRow], loss: MultiTaskLoss) -> float:
    """The mean loss over rows, without dropout."""
    classifier.eval()
    total = sum(float(loss(classifier(*padded(chunk)), chunk)) * len(chunk) for chunk in _chunks(rows))
    return total / len(rows)


@torch.no_grad()
def predict(classifier: Classifier, rows: Sequence[EncodedRow]) -> Iterator[dict[str, tuple[float, list[float]]]]:
    """For each row and task the raw logit of the stated head and those of the class head."""
    classifier.eval()
    for chunk in _chunks(rows):
        logits = classifier(*padded(chunk))
        for index in range(len(chunk)):
            yield {
                task: (float(logits.stated[task][index]), [float(value) for value in logits.classes[task][index]])
                for task in classifier.label_set
            }


def _chunks(rows: Sequence[EncodedRow], size: int = 64) -> Iterator[Sequence[EncodedRow]]:
    """Rows in order, some at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def fit_language(backbone: LlamaModel, texts: Sequence[Sequence[int]], passes: Passes, seed: int, log: Log) -> None:
    """Train all of the backbone to predict each next token, through its own embeddings, which have no head beside."""
    generator = random.Random(seed)  # noqa: S311 - shuffling, not security
    rows = [EncodedRow(tuple(text), {}) for text in texts if len(text) > 1]
    stepper = Stepper(backbone, passes, passes.epochs * math.ceil(len(rows) / passes.batch_size))
    embeddings = backbone.get_input_embeddings().weight
    backbone.train()
    for epoch in range(passes.epochs):
        losses = []
        for batch in batches(rows, passes.batch_size, generator):
            ids, mask = padded(batch)
            hidden = backbone(input_ids=ids).last_hidden_state[:, :-1]
            targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, UNKNOWN)
            logits = hidden @ embeddings.T / math.sqrt(hidden.shape[-1])
            value = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=UNKNOWN)
            stepper.step(value)
            losses.append(float(value.detach()))
        log({"epoch": epoch, "loss": round(sum(losses) / len(losses), 4)})
