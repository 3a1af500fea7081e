"""Behaviour of training from a dataset on disk, and from a registry's values alone."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.dataset.manifest import MANIFEST, load_manifest
from training.dataset.rows import REGISTRY
from training.dataset.stored_corpus import StoredDataset
from training.recipe import TOY

pytestmark = pytest.mark.model

WORDS = ("alpha", "bravo", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty", "knoll")


def _row(number: int) -> dict:
    """A report of its own wording, with what the registry holds of it."""
    told = " ".join(WORDS[(number * 3 + step * (1 + number % 10)) % 11] for step in range(40))
    category, nodes = f"T{1 + number % 2}", f"N{number % 2}"
    text = f"FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. p{category} p{nodes}. GROSS: {told}."
    held = {"registry": {"T": category, "N": nodes}, "tier": {"T": "verified", "N": "verified"}}
    return {"patient": f"p{number}", "site": "ABCD"[number % 4], "text": text, **held}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty reports of four hospitals."""
    path = tmp_path_factory.mktemp("stored") / "texts.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(_row(number)) for number in range(30)))
    return path


@pytest.fixture(scope="module")
def dataset(texts: Path) -> Path:
    """What `synoptic dataset build` makes of them."""
    out = texts.with_name("dataset")
    result = CliRunner().invoke(build_app("dataset"), ["dataset", "build", "--texts", str(texts), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def _train(out: Path, *arguments: str) -> list[dict]:
    """The log of `synoptic train --recipe toy`."""
    given = ["train", "--out", str(out), "--recipe", "toy", *arguments]
    result = CliRunner().invoke(build_app("train"), given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (out / "calibration.json").is_file()
    return [orjson.loads(line) for line in (out.with_name(out.name + ".work") / "log.jsonl").read_bytes().splitlines()]


def test_a_dataset_is_trained_from_without_its_test_part(dataset: Path, tmp_path: Path) -> None:
    """Every row of the training and validation part is predicted once, by folds that never saw its hospital."""
    _train(tmp_path / "model", "--dataset", str(dataset))
    parts = load_manifest(dataset).parts
    work = tmp_path / "model.work"
    predicted = sum(len(orjson.loads((work / f"fold-{fold}.json").read_bytes())["rows"]) for fold in range(TOY.folds))
    assert parts["test"].rows > 0
    assert predicted == parts["train"].rows + parts["validation"].rows
    assert "| classifier alone |" in (work / "cross-validation.md").read_text()


def test_the_dataset_s_validation_part_stops_training_early(dataset: Path) -> None:
    """Who is in it was decided with near-duplicates kept together, so no other share of the patients is drawn."""
    corpus = StoredDataset(dataset).corpus(load_pack("breast"), TOY)
    validation = {row.patient for row in corpus.rows} & set(corpus.validation or ())
    assert corpus.best == REGISTRY
    assert len(validation) == load_manifest(dataset).parts["validation"].patients > 0


def test_a_registry_s_values_alone_make_a_checkpoint(texts: Path, tmp_path: Path) -> None:
    """Without annotations, adapters learn from and are judged by what registry and rules agree on."""
    log = _train(tmp_path / "model", "--texts", str(texts))
    assert next(entry for entry in log if entry["phase"] == "rows")["registry"] == 30
    assert "| rules |" in (tmp_path / "model.work" / "cross-validation.md").read_text()


@pytest.mark.parametrize("change", [{"pack_digest": "0" * 64}, {"granularity": "per_task"}])
def test_rows_that_extraction_would_make_otherwise_are_refused(dataset: Path, tmp_path: Path, change: dict) -> None:
    """A model is asked as it was taught: another version of the pack, or one row a task, ends in SYN-741."""
    manifest = orjson.loads((dataset / MANIFEST).read_bytes()) | change
    (tmp_path / MANIFEST).write_bytes(orjson.dumps(manifest))
    with pytest.raises(SynopticError) as caught:
        StoredDataset(tmp_path).corpus(load_pack("breast"), TOY)
    assert caught.value.code is Code.BAD_DATASET


def test_either_texts_or_a_dataset_is_given(texts: Path, tmp_path: Path) -> None:
    """Both, or neither, is a usage error."""
    for given in ([], ["--texts", str(texts), "--dataset", str(tmp_path)]):
        result = CliRunner().invoke(build_app("train"), ["train", "--out", str(tmp_path / "out"), *given])
        assert result.exit_code == 2
