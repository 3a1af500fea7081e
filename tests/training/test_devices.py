"""Behaviour of training on several devices, and of the optimiser that only some devices can run."""

import multiprocessing
import os
import socket
from pathlib import Path

import orjson
import pytest
import torch
from models_made import phase_of, tiny_classifier, toy_rows

from training.optimisation import pages
from training.phase import trainable_weights
from training.recipe import REFERENCE, Passes
from training.trainer import fit

pytestmark = pytest.mark.model

PASSES = Passes(epochs=2, learning_rate=1e-2, batch_size=4, accumulation=2)


def _digest_of_training(passes: Passes) -> list[float]:
    classifier = tiny_classifier()
    fit(classifier, toy_rows(32), [], (), phase_of(passes))
    return [float(weights.double().sum()) for weights in trainable_weights(classifier).values()]


def _device(number: int, port: int, path: Path) -> None:
    """One of two processes, as a launcher would start it."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    path.write_bytes(orjson.dumps(_digest_of_training(PASSES)))


def test_two_devices_train_one_model(tmp_path: Path) -> None:
    """Each sees half of the batches, gradients are shared: both end with the same weights, near those of one device."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    paths = [tmp_path / str(number) for number in range(2)]
    devices = [fork.Process(target=_device, args=(number, port, path)) for number, path in enumerate(paths)]
    for device in devices:
        device.start()
    for device in devices:
        device.join(120)
    assert [device.exitcode for device in devices] == [0, 0]
    first, second = (orjson.loads(path.read_bytes()) for path in paths)
    assert first == second
    untrained = [float(weights.double().sum()) for weights in trainable_weights(tiny_classifier()).values()]
    assert first != untrained


def test_accumulation_equals_one_large_batch() -> None:
    """Two micro-batches a step move the weights as one batch of both would, but for rounding."""
    small = tiny_classifier()
    large = tiny_classifier()
    rows = toy_rows(4)
    rows = [row for row in rows for _ in range(2)]
    stated = [type(row)(row.tokens, {"T": "T1"}) for row in rows]
    fit(small, stated, [], (), phase_of(Passes(epochs=1, learning_rate=1e-2, batch_size=4, accumulation=2)))
    fit(large, stated, [], (), phase_of(Passes(epochs=1, learning_rate=1e-2, batch_size=8)))
    for name, weights in trainable_weights(small).items():
        torch.testing.assert_close(weights, trainable_weights(large)[name], atol=1e-4, rtol=0)


def test_the_paged_optimiser_needs_cuda() -> None:
    """The reference's optimiser is taken on CUDA alone; plain AdamW stands in elsewhere, and is never paged."""
    assert pages(REFERENCE.adapter, torch.device("cuda"))
    assert not pages(REFERENCE.adapter, torch.device("cpu"))
    assert not pages(PASSES, torch.device("cuda"))
