"""Behaviour of the open benchmark: no word of a report leaves, and a text that differs is refused by name."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.reports.benchmark import benchmark_row
from training.reports.gold import GoldValue, load_gold_reports

BREAST = load_pack("breast").definition
PATIENT = "TCGA-ZZ-0001"
TEXT = "Left breast: carcinoma, pT2 pN0. Estrogen receptor positive."
GOLD = {
    "patient": PATIENT,
    "malignant": True,
    "side": "left",
    "T": {"v": "T2", "basis": "stated", "raw": "pT2", "quote": "pT2"},
    "ER": {"v": "not_stated", "basis": "none", "raw": "", "quote": ""},
    "comment": "DOUBT: of something",
}


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """The text of the one annotated report."""
    return _write(tmp_path / "texts.jsonl", [{"patient": PATIENT, "site": "ZZ", "text": TEXT}])


@pytest.fixture
def benchmark(tmp_path: Path, texts: Path) -> Path:
    """What `synoptic benchmark build` makes of an annotator's flat row."""
    gold, out = _write(tmp_path / "gold.jsonl", [GOLD]), tmp_path / "data" / "benchmark.jsonl"
    arguments = ["benchmark", "build", "--texts", str(texts), "--gold", str(gold), "--out", str(out)]
    result = CliRunner().invoke(build_app("benchmark"), arguments)
    assert result.exit_code == 0, result.output
    return out


def test_a_benchmark_row_holds_no_word_of_the_report(benchmark: Path) -> None:
    """Value, basis, places and digests are kept; quote, raw wording and comment are not."""
    content = benchmark.read_text()
    assert orjson.loads(content)["values"]["T"] | {"quote_sha256": ""} == {
        "v": "T2",
        "basis": "stated",
        "start": 24,
        "end": 27,
        "quote_sha256": "",
    }
    assert all(word not in content for word in ("pT2", "carcinoma", "Estrogen", "something", 'quote":'))


def test_a_benchmark_read_back_is_the_gold_it_was_built_from(benchmark: Path, texts: Path, tmp_path: Path) -> None:
    """Both forms give the same labelled report, circumstances and side included, so both are scored alike."""
    (built,) = load_gold_reports(texts, benchmark, BREAST)
    assert (built,) == load_gold_reports([texts], [tmp_path / "gold.jsonl"], BREAST)
    assert built.gold["T"] == GoldValue("T2", "stated", (24, 27))
    assert built.circumstances == {"malignant", "doubt"}
    assert (built.hospital, built.side) == ("ZZ", "left")
    assert benchmark_row(built) == orjson.loads(benchmark.read_bytes())


def test_another_edition_of_the_text_is_refused_by_barcode(benchmark: Path, tmp_path: Path) -> None:
    """Figures on other texts than the annotated ones would mean nothing: SYN-720 names the patient."""
    changed = _write(tmp_path / "changed.jsonl", [{"patient": PATIENT, "text": TEXT + " "}])
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(changed, benchmark, BREAST)
    assert caught.value.code is Code.TEXT_DIFFERS
    assert PATIENT in caught.value.one_line()


def test_evidence_that_was_moved_is_refused_by_barcode(benchmark: Path, texts: Path, tmp_path: Path) -> None:
    """A digest that does not belong to the words at its place ends in SYN-721."""
    row = orjson.loads(benchmark.read_bytes())
    row["values"]["T"]["start"] -= 1
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(texts, _write(tmp_path / "moved.jsonl", [row]), BREAST)
    assert caught.value.code is Code.QUOTE_DIFFERS
    assert PATIENT in caught.value.one_line()


def test_a_quote_that_is_not_verbatim_names_a_private_patient_by_row_only(tmp_path: Path) -> None:
    """SYN-721 for an annotator's slip; an identifier that is no public barcode is never printed."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "mrn-4711", "text": "pT2"}])
    row = {"patient": "mrn-4711", "values": {"T": {"v": "T2", "basis": "stated", "quote": "pT 2"}}}
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(texts, _write(tmp_path / "gold.jsonl", [row]), BREAST)
    assert caught.value.code is Code.QUOTE_DIFFERS
    assert "row 1" in caught.value.one_line()
    assert "4711" not in caught.value.one_line()


def test_a_patient_who_is_annotated_in_two_files_is_refused(tmp_path: Path, texts: Path) -> None:
    """Two readings of a report would count it twice: SYN-722."""
    files = [_write(tmp_path / name, [GOLD]) for name in ("first.jsonl", "second.jsonl")]
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(texts, files, BREAST)
    assert caught.value.code is Code.ANNOTATED_TWICE


def test_a_value_that_the_pack_does_not_know_is_not_published(tmp_path: Path, texts: Path) -> None:
    """`synoptic benchmark build` ends in SYN-701 with file and line, and writes nothing."""
    slip = GOLD | {"T": {"v": "T9", "basis": "stated", "quote": "pT2"}}
    gold, out = _write(tmp_path / "gold.jsonl", [slip]), tmp_path / "benchmark.jsonl"
    arguments = ["benchmark", "build", "--texts", str(texts), "--gold", str(gold), "--out", str(out)]
    result = CliRunner().invoke(build_app("benchmark"), arguments)
    assert isinstance(result.exception, SynopticError)
    assert "gold.jsonl, line 1" in result.exception.one_line()
    assert not out.exists()


def test_the_published_corpus_becomes_the_texts_of_the_benchmark(benchmark: Path, tmp_path: Path) -> None:
    """`synoptic benchmark texts` takes barcode and hospital from the file name, and the text as it is."""
    corpus, out = tmp_path / "TCGA_Reports.csv", tmp_path / "out.jsonl"
    corpus.write_text(f'patient_filename,text\n{PATIENT}.1F3A,"{TEXT}"\n')
    arguments = ["benchmark", "texts", "--corpus", str(corpus), "--out", str(out)]
    assert CliRunner().invoke(build_app("benchmark"), arguments).exit_code == 0
    (report,) = load_gold_reports(out, benchmark, BREAST)
    assert (report.patient, report.hospital, report.text) == (PATIENT, "ZZ", TEXT)


def test_a_table_of_other_columns_is_no_corpus(tmp_path: Path) -> None:
    """SYN-701 says which columns are asked for."""
    corpus = tmp_path / "other.csv"
    corpus.write_text("id,report\n1,x\n")
    arguments = ["benchmark", "texts", "--corpus", str(corpus), "--out", str(tmp_path / "out.jsonl")]
    result = CliRunner().invoke(build_app("benchmark"), arguments)
    assert isinstance(result.exception, SynopticError)
    assert "patient_filename" in result.exception.one_line()
