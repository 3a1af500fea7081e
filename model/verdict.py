"""Lets the classifier weigh a verdict that it is given from outside, such as the labelling rules' value.

The verdict is a class or nothing. What it is worth is read off out-of-fold rows: how often each verdict falls to each
true class, by a weight that makes the held-out labels likeliest. The model knows nothing of where a verdict comes from.
"""

import math
from collections.abc import Mapping, Sequence

from model.numerics import minimise
from schemas.frozen import Frozen

SILENT = ""
"""The verdict of who says nothing."""
FOLDS = 5
_SMOOTHING = 0.5
_WEIGHTS = (0.05, 5.0)

Rows = Sequence[tuple[Sequence[float], int, str]]
"""Log-probabilities of the outcomes, the true outcome's position, and the verdict."""


class VerdictWeights(Frozen):
    """For each verdict the weighted log-likelihood of every outcome; an unknown verdict says nothing."""

    likelihoods: dict[str, tuple[float, ...]]

    def told(self, probabilities: Sequence[float], verdict: str | None) -> list[float]:
        """The probabilities of the outcomes after the verdict."""
        added = self.likelihoods.get(verdict or SILENT, (0.0,) * len(probabilities))
        weights = [value * math.exp(more) for value, more in zip(probabilities, added, strict=True)]
        total = sum(weights)
        return [weight / total for weight in weights] if total else list(probabilities)


def fit_verdict_weights(rows: Rows, outcomes: int, verdicts: Sequence[str]) -> VerdictWeights:
    """Count verdicts by outcome, and weigh the counts by what makes each fold's rows likeliest under the others' counts."""
    counted = [
        _log_likelihoods([row for place, row in enumerate(rows) if place % FOLDS != fold], outcomes, verdicts)
        for fold in range(FOLDS)
    ]

    def loss(weight: float) -> float:
        return -sum(
            _told_log(logs, truth, counted[place % FOLDS][verdict], weight)
            for place, (logs, truth, verdict) in enumerate(rows)
        )

    weight = minimise(loss, _WEIGHTS)
    return VerdictWeights(
        likelihoods={
            verdict: tuple(round(weight * log, 4) for log in logs)
            for verdict, logs in _log_likelihoods(rows, outcomes, verdicts).items()
        }
    )


def _log_likelihoods(rows: Rows, outcomes: int, verdicts: Sequence[str]) -> Mapping[str, tuple[float, ...]]:
    """For each verdict the log of how often it falls to each outcome."""
    counts = {verdict: [_SMOOTHING] * outcomes for verdict in verdicts}
    for _, truth, verdict in rows:
        counts[verdict][truth] += 1
    totals = [sum(counts[verdict][outcome] for verdict in verdicts) for outcome in range(outcomes)]
    return {
        verdict: tuple(math.log(count / total) for count, total in zip(found, totals, strict=True))
        for verdict, found in counts.items()
    }


def _told_log(logs: Sequence[float], truth: int, added: Sequence[float], weight: float) -> float:
    """The log-probability of the true outcome after the verdict."""
    scores = [log + weight * more for log, more in zip(logs, added, strict=True)]
    highest = max(scores)
    return scores[truth] - highest - math.log(sum(math.exp(score - highest) for score in scores))
