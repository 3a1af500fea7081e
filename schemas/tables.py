"""The decision-table engine, and the shape of staging.yaml.

A table lists the values of each input and rows of conditions; every combination of inputs must be met by exactly one
row, so a hole in a clinical rule is written down with its reason instead of being found at run time.
"""

import itertools
from collections.abc import Iterator, Mapping

from pydantic import Field

from schemas.frozen import Frozen

ANY = "*"
Location = tuple[int | str, ...]


class Row(Frozen):
    """One rule: for each input the values it takes ("*" or a list), and a result or the reason why there is none."""

    when: dict[str, tuple[str, ...] | str]
    result: str | None = None
    not_assignable: str | None = None

    def meets(self, inputs: Mapping[str, str]) -> bool:
        """True where every input has one of the row's values; an absent one meets only "*"."""
        return all(allowed == ANY or inputs.get(name) in _values(allowed) for name, allowed in self.when.items())


class DecisionTable(Frozen):
    """Inputs with all of their values, and rows that part every combination of them."""

    inputs: dict[str, tuple[str, ...]]
    rows: tuple[Row, ...]

    def decide(self, inputs: Mapping[str, str]) -> Row | None:
        """The row of these inputs; None where a value is none of the table's, or the answer hangs on an absent input."""
        if any(value not in self.inputs.get(name, ()) for name, value in inputs.items()):
            return None
        return next((row for row in self.rows if row.meets(inputs)), None)

    def faults(self) -> Iterator[tuple[Location, str]]:
        """What is wrong: unknown inputs or values, rows without a result, holes and conflicts (one of each shown)."""
        shape = list(self._row_faults())
        yield from shape
        if not shape:
            yield from self._coverage_faults()

    def _row_faults(self) -> Iterator[tuple[Location, str]]:
        for index, row in enumerate(self.rows):
            if (row.result is None) == (row.not_assignable is None):
                yield ("rows", index), "expected exactly one of result and not_assignable"
            if set(row.when) != set(self.inputs):
                yield ("rows", index, "when"), f"expected every input once: {', '.join(self.inputs)}"
                continue
            for name, allowed in row.when.items():
                unknown = [] if allowed == ANY else [v for v in _values(allowed) if v not in self.inputs[name]]
                if unknown:
                    expected = ", ".join(self.inputs[name])
                    yield ("rows", index, "when", name), f"{unknown[0]!r} is no value of {name}; expected: {expected}"

    def _coverage_faults(self) -> Iterator[tuple[Location, str]]:
        hole: tuple[str, ...] | None = None
        clashing: set[tuple[int, ...]] = set()
        for combination in itertools.product(*self.inputs.values()):
            inputs = dict(zip(self.inputs, combination, strict=True))
            met = tuple(index for index, row in enumerate(self.rows) if row.meets(inputs))
            if not met and hole is None:
                hole = combination
                yield (
                    ("rows",),
                    f"no row for {' '.join(combination)}; add one, with not_assignable if there is no result",
                )
            if len(met) > 1 and met not in clashing:
                clashing.add(met)
                others = ", ".join(f"rows.{index}" for index in met[:-1])
                yield ("rows", met[-1]), f"{' '.join(combination)} is met by {others} as well; one row must decide"


class Assumption(Frozen):
    """What stands in for an input that was not stated, where the others have these values; `conditional` says so."""

    when: dict[str, tuple[str, ...]]
    missing: str
    value: str
    conditional: bool = False


class Staging(Frozen):
    """staging.yaml: how a stage group follows from the categories of one primary.

    `findings` names the finding of each input; `unstaged_prefixes` and `unstaged_histologies` name what no group is
    given for, with the reason; `unknown` lists written forms that count as not stated.
    """

    system: str
    source: str
    notice: str
    findings: dict[str, str]
    prefixes: tuple[str, ...]
    unstaged_prefixes: dict[str, str]
    unstaged_histologies: dict[str, str] = Field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    unknown: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    table: DecisionTable

    def faults(self) -> Iterator[tuple[Location, str]]:
        """What is wrong in the table, and assumptions about inputs or values that it does not have."""
        for location, message in self.table.faults():
            yield ("table", *location), message
        for index, assumption in enumerate(self.assumptions):
            for name, values in {**assumption.when, assumption.missing: (assumption.value,)}.items():
                known = self.table.inputs.get(name, ())
                if any(value not in known for value in values):
                    expected = ", ".join(known or self.table.inputs)
                    yield ("assumptions", index), f"{name} {' '.join(values)} is not in the table; expected: {expected}"


def _values(allowed: tuple[str, ...] | str) -> tuple[str, ...]:
    return (allowed,) if isinstance(allowed, str) else allowed
