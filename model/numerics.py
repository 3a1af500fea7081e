"""The arithmetic of calibration: exact binomial bounds, and the lowest point of a valley."""

import math
from collections.abc import Callable


def error_upper_bound(errors: int, trials: int, confidence: float) -> float:
    """The exact one-sided Clopper-Pearson upper bound on an error rate; 1 where nothing was tried."""
    if errors >= trials:
        return 1.0
    low, high = errors / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _binomial_tail(errors, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def error_lower_bound(errors: int, trials: int, confidence: float) -> float:
    """The exact one-sided lower bound on an error rate; 0 where nothing was tried."""
    return 1 - error_upper_bound(trials - errors, trials, confidence)


def minimise(loss: Callable[[float], float], limits: tuple[float, float]) -> float:
    """Golden-section search over the logarithm of a positive number, where the loss has one valley."""
    low, high = (math.log(limit) for limit in limits)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(math.exp(left)) < loss(math.exp(right)):
            high = right
        else:
            low = left
    return round(math.exp((low + high) / 2), 4)


def _binomial_tail(errors: int, trials: int, rate: float) -> float:
    """The probability of at most `errors` errors in `trials`, by logarithms so that thousands of rows do not overflow."""
    if rate >= 1:
        return 0.0
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(count + 1)
            - math.lgamma(trials - count + 1)
            + (count * math.log(rate) if count else 0.0)
            + (trials - count) * math.log1p(-rate)
        )
        for count in range(errors + 1)
    )
