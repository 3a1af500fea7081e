"""The shape of facts.yaml and labels.yaml: how facts are read from text, and how labels follow from facts.

Patterns are regular expressions, matched without regard to case unless said otherwise. `{name}` stands for a fragment
of that name; a space stands for any white space, the ". " of a lost line break included. Every rule carries cases,
which a test runs.
"""

from typing import Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen
from schemas.patterns import compile_pattern


class FactCase(Frozen):
    """A text and what the rule finds there: each fact's value, or a mapping of value and some of its attributes."""

    text: str
    finds: tuple[str | dict[str, str], ...]


class FactRule(Frozen):
    """One way in which a report states a fact.

    `value` and `attributes` are templates over the pattern's named groups (`T{t}`); a group that did not take part is
    empty, and an attribute that comes out empty is left out. `captures` names how a group is converted first: one of
    `number`, `integer`, `millimetres`, `upper`, `lower`, or a table of the pack. A conversion that fails drops the fact.
    `total` lists groups whose converted numbers are added up as group `total`.
    `before`, `unless_before`, `after`, `unless_after` look at the `window` characters around the match, in the same
    way that `within` and `unless_within` look at the match. `sections` and `unless_sections` are keys of sections.
    `evidence` names the group that is the fact's span (the whole match by default).
    """

    name: str
    kind: str
    pattern: str
    value: str
    attributes: dict[str, str] = Field(default_factory=dict)
    captures: dict[str, str] = Field(default_factory=dict)
    total: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    within: str | None = None
    unless_before: str | None = None
    unless_after: str | None = None
    unless_within: str | None = None
    window: int = Field(default=60, gt=0, le=400)
    sections: tuple[str, ...] = ()
    unless_sections: tuple[str, ...] = ()
    case_sensitive: bool = False
    overlapped: bool = False
    evidence: str | None = None
    cases: tuple[FactCase, ...] = ()

    def patterns(self) -> tuple[str, ...]:
        """Every pattern of the rule."""
        contexts = (self.before, self.after, self.within, self.unless_before, self.unless_after, self.unless_within)
        return (self.pattern, *(pattern for pattern in contexts if pattern))


class Replacement(Frozen):
    """A repair of the text for matching only: the match is overwritten in place, so offsets stay."""

    pattern: str
    by: str
    case_sensitive: bool = False


class IgnoredText(Frozen):
    """Text that holds no result although it reads like one (kit boilerplate, legends); `kinds` empty: all kinds."""

    name: str
    pattern: str
    kinds: tuple[str, ...] = ()
    cases: tuple[FactCase, ...] = ()


class ContextMark(Frozen):
    """A word near a fact that tells what it is about: marks the fact and adds to its score.

    `before` and `after` are searched in the `window` characters on that side, in the same sentence where `sentence`.
    `within` is searched in the match itself.
    """

    name: str
    kinds: tuple[str, ...]
    before: str | None = None
    after: str | None = None
    within: str | None = None
    window: int = Field(default=80, gt=0, le=400)
    score: int = 0

    def patterns(self) -> tuple[str, ...]:
        """Every pattern of the mark."""
        return tuple(pattern for pattern in (self.before, self.after, self.within) if pattern)


class FactRules(Frozen):
    """facts.yaml: fragments, tables, repairs, ignored text, marks, and the rules in named groups."""

    fragments: dict[str, str] = Field(default_factory=dict)
    tables: dict[str, dict[str, str]] = Field(default_factory=dict)
    repairs: tuple[Replacement, ...] = ()
    ignored: tuple[IgnoredText, ...] = ()
    marks: tuple[ContextMark, ...] = ()
    groups: dict[str, tuple[FactRule, ...]] = Field(default_factory=dict)

    @property
    def rules(self) -> tuple[FactRule, ...]:
        """All rules, group by group."""
        return tuple(rule for group in self.groups.values() for rule in group)

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        named = [(rule.name, rule.patterns()) for rule in self.rules]
        named += [(mark.name, mark.patterns()) for mark in self.marks]
        named += [(text.name, (text.pattern,)) for text in self.ignored]
        named += [(f"repair {index}", (repair.pattern,)) for index, repair in enumerate(self.repairs)]
        for name, patterns in named:
            for pattern in patterns:
                try:
                    compile_pattern(pattern, self.fragments)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"rules that share a name: {', '.join(repeated)}")
        return self


class LabelRules(Frozen):
    """labels.yaml."""
