"""How often two independent readings of the same reports agree: what the gold itself can be trusted to."""

from collections import Counter
from collections.abc import Mapping, Sequence

from model.numerics import error_upper_bound
from training.measures.score_tables import Rows, figure
from training.reports.gold import GoldValue

Pair = tuple[Mapping[str, GoldValue], Mapping[str, GoldValue]]
_TAIL = 0.975
"""Both bounds at this confidence make an exact interval of 95 %."""


def agreement_rows(pairs: Sequence[Pair]) -> Rows:
    """One row a task and one for all: equal values, their share with an exact 95 % interval, Cohen's kappa, equal bases."""
    tasks = list(dict.fromkeys(task for first, second in pairs for task in first if task in second))
    values = {
        task: [(first[task], second[task]) for first, second in pairs if task in first and task in second]
        for task in tasks
    }
    rows = [["task", "read twice", "equal values", "share (95 %)", "kappa", "equal bases, of equal values"]]
    rows += [_row(task, found) for task, found in values.items()]
    return [*rows, _row("all", [pair for found in values.values() for pair in found])]


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa: agreement beyond what two readers with these habits would reach by chance; 1 where none could err."""
    equal = sum(first == second for first, second in pairs) / len(pairs)
    habits = [Counter(pair[reader] for pair in pairs) for reader in (0, 1)]
    chance = sum(count * habits[1][value] for value, count in habits[0].items()) / len(pairs) ** 2
    return (equal - chance) / (1 - chance) if chance < 1 else 1.0


def _row(task: str, found: Sequence[tuple[GoldValue, GoldValue]]) -> list[str]:
    if not found:
        return [task, "0", "0", "not defined", "not defined", "0 of 0"]
    equal = [pair for pair in found if pair[0].value == pair[1].value]
    bases = sum(first.basis == second.basis for first, second in equal)
    low = 1 - error_upper_bound(len(found) - len(equal), len(found), _TAIL)
    high = error_upper_bound(len(equal), len(found), _TAIL)
    return [
        task,
        str(len(found)),
        str(len(equal)),
        f"{figure(len(equal) / len(found))} ({figure(low)}–{figure(high)})",
        figure(kappa([(first.value, second.value) for first, second in found])),
        f"{bases} of {len(equal)}",
    ]
