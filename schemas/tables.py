"""The decision-table engine: inputs with all of their values, and rows of which exactly one decides each combination.

A hole in a clinical rule is a row with its reason, instead of being found at run time. What is known of an input may be
one value, several ("T1" covers T1a to T1c; "above 15" reaches over two bands), or nothing: the table decides where every
row that can still be meant says the same, and otherwise tells what it hangs on, with a broader result where it has one
("IV" for IVA or IVB).
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from schemas.frozen import Frozen

ANY = "*"
MOST_COMBINATIONS = 1_000_000
_NUMBER = re.compile(r"(<=|>=|<|>|)\s?(\d+(?:\.\d+)?)")
Location = tuple[int | str, ...]
Known = Mapping[str, Iterable[str]]
"""By input the values that it may have; an absent input may have any."""


class Band(Frozen):
    """The value of numbers below `below`, or up to `at_most`, and not in an earlier band; without both, of all others."""

    value: str
    below: float | None = None
    at_most: float | None = None

    @property
    def end(self) -> tuple[float, int]:
        """Where the band ends, comparable with (number, 0): a limit that belongs to the band ends behind its number."""
        if self.at_most is not None:
            return self.at_most, 1
        return (math.inf if self.below is None else self.below), 0


class Input(Frozen):
    """What one input can be: `values`, in which {T1: [T1a, T1b]} is a value that covers others, and `bands` of a number."""

    values: tuple[str | dict[str, tuple[str, ...]], ...] = ()
    bands: tuple[Band, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"values": data} if isinstance(data, list | tuple) else data

    @cached_property
    def covers(self) -> dict[str, tuple[str, ...]]:
        """The values that each value stands for: itself, or those that it covers."""
        covered: dict[str, tuple[str, ...]] = {}
        for value in self.values:
            if isinstance(value, str):
                covered[value] = (value,)
                continue
            for name, parts in value.items():
                covered[name] = parts
                covered |= {part: (part,) for part in parts}
        return covered | {band.value: (band.value,) for band in self.bands}

    @cached_property
    def finest(self) -> tuple[str, ...]:
        """The values that cover no others: what a table must decide."""
        return tuple(name for name, parts in self.covers.items() if parts == (name,))

    def expand(self, values: Iterable[str]) -> tuple[str, ...]:
        """The finest values that these stand for, in the table's order; numbers as text ("8.3", "<4") by their bands.

        Raises KeyError for what is neither.
        """
        meant = {part for value in values for part in self._meaning(value)}
        return tuple(value for value in self.finest if value in meant)

    def _meaning(self, value: str) -> tuple[str, ...]:
        number = _NUMBER.fullmatch(value) if self.bands and value not in self.covers else None
        return self.banded(float(number[2]), number[1]) if number else self.covers[value]

    def banded(self, number: float, comparator: str = "") -> tuple[str, ...]:
        """The band in which a number lies, or all those that "<", "<=", ">" or ">=" of it reaches over."""
        ends = [(-math.inf, 0), *(band.end for band in self.bands)]
        pairs = zip(self.bands, itertools.pairwise(ends), strict=True)
        return tuple(band.value for band, (start, end) in pairs if _reaches(comparator, number, start, end))

    def shorten(self, values: Iterable[str]) -> tuple[str, ...]:
        """The same values with a covering one in place of all that it covers."""
        left = list(values)
        for name, parts in self.covers.items():
            if len(parts) > 1 and set(parts) <= set(left):
                left[left.index(parts[0])] = name
                left = [value for value in left if value not in parts]
        return tuple(left)

    def faults(self) -> Iterator[tuple[Location, str]]:
        """Values that stand twice, no values, and bands that do not rise to an open end."""
        written = [name for value in self.values for name in _names(value)] + [band.value for band in self.bands]
        if not written:
            yield (), "expected values or bands"
        for name in sorted({name for name in written if written.count(name) > 1}):
            yield (), f"{name} stands twice"
        ends = [band.end for band in self.bands]
        closed = [band for band in self.bands if (band.below is None) != (band.at_most is None)]
        if self.bands and (ends[-1] != (math.inf, 0) or len(closed) != len(ends) - 1 or ends != sorted(set(ends))):
            yield ("bands",), "expected rising limits (`below` or `at_most`), and none in the last band"


class Row(Frozen):
    """One rule: for each input the values it takes ("*" or a list), and a result or the reason why there is none.

    `impossible` says that the combination does not occur: where it is only one of several that can be meant, it is not.
    `note` is told with the result; `provisional`: a further test, which it names, must confirm the result.
    """

    when: dict[str, tuple[str, ...] | str]
    result: str | None = None
    not_assignable: str | None = None
    impossible: str | None = None
    note: str | None = None
    provisional: bool = False

    @property
    def outcome(self) -> tuple[str | None, str | None]:
        """The result, or why there is none."""
        return self.result, self.not_assignable or self.impossible

    def __str__(self) -> str:
        return " · ".join(", ".join(_values(allowed)) for allowed in self.when.values())


@dataclass(frozen=True)
class Decision:
    """A result or the reason why there is none, and the rows that can be meant, by number; a broader result has a reason."""

    rows: tuple[int, ...]
    result: str | None = None
    reason: str | None = None


class DecisionTable(Frozen):
    """Inputs with all of their values, and rows that part every combination of them.

    `broader` names a result that stands where only these can be meant, the narrowest first: {IV: [IVA, IVB]}.
    """

    inputs: dict[str, Input]
    rows: tuple[Row, ...] = Field(min_length=1)
    broader: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def decide(self, known: Known) -> Decision:
        """The result that all rows agree on which can be meant; raises KeyError for an unknown input or value."""
        meant = {name: self.inputs[name].expand(values) for name, values in known.items()}
        meant = {name: meant.get(name) or entry.finest for name, entry in self.inputs.items()}
        rows = self._met(meant)
        outcomes = self._outcomes(rows)
        if len(outcomes) == 1:
            result, reason = outcomes.pop()
            return Decision(rows, result, reason)
        results = {result for result, _ in outcomes}
        broader = next((name for name, parts in self.broader.items() if results <= set(parts)), None)
        return Decision(rows, broader, self._undecided(meant, known))

    def faults(self) -> Iterator[tuple[Location, str]]:
        """What is wrong: unknown inputs or values, rows without a result, holes and conflicts (one of each shown)."""
        shape = [(("inputs", name, *at), text) for name, entry in self.inputs.items() for at, text in entry.faults()]
        shape += [*self._row_faults(), *self._broader_faults()]
        combinations = math.prod(len(entry.finest) for entry in self.inputs.values())
        if combinations > MOST_COMBINATIONS:
            shape.append((("inputs",), f"{combinations:,} combinations, at most {MOST_COMBINATIONS:,} can be checked"))
        yield from shape
        if not shape:
            yield from self._coverage_faults()

    @cached_property
    def _masks(self) -> dict[str, dict[str, int]]:
        """By input and finest value the rows that take it, as bits: a row is met where all inputs have its bit."""
        masks = {name: dict.fromkeys(entry.finest, 0) for name, entry in self.inputs.items()}
        for index, row in enumerate(self.rows):
            for name, allowed in row.when.items():
                entry = self.inputs[name]
                for value in entry.finest if allowed == ANY else entry.expand(_values(allowed)):
                    masks[name][value] |= 1 << index
        return masks

    def _met(self, meant: Mapping[str, Iterable[str]]) -> tuple[int, ...]:
        left = (1 << len(self.rows)) - 1
        for name, values in meant.items():
            taking = 0
            for value in values:
                taking |= self._masks[name][value]
            left &= taking
        return _bits(left)

    def _outcomes(self, rows: Iterable[int]) -> set[tuple[str | None, str | None]]:
        met = [self.rows[index] for index in rows]
        return {row.outcome for row in met if row.impossible is None} or {row.outcome for row in met}

    def _undecided(self, meant: Mapping[str, tuple[str, ...]], known: Known) -> str:
        """Which inputs the result hangs on, and where it is one alone, what each of its values would give."""
        turning: dict[str, dict[str, list[str]]] = {}
        for name, values in meant.items():
            groups: dict[str, list[str]] = {}
            for value in values:
                outcomes = self._outcomes(self._met({**meant, name: (value,)}))
                found = " or ".join(sorted({result or "without result" for result, _ in outcomes}))
                groups.setdefault(found, []).append(value)
            if len(groups) > 1:
                turning[name] = groups
        turning = turning or {name: {} for name, values in meant.items() if len(values) > 1}
        absent = [name for name in turning if name not in known]
        if absent:
            subject = f"{', '.join(absent)} not stated"
        else:
            subject = " and ".join(_as_known(name, known[name]) for name in turning)
        if len(turning) != 1:
            return subject
        (name, groups), = turning.items()  # fmt: skip
        shorten = self.inputs[name].shorten
        would = [f"{', '.join(shorten(values))} would be {result}" for result, values in groups.items()]
        return f"{subject} ({'; '.join(would)})" if would else subject

    def _row_faults(self) -> Iterator[tuple[Location, str]]:
        for index, row in enumerate(self.rows):
            if sum(part is not None for part in (row.result, row.not_assignable, row.impossible)) != 1:
                yield ("rows", index), "expected exactly one of result, not_assignable and impossible"
            if set(row.when) != set(self.inputs):
                yield ("rows", index, "when"), f"expected every input once: {', '.join(self.inputs)}"
                continue
            for name, allowed in row.when.items():
                known = self.inputs[name].covers
                unknown = [] if allowed == ANY else [value for value in _values(allowed) if value not in known]
                if unknown or not allowed:
                    found = repr(unknown[0]) if unknown else "an empty list"
                    yield ("rows", index, "when", name), f"{found} is no value of {name}; expected: {', '.join(known)}"

    def _broader_faults(self) -> Iterator[tuple[Location, str]]:
        results = {row.result for row in self.rows if row.result is not None}
        for name, parts in self.broader.items():
            for part in parts:
                if part not in results:
                    yield ("broader", name), f"{part!r} is no result of a row; expected: {', '.join(sorted(results))}"

    def _coverage_faults(self) -> Iterator[tuple[Location, str]]:
        hole: tuple[str, ...] | None = None
        clashing: set[tuple[int, ...]] = set()
        for combination in itertools.product(*self._masks.values()):
            left = -1
            for name, value in zip(self.inputs, combination, strict=True):
                left &= self._masks[name][value]
            if left == 0 and hole is None:
                hole = combination
                text = f"no row for {' '.join(combination)}; add one, with not_assignable if there is no result"
                yield ("rows",), text
            if left & (left - 1) and (met := _bits(left)) not in clashing:
                clashing.add(met)
                others = ", ".join(f"rows.{index}" for index in met[:-1])
                yield ("rows", met[-1]), f"{' '.join(combination)} is met by {others} as well; one row must decide"


def _reaches(comparator: str, number: float, start: tuple[float, int], end: tuple[float, int]) -> bool:
    """Whether what the comparator says of the number can lie between the ends of two neighbouring bands."""
    if comparator in (">", ">="):
        return (number, int(comparator == ">")) < end
    return (
        start < (number, 0) if comparator == "<" else start <= (number, 0) and (comparator == "<=" or (number, 0) < end)
    )


def _values(allowed: tuple[str, ...] | str) -> tuple[str, ...]:
    return (allowed,) if isinstance(allowed, str) else allowed


def _names(value: str | dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(name for key, parts in value.items() for name in (key, *parts))


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(index for index in range(mask.bit_length()) if mask >> index & 1)


def _as_known(name: str, values: Iterable[str]) -> str:
    given = tuple(values)
    return f"{given[0]} without subcategory" if len(given) == 1 else f"{name} {' or '.join(given)}"
