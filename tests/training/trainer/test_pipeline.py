"""Behaviour of the whole path from raw reports to a calibrated checkpoint, at toy scale."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from schemas.logs import configure
from schemas.pack_loader import load_pack
from schemas.settings import LoggingSettings

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True, scope="module")
def _logs_on_standard_error() -> None:
    """As the program does before any command, so that standard output holds the figures alone."""
    configure(LoggingSettings(level="warning"))


@pytest.fixture(scope="module")
def checkpoint(corpus: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `synoptic train --recipe toy` makes of them."""
    out = tmp_path_factory.mktemp("trained") / "toy"
    texts, gold = corpus
    arguments = ["train", "--texts", str(texts), "--gold", str(gold), "--out", str(out), "--recipe", "toy"]
    result = CliRunner().invoke(build_app("train"), arguments)
    assert result.exit_code == 0, result.output
    return out


def test_one_command_makes_a_checkpoint_that_the_engine_loads(checkpoint: Path) -> None:
    """Raw reports in, a checkpoint out that belongs to the pack as it is."""
    from model.engine import load_engine
    from schemas.settings import ModelSettings

    engine = load_engine(ModelSettings(path=str(checkpoint)))
    engine.manifest.require_pack(load_pack("breast").definition)
    assert engine.manifest.stated_heads


def test_a_class_with_few_rows_can_only_be_review(checkpoint: Path) -> None:
    """Three patients with T1 are too few to ever code T1 without a person."""
    calibration = orjson.loads((checkpoint / "calibration.json").read_bytes())
    assert "T1" in calibration["tasks"]["T"]["review_only"]


def test_the_run_leaves_figures_and_a_log_without_report_text(checkpoint: Path) -> None:
    """Cross-validated figures and the log lie beside the checkpoint; neither quotes a report."""
    work = checkpoint.with_name("toy.work")
    figures = (work / "cross-validation.md").read_text()
    log = (work / "log.jsonl").read_text()
    assert "| rules |" in figures
    assert "classifier alone" in figures
    phases = [orjson.loads(line)["phase"] for line in log.splitlines()]
    assert phases[:2] == ["machine", "rows"]
    assert phases[-1] == "done"
    assert "carcinoma" not in figures + log


def test_a_second_run_takes_up_the_finished_folds(checkpoint: Path, corpus: tuple[Path, Path]) -> None:
    """An interrupted training goes on: folds of the same corpus and recipe are not trained again."""
    from training.dataset.corpus import Sources
    from training.recipe import TOY
    from training.trainer.pipeline import train

    phases: list[str] = []
    train(Sources(*corpus, lambda text: True), checkpoint, load_pack("breast"), TOY, phases.append)
    assert not [phase for phase in phases if phase.startswith("fold")]
    assert [phase for phase in phases if phase.startswith("final, adapter")]


def test_evaluate_prints_every_system_with_its_supports(checkpoint: Path, corpus: tuple[Path, Path]) -> None:
    """One run compares the naive baseline, the rules, the classifier and the policy that is asked for."""
    texts, gold = corpus
    arguments = ["evaluate", "--texts", str(texts), "--gold", str(gold), "--checkpoint", str(checkpoint)]
    result = CliRunner().invoke(build_app("evaluate"), [*arguments, "--policy", "agreement", "--format", "json"])
    assert result.exit_code == 0, result.output
    figures = orjson.loads(result.stdout)
    systems = ["naive", "rules", "classifier alone", "classifier, told the rules' verdict", "policy agreement"]
    assert list(figures["systems"]) == systems
    assert figures["systems"]["rules"]["counts"]["reports"] == 12
    assert figures["systems"]["rules"]["tasks"]["T"]["without_support"] == ["T0", "Tis", "T4"]


def test_evaluate_compares_two_checkpoints_and_draws(
    checkpoint: Path, corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    """A checkpoint against itself shows no difference but that of rules and classifier; the figures are PNG files."""
    texts, gold = corpus
    arguments = ["evaluate", "--texts", str(texts), "--gold", str(gold), "--checkpoint", str(checkpoint)]
    more = ["--against", str(checkpoint), "--held-back", "A", "--figures", str(tmp_path), "--format", "json"]
    result = CliRunner().invoke(build_app("evaluate"), [*arguments, *more])
    assert result.exit_code == 0, result.output
    figures = orjson.loads(result.stdout)
    assert [(one["first"], one["second"]) for one in figures["comparisons"]] == [("rules", "classifier alone")]
    assert list(figures["groups"]) == ["held-back hospitals", "other hospitals"]
    drawn = {path.name for path in tmp_path.iterdir()}
    assert {"confusion-rules-T.png", "reliability-T.png", "risk-coverage-all-tasks.png"} <= drawn


def test_reports_of_another_organ_are_nothing_to_train_on(tmp_path: Path) -> None:
    """The wrong corpus ends in one numbered line, before any training."""
    from training.dataset.corpus import Sources
    from training.recipe import TOY
    from training.trainer.pipeline import train

    texts, gold = tmp_path / "texts.jsonl", tmp_path / "gold.jsonl"
    texts.write_bytes(orjson.dumps({"patient": "p", "site": "A", "text": "Gallbladder: chronic cholecystitis."}))
    gold.write_bytes(orjson.dumps({"patient": "p", "site": "A", "values": {"T": {"v": "not_stated", "basis": "none"}}}))
    with pytest.raises(SynopticError) as caught:
        train(Sources(texts, gold, lambda text: True), tmp_path / "out", load_pack("breast"), TOY, lambda line: None)
    assert caught.value.code is Code.NOTHING_TO_TRAIN_ON
