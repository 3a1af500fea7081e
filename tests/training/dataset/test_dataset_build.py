"""Behaviour of building a dataset on disk: what a row holds, what stays together, and what the manifest tells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from schemas.errors import Code, SynopticError
from training.dataset.manifest import load_manifest
from training.dataset.row_store import RowStore
from training.dataset.rows import GOLD, REGISTRY, RULES
from training.dataset.splits import SHARES
from training.dataset.stored_rows import training_row

FILLER = [
    letters * 3
    for letters in ("am", "ba", "ce", "de", "em", "fj", "ga", "ha", "ir", "ja", "ke", "la", "na", "on", "pe")
]


def _text(number: int, wording: str = "") -> str:
    """A report of its own wording, unless one is given."""
    told = wording or " ".join(
        FILLER[(number * 7 + step * (1 + number % 5)) % 15] + "abcdef"[step % 6] for step in range(40)
    )
    return (
        f"FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade {1 + number % 3}. "
        f"pT{1 + number % 3} pN{number % 2}. GROSS DESCRIPTION: {told}."
    )


def _row(number: int, wording: str = "", **more: Any) -> dict[str, Any]:
    row = {"patient": f"p{number}", "site": f"H{number % 6}", "text": _text(number, wording)}
    return {**row, **more}


def _build(folder: Path, rows: Sequence[dict[str, Any]], *options: str, gold: Sequence[dict[str, Any]] = ()) -> Path:
    texts, out = folder / "texts.jsonl", folder / "dataset"
    texts.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    arguments = ["dataset", "build", "--texts", str(texts), "--out", str(out), *options]
    if gold:
        (folder / "gold.jsonl").write_bytes(b"\n".join(orjson.dumps(row) for row in gold))
        arguments += ["--gold", str(folder / "gold.jsonl")]
    result = CliRunner().invoke(build_app("dataset"), arguments, catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return out


def _rows(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {part: list(RowStore(out, part)) for part in SHARES}


def _part_of(out: Path) -> dict[str, set[str]]:
    """The parts in which each patient stands."""
    found: dict[str, set[str]] = {}
    for part, rows in _rows(out).items():
        for row in rows:
            found.setdefault(row["patient"], set()).add(part)
    return found


def test_a_patient_stands_in_one_part_and_every_report_in_some(tmp_path: Path) -> None:
    """Eighty, ten and ten of a hundred, though some patients have two reports."""
    rows = [_row(number) for number in range(40)] + [
        _row(number, report="second", text=_text(number + 50)) for number in range(4)
    ]
    out = _build(tmp_path, rows)
    parts = _part_of(out)
    assert len(parts) == 40
    assert all(len(found) == 1 for found in parts.values())
    manifest = load_manifest(out)
    assert sum(part.reports for part in manifest.parts.values()) == 44
    assert manifest.parts["train"].reports in range(33, 38)


def test_two_fillings_of_one_form_never_stand_in_two_parts(tmp_path: Path) -> None:
    """Copies of a template in different hospitals, with other values, stay together."""
    form = "specimen received fresh in a container labelled with the name of the patient and consists of one piece " * 2
    rows = [_row(number, form if number % 5 == 0 else "") for number in range(40)]
    out = _build(tmp_path, rows)
    parts = _part_of(out)
    assert len(set.union(*(parts[f"p{number}"] for number in range(0, 40, 5)))) == 1
    assert load_manifest(out).largest_group == 8


def test_a_hospital_stands_in_one_part(tmp_path: Path) -> None:
    """What is tested on a hospital was trained on none of its reports."""
    out = _build(tmp_path, [_row(number) for number in range(60)], "--by", "hospital")
    held = {part: {row["hospital"] for row in rows} for part, rows in _rows(out).items()}
    assert sum(len(hospitals) for hospitals in held.values()) == 6
    assert set.union(*held.values()) == {f"H{number}" for number in range(6)}


def test_labels_are_believed_in_order_gold_registry_rules(tmp_path: Path) -> None:
    """The gold speaks for its report; registry and rules where they agree; the rules alone where nothing is held."""
    gold = [{"patient": "p0", "site": "H0", "values": {"T": {"v": "T4", "basis": "stated"}}}]
    rows = [_row(0), _row(1, registry={"T": "T2", "N": "N0"}, tier={"T": "verified", "N": "verified"}), _row(2)]
    out = _build(tmp_path, rows, gold=gold)
    found = {row["patient"]: row for part in _rows(out).values() for row in part}
    assert (found["p0"]["source"], found["p0"]["labels"]) == (GOLD, {"T": "T4"})
    assert found["p0"]["rules"] == {"T": "T1"}
    assert found["p1"]["source"] == REGISTRY
    assert found["p1"]["labels"]["T"] == "T2"
    assert "N" not in found["p1"]["labels"]
    assert found["p2"]["source"] == RULES
    assert "T" not in found["p2"]["labels"]
    assert found["p2"]["labels"]["grade"] == "G3"


def test_an_annotated_report_is_taken_without_routing(tmp_path: Path) -> None:
    """A person has read it as one of the pack's; a text that routing would leave out stays, and no error comes of it."""
    gold = [{"patient": "p1", "values": {"T": {"v": "not_stated", "basis": "none"}}}]
    rows = [_row(0), {"patient": "p1", "text": "Sections show fat."}, {"patient": "p2", "text": "Sections show fat."}]
    counts = load_manifest(_build(tmp_path, rows, gold=gold)).counts
    assert counts["of other organs"] == 1


