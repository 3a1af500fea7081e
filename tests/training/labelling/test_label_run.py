"""Behaviour of running the labelling rules over texts, of their conflicts, and of what they do not read."""

from collections.abc import Sequence

import orjson
import pytest

from schemas.pack_loader import load_pack
from training.labelling.conflicts import conflict_lines
from training.labelling.coverage import Coverage, coverage_of, shares
from training.labelling.run import in_parallel, label_lines, read_source, table_row
from training.reports.texts import SourceReport

PACK = load_pack("breast")
OPENING = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. "


def _report(text: str, hospital: str = "H") -> SourceReport:
    return SourceReport("p", OPENING + text, hospital, report="r1")


def _lines(text: str, quotes: bool = False) -> list[dict]:
    return label_lines(read_source(_report(text), PACK), PACK, quotes)


def test_a_line_says_of_each_task_what_it_rests_on() -> None:
    """Value, basis, rule, section with its rank, and offsets into the text as it came."""
    text = "Dictated by Dr. Jane Miller. Pathologic stage: pT2 pN0."
    (line,) = _lines(text)
    label = line["labels"]["T"]
    ((start, end),) = label["spans"]
    assert (line["primary"], label["value"], label["basis"], label["rule"]) == (
        "breast-left",
        "T2",
        "stated",
        "T_stated",
    )
    assert (OPENING + text)[start:end] == "pT2"
    assert label["section"] == "diagnosis"
    assert label["priority"] > 0
    assert line["labels"]["ER"]["status"] == "not_stated"


def test_words_of_the_report_are_printed_only_on_request() -> None:
    """A run that is kept or sent on holds no text of a report."""
    assert "carcinoma" not in orjson.dumps(_lines("pT2")).decode()
    assert _lines("pT2", quotes=True)[0]["labels"]["T"]["quotes"] == ["pT2"]


def test_a_report_without_a_primary_keeps_its_line() -> None:
    """Nothing disappears: the line says that there is no primary."""
    reading = read_source(SourceReport("p", "Left breast, biopsy: fibroadenoma. No malignancy."), PACK)
    (line,) = label_lines(reading, PACK)
    assert line["primary"] is None
    assert table_row(line, PACK.definition)[:3] == ["p", "", "no primary"]


def test_processes_answer_in_order_and_as_one_does() -> None:
    """Reading side by side changes neither the lines nor their order."""
    reports = [_report(f"pT{1 + number % 3}") for number in range(40)]
    alone = list(in_parallel(reports, label_lines, "breast", 1))
    assert list(in_parallel(iter(reports), label_lines, "breast", 2)) == alone


def test_a_table_row_shows_what_is_in_review() -> None:
    """Both values of a contradiction stand in the cell, and the reason for an absence does."""
    (line,) = _lines("ER 5 %, negative. HER2: pending.")
    cells = dict(zip(("T", "N", "M", "grade", "ER", "PR", "HER2"), table_row(line, PACK.definition)[3:], strict=True))
    assert cells["ER"] == "review: negative or positive"
    assert cells["HER2"] == "pending"
    assert cells["PR"] == ""


def test_a_contradiction_is_kept_with_both_sides() -> None:
    """Each value stands with the rules of its facts, its places and an excerpt; none is chosen."""
    (line,) = conflict_lines(read_source(_report("ER 5 %, negative."), PACK), PACK)
    assert (line["task"], line["primary"]) == ("ER", "breast-left")
    assert [side["value"] for side in line["values"]] == ["negative", "positive"]
    assert all(side["facts"] and side["spans"] and "ER 5" in side["excerpts"][0] for side in line["values"])


def test_conflicts_can_leave_the_words_out() -> None:
    """Places and rules stay, excerpts do not."""
    (line,) = conflict_lines(read_source(_report("ER 5 %, negative."), PACK), PACK, excerpts=False)
    assert all("excerpts" not in side for side in line["values"])


def _coverage(texts: Sequence[tuple[str, str]], held_back: Sequence[str] = ()) -> Coverage:
    coverage = Coverage(held_back)
    for hospital, text in texts:
        coverage.add(coverage_of(read_source(_report(text, hospital), PACK), PACK))
    return coverage


UNREAD = "Oestrogen assays of slice {}: glowing brightly."


def test_lines_that_no_rule_reads_are_clustered_by_wording() -> None:
    """Numbers do not tell wordings apart; a cluster counts reports and hospitals."""
    coverage = _coverage([("A", UNREAD.format(4)), ("B", UNREAD.format(17)), ("B", "ER positive.")])
    (cluster,) = [one for one in coverage.clusters() if one.task == "ER"]
    assert (cluster.reports, dict(cluster.hospitals)) == (2, {"A": 1, "B": 1})
    assert "slice #" in cluster.wording
    assert "slice 4" in cluster.excerpts[0]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("ER positive.", "labelled"),
        (UNREAD.format(1), "unread"),
        ("Margins are free.", "silent"),
    ],
)
def test_a_missing_label_has_a_reason(text: str, state: str) -> None:
    """A report is labelled, or holds a line that no rule reads, or says nothing of the task."""
    assert coverage_of(read_source(_report(text), PACK), PACK).states["ER"] == state


def test_shares_are_told_by_task_and_hospital() -> None:
    """One row for all hospitals, then one for each, with the reasons."""
    found = shares(_coverage([("A", UNREAD.format(1)), ("B", "ER positive.")]))
    assert [(one["hospital"], one["reports"], one["share"], one["unread"]) for one in found if one["task"] == "ER"] == [
        ("all", 2, 0.5, 1),
        ("A", 1, 1.0, 1),
        ("B", 1, 0.0, 0),
    ]


def test_hospitals_held_back_are_only_counted() -> None:
    """Whoever writes rules never sees a word of the hospitals on which they will be judged."""
    coverage = _coverage([("A", UNREAD.format(1))], held_back=("A",))
    assert coverage.clusters() == []
    assert coverage.states["ER"]["A"]["unread"] == 1


def test_a_cluster_without_excerpts_holds_no_words() -> None:
    """Counts may leave the machine where words may not."""
    (cluster,) = [one for one in _coverage([("A", UNREAD.format(1))]).clusters() if one.task == "ER"]
    assert set(cluster.as_data(excerpts=False)) == {"task", "anchor", "reports", "hospitals"}
