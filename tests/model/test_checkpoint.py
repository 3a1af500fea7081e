"""Checkpoints: what is saved comes back, and what was tampered with does not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.backbone import backbone_tokenizer, load_backbone, refer_to_backbone
from model.calibration import Calibration, TaskCalibration
from model.checkpoint import load_checkpoint, save_checkpoint
from model.classifier import Classifier, Logits
from model.kinds import AdapterKind
from model.manifest import file_digest
from model.tokenizer import SequenceTokenizer
from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition

pytestmark = pytest.mark.model

Make = Callable[[AdapterKind], Classifier]
IDS = torch.tensor([[1, 50, 60, 70, 2], [1, 51, 61, 71, 2]])


@pytest.fixture
def saved(tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition) -> Path:
    """A saved LoRA checkpoint with its own backbone."""
    save_checkpoint(tmp_path / "saved", make_classifier("lora"), tokenizer, pack=pack, prompt_version="tokens-1")
    return tmp_path / "saved"


def answers(classifier: Classifier) -> Logits:
    """The logits of two fixed sequences."""
    with torch.inference_mode():
        return classifier.eval()(IDS, torch.ones_like(IDS))


def refusal(path: Path) -> Code:
    """The number with which loading is refused."""
    with pytest.raises(SynopticError) as caught:
        load_checkpoint(path)
    return caught.value.code


@pytest.mark.parametrize("kind", ["lora", "ia3", "prefix", "frozen"])
def test_a_checkpoint_comes_back_bit_for_bit(
    tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition, kind: AdapterKind
) -> None:
    """Reloaded logits equal the saved classifier's to the last bit, for every adapter kind."""
    classifier = make_classifier(kind)
    save_checkpoint(tmp_path, classifier, tokenizer, pack=pack, prompt_version="tokens-1")
    loaded = load_checkpoint(tmp_path)
    before, after = answers(classifier), answers(loaded.classifier)
    assert loaded.manifest.adapter == kind
    for task in before.classes:
        assert torch.equal(before.classes[task], after.classes[task])
        assert torch.equal(before.stated[task], after.stated[task])


def test_saving_again_gives_the_same_bytes(
    tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition
) -> None:
    """The digest of a checkpoint depends on its content alone."""
    for name in ("one", "two"):
        save_checkpoint(tmp_path / name, make_classifier("lora"), tokenizer, pack=pack, prompt_version="tokens-1")
    assert load_checkpoint(tmp_path / "one").digest == load_checkpoint(tmp_path / "two").digest


def test_a_checkpoint_does_not_tell_where_it_was_made(saved: Path, backbone_folder: Path) -> None:
    """No path of the machine that trained it is in any of its JSON files."""
    texts = [path.read_text(encoding="utf-8") for path in saved.rglob("*.json")]
    assert len(texts) == 5
    assert not any(str(folder) in text for text in texts for folder in (backbone_folder, saved.parent))


def test_half_precision_storage_halves_the_file_and_keeps_the_answers_near(
    tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition
) -> None:
    """A backbone stored in fp16 loads in fp32 and answers within its rounding."""
    classifier = make_classifier("lora")
    sizes = {}
    for storage in ("float32", "float16"):
        folder = tmp_path / storage
        save_checkpoint(folder, classifier, tokenizer, pack=pack, prompt_version="tokens-1", storage=storage)
        sizes[storage] = (folder / "backbone" / "model.safetensors").stat().st_size
    loaded = load_checkpoint(tmp_path / "float16").classifier
    assert sizes["float16"] < 0.55 * sizes["float32"]
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(answers(loaded).classes["T"], answers(classifier).classes["T"], atol=2e-2, rtol=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "nf4"])
def test_a_backbone_elsewhere_is_referred_to_and_loads_in_every_precision(
    tmp_path: Path,
    backbone_folder: Path,
    make_classifier: Make,
    tokenizer: SequenceTokenizer,
    pack: PackDefinition,
    precision: str,
) -> None:
    """The path that loads Llama-3-8B: adapter and heads here, weights elsewhere, fp32, bf16 or 4-bit NF4."""
    classifier = make_classifier("lora")
    reference = refer_to_backbone(str(backbone_folder))
    save_checkpoint(tmp_path, classifier, tokenizer, pack=pack, prompt_version="text-1", backbone=reference)
    loaded = load_checkpoint(tmp_path, precision)
    assert not (tmp_path / "backbone").exists()
    projection = loaded.classifier.backbone.get_base_model().layers[0].self_attn.q_proj.base_layer
    assert (type(projection).__name__ == "Linear4bit") == (precision == "nf4")
    assert {parameter.dtype for parameter in loaded.classifier.heads.parameters()} == {torch.float32}
    spread = {"float32": 0.0, "bfloat16": 0.2, "nf4": 2.0}[precision]
    torch.testing.assert_close(
        answers(loaded.classifier).classes["T"], answers(classifier).classes["T"], atol=spread, rtol=0
    )


