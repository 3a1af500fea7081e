"""Trains on encoded rows: masked multi-task loss or next tokens, cosine with warm-up, early stopping, any devices.

Accelerate spreads a phase over the devices of `accelerate launch`; on one device it is the plain loop.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaModel

from model.classifier import Classifier
from training.trainer.batches import Batch, EncodedRow, batches, chunks, padded, steps
from training.trainer.loss import UNKNOWN, MultiTaskLoss
from training.trainer.optimisation import Stepper
from training.trainer.phase import Phase, Progress, average_weights, trainable_weights

Measure = Callable[[nn.Module, Batch], Tensor]
"""The loss of one batch under a module, which may be wrapped for several devices."""


def fit(
    classifier: Classifier,
    rows: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    weighted_tasks: Sequence[str],
    phase: Phase,
) -> None:
    """Train what is trainable; with a validation set, end at its lowest loss and stop when patience is used up."""
    loss = MultiTaskLoss(classifier.label_set, rows, weighted_tasks)

    def measure(model: nn.Module, batch: Batch) -> Tensor:
        found: Tensor = loss(model(*padded(batch, device_of(classifier))), batch)
        return found

    def held_out() -> float:
        return mean_loss(classifier, validation, loss)

    _train(classifier, rows, measure, phase, held_out if validation else None)
    classifier.eval()


def fit_language(backbone: LlamaModel, texts: Sequence[Sequence[int]], phase: Phase) -> None:
    """Train all of the backbone to predict each next token, through its own embeddings, which have no head beside."""
    embeddings = backbone.get_input_embeddings().weight

    def measure(model: nn.Module, batch: Batch) -> Tensor:
        ids, mask = padded(batch, device_of(backbone))
        hidden = model(input_ids=ids).last_hidden_state[:, :-1]
        targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, UNKNOWN)
        logits = hidden @ embeddings.T / math.sqrt(hidden.shape[-1])
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=UNKNOWN)

    _train(backbone, [EncodedRow(tuple(text), {}) for text in texts if len(text) > 1], measure, phase, None)


def _train(
    module: nn.Module,
    rows: Sequence[EncodedRow],
    measure: Measure,
    phase: Phase,
    held_out: Callable[[], float] | None,
) -> None:
    """Train once for each seed, always from the same start, and average the weights uniformly."""
    start, members = trainable_weights(module), []
    for number in range(phase.passes.seeds):
        module.load_state_dict(start, strict=False)
        _train_member(module, rows, measure, phase.member(number), held_out)
        members.append(trainable_weights(module))
    module.load_state_dict(average_weights(members), strict=False)


def _train_member(
    module: nn.Module,
    rows: Sequence[EncodedRow],
    measure: Measure,
    phase: Phase,
    held_out: Callable[[], float] | None,
) -> None:
    """The epochs of one phase and seed."""
    accelerator = new_accelerator()
    model = accelerator.prepare_model(module)
    passes = phase.passes
    an_epoch = math.ceil(len(rows) / passes.batch_size / accelerator.num_processes / passes.accumulation)
    stepper = Stepper(module, passes, passes.epochs * an_epoch, accelerator)
    progress = Progress(module, stepper, phase, accelerator)
    progress.resume()
    lengths = array("I", (len(row.tokens) for row in rows))
    while progress.goes_on:
        shuffled = batches(rows, lengths, passes.batch_size, progress.generator)
        own = steps(shuffled, passes.accumulation, accelerator.process_index, accelerator.num_processes)
        mean = _epoch(model, own, measure, stepper, accelerator)
        entry: dict[str, float | int | str] = {
            "seed": phase.seed,
            "epoch": progress.epoch,
            "loss": round(mean, 4),
        }
        if held_out:
            validation_loss = held_out()
            entry["validation_loss"] = round(validation_loss, 4)
            progress.judge(validation_loss)
        progress.epoch += 1
        progress.keep()
        phase.log(entry)
    if held_out:
        progress.use_best()
    else:
        stepper.use_average()


def _epoch(
    model: nn.Module, groups: Sequence[Sequence[Batch]], measure: Measure, stepper: Stepper, accelerator: Accelerator
) -> float:
    """One pass over this device's batches, grouped into steps; their mean loss."""
    model.train()
    losses = []
    for group in groups:
        for position, batch in enumerate(group, start=1):
            # Gradients travel between devices once a step, with its last batch.
            with nullcontext() if position == len(group) else accelerator.no_sync(model):
                value = measure(model, tuple(batch))
                accelerator.backward(value / len(group))
            losses.append(float(value.detach()))
        stepper.step()
    return sum(losses) / len(losses)


def new_accelerator() -> Accelerator:
    """The devices as seen from here; a batch may leave heads of unknown tasks without a gradient."""
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(kwargs_handlers=[unused], mixed_precision="no")


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights lie."""
    return next(module.parameters()).device


@torch.no_grad()
def mean_loss(classifier: Classifier, rows: Sequence[EncodedRow], loss: MultiTaskLoss) -> float:
    """The mean loss over rows, without dropout."""
    classifier.eval()
    place = device_of(classifier)
    total = sum(float(loss(classifier(*padded(chunk, place)), chunk)) * len(chunk) for chunk in chunks(rows))
    return total / len(rows)


@torch.no_grad()
def predict(classifier: Classifier, rows: Sequence[EncodedRow]) -> Iterator[dict[str, tuple[float, list[float]]]]:
    """For each row and task the raw logit of the stated head and those of the class head."""
    classifier.eval()
    for chunk in chunks(rows):
        logits = classifier(*padded(chunk, device_of(classifier)))
        for index in range(len(chunk)):
            yield {
                task: (float(logits.stated[task][index]), [float(value) for value in logits.classes[task][index]])
                for task in classifier.label_set
            }
