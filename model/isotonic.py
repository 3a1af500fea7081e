"""Isotonic calibration: the confidence in the best class becomes the share of right values at that confidence.

It bends where one temperature cannot, and it can be wrong where rows are few: it is kept only where it makes held-out
rows likelier by more than chance would.
"""

import math
from collections.abc import Sequence

Knots = tuple[tuple[float, float], ...]
"""Confidence before and after, rising in both; between knots the line is straight, beyond them level."""
Pairs = Sequence[tuple[float, bool]]
"""Confidences, and whether the best class was right."""

FOLDS = 5
_LIMIT = 1e-3
"""A held-out probability is taken to be no nearer to 0 or 1 than this, so that no single row decides."""


def map_confidence(knots: Knots, confidence: float) -> float:
    """The calibrated confidence; the same one where there are no knots."""
    if not knots:
        return confidence
    before = [knot for knot in knots if knot[0] <= confidence]
    after = [knot for knot in knots if knot[0] > confidence]
    if not before or not after:
        return (before[-1] if before else after[0])[1]
    (left, low), (right, high) = before[-1], after[0]
    return low + (high - low) * (confidence - left) / (right - left)


def fit_knots(pairs: Pairs) -> Knots:
    """The best rising step function by pooling neighbours that violate the order, one knot at each step's middle.

    Each step counts one right and one wrong row more than it has, so that no step promises certainty.
    """
    steps: list[list[float]] = []
    for confidence, hit in sorted(pairs):
        steps.append([confidence, float(hit), 1.0])
        while len(steps) > 1 and steps[-2][1] * steps[-1][2] >= steps[-1][1] * steps[-2][2]:
            last = steps.pop()
            steps[-1] = [total + more for total, more in zip(steps[-1], last, strict=True)]
    knots: list[tuple[float, float]] = []
    for total, right, count in steps:
        share = max((right + 1) / (count + 2), knots[-1][1] if knots else 0.0)
        knots.append((round(total / count, 6), round(share, 6)))
    return tuple(knots)


def choose_knots(pairs: Pairs) -> Knots:
    """The knots if they beat the plain confidences by more than a standard error on held-out rows, else none."""
    gains: list[float] = []
    for fold in range(FOLDS):
        held_out = pairs[fold::FOLDS]
        knots = fit_knots([pair for position, pair in enumerate(pairs) if position % FOLDS != fold])
        gains += [
            _loss(confidence, right) - _loss(map_confidence(knots, confidence), right) for confidence, right in held_out
        ]
    if len(gains) <= FOLDS:
        return ()
    mean = sum(gains) / len(gains)
    error = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1) / len(gains))
    return fit_knots(pairs) if mean > error else ()


def _loss(confidence: float, right: bool) -> float:
    """The negative log-likelihood of one row."""
    held = min(max(confidence, _LIMIT), 1 - _LIMIT)
    return -math.log(held if right else 1 - held)
