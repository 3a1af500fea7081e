"""`synoptic dataset`."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from training.dataset.manifest import load_manifest


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset of thirty made-up reports, of which one is of another organ."""
    texts = tmp_path / "texts.jsonl"
    rows = [
        {
            "patient": f"p{number}",
            "site": f"H{number % 3}",
            "text": f"FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. pT{1 + number % 3}. Note {chr(97 + number) * 9}.",
        }
        for number in range(25)
    ]
    rows.append({"patient": "other", "site": "H0", "text": "Gallbladder: chronic cholecystitis."})
    texts.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    out = tmp_path / "dataset"
    arguments = ["dataset", "build", "--texts", str(texts), "--out", str(out)]
    result = CliRunner().invoke(build_app("dataset"), arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("part\trows\treports\tpatients\thospitals\ntrain\t")
    assert "1 of other organs" in result.stderr
    return out


def test_stats_are_those_of_the_build(dataset: Path) -> None:
    """The manifest holds them; no row is read again."""
    for path in dataset.glob("rows-*.jsonl"):
        path.unlink()
    result = CliRunner().invoke(build_app("dataset"), ["dataset", "stats", str(dataset), "--format", "json"])
    figures = orjson.loads(result.stdout)
    assert figures == load_manifest(dataset).model_dump()
    assert sum(part["reports"] for part in figures["parts"].values()) == 25
    assert sum(part["distribution"]["T"]["T1"] for part in figures["parts"].values()) == 9


def test_only_the_owner_may_enter_the_folder(dataset: Path) -> None:
    """It holds words of reports."""
    assert dataset.stat().st_mode & 0o077 == 0


def test_a_folder_without_a_dataset_is_named(tmp_path: Path) -> None:
    """Stats of nothing end in one numbered error."""
    with pytest.raises(SynopticError) as caught:
        load_manifest(tmp_path)
    assert caught.value.code is Code.BAD_DATASET
