"""Behaviour of the dry run: what Llama-3-8B would train, without a weight of it."""

import json
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from model.kinds import AdapterKind
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.recipe import REFERENCE
from training.trainer.dry_run import LLAMA_3_8B, dry_run, read_config

pytestmark = pytest.mark.model

TASKS = load_pack("breast").definition.tasks
LABEL_SET = {task.key: task.classes for task in TASKS}
OUTPUTS = sum(len(task.classes) for task in TASKS)


def test_llama_3_8b_gets_the_references_lora_and_one_head_a_task() -> None:
    """LoRA r 16 on q, k, v, o is 13,631,488 parameters; each output is 4,097; a batch answers with every task's classes."""
    found = dry_run(LLAMA_3_8B, LABEL_SET, True, REFERENCE)
    assert found.adapter_parameters == 13_631_488
    assert found.head_parameters == (OUTPUTS + len(TASKS)) * 4097
    assert found.backbone_parameters == 7_504_924_672
    assert found.logits == {task.key: (2, len(task.classes)) for task in TASKS}


def test_nf4_fits_where_fp32_does_not() -> None:
    """The estimate for NF4 lies near the reference's 14 GB; the weights alone are 30 GB in fp32."""
    quantised = dry_run(LLAMA_3_8B, LABEL_SET, True, REFERENCE)
    plain = dry_run(LLAMA_3_8B, LABEL_SET, True, REFERENCE.model_copy(update={"precision": "float32"}))
    assert 8 < quantised.gigabytes < 20
    assert plain.weight_bytes == 4 * plain.backbone_parameters


@pytest.mark.parametrize(("kind", "parameters"), [("frozen", 0), ("ia3", 524_288), ("prefix", 131_072)])
def test_every_adapter_kind_has_the_references_count(kind: AdapterKind, parameters: int) -> None:
    """What the reference prints for (IA)3 and prefix tuning less its heads, and nothing where all is frozen."""
    recipe = REFERENCE.model_copy(update={"adapter_kind": kind})
    assert dry_run(LLAMA_3_8B, LABEL_SET, False, recipe).adapter_parameters == parameters


def test_the_command_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    """`synoptic train --dry-run` needs neither reports nor weights, only a shape; that of a folder where one is given."""
    shape = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 300}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(shape))
    arguments = ["train", "--dry-run", "--backbone", str(tmp_path)]
    result = CliRunner().invoke(build_app("train"), arguments)
    assert result.exit_code == 0, result.output
    plan = orjson.loads(result.stdout)
    query_and_output, key_and_value = 2 * (64 + 64), 2 * (64 + 32)
    assert plan["adapter_parameters"] == 2 * 16 * (query_and_output + key_and_value)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_folder_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """What is no Llama is SYN-309 before anything is built."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(SynopticError) as caught:
        read_config(tmp_path)
    assert caught.value.code is Code.BACKBONE_UNAVAILABLE
