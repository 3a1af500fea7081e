"""What is counted twice: facts of counts that repeat, or add up, other facts of the same list.

A report says "three of 14 nodes" and then "(3/14)", gives each level and then their total, or repeats its diagnosis.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from schemas.pack_rules import LabelRule
from workers.reading.conversion import number
from workers.reading.facts import Fact

_Numbers = Mapping[str, Decimal]


def counted_once(rule: LabelRule, facts: Sequence[Fact], measure: Callable[[Fact], Decimal | None]) -> list[Fact]:
    """The facts, ordered by place, whose numbers `rule` may add up; `measure` gives the number that is added."""
    kept: list[Fact] = []
    for fact in facts:
        previous = kept[-1] if kept else None
        repeats = (
            previous is not None
            and previous.rule != fact.rule
            and fact.start - previous.end <= rule.repeated_within
            and measure(previous) == measure(fact)
        )
        if not repeats and not (_is_particular(rule, fact) and any(_is_same(fact, other) for other in kept)):
            kept.append(fact)
    kept = [fact for fact in kept if not any(_says_less(rule, fact, other) for other in kept)]
    for total in [fact for fact in kept if _is_particular(rule, fact)]:
        if total in kept:
            first, last = _parts_of(kept, kept.index(total))
            kept[first:last] = []
    half = len(kept) // 2
    values = [fact.value for fact in kept]
    return kept[:half] if len(set(values)) > 1 and values[:half] * 2 == values else kept


def _is_particular(rule: LabelRule, fact: Fact) -> bool:
    """Whether the fact's numbers are too large for two counts to share them by chance."""
    return bool(rule.repeated_from) and all(
        (number(fact.attributes.get(name, "")) or 0) >= least for name, least in rule.repeated_from.items()
    )


def _is_same(fact: Fact, other: Fact) -> bool:
    """Whether two counts are equal and may be of one specimen: not where they have different letters."""
    return fact.value == other.value and not (fact.part and other.part and fact.part != other.part)


def _numbers(fact: Fact) -> _Numbers:
    found = {name: number(value) for name, value in fact.attributes.items()}
    return {name: value for name, value in found.items() if value is not None}


def _says_less(rule: LabelRule, fact: Fact, other: Fact) -> bool:
    """Whether the other fact has more numbers, and this one's too, or after it closely this one's or greater.

    "Three nodes positive (3/14). Two positive nodes are matted."
    """
    few, many = _numbers(fact), _numbers(other)
    if not few.keys() < many.keys():
        return False
    if 0 <= fact.start - other.end <= rule.repeated_within:
        return all(few[name] <= many[name] for name in few)
    return all(few[name] == many[name] for name in few)


def _parts_of(facts: Sequence[Fact], index: int) -> tuple[int, int]:
    """The stretch right after or right before a fact, of two facts or more, whose numbers add up to its own."""
    total = _numbers(facts[index])
    for last in range(index + 3, len(facts) + 1):
        if _added(facts[index + 1 : last]) == total:
            return index + 1, last
    for first in range(index - 2, -1, -1):
        if _added(facts[first:index]) == total:
            return first, index
    return index, index


def _added(facts: Sequence[Fact]) -> _Numbers:
    """The sum of each number that all of the facts have."""
    listed = [_numbers(fact) for fact in facts]
    shared = set.intersection(*(set(numbers) for numbers in listed))
    return {name: sum((numbers[name] for numbers in listed), Decimal(0)) for name in shared}
