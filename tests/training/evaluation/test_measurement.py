"""Behaviour of a whole evaluation: the same figures in tables, data and files, and groups that do not overlap."""

from dataclasses import replace
from pathlib import Path

from model.calibration import Calibration
from model.engine import Prediction
from schemas.pack_loader import Pack, load_pack
from training.dataset.rows import read_labelled
from training.evaluation.measurement import Measured, Question, measure
from training.evaluation.systems import Examined, decided
from training.reports.gold import GoldValue, LabelledReport

TEXT = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2. Pathologic stage: pT2 pN1a."
VALUES = {"T": "T2", "N": "N1", "grade": "G2"}


def _examined(pack: Pack, wrong: int = 0) -> list[Examined]:
    """Six reports of two hospitals, one with a doubt; the classifier has T wrong in the first `wrong` of them."""
    gold = {task.key: GoldValue(VALUES.get(task.key, "not_stated"), "stated") for task in pack.definition.tasks}
    found = []
    for number in range(6):
        report = LabelledReport(str(number), "AB"[number % 2], TEXT, gold=gold)
        if number == 0:
            report = replace(report, circumstances=frozenset({"doubt"}))
        said = {**VALUES, "T": "T1"} if number < wrong else VALUES
        predictions = {
            task.key: Prediction(
                0.9 if task.key in said else 0.1,
                {name: 0.9 if name == said.get(task.key) else 0.01 for name in task.classes},
            )
            for task in pack.definition.tasks
        }
        found.append(decided(read_labelled(report, pack), predictions, Calibration(), pack))
    return found


def _measured(wrong: int = 0, question: Question | None = None, against: int | None = None) -> Measured:
    pack = load_pack("breast")
    other = None if against is None else ("other", _examined(pack, against))
    return measure(_examined(pack, wrong), pack, Calibration(), question, other)


def test_held_back_hospitals_are_reported_apart_from_the_rest() -> None:
    """Every system is scored over both groups, and each report is in one of them."""
    measured = _measured(question=Question(held_back=("B",)))
    groups = measured.groups
    assert [groups[name][0].reports for name in ("held-back hospitals", "other hospitals")] == [3, 3]
    assert [score.system for score in groups["held-back hospitals"]] == [score.system for score in measured.scores]
    assert "Over 3 held-back hospitals, by task" in measured.tables()


def test_reports_that_the_annotator_doubted_are_reported_apart() -> None:
    """A doubted gold is not a system's error alone."""
    groups = _measured().groups
    assert [scores[0].reports for scores in groups.values()] == [1, 5]


def test_a_group_that_is_all_or_nothing_is_left_out() -> None:
    """Hospitals that the file lacks make no table."""
    assert "held-back hospitals" not in _measured(question=Question(held_back=("Z",))).groups


def test_another_checkpoint_is_compared_wherever_it_answers_otherwise() -> None:
    """Rules do not differ between checkpoints, so they are not compared; the classifier is, with its test."""
    found = {(one.first, one.second): one for one in _measured(wrong=0, against=3).comparisons}
    assert ("rules", "classifier alone") in found
    assert ("rules of other", "rules") not in found
    (overall, tumour, *_) = found["classifier alone of other", "classifier alone"].tasks
    assert (tumour.task, tumour.only_first, tumour.only_second) == ("T", 0, 3)
    assert overall.only_second == 3


def test_data_and_tables_hold_the_same_systems() -> None:
    """Nothing is in the JSON that is not in the tables."""
    measured = _measured()
    assert list(measured.data()["systems"]) == [row[0] for row in next(iter(measured.tables().values()))[1:]]


def test_without_a_checkpoint_only_rules_and_baseline_are_measured(tmp_path: Path) -> None:
    """No probabilities, no curves, and figures of the rules alone."""
    pack = load_pack("breast")
    blind = [Examined(one.report, one.primary) for one in _examined(pack)]
    measured = measure(blind, pack)
    assert [score.system for score in measured.scores] == ["naive", "rules"]
    assert (measured.probabilities, measured.curves, measured.comparisons) == ((), (), ())
    measured.draw(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"confusion-rules-{task.key}.png" for task in pack.definition.tasks
    }
