"""Behaviour of a phase that is interrupted, and of several trainings whose weights are averaged."""

from pathlib import Path

import pytest
import torch
from models_made import phase_of, tiny_backbone, tiny_classifier, toy_rows

from model.classifier import new_classifier
from training.recipe import Passes
from training.trainer.batches import EncodedRow
from training.trainer.loop import fit, fit_language
from training.trainer.phase import StateFile, Weights, average_weights, trainable_weights

pytestmark = pytest.mark.model


class KilledError(Exception):
    """Stands for the end of the process."""


def _killed_after(epoch: int):
    def log(entry: dict) -> None:
        if entry["epoch"] == epoch:
            raise KilledError

    return log


def _adapted(passes: Passes, validation: list[EncodedRow], state: StateFile | None, log=lambda entry: None) -> Weights:
    """The trained weights of an adapter with dropout."""
    backbone = tiny_backbone()
    torch.manual_seed(2)
    classifier = new_classifier(backbone, {"T": ("T1", "T2")}, stated_heads=True)
    fit(classifier, toy_rows(48), validation, (), phase_of(passes, log, state))
    return trainable_weights(classifier)


def _same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("epoch", [0, 2, 3])
def test_a_killed_phase_goes_on_to_the_same_bits(tmp_path: Path, validated: bool, epoch: int) -> None:
    """Killed after any epoch and started again, it ends as if it had never been killed: dropout and average included."""
    passes = Passes(epochs=4, learning_rate=1e-2, batch_size=8, averaging=0.9)
    validation = toy_rows(16) if validated else []
    state = StateFile(tmp_path / "adapter.state", "key")
    with pytest.raises(KilledError):
        _adapted(passes, validation, state, _killed_after(epoch))
    seen: list[dict] = []
    again = _adapted(passes, validation, state, seen.append)
    assert [entry["epoch"] for entry in seen] == list(range(epoch + 1, 4))
    assert _same(again, _adapted(passes, validation, None))


def test_a_state_of_something_else_is_not_taken_up(tmp_path: Path) -> None:
    """Another corpus or other passes have another key, and begin at the beginning."""
    passes = Passes(epochs=2, learning_rate=1e-2)
    _adapted(passes, [], StateFile(tmp_path / "adapter.state", "one"))
    seen: list[dict] = []
    _adapted(passes, [], StateFile(tmp_path / "adapter.state", "other"), seen.append)
    assert [entry["epoch"] for entry in seen] == [0, 1]


def test_patience_that_is_used_up_stays_so(tmp_path: Path) -> None:
    """A phase that stopped early is not trained on by a second run."""
    passes = Passes(epochs=30, learning_rate=0.5, batch_size=8, patience=1)
    state = StateFile(tmp_path / "adapter.state", "key")
    first: list[dict] = []
    weights = _adapted(passes, toy_rows(16), state, first.append)
    seen: list[dict] = []
    assert _same(_adapted(passes, toy_rows(16), state, seen.append), weights)
    assert len(first) < 30
    assert seen == []


def test_the_language_phase_can_be_resumed_too(tmp_path: Path) -> None:
    """The backbone's own phase keeps its state by the same means."""
    passes = Passes(epochs=3, learning_rate=1e-2, batch_size=4)
    texts = [tuple(range(3, 19))] * 12

    def trained(state: StateFile | None, log=lambda entry: None) -> Weights:
        backbone = tiny_backbone()
        fit_language(backbone, texts, phase_of(passes, log, state))
        return trainable_weights(backbone)

    state = StateFile(tmp_path / "language.state", "key")
    with pytest.raises(KilledError):
        trained(state, _killed_after(1))
    assert _same(trained(state), trained(None))


def test_two_seeds_are_the_mean_of_both_from_one_start() -> None:
    """Each seed begins at the same weights and sees another order; the result lies halfway."""
    passes = Passes(epochs=1, learning_rate=1e-2, batch_size=8)

    def trained(seeds: int, seed: int) -> Weights:
        classifier = tiny_classifier()
        phase = phase_of(passes.model_copy(update={"seeds": seeds}))
        fit(classifier, toy_rows(48), [], (), phase if seed == 42 else phase.member(seed - 42))
        return trainable_weights(classifier)

    both = trained(2, 42)
    apart = [trained(1, 42), trained(1, 43)]
    assert not _same(apart[0], apart[1])
    assert _same(both, average_weights(apart))


def test_the_average_of_one_is_that_one() -> None:
    """A single seed is not changed by a bit."""
    weights = trainable_weights(tiny_classifier())
    assert _same(average_weights([weights]), weights)
