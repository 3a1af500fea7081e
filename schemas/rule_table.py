"""A decision table with all that it takes to use it: source and licence, how its inputs are written, what may be assumed.

staging.yaml, the files of a pack's derivations/ and a licensed table have this one shape (docs/staging.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from schemas.frozen import Frozen
from schemas.tables import Decision, DecisionTable, Known, Location


class Assumption(Frozen):
    """What stands in for an input that was not stated, where the others have these values; `conditional` says so."""

    when: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    missing: str
    value: str
    conditional: bool = False


class Words(Frozen):
    """How an input is written that has a name before its value: one of `names`, then a key of `values` or a number.

    A key may stand for several values of the table ("Gleason 7" for two Grade Groups). `units` may follow a number.
    """

    names: tuple[str, ...] = Field(min_length=1)
    values: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ruling:
    """What a table decides, and what was assumed for it."""

    decision: Decision
    assumed: tuple[Assumption, ...] = ()


class RuleTable(Frozen):
    """A decision table, where it comes from and how it is used.

    `findings` names the finding of each input. Inputs are written as their values, with one of `prefixes` before and
    `suffixes` in parentheses behind, or by `words`; `written` lists further forms of a value, `unknown` forms that count
    as not stated, `refused` forms that are none, with the reason, and `remarks` what is to be said of a form.
    `beside` are words of their own that change no result; their case counts (Pn1 is not pN1).
    `unstaged_prefixes` and `unstaged_histologies` name what no result is given for, with the reason.
    """

    system: str
    source: tuple[str, ...] = Field(min_length=1)
    notice: str = ""
    synonyms: tuple[str, ...] = ()
    findings: dict[str, str] = Field(default_factory=dict)
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    unstaged_prefixes: dict[str, str] = Field(default_factory=dict)
    unstaged_histologies: dict[str, str] = Field(default_factory=dict)
    written: dict[str, str] = Field(default_factory=dict)
    unknown: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    refused: dict[str, str] = Field(default_factory=dict)
    remarks: dict[str, str] = Field(default_factory=dict)
    words: dict[str, tuple[Words, ...]] = Field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    table: DecisionTable

    def decide(self, known: Known) -> Ruling:
        """Decide by the table, with the assumptions for inputs that are not known; raises KeyError for unknown values."""
        given = {name: tuple(values) for name, values in known.items()}
        assumed = []
        for assumption in self.assumptions:
            if assumption.missing not in given and self._fits(assumption, given):
                given[assumption.missing] = (assumption.value,)
                assumed.append(assumption)
        return Ruling(self.table.decide(given), tuple(assumed))

    def _fits(self, assumption: Assumption, given: dict[str, tuple[str, ...]]) -> bool:
        inputs = self.table.inputs
        return all(
            name in given and set(inputs[name].expand(given[name])) <= set(inputs[name].expand(values))
            for name, values in assumption.when.items()
        )

    def faults(self) -> Iterator[tuple[Location, str]]:
        """What is wrong in the table, and parts that speak of inputs or values that it does not have."""
        for location, message in self.table.faults():
            yield ("table", *location), message
        for part in ("findings", "unknown", "words"):
            for name in getattr(self, part):
                if name not in self.table.inputs:
                    yield (part, name), f"no input {name!r}; expected: {', '.join(self.table.inputs)}"
        for index, assumption in enumerate(self.assumptions):
            for name, values in {**assumption.when, assumption.missing: (assumption.value,)}.items():
                yield from self._unknown(("assumptions", index), name, values)
        for name, ways in self.words.items():
            for index, way in enumerate(ways):
                for key, value in way.values.items():
                    meant = (value,) if isinstance(value, str) else value
                    yield from self._unknown(("words", name, index, "values", key), name, meant)
        known = {value for entry in self.table.inputs.values() for value in entry.covers}
        for form, value in self.written.items():
            if value not in known:
                yield ("written", form), f"{value!r} is no value of the table"

    def _unknown(self, location: Location, name: str, values: tuple[str, ...]) -> Iterator[tuple[Location, str]]:
        known = self.table.inputs[name].covers if name in self.table.inputs else ()
        if any(value not in known for value in values):
            expected = ", ".join(known or self.table.inputs)
            yield location, f"{name} {' '.join(values)} is not in the table; expected: {expected}"


class LicensedTable(RuleTable):
    """A facility's own table, which must say under whose licence its content is used."""

    licence: str = Field(min_length=1)
