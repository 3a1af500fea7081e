"""Behaviour of reading annotations and registry labels."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import Code, SynopticError
from schemas.pack import Task
from schemas.pack_loader import load_pack
from training.gold import GoldValue, load_gold_reports, load_registry_reports, load_silver_reports


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def _gold(patient: str, value: str = "T2") -> dict:
    return {"patient": patient, "site": "H1", "values": {"T": {"v": value, "basis": "stated"}}}


def test_each_annotation_is_joined_to_its_text(tmp_path: Path) -> None:
    """Gold rows carry the text, hospital and value of their own patient, in the gold file's order."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "a", "text": "first"}, {"patient": "b", "text": "second"}])
    gold = _write(tmp_path / "gold.jsonl", [_gold("b"), _gold("a", "T1")])
    reports = load_gold_reports(texts, gold)
    assert [(report.patient, report.text, report.gold["T"].value) for report in reports] == [
        ("b", "second", "T2"),
        ("a", "first", "T1"),
    ]


def test_an_annotation_without_its_text_is_one_numbered_error(tmp_path: Path) -> None:
    """The wrong text file is said at once, with how many rows lack a text."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "a", "text": "first"}])
    gold = _write(tmp_path / "gold.jsonl", [_gold("a"), _gold("b")])
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(texts, gold)
    assert caught.value.code is Code.GOLD_WITHOUT_TEXT
    assert "1 of 2" in caught.value.one_line()


@pytest.mark.parametrize("content", [b"not json", b"[1]", b'{"values": {}}'])
def test_a_broken_line_is_named_by_number_without_its_content(tmp_path: Path, content: bytes) -> None:
    """A training file that is not what it should be ends in SYN-701 with file and line, never with the text."""
    path = tmp_path / "texts.jsonl"
    path.write_bytes(content)
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(path, path)
    assert caught.value.code is Code.BAD_TRAINING_FILE
    assert "texts.jsonl, line 1" in caught.value.one_line()
    assert content.decode() not in caught.value.one_line()


def test_a_report_prints_neither_text_nor_labels() -> None:
    """The representation of a labelled report holds no patient text, so it may stand in a traceback."""
    from training.gold import LabelledReport

    report = LabelledReport("p", "H1", "a secret sentence", gold={"T": GoldValue("T4", "stated")})
    assert "secret" not in repr(report)
    assert "T4" not in repr(report)


def test_missing_forms_are_no_value() -> None:
    """TX, pending and not_stated are states of their own, never a class."""
    task = Task(key="T", title="T", classes=("T1", "T2"))
    assert GoldValue("T2", "stated").stated(task.classes) == "T2"
    assert all(GoldValue(form, "stated").stated(task.classes) is None for form in ("TX", "pending", "not_stated"))


def test_a_report_that_routing_gives_to_no_pack_is_no_registry_report(tmp_path: Path) -> None:
    """A corpus of many organs trains the pack on its own reports alone; annotated reports are not taken twice."""
    row = {"registry": {"T": "T2"}, "tier": {"T": "verified"}, "site": "H1"}
    rows = [{"patient": name, "text": text, **row} for name, text in (("a", "breast"), ("b", "lung"), ("c", "breast"))]
    texts = _write(tmp_path / "texts.jsonl", rows)
    gold = _write(tmp_path / "gold.jsonl", [_gold("c")])
    found = load_registry_reports(texts, gold, load_pack("breast").definition, lambda text: "breast" in text)
    assert [report.patient for report in found] == ["a"]
    assert found[0].registry["T"].value == "T2"
    assert found[0].registry["N"].value is None


def test_silver_is_what_the_registry_is_known_to_share_with_the_report(tmp_path: Path) -> None:
    """Verified values and values known to be absent stand in for gold, the tier for the basis; the rest is unknown."""
    row = {
        "patient": "a",
        "site": "H1",
        "text": "breast",
        "registry": {"T": "t2", "N": "N1", "ER": "positive"},
        "tier": {"T": "verified", "N": "conflict", "ER": "not_stated"},
    }
    texts = _write(tmp_path / "texts.jsonl", [row])
    (report,) = load_silver_reports(texts, load_pack("breast").definition, lambda text: True)
    assert report.gold == {"T": GoldValue("T2", "verified"), "ER": GoldValue("not_stated", "not_stated")}
