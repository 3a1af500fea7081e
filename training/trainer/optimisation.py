"""One phase's optimiser: AdamW or its paged 8-bit form, the rate's schedule, clipping, a running average of weights."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.recipe import Passes

BETAS = (0.9, 0.98)
CLIPPED_NORM = 1.0


def rate_at(step: int, steps: int, warm_up: float) -> float:
    """The share of the learning rate: linear warm-up, then a half cosine to zero."""
    rising = max(1, round(steps * warm_up))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


class Stepper:
    """The optimiser with its schedule, and a running average of the weights where the recipe asks for one."""

    def __init__(self, module: nn.Module, passes: Passes, steps: int, accelerator: Accelerator) -> None:
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._passes = passes
        self._steps = steps
        self._taken = 0
        self._accelerator = accelerator
        self._optimiser = accelerator.prepare_optimizer(_optimiser(self._parameters, passes, accelerator.device))
        self._average = [parameter.detach().clone() for parameter in self._parameters] if passes.averaging else []

    def step(self) -> None:
        """One update from the gradients gathered so far, clipped to norm 1."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._passes.learning_rate * rate_at(self._taken, self._steps, self._passes.warm_up)
        self._accelerator.clip_grad_norm_(self._parameters, CLIPPED_NORM)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._taken += 1
        for average, parameter in zip(self._average, self._parameters if self._average else (), strict=True):
            average.lerp_(parameter.detach(), 1 - self._passes.averaging)

    def use_average(self) -> None:
        """Put the running average in place of the last weights."""
        for average, parameter in zip(self._average, self._parameters if self._average else (), strict=True):
            parameter.data.copy_(average)

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on from here."""
        return {"taken": self._taken, "optimiser": self._optimiser.state_dict(), "average": self._average}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        self._taken = state["taken"]
        self._optimiser.load_state_dict(state["optimiser"])
        for average, kept in zip(self._average, state["average"], strict=True):
            average.copy_(kept)


def pages(passes: Passes, device: torch.device) -> bool:
    """True where the paged 8-bit optimiser is asked for and can run: on CUDA, with bitsandbytes."""
    return passes.optimiser == "paged_adamw_8bit" and device.type == "cuda" and find_spec("bitsandbytes") is not None


def _optimiser(parameters: Sequence[Tensor], passes: Passes, device: torch.device) -> torch.optim.Optimizer:
    settings: dict[str, Any] = {"lr": passes.learning_rate, "weight_decay": passes.weight_decay, "betas": BETAS}
    if pages(passes, device):
        from bitsandbytes.optim.adamw import PagedAdamW8bit

        return PagedAdamW8bit(parameters, **settings)  # type: ignore[no-untyped-call]
    return torch.optim.AdamW(parameters, **settings)
