"""Behaviour of the rule over whole reports: it withholds what is wrong more often, or there is none."""

from model.calibration import Row, TaskCalibration, document_cases, fit_calibration
from model.document_rule import DocumentCase, DocumentRule, fit_document_rule
from schemas.pack import Target

CLEAR = [DocumentCase(disagreements=0, certainty=0.95, coded=6, wrong=0)] * 100


def test_a_rule_withholds_reports_whose_findings_are_wrong_together() -> None:
    """Where errors sit in reports with disagreements, the rule draws its line there."""
    doubtful = [DocumentCase(disagreements=2, certainty=0.95, coded=4, wrong=2)] * 5
    rule = fit_document_rule([*CLEAR, *doubtful], 0.9)
    assert rule is not None
    assert rule.withholds(2, 0.95)
    assert not rule.withholds(0, 0.95)


def test_no_rule_where_doubtful_reports_are_as_right_as_others() -> None:
    """Coverage is not given away for nothing."""
    doubtful = [DocumentCase(disagreements=2, certainty=0.2, coded=4, wrong=0)] * 5
    assert fit_document_rule([*CLEAR, *doubtful], 0.9) is None


def test_no_rule_for_a_single_error_that_any_of_the_candidates_may_hit() -> None:
    """One wrong finding of four in doubtful reports is chance where a dozen lines were tried."""
    errors = [DocumentCase(disagreements=0, certainty=0.95, coded=6, wrong=1)] * 5
    assert (
        fit_document_rule([*CLEAR, *errors, DocumentCase(disagreements=4, certainty=0.9, coded=4, wrong=1)], 0.9)
        is None
    )


def test_no_rule_that_costs_too_much() -> None:
    """A rule that withholds a third of what is coded is none, however right the rest becomes."""
    doubtful = [DocumentCase(disagreements=2, certainty=0.95, coded=6, wrong=2)] * 50
    assert fit_document_rule([*CLEAR, *doubtful], 0.9) is None


def test_little_certainty_is_a_sign_of_its_own() -> None:
    """Rules and classifier may agree in every task, and the classifier be sure of little."""
    doubtful = [DocumentCase(disagreements=0, certainty=0.15, coded=4, wrong=3)] * 5
    rule = fit_document_rule([*CLEAR, *doubtful], 0.9)
    assert rule is not None
    assert rule.least_certainty is not None
    assert rule.withholds(0, 0.15)


def test_a_rule_without_limits_withholds_nothing() -> None:
    """Off unless fitted."""
    assert not DocumentRule().withholds(7, 0.0)


def test_cases_are_counted_by_report_over_its_tasks() -> None:
    """Disagreement is a value against another or against nothing; only what the policy would code is counted."""
    classes = ("negative", "positive")
    settled = TaskCalibration(threshold=0.5, agreement_threshold=0.5)
    rows = {
        "ER": (classes, [Row("positive", (0.0, 5.0), 5.0, rules="positive", report="a")]),
        "PR": (classes, [Row("negative", (0.0, 5.0), 5.0, rules="negative", report="a")]),
        "HER2": (classes, [Row(None, (0.0, 5.0), -5.0, rules=None, report="a")]),
    }
    tasks = dict.fromkeys(rows, settled)
    (agreeing,) = document_cases(rows, tasks, "agreement")
    (classifying,) = document_cases(rows, tasks, "classifier")
    assert (agreeing.disagreements, agreeing.coded, agreeing.wrong) == (1, 1, 0)
    assert (classifying.coded, classifying.wrong) == (2, 1)


def test_rows_that_name_no_report_fit_no_rule() -> None:
    """Without the reports that rows belong to, a calibration has no rule over them."""
    rows = {"ER": [Row("positive", (0.0, 5.0), 5.0, rules="negative")] * 60}
    fitted = fit_calibration({"ER": ("negative", "positive")}, rows, Target(accuracy=0.95, confidence=0.9))
    assert fitted.documents == {}
