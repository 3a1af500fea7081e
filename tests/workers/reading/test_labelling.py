"""The labelling engine: the pack's own cases, order of rules, sections, sums, conflicts and evidence."""

import pytest

from schemas.findings import Basis, Status
from schemas.pack_loader import load_pack
from schemas.pack_rules import LabelCase, LabelRule, LabelRules, LabelSet
from workers.reading.document import Document, Section
from workers.reading.facts import Fact, read_facts
from workers.reading.labelling import TaskLabel, label_primary

PACK = load_pack("breast")
CASES = [(task, case) for task, labels in PACK.labels.labels.items() for case in labels.cases]
RESECTION = {"assertion": "primary_invasive", "procedure": "mastectomy"}


def fact(kind: str, value: str, start: int = 0, section: str = "diagnosis", **attributes: str) -> Fact:
    """A fact of five characters."""
    return Fact(kind, value, start, start + 5, f"{kind}_rule", section, attributes)


def label(task: str, *facts: Fact, procedure: str = "mastectomy") -> TaskLabel:
    """The label that these facts give."""
    return label_primary(facts, PACK.labels, PACK.definition, {**RESECTION, "procedure": procedure})[task]


@pytest.mark.parametrize(("task", "case"), CASES, ids=[f"{task}: {case.text[:40]}" for task, case in CASES])
def test_pack_case(task: str, case: LabelCase):
    """Each case of labels.yaml gives the label that it says, or none."""
    document = Document(case.text, (Section("diagnosis", 80, 0, 0, len(case.text)),), (), (), ())
    found = label_primary(read_facts(document, PACK.facts), PACK.labels, PACK.definition, RESECTION)[task]
    if case.label is None:
        assert found.status is Status.NOT_STATED
        return
    seen = {"value": found.value, "status": found.status.value, "detail": found.detail, **found.attributes}
    seen["basis"] = found.basis.value if found.basis else None
    assert {key: seen.get(key) for key in case.label} == case.label
    assert found.spans


def test_stated_category_outranks_size():
    """A stated category wins over a size, which is neither a contradiction nor lost: it supports its own category."""
    size = Fact("size", "32", 30, 36, "size", "diagnosis", {}, frozenset(), 10)
    found = label("T", fact("T", "T1", prefix="p", sub="c"), size)
    assert (found.value, found.detail, found.basis) == ("T1", "pT1c", Basis.STATED)
    assert (found.status, found.conflicts, found.support["T2"]) == (Status.CODED, (), ((30, 36),))


@pytest.mark.parametrize("procedure", ["core", "fna"])
def test_core_biopsy_gives_no_derived_category(procedure: str):
    """A core biopsy or aspirate gives no T from a size and no N from a count."""
    size = Fact("size", "32", 30, 36, "size", "diagnosis", {}, frozenset(), 10)
    nodes = fact("nodes", "1/1", 50, positive="1", examined="1")
    assert label("T", size, nodes, procedure=procedure).status is Status.NOT_STATED
    assert label("N", size, nodes, procedure=procedure).status is Status.NOT_STATED


def test_clinical_category_is_not_pathologic():
    """A quoted cT2 never becomes T2 of the specimen."""
    assert label("T", fact("T", "T2", prefix="c")).status is Status.NOT_STATED


def test_addendum_supersedes_diagnosis():
    """A receptor in an addendum wins over the diagnosis and is not contradicted by it."""
    found = label("ER", fact("ER", "negative"), fact("ER", "positive", 90, section="addendum"))
    assert (found.value, found.status, found.spans[0]) == ("positive", Status.CODED, (90, 95))


def test_a_grade_is_amended_by_an_addendum_and_never_told_by_the_history():
    """An addendum's grade wins in whichever system; the history's is that of another specimen."""
    of_today = fact("grade", "G2", system="nottingham")
    assert label("grade", of_today, fact("grade", "G3", 90, section="addendum")).value == "G3"
    told = fact("grade", "G3", 90, section="history", system="nottingham")
    assert (label("grade", fact("grade_score", "4"), told).value, label("grade", told).value) == ("G1", None)