def test_a_row_comes_back_as_training_takes_it(tmp_path: Path) -> None:
    """Prompt, hints and labels survive the disk."""
    out = _build(tmp_path, [_row(number) for number in range(3)])
    stored = next(row for part in _rows(out).values() for row in part if row["patient"] == "p1")
    row = training_row(stored)
    assert row.labels["T"] == "T2"
    assert row.prompt.classes["grade"] == ("G1", "G2", "G3")
    assert "pT2" in row.prompt.report
    assert any(hint.token == "T=T2" for hint in row.prompt.hints)


def test_one_row_a_task_on_request(tmp_path: Path) -> None:
    """Each asks for its own task, and all of a report stay in one part."""
    out = _build(tmp_path, [_row(number) for number in range(3)], "--granularity", "per_task")
    fields = [row["field"] for part in _rows(out).values() for row in part if row["patient"] == "p1"]
    assert sorted(fields) == ["ER", "HER2", "M", "N", "PR", "T", "grade"]


def test_a_later_report_tells_what_an_earlier_one_awaits(tmp_path: Path) -> None:
    """The row of the first report is labelled by its own text; beside it stands the value, its report and reason."""
    first = _row(1, report="a", date="2020-01-01")
    first["text"] += " HER2: pending."
    later = _row(1, report="b", date="2020-02-01", text="Left breast, addendum: invasive carcinoma. HER2 negative.")
    out = _build(tmp_path, [first, later, _row(2)])
    rows = {row["report"]: row for part in _rows(out).values() for row in part if row["patient"] == "p1"}
    assert rows["a"]["labels"]["HER2"] is None
    told = rows["a"]["elsewhere"]["HER2"]
    assert (told["value"], told["report"], told["date"], told["reason"]) == ("negative", "b", "2020-02-01", "fills")
    (patient,) = [orjson.loads(line) for line in (out / "patients.jsonl").read_bytes().splitlines()]
    assert patient["primaries"]["breast-left"]["HER2"]["value"] == "negative"


def test_reports_that_contradict_each_other_teach_nothing_of_that_task(tmp_path: Path) -> None:
    """Two results of one day wait for a person; the other tasks are learned."""
    pair = [_row(1, report=name, date="2020-01-01") for name in "ab"]
    for row, status in zip(pair, ("positive", "negative"), strict=True):
        row["text"] += f" Estrogen receptor: {status}."
    out = _build(tmp_path, [*pair, _row(2)])
    rows = [row for part in _rows(out).values() for row in part if row["patient"] == "p1"]
    assert len(rows) == 2
    assert all("ER" not in row["labels"] and row["labels"]["T"] == "T2" for row in rows)
    assert load_manifest(out).counts["conflicts between reports"] == 1


def test_stats_print_classes_by_part_and_draw_them(tmp_path: Path) -> None:
    """One row a task and class with its weight, and a figure a task."""
    out = _build(tmp_path, [_row(number) for number in range(20)])
    arguments = ["dataset", "stats", str(out), "--figures", str(tmp_path / "figures")]
    result = CliRunner().invoke(build_app("dataset"), arguments)
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    t2 = next(row for row in rows if row[:2] == ["T", "T2"])
    assert sum(int(count) for count in t2[2:5]) == 7
    assert float(t2[5]) > 0
    assert len(list((tmp_path / "figures").glob("*.png"))) == 7


def test_nothing_is_built_over_a_dataset(tmp_path: Path) -> None:
    """Days of reading are not overwritten by a repeated command."""
    _build(tmp_path, [_row(number) for number in range(3)])
    with pytest.raises(SynopticError) as caught:
        _build(tmp_path, [_row(1)])
    assert caught.value.code is Code.DATASET_EXISTS


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    """The same command succeeds as soon as its texts do, and holds no row of the first attempt."""
    broken = [_row(0), {"patient": "p1"}]
    with pytest.raises(SynopticError) as caught:
        _build(tmp_path, broken)
    assert caught.value.code is Code.BAD_TRAINING_FILE
    unknown = [{"patient": "unknown", "values": {"T": {"v": "T4", "basis": "stated"}}}]
    with pytest.raises(SynopticError):
        _build(tmp_path, [_row(number) for number in range(3)], gold=unknown)
    assert not (tmp_path / "dataset").exists()
    assert set(_part_of(_build(tmp_path, [_row(number) for number in range(1, 4)]))) == {"p1", "p2", "p3"}


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Rows never mix with what a killed build, or somebody else, left there."""
    other = tmp_path / "dataset" / "rows-00000.jsonl"
    other.parent.mkdir()
    other.write_text("{}")
    with pytest.raises(SynopticError) as caught:
        _build(tmp_path, [_row(1)])
    assert caught.value.code is Code.FOLDER_IN_USE
    assert [path.read_text() for path in other.parent.iterdir()] == ["{}"]


def test_an_existing_empty_folder_is_closed_to_others(tmp_path: Path) -> None:
    """It may be a mounted volume; rows hold words of reports."""
    (tmp_path / "dataset").mkdir(mode=0o755)
    out = _build(tmp_path, [_row(number) for number in range(3)])
    assert out.stat().st_mode & 0o777 == 0o700


def test_texts_of_another_organ_are_nothing_to_train_on(tmp_path: Path) -> None:
    """The wrong corpus ends in one numbered line."""
    with pytest.raises(SynopticError) as caught:
        _build(tmp_path, [{"patient": "p", "text": "Gallbladder: chronic cholecystitis."}])
    assert caught.value.code is Code.NOTHING_TO_TRAIN_ON


def test_the_same_texts_give_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    """A dataset can be built again, and compared by its files."""
    contents = []
    for name, processes in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        out = _build(tmp_path / name, [_row(number) for number in range(20)], "--processes", processes)
        contents.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert contents[0] == contents[1]
    assert "annotated.jsonl" not in contents[0]
