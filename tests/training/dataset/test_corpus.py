"""Behaviour of a corpus: rows of some tasks only, and what a fold may see."""

from pathlib import Path

import orjson
import pytest

from model.prompt import PromptInput
from schemas.pack_loader import load_pack
from training.dataset.corpus import Corpus, Sources, about_pack, about_tasks
from training.dataset.rows import GOLD, REGISTRY, TrainingRow
from training.recipe import TOY
from training.trainer.pipeline import train

pytestmark = pytest.mark.model

CLASSES = {"T": ("T1", "T2"), "ER": ("positive", "negative")}
RECIPE = TOY.model_copy(update={"variants_per_class": 0, "processes": 1})


def _row(hospital: str, labels: dict[str, str | None], source: str = GOLD) -> TrainingRow:
    return TrainingRow(hospital, hospital, source, PromptInput("all", CLASSES, "text", ()), labels)


def test_rows_of_one_task_ask_for_nothing_else() -> None:
    """Labels and classes of other tasks go, and with them the rows that know nothing of the task."""
    rows = [_row("A", {"T": "T1", "ER": None}), _row("B", {"T": "T2"})]
    (kept,) = about_tasks(rows, ("ER",))
    assert kept.labels == {"ER": None}
    assert dict(kept.prompt.classes) == {"ER": CLASSES["ER"]}
    assert about_tasks(rows, ()) == rows


def test_a_pack_can_be_measured_on_some_tasks() -> None:
    """The tasks keep the pack's order; none named is all of them."""
    pack = load_pack("breast")
    assert [task.key for task in about_pack(pack, ("ER", "T")).definition.tasks] == ["T", "ER"]
    assert about_pack(pack, ()).definition.tasks == pack.definition.tasks


def test_a_fold_sees_no_row_of_its_hospitals() -> None:
    """Rows of the fold's hospitals are out, those of a hospital without gold stay in."""
    rows = (_row("A", {"T": "T1"}), _row("B", {"T": "T2"}), _row("C", {"T": "T2"}, REGISTRY))
    corpus = Corpus((), rows, {"A": 0, "B": 1}, {}, "digest")
    assert [row.hospital for row in corpus.without(0).rows] == ["B", "C"]
    assert corpus.held_out(0) == [0]


def test_unlabelled_text_decides_the_outcome_too(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """The digest, under which states and folds are kept, is another one with other unlabelled text."""
    pack, path = load_pack("breast"), tmp_path / "more.txt"
    path.write_text("Benign breast tissue.")
    without = Sources(*corpus, lambda text: True).corpus(pack, RECIPE)
    with_text = Sources(*corpus, lambda text: True, (path,)).corpus(pack, RECIPE)
    assert without.digest != with_text.digest
    assert with_text.counts["unlabelled"] == 1
    assert without.counts == {key: count for key, count in with_text.counts.items() if key != "unlabelled"}


def test_one_task_alone_can_be_trained(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """A single-task checkpoint has that task's heads and calibration alone."""
    recipe = RECIPE.model_copy(update={"tasks": ("T",), "adapter_kind": "ia3"})
    train(Sources(*corpus, lambda text: True), tmp_path / "one", load_pack("breast"), recipe, lambda line: None)
    manifest = orjson.loads((tmp_path / "one" / "synoptic.json").read_bytes())
    calibration = orjson.loads((tmp_path / "one" / "calibration.json").read_bytes())
    assert list(manifest["label_set"]) == ["T"]
    assert list(calibration["tasks"]) == ["T"]
    assert manifest["adapter"] == "ia3"
