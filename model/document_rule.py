"""Withholds a report whose findings look doubtful as a whole, though each of them passes its own threshold.

Two signs, of which a fitted rule uses one: tasks on which classifier and labelling rules disagree, and the product of
the confidences in what is held for stated. A rule is kept only where the findings that it withholds are wrong more
often than those that it lets pass, beyond what chance would show of the best of so many candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from model.numerics import error_lower_bound, error_upper_bound
from schemas.frozen import Frozen

DISAGREEMENTS = (0, 1, 2, 3)
CERTAINTIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
KEPT = 0.95
"""A rule that withholds more than the rest of the coded findings costs too much coverage."""


class DocumentRule(Frozen):
    """The most disagreements, and the least certainty, with which findings of a report may still be coded."""

    most_disagreements: int | None = Field(default=None, ge=0)
    least_certainty: float | None = Field(default=None, ge=0, le=1)

    def withholds(self, disagreements: int, certainty: float) -> bool:
        """True where the report's findings are for a person to look at."""
        too_many = self.most_disagreements is not None and disagreements > self.most_disagreements
        return too_many or (self.least_certainty is not None and certainty < self.least_certainty)


@dataclass(frozen=True)
class DocumentCase:
    """One out-of-fold report: its two signs, and how many findings would be coded and how many of those are wrong."""

    disagreements: int
    certainty: float
    coded: int
    wrong: int


def fit_document_rule(cases: Sequence[DocumentCase], confidence: float) -> DocumentRule | None:
    """The rule with the lowest bound on the error of what it lets pass; None where no rule buys accuracy."""
    candidates = [DocumentRule(most_disagreements=most) for most in DISAGREEMENTS]
    candidates += [DocumentRule(least_certainty=least) for least in CERTAINTIES]
    shared = 1 - (1 - confidence) / len(candidates)
    bounds = {rule: _bound(rule, cases, shared) for rule in candidates}
    earned = {rule: bound for rule, bound in bounds.items() if bound is not None}
    return min(earned, key=earned.__getitem__) if earned else None


def _bound(rule: DocumentRule, cases: Sequence[DocumentCase], confidence: float) -> float | None:
    """The upper bound on the error of what the rule lets pass; None where the rule does not earn its place."""
    withheld = [case for case in cases if rule.withholds(case.disagreements, case.certainty)]
    kept = [case for case in cases if not rule.withholds(case.disagreements, case.certainty)]
    coded, wrong = (sum(getattr(case, name) for case in kept) for name in ("coded", "wrong"))
    lost, lost_wrong = (sum(getattr(case, name) for case in withheld) for name in ("coded", "wrong"))
    if not lost or coded < KEPT * (coded + lost):
        return None
    if error_lower_bound(lost_wrong, lost, confidence) <= wrong / coded:
        return None
    return error_upper_bound(wrong, coded, confidence)
