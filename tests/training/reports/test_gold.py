"""Behaviour of reading annotations and registry labels."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import Code, SynopticError
from schemas.pack import Task
from schemas.pack_loader import load_pack
from training.reports.gold import GoldValue, load_gold_reports, load_registry_reports, load_silver_reports

BREAST = load_pack("breast").definition


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def _gold(patient: str, value: str = "T2") -> dict:
    return {"patient": patient, "site": "H1", "values": {"T": {"v": value, "basis": "stated"}}}


def test_each_annotation_is_joined_to_its_text(tmp_path: Path) -> None:
    """Gold rows carry the text, hospital and value of their own patient, in the gold file's order."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "a", "text": "first"}, {"patient": "b", "text": "second"}])
    gold = _write(tmp_path / "gold.jsonl", [_gold("b"), _gold("a", "T1")])
    reports = load_gold_reports(texts, gold, BREAST)
    assert [(report.patient, report.text, report.gold["T"].value) for report in reports] == [
        ("b", "second", "T2"),
        ("a", "first", "T1"),
    ]


def test_an_annotation_without_its_text_is_one_numbered_error(tmp_path: Path) -> None:
    """The wrong text file is said at once, with how many rows lack a text."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "a", "text": "first"}])
    gold = _write(tmp_path / "gold.jsonl", [_gold("a"), _gold("b")])
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(texts, gold, BREAST)
    assert caught.value.code is Code.GOLD_WITHOUT_TEXT
    assert "1 of 2" in caught.value.one_line()


@pytest.mark.parametrize("content", [b"not json", b"[1]", b'{"values": {}}'])
def test_a_broken_line_is_named_by_number_without_its_content(tmp_path: Path, content: bytes) -> None:
    """A training file that is not what it should be ends in SYN-701 with file and line, never with the text."""
    path = tmp_path / "texts.jsonl"
    path.write_bytes(content)
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(path, path, BREAST)
    assert caught.value.code is Code.BAD_TRAINING_FILE
    assert "texts.jsonl, line 1" in caught.value.one_line()
    assert content.decode() not in caught.value.one_line()


def test_a_report_prints_neither_text_nor_labels() -> None:
    """The representation of a labelled report holds no patient text, so it may stand in a traceback."""
    from training.reports.gold import LabelledReport

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
    found = load_registry_reports(texts, gold, BREAST, lambda text: "breast" in text)
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
    (report,) = load_silver_reports(texts, BREAST, lambda text: True)
    assert report.gold == {"T": GoldValue("T2", "verified"), "ER": GoldValue("not_stated", "not_stated")}


def _refusal(tmp_path: Path, texts: list[dict], gold: list[dict]) -> SynopticError:
    """The error that reading these rows as the breast pack's gold ends in."""
    with pytest.raises(SynopticError) as caught:
        load_gold_reports(
            _write(tmp_path / "texts.jsonl", texts),
            _write(tmp_path / "gold.jsonl", gold),
            BREAST,
        )
    return caught.value


@pytest.mark.parametrize(
    "row",
    [
        {"patient": "mrn-4711"},
        {"patient": "mrn-4711", "text": None},
        {"patient": "mrn-4711", "text": "x", "registry": None},
        {"patient": "mrn-4711", "text": "x", "registry": "T2"},
        {"patient": "mrn-4711", "text": "x", "tier": ["verified"]},
    ],
)
def test_a_text_row_without_its_fields_is_named_by_line_never_by_patient(tmp_path: Path, row: dict) -> None:
    """A row without text, or with a registry that is no mapping, ends in SYN-701 with file and line alone."""
    error = _refusal(tmp_path, [{"patient": "a", "text": "first"}, row], [_gold("a")])
    assert error.code is Code.BAD_TRAINING_FILE
    assert "texts.jsonl, line 2" in error.one_line()
    assert "4711" not in error.one_line()


@pytest.mark.parametrize(
    "values",
    [
        {},
        None,
        [],
        {"T": "T2"},
        {"T": {"v": ["T2"], "basis": "stated"}},
        {"T": {"v": "T2"}},
        {"T": {"v": "T2", "basis": "stated", "start": "abc", "end": 3}},
        {"T": {"v": "T2", "basis": "stated", "start": 1}},
        {"T": {"v": "T2", "basis": "stated", "quote": ["T2"]}},
        {"T": {"v": "T9", "basis": "stated"}},
        {"T": {"v": "", "basis": "stated"}},
        {"ZZ": {"v": "T2", "basis": "stated"}},
        {"T": {"v": "positive", "basis": "stated"}},
    ],
)
def test_an_annotation_of_another_form_or_value_is_named_by_line(tmp_path: Path, values: object) -> None:
    """Malformed values, unknown tasks and values that the pack does not know end in SYN-701, none of them repeated."""
    error = _refusal(tmp_path, [{"patient": "a", "text": "first"}], [{"patient": "a", "values": values}])
    assert error.code is Code.BAD_TRAINING_FILE
    assert "gold.jsonl, line 1" in error.one_line()
    assert "T9" not in error.one_line()
    assert "ZZ" not in error.one_line()


@pytest.mark.parametrize(
    ("task", "value"),
    [("T", "TX"), ("T", "Tis"), ("M", "MX"), ("ER", "equivocal"), ("HER2", "equivocal"), ("PR", "not_performed")]
    + [(task, "not_stated") for task in ("T", "grade", "HER2")],
)
def test_classes_and_forms_of_absence_are_gold(tmp_path: Path, task: str, value: str) -> None:
    """Whatever the guide lets an annotator write is read as it is."""
    texts = _write(tmp_path / "texts.jsonl", [{"patient": "a", "text": "first"}])
    row = {"patient": "a", "values": {task: {"v": value, "basis": "stated"}}}
    (report,) = load_gold_reports(texts, _write(tmp_path / "gold.jsonl", [row]), BREAST)
    assert report.gold[task].value == value


def test_an_annotated_patient_with_several_texts_is_refused(tmp_path: Path) -> None:
    """Which of them was annotated is not guessed: SYN-723; the same text twice, or another patient's, is no fault."""
    texts = [{"patient": name, "text": text} for name, text in (("a", "x"), ("a", "x"), ("b", "y"), ("b", "z"))]
    error = _refusal(tmp_path, texts, [_gold("a"), _gold("b")])
    assert error.code is Code.SEVERAL_TEXTS
    assert "row 2" in error.one_line()
    (report,) = load_gold_reports(tmp_path / "texts.jsonl", _write(tmp_path / "gold.jsonl", [_gold("a")]), BREAST)
    assert report.text == "x"
