"""Rows with facts of several reports: what they teach, whose facts they mix, and that chance repeats itself."""

from collections import Counter

import pytest

from schemas.pack_loader import load_pack
from training.dataset.recombination import RECOMBINED, recombined_rows
from training.dataset.rows import ReportReading, read_labelled
from training.reports.gold import GoldValue, LabelledReport

PACK = load_pack("breast")
FOLDS = {"A": 0, "B": 0, "C": 1}


def _reading(number: int, hospital: str, receptor: str) -> ReportReading:
    """A report that states a category and the counts behind it, and one receptor."""
    category, positive = (("N1", 2), ("N2", 5))[number % 2]
    text = (
        "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2. Pathologic stage: pT2 "
        f"p{category}. Metastatic carcinoma in {positive} of 14 axillary lymph nodes. Estrogen receptor: {receptor}."
    )
    gold = {"T": "T2", "N": category, "grade": "G2", "ER": receptor}
    values = {task: GoldValue(value, "stated") for task, value in gold.items()}
    return read_labelled(LabelledReport(f"{hospital}{number}", hospital, text, gold=values), PACK)


@pytest.fixture(scope="module")
def readings() -> list[ReportReading]:
    """Four reports of hospitals A and B with positive receptors, two of C with negative ones."""
    return [
        *(_reading(number, "AB"[number // 2], "positive") for number in range(4)),
        *(_reading(number, "C", "negative") for number in range(2)),
    ]


def test_facts_never_cross_folds(readings):
    """C, which is held out alone, lends no negative receptor to A and B, and takes no positive one from them."""
    rows = recombined_rows(readings, PACK, FOLDS, 200, 1)
    assert len(rows) == 200
    assert {row.source for row in rows} == {RECOMBINED}
    told = {(row.hospital, row.labels["ER"]) for row in rows if "ER" in row.labels}
    assert told == {
        (name, value)
        for name, own in zip("ABC", ("positive", "positive", "negative"), strict=True)
        for value in (own, None)
    }


def test_counts_alone_keep_their_meaning(readings):
    """Where the category was left out, the label is what the counts say; where all was, nothing is stated."""
    rows = recombined_rows(readings, PACK, FOLDS, 300, 1)
    seen: Counter[tuple[bool, bool, str | None]] = Counter()
    for row in rows:
        told = {hint.token for hint in row.prompt.hints}
        counted = next((value for value in ("2", "4-6") if f"nodes={value}" in told), None)
        category = next((value for value in ("N1", "N2") if f"N={value}" in told), None)
        wanted = category or {"2": "N1", "4-6": "N2", None: None}[counted]
        assert row.labels["N"] == wanted
        seen[(category is not None, counted is not None, wanted)] += 1
    assert {key[:2] for key in seen} == {(True, True), (True, False), (False, True), (False, False)}


def test_no_text_contradicts_the_facts(readings):
    """The rows carry no report text, which would still state what was left out."""
    assert {row.prompt.report for row in recombined_rows(readings, PACK, FOLDS, 20, 1)} == {""}


def test_the_same_seed_gives_the_same_rows(readings):
    """Chance is repeatable; another seed gives other rows."""
    first = recombined_rows(readings, PACK, FOLDS, 50, 1)
    assert first == recombined_rows(readings, PACK, FOLDS, 50, 1)
    assert first != recombined_rows(readings, PACK, FOLDS, 50, 2)


def test_nothing_comes_of_nothing():
    """Without a report there is no row, and no endless search for one."""
    assert recombined_rows([], PACK, FOLDS, 10, 1) == []