def test_a_causal_language_model_loads_without_its_head(tmp_path: Path, backbone_folder: Path) -> None:
    """Weights saved by LlamaForCausalLM, as Meta publishes them, give the same backbone."""
    from transformers import LlamaForCausalLM

    plain = load_backbone(backbone_folder)
    causal = LlamaForCausalLM(plain.config)
    causal.model.load_state_dict(plain.state_dict())
    causal.save_pretrained(tmp_path)
    loaded = load_backbone(tmp_path)
    assert loaded.state_dict().keys() == plain.state_dict().keys()
    assert all(torch.equal(tensor, plain.state_dict()[name]) for name, tensor in loaded.state_dict().items())


def test_a_trainable_checkpoint_opens_adapter_and_heads(saved: Path, make_classifier: Make) -> None:
    """Training goes on from a checkpoint with the same parameters open; inference has none open."""
    expected = make_classifier("lora").trainable_parameters()
    assert load_checkpoint(saved, trainable=True).classifier.trainable_parameters() == expected
    assert load_checkpoint(saved).classifier.trainable_parameters() == 0


def test_a_tokenizer_comes_back_with_its_ids(backbone_folder: Path, tokenizer: SequenceTokenizer) -> None:
    """The opening and closing ids are read from the backbone's configuration."""
    loaded = backbone_tokenizer(backbone_folder)
    assert (loaded.begin, loaded.end) == (tokenizer.begin, tokenizer.end)
    assert loaded.encode("Left breast <end>") == tokenizer.encode("Left breast <end>")


def test_digests_tell_backbone_and_adapter_apart(
    tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition
) -> None:
    """Other heads change the adapter's digest alone; a new calibration does too; neither is a path."""
    classifier = make_classifier("lora")
    first = save_checkpoint(tmp_path, classifier, tokenizer, pack=pack, prompt_version="tokens-1")
    torch.nn.init.ones_(classifier.heads["T"].bias)
    second = save_checkpoint(tmp_path, classifier, tokenizer, pack=pack, prompt_version="tokens-1")
    calibration = Calibration(tasks={"T": TaskCalibration(temperature=1.5, threshold=0.9)})
    third = save_checkpoint(
        tmp_path, classifier, tokenizer, pack=pack, prompt_version="tokens-1", calibration=calibration
    )
    assert load_checkpoint(tmp_path).calibration == calibration
    assert first.model_digest == second.model_digest == third.model_digest
    assert len({manifest.adapter_digest for manifest in (first, second, third)}) == 3
    assert first.name == "synoptic-tiny"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "adapter/adapter_model.bin", "backbone/model.pt"])
def test_a_pickle_is_refused(saved: Path, name: str) -> None:
    """A pickle anywhere in the checkpoint is SYN-302, before anything reads it."""
    (saved / name).write_bytes(b"\x80\x04.")
    assert refusal(saved) is Code.UNSAFE_WEIGHTS


def test_a_backbone_of_pickles_is_refused(tmp_path: Path) -> None:
    """A folder whose only weights are pickled is SYN-302."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(SynopticError) as caught:
        load_backbone(tmp_path)
    assert caught.value.code is Code.UNSAFE_WEIGHTS


@pytest.mark.parametrize(
    "name", ["heads.safetensors", "tokenizer.json", "calibration.json", "backbone/model.safetensors"]
)
def test_a_changed_file_is_refused(saved: Path, name: str) -> None:
    """One more byte in any file is SYN-303."""
    with (saved / name).open("ab") as stream:
        stream.write(b" ")
    assert refusal(saved) is Code.DIGEST_MISMATCH


def test_a_file_without_a_digest_is_refused(saved: Path) -> None:
    """A file slipped into the adapter's folder is SYN-303."""
    (saved / "adapter" / "extra.safetensors").write_bytes(b"")
    assert refusal(saved) is Code.DIGEST_MISMATCH


