"""Behaviour of training on an external checkpoint folder: from reports to a calibrated, served adapter in one command."""

import importlib.util
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from model.backbone import BackboneShape, load_backbone, write_initial_backbone
from model.engine import load_engine
from model.kinds import Precision
from model.manifest import digests
from model.prompt import ALL_TASKS, Hint, PromptInput
from model.tokenizer import train_tokenizer
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from schemas.settings import ModelSettings
from training.dataset.corpus import Sources
from training.recipe import REFERENCE, STARTER
from training.trainer.pipeline import train

pytestmark = pytest.mark.model

LABEL_SET = {task.key: task.classes for task in load_pack("breast").definition.tasks}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with a tokenizer of its own, as a checkpoint folder that someone else made."""
    folder = tmp_path_factory.mktemp("external") / "tiny-llama"
    tokenizer = train_tokenizer(["Final diagnosis: invasive ductal carcinoma, pT2 pN1."], [], 400)
    shape = BackboneShape(hidden=64, layers=1, heads=4, key_value_heads=2, intermediate=64)
    write_initial_backbone(folder, tokenizer, shape, seed=1)
    return folder


@pytest.mark.parametrize("precision", ["nf4", "bfloat16"])
def test_an_external_llama_gets_a_calibrated_adapter_that_is_served(
    llama: Path, corpus: tuple[Path, Path], tmp_path: Path, precision: Precision
) -> None:
    """The folder stays as it is and is only referred to; the engine loads both and answers with raw-string hints."""
    before = digests(llama, [path.name for path in llama.iterdir()])
    out, (texts, gold) = tmp_path / "adapter", corpus
    arguments = ["train", "--texts", str(texts), "--gold", str(gold), "--out", str(out), "--backbone", str(llama)]
    result = CliRunner().invoke(build_app("train"), [*arguments, "--precision", precision])
    assert result.exit_code == 0, result.output
    assert digests(llama, list(before)) == before
    assert not (out / "backbone").exists()
    engine = load_engine(ModelSettings(path=str(out), dtype=precision))
    assert engine.manifest.hint_style == "text"
    assert set(engine.calibration.tasks) <= set(LABEL_SET)
    assert engine.calibration.tasks
    prompt = PromptInput(ALL_TASKS, LABEL_SET, "Left breast, carcinoma.", (Hint("T", "pT2", "T=T2"),))
    (answers,) = engine.classify([prompt])
    assert set(answers) == set(LABEL_SET)


def test_a_recipe_that_trains_the_backbone_refuses_an_external_one(llama: Path, tmp_path: Path) -> None:
    """The starter's recipe would change it, and the reference's has none of its own: both are SYN-731 at once."""
    pack = load_pack("breast")
    sources = Sources(tmp_path / "absent", tmp_path / "absent", lambda text: True)
    for recipe, base in ((STARTER, llama), (REFERENCE, None)):
        with pytest.raises(SynopticError) as caught:
            train(sources, tmp_path / "out", pack, recipe, lambda line: None, base)
        assert caught.value.code is Code.RECIPE_AND_BACKBONE


def test_nf4_without_its_library_says_what_to_install(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SYN-730 instead of a traceback from the depths of a loader."""
    found = importlib.util.find_spec
    monkeypatch.setattr("model.backbone.find_spec", lambda name: None if name == "bitsandbytes" else found(name))
    with pytest.raises(SynopticError) as caught:
        load_backbone(llama, "nf4")
    assert caught.value.code is Code.NF4_UNAVAILABLE


def test_the_plan_of_a_command_needs_no_reports(llama: Path) -> None:
    """The same options with --dry-run only look at the folder's shape."""
    result = CliRunner().invoke(build_app("train"), ["train", "--dry-run", "--backbone", str(llama)])
    assert result.exit_code == 0, result.output
    assert orjson.loads(result.stdout)["precision"] == "nf4"
