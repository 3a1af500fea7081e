"""Behaviour of `synoptic evaluate` without a model: gold or silver, several files, held-back hospitals."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError

TEXT = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2. Pathologic stage: pT2 pN1a."


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    """Two files of one report each, of two hospitals, with what the registry holds."""
    held = {"registry": {"T": "T2", "N": "N2"}, "tier": {"T": "verified", "N": "conflict", "ER": "not_stated"}}
    return [
        _write(tmp_path / f"texts-{site}.jsonl", [{"patient": site, "site": site, "text": TEXT, **held}])
        for site in "AB"
    ]


def _figures(texts: list[Path], *more: str) -> dict:
    arguments = ["evaluate", "--rules-only", "--format", "json"]
    for path in texts:
        arguments += ["--texts", str(path)]
    result = CliRunner().invoke(build_app("evaluate"), [*arguments, *more])
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def test_without_gold_the_registry_is_the_measure_and_its_tier_the_basis(texts: list[Path]) -> None:
    """Silver: what the registry shares with the report is stated, what the report does not say is unstated."""
    score = _figures(texts)["systems"]["rules"]["counts"]
    tumour, nodes, *_ = score["tasks"]
    assert tumour["accuracy_by_basis"] == {"verified": [2, 2]}
    assert nodes["reports"] == 0
    assert score["exact_reports"] == 2


def test_several_gold_files_are_one_measure_with_held_back_hospitals_apart(texts: list[Path], tmp_path: Path) -> None:
    """Each file brings its reports; the hospital that is named is scored by itself."""
    values = {"T": {"v": "T2", "basis": "stated", "quote": "pT2"}, "N": {"v": "N2", "basis": "stated", "quote": "pN1a"}}
    more = []
    for site in "AB":
        gold = _write(tmp_path / f"gold-{site}.jsonl", [{"patient": site, "site": site, "values": values}])
        more += ["--gold", str(gold)]
    figures = _figures(texts, *more, "--held-back", "B", "--mean-over", "T,N")
    assert figures["systems"]["rules"]["counts"]["reports"] == 2
    assert figures["systems"]["rules"]["mean_over"] == ["T", "N"]
    assert figures["groups"]["held-back hospitals"]["rules"]["accuracy"] == 0.5


@pytest.mark.parametrize(("option", "known"), [("--held-back", "A, B"), ("--mean-over", "T, N, M")])
def test_a_name_that_nothing_has_is_a_usage_error_that_says_the_known_ones(
    texts: list[Path], option: str, known: str
) -> None:
    """A hospital that is in no text, or a task that the pack lacks, is not measured as nothing."""
    arguments = ["evaluate", "--rules-only", option, "ZZ"]
    for path in texts:
        arguments += ["--texts", str(path)]
    result = CliRunner().invoke(build_app("evaluate"), arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert f"ZZ: none of {known}" in result.output


def test_texts_of_which_none_can_be_measured_are_refused(tmp_path: Path) -> None:
    """Without gold and without a registry value there is nothing to measure: SYN-702, no empty table."""
    bare = _write(tmp_path / "bare.jsonl", [{"patient": "A", "site": "A", "text": TEXT}])
    result = CliRunner().invoke(build_app("evaluate"), ["evaluate", "--rules-only", "--texts", str(bare)])
    assert isinstance(result.exception, SynopticError)
    assert result.exception.code is Code.GOLD_WITHOUT_TEXT
    assert "bare.jsonl" in result.exception.one_line()
