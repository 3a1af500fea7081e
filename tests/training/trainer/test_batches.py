"""Behaviour of batches: how rows are shared out among devices and gathered into steps."""

import torch

from training.trainer.batches import EncodedRow, chunks, padded, steps

BATCHES = [[EncodedRow((number,), {})] for number in range(7)]


def _numbers(groups: list) -> list[list[int]]:
    return [[batch[0].tokens[0] for batch in group] for group in groups]


def test_one_device_takes_every_batch_in_order() -> None:
    """Accumulation gathers neighbours, and the last step takes what is left."""
    assert _numbers(steps(BATCHES, 3, 0, 1)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_devices_take_as_many_batches_each() -> None:
    """Two devices share seven batches; the first is seen twice, so that nobody waits for a step that never comes."""
    first, second = (_numbers(steps(BATCHES, 2, device, 2)) for device in range(2))
    assert first == [[0, 2], [4, 6]]
    assert second == [[1, 3], [5, 0]]


def test_padding_is_on_the_right_and_masked() -> None:
    """Ids and mask have the longest row's width."""
    ids, mask = padded([EncodedRow((4, 5), {}), EncodedRow((6,), {})], torch.device("cpu"))
    assert ids.tolist() == [[4, 5], [6, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]


def test_chunks_keep_the_order() -> None:
    """Prediction sees every row once, in order."""
    rows = [batch[0] for batch in BATCHES]
    assert [row for chunk in chunks(rows, 3) for row in chunk] == rows
