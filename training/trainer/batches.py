"""Rows as token ids, in shuffled batches of like length, padded on the right, shared out among devices."""

import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.dataset.lazy import picked


@dataclass(frozen=True)
class EncodedRow:
    """One sequence and what is known of it: a class, None where none is stated; unknown tasks are absent."""

    tokens: tuple[int, ...] = field(repr=False)
    labels: Mapping[str, str | None] = field(repr=False)


Batch = Sequence[EncodedRow]


def batches(
    rows: Sequence[EncodedRow], lengths: Sequence[int], size: int, generator: random.Random
) -> list[Sequence[EncodedRow]]:
    """Shuffled batches of rows of like length in tokens, so that little is padded; no row is held."""
    order = array("Q", sorted(range(len(rows)), key=lambda position: lengths[position] + generator.uniform(-12, 12)))
    cut = [picked(rows, order[start : start + size]) for start in range(0, len(order), size)]
    generator.shuffle(cut)
    return cut


def steps(all_batches: Sequence[Batch], accumulation: int, device: int, devices: int) -> list[list[Batch]]:
    """One device's batches, grouped into optimiser steps; each device gets as many, the first ones twice if need be."""
    missing = -len(all_batches) % devices
    even = [*all_batches, *(all_batches[index % len(all_batches)] for index in range(missing))]
    own = even[device::devices]
    return [own[start : start + accumulation] for start in range(0, len(own), accumulation)]


def chunks(rows: Sequence[EncodedRow], size: int = 64) -> Iterator[Batch]:
    """Rows in order, some at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def padded(rows: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask [rows, longest] of one batch, padded on the right."""
    width = max(len(row.tokens) for row in rows)
    ids = torch.tensor([[*row.tokens, *[0] * (width - len(row.tokens))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row.tokens) + [0] * (width - len(row.tokens)) for row in rows], device=device)
    return ids, mask
