"""The classifier: its parameter counts, its pooling, its adapters."""

from collections.abc import Callable

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from model.adapters import adapter_kind
from model.classifier import Classifier, last_real_token, new_classifier
from model.kinds import AdapterKind

pytestmark = pytest.mark.model

REFERENCE = {
    "T": ("T0", "T1", "T2", "T3", "T4", "Tis"),
    "N": ("N0", "N1", "N2", "N3"),
    "grade": ("G1", "G2", "G3"),
    "ER": ("negative", "positive"),
    "PR": ("negative", "positive"),
    "HER2": ("negative", "equivocal", "positive"),
}
KINDS: tuple[AdapterKind, ...] = ("frozen", "lora", "ia3", "prefix")
Make = Callable[[AdapterKind], Classifier]


def llama_3_8b() -> LlamaModel:
    """Llama-3-8B without weights."""
    with torch.device("meta"):
        return LlamaModel(
            LlamaConfig(
                hidden_size=4096,
                num_hidden_layers=32,
                num_attention_heads=32,
                num_key_value_heads=8,
                intermediate_size=14336,
                vocab_size=128256,
            )
        )


@pytest.mark.parametrize(
    ("kind", "expected"), [("frozen", 81_940), ("lora", 13_713_428), ("ia3", 606_228), ("prefix", 213_012)]
)
def test_llama_3_8b_trains_the_parameters_that_the_reference_prints(kind: AdapterKind, expected: int) -> None:
    """Each adapter kind on Llama-3-8B with 20 outputs has exactly the reference's count."""
    with torch.device("meta"):
        classifier = new_classifier(llama_3_8b(), REFERENCE, stated_heads=False, adapter=kind)
    assert classifier.trainable_parameters() == expected


def test_the_m_head_adds_its_two_outputs() -> None:
    """A two-class M head makes 13,721,622."""
    with torch.device("meta"):
        classifier = new_classifier(llama_3_8b(), REFERENCE | {"M": ("M0", "M1")}, stated_heads=False)
    assert classifier.trainable_parameters() == 13_721_622


def test_a_stated_head_stands_beside_each_class_head() -> None:
    """Stated heads add one output a task."""
    with torch.device("meta"):
        classifier = new_classifier(llama_3_8b(), REFERENCE, stated_heads=True)
    assert classifier.trainable_parameters() == 13_713_428 + 6 * 4097


def test_heads_are_fp32_on_a_bf16_backbone(make_classifier: Make) -> None:
    """Half precision below never reaches the heads or the logits."""
    classifier = make_classifier("lora")
    classifier.backbone.to(torch.bfloat16)
    logits = classifier(torch.tensor([[1, 5, 6, 2]]), torch.ones(1, 4, dtype=torch.long))
    assert {parameter.dtype for parameter in classifier.heads.parameters()} == {torch.float32}
    assert logits.classes["T"].dtype == logits.stated["T"].dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_padding_on_either_side_changes_nothing(make_classifier: Make, kind: AdapterKind) -> None:
    """Left, right and no padding give the same logits, also where padding ids equal real ones."""
    classifier = make_classifier(kind)
    ids = torch.randint(3, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    ids[0, 4] = ids[1, 8] = 2
    padding = torch.full((2, 5), 2)
    ones, zeros = torch.ones_like(ids), torch.zeros_like(padding)
    with torch.inference_mode():
        plain = classifier(ids, ones)
        right = classifier(torch.cat([ids, padding], 1), torch.cat([ones, zeros], 1))
        left = classifier(torch.cat([padding, ids], 1), torch.cat([zeros, ones], 1))
    for task in plain.classes:
        for padded in (left, right):
            torch.testing.assert_close(padded.classes[task], plain.classes[task], atol=1e-5, rtol=0)
            torch.testing.assert_close(padded.stated[task], plain.stated[task], atol=1e-5, rtol=0)


def test_leaving_the_mask_out_equals_the_masked_backbone(make_classifier: Make) -> None:
    """The fast path without a mask pools the same state as the plain backbone with its mask."""
    classifier = make_classifier("lora")
    ids = torch.randint(3, 200, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1] * 12, [1] * 7 + [0] * 5, [1] * 1 + [0] * 11])
    with torch.inference_mode():
        hidden = classifier.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        expected = torch.stack([hidden[0, 11], hidden[1, 6], hidden[2, 0]])
        torch.testing.assert_close(classifier.pooled(ids, mask), expected, atol=1e-5, rtol=0)


def test_the_last_real_token_is_found_by_the_mask() -> None:
    """The rightmost position of the mask is taken on either side, holes included."""
    hidden = torch.arange(8, dtype=torch.float32).reshape(2, 4, 1)
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 1]])
    assert last_real_token(hidden, mask).flatten().tolist() == [1.0, 7.0]


@pytest.mark.parametrize("kind", KINDS)
def test_merging_keeps_the_answers(make_classifier: Make, kind: AdapterKind) -> None:
    """A merged classifier answers within 1e-4 of the unmerged one, and knows its adapter before."""
    classifier = make_classifier(kind)
    ids = torch.randint(3, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    assert adapter_kind(classifier.backbone) == kind
    with torch.inference_mode():
        before = classifier(ids, torch.ones_like(ids))
        after = classifier.merged()(ids, torch.ones_like(ids))
    for task in before.classes:
        torch.testing.assert_close(after.classes[task], before.classes[task], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_adapter_and_the_heads_train(make_classifier: Make, kind: AdapterKind) -> None:
    """A backward pass reaches adapter and heads, and nothing of the backbone."""
    classifier = make_classifier(kind).train()
    ids = torch.randint(3, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    logits = classifier(ids, torch.ones_like(ids))
    sum(value.sum() for value in (*logits.classes.values(), *logits.stated.values())).backward()
    reached = {name for name, parameter in classifier.named_parameters() if parameter.grad is not None}
    assert all("heads." in name or "lora_" in name or "ia3_" in name or "prompt_encoder" in name for name in reached)
    assert any("heads." not in name for name in reached) == (kind != "frozen")
