"""Behaviour of making one picture of a patient from several reports."""

from dataclasses import replace

import pytest

from schemas.findings import Assertion, Basis, Side, Status
from schemas.pack_loader import load_pack
from training.labelling.consolidation import ADDENDUM, Patient, ReportLabels, consolidate
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading

PACK = load_pack("breast").definition
MISSING = {"pending": Status.PENDING, "not performed": Status.NOT_PERFORMED}


def _label(task: str, said: str) -> TaskLabel:
    """A label of a value, of a derived value (`~T1`), or of the reason for an absence."""
    if said in MISSING:
        return TaskLabel(task, None, MISSING[said], rule=f"{task}_missing")
    basis = Basis.DERIVED if said.startswith("~") else Basis.STATED
    return TaskLabel(task, said.lstrip("~"), Status.CODED, basis=basis, rule=f"{task}_rule")


def _primary(side: Side | None = "left", **said: str) -> PrimaryReading:
    labels = {
        task.key: _label(task.key, said[task.key]) if task.key in said else TaskLabel(task.key, None, Status.NOT_STATED)
        for task in PACK.tasks
    }
    key = f"breast-{side}" if side else "breast"
    return PrimaryReading(key, "breast", side, True, Assertion.PRIMARY_INVASIVE, labels=labels)


def _patient(*reports: tuple[str, str, PrimaryReading], kind: str = "") -> Patient:
    """Reports as (id, date, primary), in the order in which they came; the last is of `kind`."""
    return consolidate(
        [
            ReportLabels(name, date, kind if order == len(reports) - 1 else "", order, (primary,))
            for order, (name, date, primary) in enumerate(reports)
        ],
        PACK,
    )


def _value(patient: Patient, task: str, key: str = "breast-left") -> tuple[str | None, str, str]:
    label = patient.primaries[key][task]
    return label.value, label.report, label.reason


def test_one_report_passes_through_unchanged() -> None:
    """Values, statuses and rules are the report's; nothing is put aside, not even a report that says nothing."""
    patient = _patient(("a", "2020-01-01", _primary(T="T2", ER="pending")))
    assert _value(patient, "T") == ("T2", "a", "only")
    assert patient.primaries["breast-left"]["ER"].status is Status.PENDING
    assert _patient(("a", "", _primary())).pruned == {}


def test_a_later_result_supersedes_and_says_where_it_is_from() -> None:
    """The order is that of the dates, not that in which reports came; report, date and rule are kept."""
    patient = _patient(("b", "2020-03-01", _primary(ER="positive")), ("a", "2020-01-01", _primary(ER="negative")))
    label = patient.primaries["breast-left"]["ER"]
    assert (label.value, label.report, label.date, label.rule) == ("positive", "b", "2020-03-01", "ER_rule")
    assert label.reason == "later"


def test_a_pending_result_is_filled_by_a_later_one() -> None:
    """What was awaited is the patient's value, from the report that gives it."""
    patient = _patient(("a", "2020-01-01", _primary(HER2="pending")), ("b", "2020-02-01", _primary(HER2="negative")))
    assert _value(patient, "HER2") == ("negative", "b", "fills")


def test_a_later_pending_takes_no_value_away() -> None:
    """A repeated test under way does not undo the result that there is."""
    patient = _patient(("a", "2020-01-01", _primary(HER2="negative")), ("b", "2020-02-01", _primary(HER2="pending")))
    assert _value(patient, "HER2") == ("negative", "a", "fills")


def test_biomarkers_stay_with_their_side() -> None:
    """A result of the right breast is no result of the left; a report without a side speaks of the only tumour."""
    patient = _patient(
        ("a", "2020-01-01", _primary("left", T="T1")),
        ("b", "2020-02-01", _primary(None, ER="positive")),
    )
    assert _value(patient, "ER") == ("positive", "b", "only")
    assert patient.labels_of(1, "breast")["T"].value == "T1"
    two = _patient(
        ("a", "2020-01-01", _primary("left", ER="negative")),
        ("b", "2020-02-01", _primary("right", ER="positive")),
        ("c", "2020-03-01", _primary(None, PR="positive")),
    )
    assert (_value(two, "ER"), _value(two, "ER", "breast-right")[0]) == (("negative", "a", "only"), "positive")
    assert two.pruned == {2: "no_side"}


def test_a_stated_category_stands_before_a_later_derived_one() -> None:
    """What a re-excision measures is no new size of the tumour; a later stated category is a correction."""
    first = ("a", "2020-01-01", _primary(T="T2"))
    assert _value(_patient(first, ("b", "2020-02-01", _primary(T="~T1"))), "T") == ("T2", "a", "stated")
    assert _value(_patient(first, ("b", "2020-02-01", _primary(T="T3"))), "T") == ("T3", "b", "later")


@pytest.mark.parametrize(
    ("dates", "task", "values"),
    [
        (("2020-01-01", "2020-01-01"), "ER", ("positive", "negative")),
        (("", "2020-01-01"), "ER", ("positive", "negative")),
        (("2020-01-01", "2020-02-01"), "T", ("~T1", "~T2")),
    ],
)
def test_reports_of_equal_standing_wait_for_a_person(
    dates: tuple[str, str], task: str, values: tuple[str, str]
) -> None:
    """One day, an unknown date, or two sizes of specimens: no value is chosen, and both stay in the queue."""
    said = zip("ab", dates, values, strict=True)
    patient = _patient(*((name, date, _primary(**{task: value})) for name, date, value in said))
    (conflict,) = patient.conflicts
    assert {side.value for side in conflict.sides} == {value.lstrip("~") for value in values}
    assert task not in patient.primaries.get("breast-left", {})
    assert patient.open_tasks(0, "breast-left") == {task}


def test_a_new_version_replaces_and_an_addendum_adds() -> None:
    """Under one id, the later text is the report, unless it is an addendum."""
    first, second = _primary(T="T2", ER="pending"), _primary(ER="positive")
    replaced = _patient(("a", "2020-01-01", first), ("a", "2020-01-05", second))
    assert replaced.pruned == {0: "replaced"}
    assert "T" not in replaced.primaries["breast-left"]
    added = _patient(("a", "2020-01-01", first), ("a", "2020-01-05", second), kind=ADDENDUM)
    assert (_value(added, "T")[0], _value(added, "ER")) == ("T2", ("positive", "a", "fills"))


def test_reports_that_say_nothing_are_put_aside_and_why() -> None:
    """No cancer of the organ, no value of any task, a recurrence: each has its reason."""
    recurrence = replace(_primary(ER="negative"), assertion=Assertion.RECURRENCE)
    patient = consolidate(
        [
            ReportLabels("a", "2020-01-01", "", 0, (_primary(T="T1", ER="positive"),)),
            ReportLabels("b", "2020-02-01", "", 1, ()),
            ReportLabels("c", "2020-03-01", "", 2, (_primary(),)),
            ReportLabels("d", "2021-01-01", "", 3, (recurrence,)),
        ],
        PACK,
    )
    assert patient.pruned == {1: "no_primary", 2: "nothing_said", 3: "another_tumour"}
    assert _value(patient, "ER")[0] == "positive"


def test_the_record_names_reports_by_their_ids() -> None:
    """What is written for a data scientist is plain data."""
    reports = [
        ReportLabels("a", "2020-01-01", "", 0, (_primary(T="T1"),)),
        ReportLabels("b", "2020-02-01", "", 1, ()),
    ]
    data = consolidate(reports, PACK).as_data(reports)
    assert data["pruned"] == [{"report": "b", "why": "no_primary"}]
    assert data["primaries"]["breast-left"]["T"]["basis"] == "stated"
