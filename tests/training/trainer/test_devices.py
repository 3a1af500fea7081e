"""Behaviour of training on several devices, and of the optimiser that only some devices can run."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import torch
from accelerate.state import AcceleratorState
from models_made import phase_of, tiny_classifier, toy_rows

from model.manifest import read_manifest
from schemas.pack_loader import load_pack
from training.dataset.corpus import Sources
from training.recipe import REFERENCE, TOY, Passes
from training.trainer.loop import fit
from training.trainer.optimisation import pages
from training.trainer.phase import trainable_weights
from training.trainer.pipeline import train

pytestmark = pytest.mark.model

PASSES = Passes(epochs=2, learning_rate=1e-2, batch_size=4, accumulation=2)


def _digest_of_training(passes: Passes) -> list[float]:
    classifier = tiny_classifier()
    fit(classifier, toy_rows(32), [], (), phase_of(passes))
    return [float(weights.double().sum()) for weights in trainable_weights(classifier).values()]


def _device(number: int, port: int, work: Callable[[int], None]) -> None:
    """One of two processes, as a launcher would start it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    work(number)


def _on_two_devices(work: Callable[[int], None]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    devices = [fork.Process(target=_device, args=(number, port, work)) for number in range(2)]
    for device in devices:
        device.start()
    for device in devices:
        device.join(120)
    assert [device.exitcode for device in devices] == [0, 0]


def test_two_devices_train_one_model(tmp_path: Path) -> None:
    """Each sees half of the batches, gradients are shared: both end with the same weights."""
    _on_two_devices(
        lambda number: (tmp_path / str(number)).write_bytes(orjson.dumps(_digest_of_training(PASSES))) and None
    )
    first, second = (orjson.loads((tmp_path / str(number)).read_bytes()) for number in range(2))
    assert first == second
    assert first != [float(weights.double().sum()) for weights in trainable_weights(tiny_classifier()).values()]


def test_two_devices_make_one_checkpoint(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """The whole path runs in both processes; one writes the checkpoint, and each keeps a log of its own."""
    recipe = TOY.model_copy(update={"variants_per_class": 0})

    def whole(number: int) -> None:
        sources = Sources(*corpus, lambda text: True)
        train(sources, tmp_path / "out", load_pack("breast"), recipe, lambda line: None)

    _on_two_devices(whole)
    work = tmp_path / "out.work"
    assert read_manifest(tmp_path / "out").pack == "breast"
    for name in ("log.jsonl", "log-1.jsonl"):
        phases = [orjson.loads(line)["phase"] for line in (work / name).read_bytes().splitlines()]
        assert "final, adapter" in phases
    assert not list(work.glob("states of *"))


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
