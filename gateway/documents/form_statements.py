"""What the forms of one report state, as the rules of the pack read it: compared whatever their words and their layout.

Of each primary that is what is asserted of it, its histology and every label. What one form leaves open contradicts
nothing, nor does a result that is still pending there.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from schemas.findings import Assertion, Basis, Side, Status
from schemas.pack_loader import Pack
from workers.reading.conversion import number
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading, read_report
from workers.reading.segment import cut_sections

_IN_BRACKETS = re.compile(r"\([^)]*\)")
_OPEN = frozenset({Status.NOT_STATED, Status.PENDING})


@dataclass(frozen=True)
class _Value:
    """What a form says of one task; several values where it contradicts itself.

    `possible`: what any rule makes of it. `detail`: the finer category.
    """

    meant: frozenset[str]
    possible: Set[str] = frozenset()
    detail: str = ""

    def excludes(self, other: "_Value") -> bool:
        """Whether not both can hold.

        Of several numbers, as of nodes and sizes, either form may be read for another. pT1c and T1 can both hold.
        """
        if self.meant == other.meant:
            return self.detail not in other.detail and other.detail not in self.detail
        are_numbers = all(number(value) is not None for value in self.meant | other.meant)
        return not are_numbers or self.possible.isdisjoint(other.possible)


@dataclass(frozen=True, repr=False)
class Statements:
    """What one form states, by side and task, and the kinds of its sections."""

    primaries: Mapping[Side | None, Mapping[str, _Value]]
    sections: frozenset[str]

    def contradictions(self, other: "Statements") -> int:
        """How many statements of the two exclude each other; a side that only one of them names does where both name one."""
        mine, its = ({side for side in one.primaries if side} for one in (self, other))
        return (not (mine <= its or its <= mine)) + sum(one.excludes(two) for one, two in self._both(other))

    def agreements(self, other: "Statements") -> int:
        """How many statements both make."""
        return sum(not one.excludes(two) for one, two in self._both(other))

    def go_beyond(self, other: "Statements") -> bool:
        """Whether this form states what the other does not, or has a section, such as an addendum, that it lacks."""
        stated, its = (
            {(side, task, value.meant) for side, values in one.primaries.items() for task, value in values.items()}
            for one in (self, other)
        )
        return not (stated <= its and self.sections <= other.sections)

    def _both(self, other: "Statements") -> Iterator[tuple[_Value, _Value]]:
        for side, values in self.primaries.items():
            its = other.primaries.get(side)
            if its is None and len(self.primaries) == len(other.primaries) == 1:
                its = next(iter(other.primaries.values()))  # where one form names no side, or not the same
            yield from ((value, its[task]) for task, value in values.items() if its and task in its)


def read_statements(text: str, pack: Pack) -> Statements:
    """What a form states of its primaries."""
    primaries = {reading.laterality: dict(_values(reading)) for reading in read_report(text, pack)}
    segmentation = pack.definition.segmentation
    sections = [one for one in cut_sections(text, segmentation) if one.priority > segmentation.opening_priority]
    return Statements(primaries, frozenset(section.key for section in sections))


def _values(reading: PrimaryReading) -> Iterator[tuple[str, _Value]]:
    if reading.assertion is not Assertion.UNCERTAIN:
        yield "assertion", _Value(frozenset({reading.assertion.value}))
    if reading.histology is not None:
        yield "histology", _Value(frozenset({reading.histology}))
    for task, label in reading.labels.items():
        if label.status not in _OPEN:
            yield task, _value(label)


def _value(label: TaskLabel) -> _Value:
    meant = frozenset({label.value or label.status.value, *label.conflicts})
    is_finer = label.status is Status.CODED and label.basis is Basis.STATED and label.detail != label.value
    detail = _IN_BRACKETS.sub("", label.detail or "") if is_finer else ""
    return _Value(meant, meant | label.support.keys(), detail)
