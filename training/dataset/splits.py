"""Divides reports into training, validation and test so that each holds its share of every value.

What must stay together (a patient, a hospital, copies of one template) is a group. Groups are assigned by iterative
stratification (Sechidis, Tsoumakas and Vlahavas, 2011): the rarest value first, each of its groups to the part that
lacks it most. The same reports and seed give the same parts.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass
class _Group:
    """Rows that stay together: how many, and how often they hold each value."""

    order: str
    rows: int = 0
    values: Counter[str] = field(default_factory=Counter)


@dataclass
class _Part:
    """What a part still lacks: rows, and rows of each value."""

    name: str
    share: float
    rows: float
    values: dict[str, float]

    def lacks(self, value: str) -> tuple[float, float]:
        """How much a part needs a group, in units of its share: by the value, then by rows."""
        return self.values.get(value, 0.0) / self.share, self.rows / self.share

    def take(self, group: _Group) -> None:
        """Put the group into this part."""
        self.rows -= group.rows
        for value, count in group.values.items():
            self.values[value] -= count


def stratified_split(
    groups: Sequence[Hashable], values: Sequence[Sequence[str]], seed: int, shares: Mapping[str, float] = SHARES
) -> dict[Hashable, str]:
    """Each group's part; `groups` and `values` (such as "T=T2") are those of each row."""
    collected: dict[Hashable, _Group] = {}
    for key, held in zip(groups, values, strict=True):
        group = collected.setdefault(key, _Group(_shuffled(key, seed)))
        group.rows += 1
        group.values.update(held)
    totals = Counter({value: sum(group.values[value] for group in collected.values()) for value in _all(collected)})
    parts = [
        _Part(name, share, share * len(groups), {value: share * total for value, total in totals.items()})
        for name, share in shares.items()
    ]
    waiting = dict(sorted(collected.items(), key=lambda item: (-item[1].rows, item[1].order)))
    assigned: dict[Hashable, str] = {}
    while waiting:
        left: Counter[str] = Counter()
        for group in waiting.values():
            left.update(group.values)
        rarest = min(left, key=lambda value: (left[value], value)) if left else ""
        holding = {key: group for key, group in waiting.items() if not rarest or rarest in group.values}
        for key, group in sorted(holding.items(), key=lambda item: -item[1].values[rarest]):
            part = _neediest(parts, group, rarest)
            part.take(group)
            assigned[key] = part.name
            del waiting[key]
    return assigned


def _neediest(parts: Sequence[_Part], group: _Group, value: str) -> _Part:
    """The part that lacks the value most, of those with room for the group: no large hospital is a whole test."""
    roomy = [part for part in parts if part.rows >= group.rows]
    return max(roomy or parts, key=lambda part: part.lacks(value) if roomy else (part.rows, 0.0))


def _all(groups: Mapping[Hashable, _Group]) -> list[str]:
    return sorted({value for group in groups.values() for value in group.values})


def _shuffled(key: Hashable, seed: int) -> str:
    """An order without meaning that does not hang on the process."""
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
