"""The shape of facts/ and labels.yaml: how facts are read from text, and how labels follow from facts.

Patterns are regular expressions, matched without regard to case unless said otherwise. `{name}` stands for a fragment
of that name; a space stands for any white space, the ". " of a lost line break included. Every rule carries cases,
which a test runs.
"""

from string import Formatter
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen
from schemas.patterns import compile_pattern

_PATTERN_FIELDS = ("pattern", "before", "after", "within", "unless_before", "unless_after", "unless_within", "only")


class FactCase(Frozen):
    """A text and what the rule finds there: each fact's value, or a mapping of value and some of its attributes.

    `variant` names the variant that is meant, where the rule has variants.
    """

    text: str
    finds: tuple[str | dict[str, str], ...]
    variant: str | None = None


class FactRule(Frozen):
    """One way in which a report states a fact.

    `value` and `attributes` are templates over the pattern's named groups (`T{t}`); a group that did not take part is
    empty, and an attribute that comes out empty is left out. `captures` names how a group is converted first: one of
    `number`, `integer`, `roman`, `millimetres`, `centimetres` (bare numbers of them), `category`, `upper`, `lower`, or a table
    of the pack. A conversion that fails drops the fact.
    `total` lists groups whose converted numbers are added up as group `total`; the numbers of `ordered` groups must
    not fall (3 of 2 nodes is misread).
    `before`, `unless_before`, `after`, `unless_after` look at the `window` characters around the match, in the same
    way that `within` and `unless_within` look at the match. `sections` and `unless_sections` are keys of sections.
    `evidence` names the group that is the fact's span (the whole match by default).
    `in_turn` names groups that match several times, a list of names and lists of answers ("ER, PR: positive, negative"):
    the first name in which `only` is found goes with the answers at its place; lists of unequal length drop the fact.
    `variants` make one rule into several of the same form: each has fragments of its own, its name is added to the
    rule's, and `{variant}` in `kind` stands for it.
    """

    name: str
    kind: str
    pattern: str
    value: str
    attributes: dict[str, str] = Field(default_factory=dict)
    captures: dict[str, str] = Field(default_factory=dict)
    total: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()
    in_turn: tuple[str, ...] = ()
    only: str | None = None
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
    variants: dict[str, dict[str, str]] = Field(default_factory=dict)
    cases: tuple[FactCase, ...] = ()

    def expanded(self) -> "tuple[FactRule, ...]":
        """The rule itself, or one rule for each of its variants."""
        if not self.variants:
            return (self,)
        return tuple(self._variant(name, fragments) for name, fragments in self.variants.items())

    def _variant(self, name: str, fragments: dict[str, str]) -> "FactRule":
        changes: dict[str, object] = {
            "name": f"{self.name}_{name}",
            "kind": self.kind.replace("{variant}", name),
            "variants": {},
            "cases": tuple(case for case in self.cases if case.variant in (None, name)),
        }
        for field in _PATTERN_FIELDS:
            pattern = getattr(self, field)
            for fragment, meaning in fragments.items():
                pattern = pattern.replace(f"{{{fragment}}}", f"(?:{meaning})") if pattern else pattern
            changes[field] = pattern
        return self.model_copy(update=changes)

    def names(self) -> set[str]:
        """Every group that the rule refers to."""
        templates = (self.value, *self.attributes.values())
        used = {name for template in templates for _, name, _, _ in Formatter().parse(template) if name}
        return (
            used
            | set(self.captures)
            | set(self.total)
            | set(self.ordered)
            | set(self.in_turn)
            | ({self.evidence} if self.evidence else set())
        )

    def patterns(self) -> tuple[str, ...]:
        """Every pattern of the rule."""
        others = (getattr(self, field) for field in _PATTERN_FIELDS if field != "pattern")
        return (self.pattern, *(pattern for pattern in others if pattern))


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

    `before` and `after` are searched in the `window` characters on that side, `within` in the match itself.
    Of the marks of one `contest` only the nearest to the fact holds, the first listed where two are as near: a length
    after "tumor" and "skin" measures the skin.
    """

    name: str
    kinds: tuple[str, ...]
    contest: str = ""
    before: str | None = None
    after: str | None = None
    within: str | None = None
    window: int = Field(default=80, gt=0, le=400)
    score: int = 0

    def patterns(self) -> tuple[str, ...]:
        """Every pattern of the mark."""
        return tuple(pattern for pattern in (self.before, self.after, self.within) if pattern)


class FactRules(Frozen):
    """facts/: fragments, tables, repairs, ignored text, marks, and the rules in named groups."""

    fragments: dict[str, str] = Field(default_factory=dict)
    tables: dict[str, dict[str, str]] = Field(default_factory=dict)
    repairs: tuple[Replacement, ...] = ()
    ignored: tuple[IgnoredText, ...] = ()
    marks: tuple[ContextMark, ...] = ()
    groups: dict[str, tuple[FactRule, ...]] = Field(default_factory=dict)

    @property
    def rules(self) -> tuple[FactRule, ...]:
        """All rules, group by group, variants written out."""
        return tuple(rule for group in self.groups.values() for written in group for rule in written.expanded())

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
        for rule in self.rules:
            unknown = sorted(rule.names() - set(compile_pattern(rule.pattern, self.fragments).groupindex) - {"total"})
            if unknown:
                raise ValueError(f"{rule.name}: its pattern has no group {', '.join(unknown)}")
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"rules that share a name: {', '.join(repeated)}")
        return self


class Band(Frozen):
    """A value for numbers up to and including `at_most`; without it, for all others."""

    at_most: float | None = None
    value: str


class LabelCase(Frozen):
    """A text and the label expected from it: value, status, detail, basis or attributes; null for no label."""

    text: str
    label: dict[str, str] | None


class LabelRule(Frozen):
    """One way from facts to a label; the rules of a task are tried in order and the first that finds facts answers.

    A fact takes part where its kind is `kind`, its value is in `values` (any, if empty), each attribute in `where` has
    one of the listed values ("" is an absent attribute), it has one of `marks` and none of `unless_marks`, and scores
    at least `minimum_score`. `when` and `unless` speak of the primary: assertion, procedure, therapy_before.
    Of these facts those in the section of highest priority are kept (unless `any_section`), then those of the highest
    score where `best_score`; `choose` picks among them: `first`, `last`, `highest` by `order` or by number, or `sum`
    (a number that another rule read again within `repeated_within` characters is counted once, and so are a value that
    stands twice and parts that add up to a total, where the attributes reach `repeated_from`: 3 of 14 nodes are the same
    nodes, 1 of 1 may be another; workers/reading/counting.py).
    The fact's value, or the attribute `number`, is turned into the label's value by `bands` or `becomes`, or is the
    value. A value that the task lists under `missing` becomes that status. `detail` is a template over value and
    attributes; where the number falls in one of `detail_bands`, that band is the detail. A fact with one of
    `zero_marks` counts as zero. `unless_kinds`: the rule is skipped where any fact of those kinds exists.

    What makes a contradiction, which goes to review: `unanimous` facts of equal standing that give different values,
    and `checked_by` rules of the same label none of whose facts, in a section of the same priority or a higher one,
    gives this rule's value (a negative status beside 5 %). Facts with `later_marks` (a repeated test) stand above those
    without. `supersedes` are values that this rule settles (in situ hybridisation settles an equivocal score): they contradict nothing. A rule with `contradicts` never answers: as a check it
    contradicts those values only (tumour in a node is at odds with N0, and with no other category).
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    marks: tuple[str, ...] = ()
    unless_marks: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    unless_sections: tuple[str, ...] = ()
    unless_kinds: tuple[str, ...] = ()
    minimum_score: int | None = None
    when: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    any_section: bool = False
    best_score: bool = False
    choose: Literal["first", "last", "highest", "sum"] = "first"
    unanimous: bool = False
    checked_by: tuple[str, ...] = ()
    later_marks: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    zero_marks: tuple[str, ...] = ()
    repeated_within: int = Field(default=0, ge=0)
    repeated_from: dict[str, int] = Field(default_factory=dict)
    order: tuple[str, ...] = ()
    number: str | None = None
    bands: tuple[Band, ...] = ()
    becomes: dict[str, str] = Field(default_factory=dict)
    basis: Literal["stated", "derived"] = "stated"
    detail: str = "{value}"
    detail_bands: tuple[Band, ...] = ()
    attributes: dict[str, str] = Field(default_factory=dict)


