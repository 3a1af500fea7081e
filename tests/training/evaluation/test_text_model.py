"""Behaviour of the text model as a second opinion."""

from schemas.pack_loader import load_pack
from training.evaluation.text_model import NOTHING, Opinion, fit, flag_rows, hospital_splits, opinions, tables
from training.reports.gold import GoldValue, LabelledReport

TEXTS = ["estrogen receptor strong nuclear staining", "estrogen receptor no staining seen", "kidney"] * 8
LABELS = ["positive", "negative", NOTHING] * 8


def test_an_answer_that_the_wording_speaks_against_is_improbable() -> None:
    """The model learns wording from labels alone, and doubts an answer that other wording goes with."""
    judge = fit(TEXTS, LABELS)
    right, wrong, missed = judge([TEXTS[0]] * 3, ["positive", "negative", NOTHING])
    assert right > 0.5 > max(wrong, missed)


def test_an_answer_that_was_never_seen_is_improbable_and_nothing_to_judge_is_no_error() -> None:
    """A class without a training case has no probability; a task with one class knows only that one."""
    assert list(fit(TEXTS, LABELS)(["estrogen"], ["equivocal"])) == [0.0]
    assert list(fit(TEXTS, LABELS)([], [])) == []
    assert list(fit(["a", "b"], [NOTHING] * 2)(["a", "b"], [NOTHING, "positive"])) == [1.0, 0.0]


def test_no_report_is_judged_by_a_model_that_saw_its_hospital() -> None:
    """Every report is judged once, and no hospital stands on both sides of a split."""
    reports = [LabelledReport(str(place), "ABCDEFG"[place % 7], "") for place in range(30)]
    splits = hospital_splits(reports, 3)
    assert sorted(place for _, judged in splits for place in judged) == list(range(30))
    for learned, judged in splits:
        assert not {reports[place].hospital for place in learned} & {reports[place].hospital for place in judged}


def test_flags_are_counted_among_errors_and_among_right_answers() -> None:
    """A flag that catches errors costs right answers too, and both are shown, values and omissions apart."""
    found = [
        Opinion("ER", "A", answered=True, right=False, probability=0.01),
        Opinion("ER", "A", answered=True, right=True, probability=0.15),
        Opinion("ER", "B", answered=True, right=True, probability=0.9),
        Opinion("ER", "B", answered=False, right=False, probability=0.01),
    ]
    first, *_, last = flag_rows(found)[1:]
    assert first == ["0.02", "1 of 1 (1.000)", "0 of 2 (.000)", "1 of 1 (1.000)", "0 of 0"]
    assert last[2] == "1 of 2 (.500)"
    assert list(tables(found, ["B"])) == ["All reports", "Held-back hospitals", "Other hospitals", "ER"]


def test_it_judges_what_the_rules_read() -> None:
    """Rules and model meet on real readings: every annotated case has one opinion."""
    pack = load_pack("breast")
    gold = {"ER": GoldValue("positive", "stated"), "T": GoldValue("T2", "stated")}
    text = "Left breast, mastectomy: invasive ductal carcinoma. pT2. Estrogen receptor: positive."
    reports = [LabelledReport(str(place), "AB"[place % 2], text, gold=gold) for place in range(4)]
    found = opinions(reports, pack, hospital_splits(reports, 2))
    assert len(found) == 8
    assert all(one.right and one.answered for one in found)