def test_a_backbone_that_changed_elsewhere_is_refused(
    tmp_path: Path, backbone_folder: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition
) -> None:
    """A reference holds the backbone's digests too."""
    copy = Path(shutil.copytree(backbone_folder, tmp_path / "copy"))
    reference = refer_to_backbone(str(copy))
    save_checkpoint(
        tmp_path / "saved", make_classifier("lora"), tokenizer, pack=pack, prompt_version="text-1", backbone=reference
    )
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.1}), encoding="utf-8")
    assert refusal(tmp_path / "saved") is Code.DIGEST_MISMATCH


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    """A missing folder, and one without synoptic.json, are SYN-301."""
    assert refusal(tmp_path / "missing") is Code.NOT_A_CHECKPOINT
    assert refusal(tmp_path) is Code.NOT_A_CHECKPOINT


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prompt_version": "runes-9"}, Code.UNKNOWN_PROMPT_VERSION),
        ({"format_version": 2}, Code.BAD_CHECKPOINT),
        ({"label_set": {"T": ["T1"]}}, Code.BAD_CHECKPOINT),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(saved: Path, change: dict[str, object], code: Code) -> None:
    """An unknown prompt version or format, and heads that do not fit the label set, are fatal."""
    path = saved / "synoptic.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change), encoding="utf-8")
    assert refusal(saved) is code


def test_a_backbone_that_lacks_a_tensor_is_refused(tmp_path: Path, backbone_folder: Path) -> None:
    """A missing weight is SYN-309, not a random one."""
    copy = Path(shutil.copytree(backbone_folder, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    weights.pop("layers.1.mlp.up_proj.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SynopticError) as caught:
        load_backbone(copy)
    assert caught.value.code is Code.BACKBONE_UNAVAILABLE


def test_an_adapter_that_lacks_a_tensor_is_refused(saved: Path) -> None:
    """An adapter short of a weight is SYN-304 even where its digest was made anew."""
    path = saved / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    weights.pop(sorted(weights)[0])
    save_file(weights, path, metadata={"format": "pt"})
    manifest = json.loads((saved / "synoptic.json").read_bytes())
    manifest["files"]["adapter/adapter_model.safetensors"] = file_digest(path)
    (saved / "synoptic.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert refusal(saved) is Code.BAD_CHECKPOINT


def test_another_architecture_is_refused(tmp_path: Path, backbone_folder: Path) -> None:
    """A backbone that is no Llama is SYN-309, and its remote code is never looked at."""
    copy = Path(shutil.copytree(backbone_folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_bytes())
    for change in ({"model_type": "gpt2"}, {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}):
        (copy / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
        with pytest.raises(SynopticError) as caught:
            load_backbone(copy)
        assert caught.value.code is Code.BACKBONE_UNAVAILABLE


def test_a_hub_id_is_fetched_without_pickles_and_loaded_by_the_same_code(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub id asks for JSON and safetensors alone, and what comes loads as a folder does."""
    asked: list[dict[str, object]] = []

    def snapshot(name: str, **options: object) -> str:
        asked.append({"name": name} | options)
        return str(saved)

    monkeypatch.setattr("model.backbone.snapshot_download", snapshot)
    loaded = load_checkpoint("example/synoptic-breast")
    assert loaded.digest == load_checkpoint(saved).digest
    assert [options["name"] for options in asked] == ["example/synoptic-breast"]
    assert asked[0]["allow_patterns"] == ["*.json", "*.safetensors"]


def test_an_unreachable_hub_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub id that cannot be fetched is SYN-309 in one line."""

    def snapshot(name: str, **_: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr("model.backbone.snapshot_download", snapshot)
    assert refusal(Path("example/synoptic-breast")) is Code.BACKBONE_UNAVAILABLE


def test_an_unknown_device_is_named(backbone_folder: Path) -> None:
    """A device that this machine does not have is SYN-310."""
    with pytest.raises(SynopticError) as caught:
        load_backbone(backbone_folder, device="abacus")
    assert caught.value.code is Code.DEVICE_UNAVAILABLE


@pytest.mark.parametrize(
    "change", [{"version": "1.0.1"}, {"id": "other"}, {"granularity": "per_task"}, {"stated_heads": False}]
)
def test_another_pack_is_refused(saved: Path, pack: PackDefinition, change: dict[str, object]) -> None:
    """Another pack, pack version or granularity is SYN-305; the same pack passes."""
    manifest = load_checkpoint(saved).manifest
    manifest.require_pack(pack)
    with pytest.raises(SynopticError) as caught:
        manifest.require_pack(pack.model_copy(update=change))
    assert caught.value.code is Code.PACK_MISMATCH


def test_another_order_of_classes_is_refused(saved: Path, pack: PackDefinition) -> None:
    """The order of classes is the order of outputs: turned round it is SYN-305."""
    first, *rest = pack.tasks
    turned = first.model_copy(update={"classes": first.classes[::-1]})
    with pytest.raises(SynopticError) as caught:
        load_checkpoint(saved).manifest.require_pack(pack.model_copy(update={"tasks": (turned, *rest)}))
    assert caught.value.code is Code.PACK_MISMATCH