class Derivation(Frozen):
    """A decision table of the pack's derivations/ that a label is held against, once the finding `needs` is there.

    What the table says stands in for a label that is missing, derived or among `supersedes`; a stated one that it
    contradicts goes to review, and so does what the table calls provisional or cannot reconcile.
    """

    table: str
    needs: str
    supersedes: tuple[str, ...] = ()


class LabelSet(Frozen):
    """How one task or further finding follows from facts.

    `missing` maps values to a status for findings that are no task of the pack. Facts with one of `lesser_marks` or in
    `lesser_sections` (of another sample) count only where the others give no value. `of_largest`: so do those of smaller foci, and where it is
    not known which focus is the largest, values that differ from focus to focus contradict each other. `bounded`: two
    labels with numbers; where that of the first exceeds that of the second, they and what is derived go to
    review. `beside`: kinds of facts whose value, where all of them agree, becomes an attribute named as the kind.
    `of_focus`: the label is told of each further focus as well, as all of the largest are. `found_in`: kinds of specimen
    that it names where all its evidence stands in one part of that kind.
    """

    rules: tuple[LabelRule, ...]
    lesser_marks: tuple[str, ...] = ()
    lesser_sections: tuple[str, ...] = ()
    of_largest: bool = False
    of_focus: bool = False
    found_in: tuple[str, ...] = ()
    derived: Derivation | None = None
    bounded: tuple[str, str] | None = None
    beside: tuple[str, ...] = ()
    missing: dict[str, Literal["not_assessable", "pending", "not_performed"]] = Field(default_factory=dict)
    cases: tuple[LabelCase, ...] = ()

    @property
    def told_of_focus(self) -> bool:
        """Whether each further focus has this label of its own."""
        return self.of_largest or self.of_focus

    @model_validator(mode="after")
    def _checks_exist(self) -> Self:
        names = {rule.name for rule in self.rules}
        unknown = sorted({name for rule in self.rules for name in rule.checked_by} - names)
        if unknown:
            raise ValueError(f"no such rule to check by: {', '.join(unknown)}")
        return self


