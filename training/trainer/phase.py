"""One phase of a training: what it trains by, where it reports, and where it keeps its state after each epoch.

A killed run goes on at the last whole epoch and ends with the bits of a run that was never killed: the state holds
weights, optimiser, averages, the shuffling generator and torch's own.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.recipe import Passes
from training.trainer.optimisation import Stepper

Log = Callable[[dict[str, float | int | str]], None]
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class StateFile:
    """Where a phase keeps its state; `key` is a digest of what decides the phase, so that no other state is taken."""

    path: Path
    key: str

    def read(self) -> dict[str, Any] | None:
        """What was kept under the same key, if anything; never a pickle of code."""
        if not self.path.is_file():
            return None
        kept: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        return kept if kept["key"] == self.key else None

    def write(self, content: dict[str, Any]) -> None:
        """Put a state in place of the last one, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".part")
        torch.save({"key": self.key, **content}, beside)
        beside.replace(self.path)


@dataclass(frozen=True)
class Phase:
    """The passes and the seed of one phase, its log, and its state file where it is to be resumable."""

    passes: Passes
    seed: int
    log: Log = field(repr=False)
    state: StateFile | None = None

    def member(self, number: int) -> "Phase":
        """The same phase in another order of rows, as one of those whose weights are averaged."""
        kept = self.state and replace(self.state, path=self.state.path.with_suffix(f".{number}"))
        return replace(self, seed=self.seed + number, state=kept)


class Progress:
    """How far a phase has come: epochs done, the lowest validation loss with its weights, the generators."""

    def __init__(self, module: nn.Module, stepper: Stepper, phase: Phase, accelerator: Accelerator) -> None:
        self.epoch = 0
        self.generator = random.Random(phase.seed)  # noqa: S311 - shuffling, not security
        self._module = module
        self._stepper = stepper
        self._phase = phase
        self._accelerator = accelerator
        self._best = math.inf
        self._best_weights = trainable_weights(module)
        self._waited = 0
        torch.manual_seed(phase.seed)

    @property
    def goes_on(self) -> bool:
        """True while epochs and patience are left."""
        return self.epoch < self._phase.passes.epochs and self._waited < self._phase.passes.patience

    def judge(self, validation_loss: float) -> None:
        """Keep the weights where the validation loss is the lowest so far; else use up patience."""
        self._waited = 0 if validation_loss < self._best else self._waited + 1
        if validation_loss < self._best:
            self._best, self._best_weights = validation_loss, trainable_weights(self._module)

    def use_best(self) -> None:
        """Put the weights of the lowest validation loss back."""
        self._module.load_state_dict(self._best_weights, strict=False)

    def keep(self) -> None:
        """Write the state after an epoch; of several processes the first writes, and the others wait."""
        if self._phase.state is not None and self._accelerator.is_main_process:
            self._phase.state.write(
                {
                    "epoch": self.epoch,
                    "weights": trainable_weights(self._module),
                    "best": self._best,
                    "best_weights": self._best_weights,
                    "waited": self._waited,
                    "stepper": self._stepper.state(),
                    "shuffling": self.generator.getstate(),
                    "dropout": torch.get_rng_state(),
                }
            )
        self._accelerator.wait_for_everyone()

    def resume(self) -> None:
        """Take up the kept state, if there is one."""
        kept = self._phase.state.read() if self._phase.state else None
        if kept is None:
            return
        self.epoch, self._best, self._waited = kept["epoch"], kept["best"], kept["waited"]
        self._best_weights = kept["best_weights"]
        self._module.load_state_dict(kept["weights"], strict=False)
        self._stepper.restore(kept["stepper"])
        self.generator.setstate(kept["shuffling"])
        torch.set_rng_state(kept["dropout"])


def trainable_weights(module: nn.Module) -> Weights:
    """A copy of the parameters that training changes."""
    return {
        name: parameter.detach().clone() for name, parameter in module.named_parameters() if parameter.requires_grad
    }


def average_weights(members: list[Weights]) -> Weights:
    """The uniform mean of several trainings' weights; of one, that one."""
    return {name: torch.stack([member[name] for member in members]).mean(0) for name in members[0]}
