"""Behaviour of the loss, the schedule and the training loop, on models of a few thousand parameters."""

import itertools
import math
import random

import pytest
import torch
from models_made import phase_of, tiny_backbone, tiny_classifier, toy_rows

from model.classifier import Classifier, Logits, new_classifier
from training.recipe import Passes
from training.trainer.batches import EncodedRow, batches
from training.trainer.loop import fit, fit_language, mean_loss, predict
from training.trainer.loss import MultiTaskLoss, class_weights
from training.trainer.optimisation import rate_at

pytestmark = pytest.mark.model

LABEL_SET = {"T": ("T1", "T2"), "HER2": ("positive", "negative", "equivocal")}


def _logits(rows: int) -> Logits:
    generator = torch.Generator().manual_seed(3)
    return Logits(
        {task: torch.randn(rows, len(classes), generator=generator) for task, classes in LABEL_SET.items()},
        {task: torch.randn(rows, generator=generator) for task in LABEL_SET},
    )


def test_unknown_tasks_add_nothing_to_the_loss() -> None:
    """A row that says nothing of HER2 gives no gradient to its heads, class or stated."""
    logits = _logits(2)
    for values in (*logits.classes.values(), *logits.stated.values()):
        values.requires_grad_()
    rows = [EncodedRow((1,), {"T": "T1"}), EncodedRow((1,), {"T": None})]
    MultiTaskLoss(LABEL_SET, rows, ())(logits, rows).backward()
    assert logits.classes["HER2"].grad is None
    assert logits.stated["HER2"].grad is None
    assert logits.classes["T"].grad is not None
    assert bool((logits.classes["T"].grad[1] == 0).all()), "an unstated row has no class to learn"
    assert bool((logits.stated["T"].grad != 0).all()), "the stated head learns from both rows"


def test_the_loss_is_the_sum_over_tasks_of_both_cross_entropies() -> None:
    """Compared with the definition, written out by hand for one row."""
    logits = _logits(1)
    row = EncodedRow((1,), {"T": "T2", "HER2": None})
    by_hand = (
        -torch.log_softmax(logits.classes["T"][0], 0)[1]
        - torch.nn.functional.logsigmoid(logits.stated["T"][0])
        - torch.nn.functional.logsigmoid(-logits.stated["HER2"][0])
    )
    assert float(MultiTaskLoss(LABEL_SET, [row], ())(logits, [row])) == pytest.approx(float(by_hand))


def test_class_weights_balance_present_classes_and_ignore_absent_ones() -> None:
    """N / (K n_c): 3 negative and 1 positive give 2/3 and 2; equivocal has no row and weight 0."""
    rows = [EncodedRow((1,), {"HER2": value}) for value in ("negative", "negative", "negative", "positive", None)]
    weights = class_weights("HER2", LABEL_SET["HER2"], rows)
    assert weights.tolist() == pytest.approx([2.0, 2 / 3, 0.0])


def test_the_rate_rises_linearly_and_falls_to_zero() -> None:
    """Three percent of warm-up, then half a cosine."""
    rates = [rate_at(step, 100, 0.03) for step in range(101)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert all(after <= before for before, after in itertools.pairwise(rates[3:]))
    assert rates[100] == pytest.approx(0.0)


def test_batches_hold_each_row_once_and_shuffle_by_seed() -> None:
    """No row is lost or doubled, and the same seed gives the same order."""
    rows = toy_rows(50)
    lengths = [len(row.tokens) for row in rows]
    first, second, other = (
        [list(batch) for batch in batches(rows, lengths, 8, random.Random(seed))] for seed in (4, 4, 5)
    )
    assert first == second
    assert sorted(row.tokens for batch in first for row in batch) == sorted(row.tokens for row in rows)
    assert other != first


def test_training_learns_a_value_and_that_none_is_stated() -> None:
    """On a toy language both heads become right on rows never seen."""
    classifier = Classifier(tiny_backbone(), {"T": LABEL_SET["T"]}, stated_heads=True)
    passes = Passes(epochs=12, learning_rate=1e-2, batch_size=16)
    fit(classifier, toy_rows(200), [], (), phase_of(passes))
    held_out = toy_rows(40)
    for row, answer in zip(held_out, predict(classifier, held_out), strict=True):
        stated, classes = answer["T"]
        assert (stated > 0) == (row.labels["T"] is not None)
        if row.labels["T"] is not None:
            assert LABEL_SET["T"][classes.index(max(classes))] == row.labels["T"]


def test_an_adapter_trains_without_touching_thetiny_backbone() -> None:
    """LoRA and heads change; the backbone's own weights do not."""
    backbone = tiny_backbone()
    before = backbone.embed_tokens.weight.detach().clone()
    classifier = new_classifier(backbone, {"T": LABEL_SET["T"]}, stated_heads=True)
    head = classifier.heads["T"].weight.detach().clone()
    fit(classifier, toy_rows(32), [], (), phase_of(Passes(epochs=1, learning_rate=1e-2)))
    assert torch.equal(backbone.embed_tokens.weight, before)
    assert not torch.equal(classifier.heads["T"].weight, head)


def test_training_ends_at_its_lowest_validation_loss() -> None:
    """With patience 1 and a rate that diverges, it stops early and puts the best weights back."""
    classifier = Classifier(tiny_backbone(), {"T": LABEL_SET["T"]}, stated_heads=True)
    rows, entries = toy_rows(64), []
    passes = Passes(epochs=30, learning_rate=0.3, batch_size=8, patience=1)
    fit(classifier, rows, toy_rows(16), (), phase_of(passes, entries.append))
    losses = [entry["validation_loss"] for entry in entries]
    assert len(entries) < 30
    loss = MultiTaskLoss({"T": LABEL_SET["T"]}, rows, ())
    assert mean_loss(classifier, toy_rows(16), loss) == pytest.approx(min(losses), abs=1e-3)


def test_the_same_seed_trains_the_same_model() -> None:
    """Two trainings print the same log to the last digit."""
    logs: list[list[dict]] = [[], []]
    for log in logs:
        classifier = tiny_classifier()
        fit(classifier, toy_rows(48), toy_rows(16), (), phase_of(Passes(epochs=2, learning_rate=1e-2), log.append))
    assert logs[0] == logs[1]


def test_language_training_lowers_its_loss() -> None:
    """Next-token prediction learns a repeated text through the backbone's own embeddings."""
    entries: list[dict] = []
    passes = Passes(epochs=15, learning_rate=1e-2, batch_size=4)
    fit_language(tiny_backbone(), [tuple(range(3, 19))] * 16, phase_of(passes, entries.append))
    assert entries[-1]["loss"] < entries[0]["loss"] - 0.5
    assert math.isfinite(entries[-1]["loss"])