class HintRule(Frozen):
    """How facts of one kind are told to the classifier: raw, unreconciled, from a closed set of tokens.

    Facts of `kind` or `further_kinds` take part by `where`, `minimum_score` and `unless_sections` as in a LabelRule; those
    with one of `lesser_marks` only where there is no other. Each distinct value gives one hint, the best
    placed first, at most `limit`. `values` are the values told; with `bands` the fact's number (its attribute `number`,
    or its value) is told as a band instead. `score_bands` add how well the surroundings fit (0 below the first).
    Where values differ, the first, the last and the one in the section of highest priority are told again.
    `summed` adds the numbers of all facts in the section of highest priority; `highest` takes the largest of those that
    fit best by `score_bands`, without telling the fit. No fact: one hint that says `none`.
    """

    key: str
    kind: str
    further_kinds: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    minimum_score: int | None = None
    number: str | None = None
    bands: tuple[Band, ...] = ()
    score_bands: tuple[int, ...] = ()
    unless_sections: tuple[str, ...] = ()
    lesser_marks: tuple[str, ...] = ()
    summed: bool = False
    highest: bool = False
    limit: int = Field(default=3, ge=1)

    @property
    def told(self) -> tuple[str, ...]:
        """Every value that can be told, score bands included."""
        values = tuple(band.value for band in self.bands) or self.values
        if not self.score_bands or self.highest:
            return values
        return tuple(f"{value}:{fit}" for value in values for fit in range(len(self.score_bands) + 1))


class LabelRules(Frozen):
    """labels.yaml: the labels in order, each with its rules; the hints in the order in which they are told.

    `sole_primary_kinds`: facts that belong to the report's only primary even where they stand in text of the other side
    (a closing line on receptors or the stage after the benign breast); `principal_by`: the labels whose values, in this order, make
    one of two primaries the principal one; `largest_by`: the labels, of which the first that differs makes one of several foci the
    largest.
    """

    labels: dict[str, LabelSet] = Field(default_factory=dict)
    hints: tuple[HintRule, ...] = ()
    sole_primary_kinds: tuple[str, ...] = ()
    principal_by: tuple[str, ...] = ()
    largest_by: tuple[str, ...] = ()

    @property
    def kinds_of_largest(self) -> frozenset[str]:
        """The kinds of facts on which labels of the largest focus rest."""
        return frozenset(rule.kind for label in self.labels.values() if label.of_largest for rule in label.rules)