def test_result_outranks_pending():
    """A result wins over "pending" wherever either stands, and a settled wait is no conflict."""
    found = label("PR", fact("PR", "pending", 90, section="addendum"), fact("PR", "positive"))
    assert (found.value, found.status, found.conflicts) == ("positive", Status.CODED, ())


def test_counts_are_summed_and_repeats_counted_once():
    """Positive nodes of several parts add up; words and figures of the same count are one."""
    parts = (fact("nodes", "2/9", 0, positive="2", examined="9"), fact("nodes", "2/7", 300, positive="2", examined="7"))
    again = Fact("nodes", "2/9", 20, 25, "other_rule", "diagnosis", {"positive": "2", "examined": "9"})
    assert label("N", *parts).value == "N2"
    assert label("nodes_positive", parts[0], again).value == "2"
    assert label("nodes_examined", *parts).value == "16"


def test_in_situ_hybridisation_settles_an_equivocal_score():
    """2+ with an ISH result takes that result, without a conflict."""
    found = label("HER2", fact("HER2_ihc", "2+"), fact("HER2_ish", "positive", 60))
    assert (found.value, found.attributes["method"], found.conflicts) == ("positive", "ish", ())


def test_contradiction_of_methods_goes_to_review():
    """3+ against "not amplified" is a contradiction: the value is a best guess, and both places are its evidence."""
    found = label("HER2", fact("HER2_ihc", "3+"), fact("HER2_ish", "negative", 60))
    assert (found.value, found.status, found.conflicts) == ("negative", Status.REVIEW, ("positive",))
    assert found.spans == ((60, 65), (0, 5))


@pytest.mark.parametrize(
    ("task", "text", "value"),
    [
        ("ER", "ER: negative (<1 %)", "negative"),
        ("ER", "ER: negative (<5 %)", "negative"),
        ("ER", "ER: positive previously on biopsy; repeat ER: negative", "negative"),
        ("ER", "ER positive. ER (prior biopsy): negative", "positive"),
        ("ER", "ER positive in 90 % of cells, no staining in 10 %", "positive"),
        ("PR", "ER 95 % positive, PR 0 %, negative", "negative"),
        ("HER2", "HER2: positive (2+). FISH: HER2 not amplified", "negative"),
        ("HER2", "HER2: equivocal (2+)", "equivocal"),
    ],
)
def test_agreeing_or_settled_statements_are_no_contradiction(task: str, text: str, value: str):
    """A bound below 1 %, a repeated test and in situ hybridisation after 2+ leave nothing for a person to settle."""
    document = Document(text, (Section("diagnosis", 80, 0, 0, len(text)),), (), (), ())
    found = label_primary(read_facts(document, PACK.facts), PACK.labels, PACK.definition, RESECTION)[task]
    assert (found.value, found.status, found.conflicts) == (value, Status.CODED, ())


def test_a_rule_is_checked_by_rules_that_exist():
    """A label set that names an unknown rule to check by is refused."""
    with pytest.raises(ValueError, match="no such rule to check by: ER_percentage"):
        LabelSet(rules=(LabelRule(name="ER_status", kind="ER", checked_by=("ER_percentage",)),))


def test_nothing_found_is_not_stated():
    """Without facts every label is not stated, without value, basis or evidence."""
    labels = label_primary((), PACK.labels, PACK.definition, RESECTION)
    assert set(labels) >= {task.key for task in PACK.definition.tasks}
    assert {(item.value, item.status, item.basis, item.spans) for item in labels.values()} == {
        (None, Status.NOT_STATED, None, ())
    }


def test_every_task_has_cases():
    """Each task of the pack is covered by cases in labels.yaml."""
    assert all(PACK.labels.labels[task.key].cases for task in PACK.definition.tasks)
    assert isinstance(PACK.labels, LabelRules)
