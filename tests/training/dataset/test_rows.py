"""Behaviour of training rows: whom they believe, what stays unknown, and which hospitals a fold may see."""

from dataclasses import replace

import pytest

from schemas.findings import Status
from schemas.pack_loader import load_pack
from training.dataset.rows import hospital_folds, read_labelled, registry_labels, unregistered_tasks
from training.reports.gold import NOT_STATED, VERIFIED, LabelledReport, RegistryValue
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading

PACK = load_pack("breast")
SILENT = RegistryValue(None, "none")


def _report(**registry: RegistryValue) -> LabelledReport:
    held = {task.key: registry.get(task.key, SILENT) for task in PACK.definition.tasks}
    return LabelledReport("p", "H1", "", registry=held)


def _reading(**values: str) -> PrimaryReading:
    labels = {
        task.key: TaskLabel(task.key, values[task.key], Status.CODED)
        if task.key in values
        else TaskLabel(task.key, None, Status.NOT_STATED)
        for task in PACK.definition.tasks
    }
    return PrimaryReading(key="breast", organ="breast", principal=True, labels=labels)


def test_a_registry_value_is_a_label_only_where_the_rules_read_the_same() -> None:
    """Agreement of two sources makes a label; disagreement makes the task unknown."""
    report = _report(T=RegistryValue("T2", VERIFIED), N=RegistryValue("N1", VERIFIED))
    labels = registry_labels(report, _reading(T="T2", N="N0"), PACK.definition, ())
    assert labels == {"T": "T2"}


def test_unstated_is_a_label_only_where_both_find_nothing() -> None:
    """The tier `not_stated` together with an empty reading teaches the stated head; a reading against it does not."""
    report = _report(ER=RegistryValue("positive", NOT_STATED), PR=RegistryValue("positive", NOT_STATED))
    labels = registry_labels(report, _reading(PR="positive"), PACK.definition, ())
    assert labels == {"ER": None}


def test_a_value_that_the_report_may_not_state_is_unknown() -> None:
    """The tiers inferred and conflict say nothing about this text."""
    report = _report(T=RegistryValue("T2", "inferred"), N=RegistryValue("N1", "conflict"))
    assert registry_labels(report, _reading(T="T2", N="N1"), PACK.definition, ()) == {}


def test_the_rules_speak_alone_only_for_tasks_that_no_registry_holds() -> None:
    """Grade has no registry value in any report, so the rules' reading is taken; T has one, so it is not."""
    reports = [_report(T=RegistryValue("T2", "inferred"))]
    trusted = unregistered_tasks(reports, PACK.definition)
    assert "grade" in trusted
    assert "T" not in trusted
    labels = registry_labels(reports[0], _reading(T="T2", grade="G3"), PACK.definition, trusted)
    assert labels["grade"] == "G3"
    assert "T" not in labels


def test_a_report_that_contradicts_itself_teaches_nothing_of_that_task() -> None:
    """A label in review is unknown, never an example of a report that states no value."""
    reading = _reading(T="T2")
    in_review = TaskLabel("grade", "G2", Status.REVIEW, conflicts=("G3",))
    reading = replace(reading, labels={**reading.labels, "grade": in_review})
    labels = registry_labels(LabelledReport("p", "H1", ""), reading, PACK.definition, ["T", "N", "grade"])
    assert labels == {"T": "T2", "N": None}


def test_each_hospital_is_in_one_fold_and_folds_are_of_like_size() -> None:
    """No hospital is on both sides, and the largest are spread."""
    hospitals = ["A"] * 30 + ["B"] * 30 + ["C"] * 20 + ["D"] * 10 + ["E"] * 10 + ["F"] * 5 + ["G"] * 3
    folds = hospital_folds(hospitals, 3)
    sizes = [sum(folds[hospital] == fold for hospital in hospitals) for fold in range(3)]
    assert set(folds) == set(hospitals)
    assert max(sizes) - min(sizes) <= 10


@pytest.mark.parametrize("text", ["", "Gallbladder, cholecystectomy: chronic cholecystitis. No malignancy."])
def test_a_report_without_a_breast_primary_has_no_reading(text: str) -> None:
    """Nothing is trained on, and nothing is answered for, a report of another organ."""
    assert read_labelled(LabelledReport("p", "H1", text), PACK).primary is None
