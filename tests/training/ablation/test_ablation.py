"""Behaviour of the ablation: every variant runs on toy models, is kept, and is shown beside the reference."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.ablation.corpus import SLICE_CHARACTERS, ReadReports, read_once
from training.ablation.report import REFERENCE_F1, markdown, write_report
from training.ablation.run import Ablation, Outcome, ablate
from training.ablation.variants import ABLATION, QUICK, RATES, VARIANTS, Variant
from training.dataset.corpus import Sources
from training.measures.scoring import score_system
from training.trainer.run_log import RunLog

pytestmark = pytest.mark.model

NAMES = {variant.name: variant for variant in VARIANTS}
CHEAP = ("naive", "rules", "prefix", "single-task", "per-task", "full-unhinted", "starter")


@pytest.fixture(scope="module")
def ablated(corpus: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `synoptic ablate --quick` makes of some variants."""
    out = tmp_path_factory.mktemp("ablation")
    texts, gold = corpus
    only = [argument for name in CHEAP for argument in ("--only", name)]
    arguments = ["ablate", "--texts", str(texts), "--gold", str(gold), "--out", str(out), "--quick", *only]
    result = CliRunner().invoke(build_app("ablate"), arguments)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def read(corpus: tuple[Path, Path], tmp_path: Path) -> ReadReports:
    """The made-up reports as variants are shown them."""
    log = RunLog(tmp_path / "log.jsonl", lambda line: None)
    return read_once(Sources(*corpus, lambda text: True), load_pack("breast"), QUICK, tmp_path, log)


def test_one_command_writes_tables_data_and_a_figure(ablated: Path) -> None:
    """Every variant that ran has its row, its counts and its cost; the report quotes no text."""
    document = (ablated / "ablations.md").read_text()
    data = orjson.loads((ablated / "ablations.json").read_bytes())
    assert set(data) == set(CHEAP)
    assert all(f"| {name} |" in document for name in CHEAP)
    assert "carcinoma" not in document
    assert data["prefix"]["parameters"] > 0
    assert data["single-task"]["megabytes"] > 0
    assert data["rules"]["score"]["reports"] == 12
    assert (ablated / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_what_has_run_is_not_run_again(ablated: Path, corpus: tuple[Path, Path]) -> None:
    """A second command trains nothing, and still gives every outcome; another schedule would train anew."""
    before = {path.name: path.stat().st_mtime_ns for path in (ablated / "work").glob("*.json")}
    lines: list[str] = []
    found = ablate(Sources(*corpus, lambda text: True), ablated, load_pack("breast"), CHEAP, True, lines.append)
    assert [variant.name for variant, _ in found] == [name for name in NAMES if name in CHEAP]
    assert not [line for line in lines if "epoch" in line]
    assert {path.name: path.stat().st_mtime_ns for path in (ablated / "work").glob("*.json")} == before


def test_an_outcome_of_other_input_is_not_taken(ablated: Path, read: ReadReports) -> None:
    """The same files under the real schedule are another digest: nothing of the quick run counts."""
    log = RunLog(ablated / "work" / "log.jsonl", lambda line: None)
    ablation = Ablation(load_pack("breast"), ABLATION, (), read, ablated / "work", log)
    assert [name for name in CHEAP if ablation.outcome(NAMES[name])] == []


def test_an_unknown_variant_is_named(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """SYN-733 before anything is read."""
    with pytest.raises(SynopticError) as caught:
        ablate(Sources(*corpus, lambda text: True), tmp_path, load_pack("breast"), ("lorra",), True, lambda line: None)
    assert caught.value.code is Code.UNKNOWN_VARIANT
    assert "lorra" in str(caught.value)


def test_variants_differ_in_what_they_are_shown(read: ReadReports) -> None:
    """Hints, text and sequences are each as the variant says; labels are the same."""
    shown = {name: read.rows(NAMES[name]) for name in ("lora", "slice", "slice-unhinted", "window", "full", "per-task")}
    assert all(row.prompt.hints for row in shown["slice"])
    assert not any(row.prompt.hints for row in shown["slice-unhinted"])
    assert all(len(row.prompt.report) <= SLICE_CHARACTERS for row in shown["window"])
    assert [row.prompt.report for row in shown["full"]] == [read.texts[row.patient] for row in shown["full"]]
    assert len(shown["per-task"]) > len(shown["lora"])
    assert all(row.source != "gold" for row in read.silver_corpus(2).rows)
    assert [row.labels for row in shown["full"]] == [row.labels for row in shown["lora"]]


def test_reading_again_gives_the_rows_that_were_kept(
    read: ReadReports, corpus: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reading opens no report, and folds are the same for every variant."""

    def never(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("training.ablation.corpus.read_labelled", never)
    log = RunLog(tmp_path / "log.jsonl", lambda line: None)
    again = read_once(Sources(*corpus, lambda text: True), load_pack("breast"), QUICK, tmp_path, log)
    assert again == read
    folds = [again.corpus(variant, 2, ["T"]).folds for variant in VARIANTS]
    assert all(one == folds[0] for one in folds)


def test_every_variant_has_a_name_of_its_own_and_a_recipe() -> None:
    """Names are unique, each reference figure belongs to a variant, and only forms that it never saw teach the backbone again."""
    assert len(NAMES) == len(VARIANTS)
    assert set(REFERENCE_F1) <= set(NAMES)
    for variant in VARIANTS:
        recipe = variant.recipe(ABLATION)
        assert (recipe.backbone.epochs > 0) == variant.retaught
        assert recipe.adapter.learning_rate == RATES[variant.adapter]


def test_a_table_shows_the_references_figure_beside_ours(tmp_path: Path) -> None:
    """LoRA's .976 stands in LoRA's row; a variant that the reference does not have has an empty cell."""
    tasks = load_pack("breast").definition.tasks
    score = score_system("x", [], [], tasks, rounds=0)
    outcome = Outcome(variant="x", digest="d", score=score, parameters=1234, seconds=5, megabytes=6)
    rows = markdown([(NAMES["lora"], outcome), (NAMES["starter"], outcome)]).splitlines()
    assert next(row for row in rows if row.startswith("| lora |")).endswith("| 1,234 | 5 | 6 | 0.976 |")
    assert next(row for row in rows if row.startswith("| starter |")).endswith("|  |")
    assert write_report([(NAMES["lora"], outcome)], tmp_path / "out").is_file()


def test_variants_are_plain_data() -> None:
    """A variant is described by its fields alone, which are what its digest is made of."""
    assert str(Variant("a", "b", "c")) == str(Variant("a", "b", "c"))
    assert str(Variant("a", "b", "c")) != str(Variant("a", "b", "c", hints=False))
