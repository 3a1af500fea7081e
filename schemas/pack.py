"""The shape of a pack: clinical knowledge as data. The engine never asks which pack it runs.

A pack is a folder with pack.yaml (this module), facts/ and labels.yaml (schemas/pack_rules.py), mapping.yaml
(schemas/pack_mapping.py) and staging.yaml (schemas/rule_table.py). schemas/pack_loader.py loads them together.
"""

from typing import Literal

from pydantic import Field

from schemas.findings import Assertion, Behaviour, Certainty
from schemas.frozen import Frozen
from schemas.layout import LayoutRules

Policy = Literal["agreement", "classifier"]


class HistoryEntry(Frozen):
    """One version of the pack: what changed, and when."""

    version: str
    date: str
    change: str


class Routing(Frozen):
    """Which reports belong to the pack; first match wins: code, then keywords in the text, unless excluded.

    `loinc`: report codes that are enough by themselves together with one keyword hit where `keywords_required`.
    `sufficient`: one of these is enough. `keywords`, `sufficient`, `excluded`: regular expressions, matched
    case-insensitively against the report text.
    """

    loinc: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    sufficient: tuple[str, ...] = ()
    minimum_keywords: int = 1
    excluded: tuple[str, ...] = ()


class Task(Frozen):
    """One question that the pack answers for each primary.

    `classes` are the head's outputs in order; `missing` maps a written form to a status (TX: not_assessable);
    `anchors` are regular expressions by priority, around which the report is sliced. `primary_only`: asked of primaries
    alone; of what `words_of` names the rules keep what is stated, as words.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    definitions: dict[str, str] = Field(default_factory=dict)
    missing: dict[str, Literal["not_assessable", "pending", "not_performed"]] = Field(default_factory=dict)
    anchors: tuple[str, ...] = ()
    primary_only: bool = False
    words_of: tuple[Assertion, ...] = ()


class SectionRule(Frozen):
    """A kind of section: regular expressions of its headers, and its priority (higher wins).

    `shared`: text without a side belongs to every primary; false: to none (method boilerplate, disclaimers).
    `one_side`: a single side named anywhere in the section holds for all of it (a synoptic's "Laterality: Left").
    `absorbs`: keys of sections whose headers are mere lines inside this one (a synoptic's "Specimen:").
    `interrupts`: the next part letter after this section goes on with the section before it (a note on part B).
    `restates`: keys of sections that, where one stood before this section too, say this section's words when they come
    again after it (the synoptic of an addendum).
    `within`: keys of the only sections in which its headers count, the opening's included; empty: in any.
    """

    key: str
    headers: tuple[str, ...]
    priority: int
    shared: bool = True
    one_side: bool = False
    absorbs: tuple[str, ...] = ()
    interrupts: bool = False
    restates: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


class SpecimenKind(Frozen):
    """A kind of specimen, known by words in the part's first line; the first kind that matches wins.

    `excluded`: of another organ, so that nothing said of the part belongs to a primary, unless it names the organ.
    """

    key: str
    words: tuple[str, ...]
    excluded: bool = False


class SideWords(Frozen):
    """Regular expressions that name each side."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    bilateral: tuple[str, ...] = ()


class Segmentation(Frozen):
    """How the text falls into sections, specimens and primaries (organ + side).

    `opening_section`: the key and rank of text before any header; `sides`: words of a side in a part's first line;
    `side_phrases`: wordings that name the side of the organ anywhere in a sentence; `side_statements`: those that
    settle it for a whole section of one side ("Laterality: left"). `side_switches`: where the report is of two sides,
    wordings after which the text is of that side ("Right tumor:"); `both_sides`: wordings that assert cancer of both
    sides at once. `part_mentions`: a part's letter as the subject of a
    statement, with the group `part`. `organ_words` name the organ.
    """

    organ: str
    opening_section: str = "opening"
    opening_priority: int = 25
    sections: tuple[SectionRule, ...]
    sides: SideWords
    side_phrases: SideWords
    side_statements: SideWords
    side_switches: SideWords | None = None
    both_sides: str | None = None
    part_mentions: str | None = None
    specimen_headers: tuple[str, ...] = ()
    specimen_kinds: tuple[SpecimenKind, ...] = ()
    organ_words: tuple[str, ...] = ()


class AssertionRow(Frozen):
    """One verdict on a primary: given by any of `facts` (values of assertion facts), unless any of `unless` stands.

    `organ`: the report, or the specimen, must be of the pack's organ. `reported`: the verdict makes a primary.
    `unless_kinds`: kinds of specimen in whose text the facts do not count. `alone`: too weak to make a second
    primary beside one of the other side.
    """

    assertion: Assertion
    facts: tuple[str, ...]
    unless: tuple[str, ...] = ()
    unless_kinds: tuple[str, ...] = ()
    organ: bool = True
    certainty: Certainty = Certainty.DEFINITE
    behaviour: Behaviour | None = None
    reported: bool = True
    alone: bool = False


class SetAside(Frozen):
    """Facts of these kinds that say nothing of the specimen of this report: under a mark, or in a section.

    `assertions`: holds only for primaries of which one of these is asserted; none given, for all.
    """

    kinds: tuple[str, ...]
    marks: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    assertions: tuple[Assertion, ...] = ()


class PrimaryRules(Frozen):
    """How facts of the kinds assertion, histology, procedure, therapy_before and organ become primaries.

    `silent_sections` assert nothing (clinical history); `weak_sections` only where no other section asserts anything.
    `deciding_sections`: the first that asserts anything settles the verdict where it asserts nothing but `settled_by`
    (benign, no residual tumour); `yielding_sections` then assert nothing. `set_aside`: facts no label may rest on.
    `dismissed_by`, `provisional_by`: marks of facts. `rows`: the first whose facts are found decides.
    `behaviours`: each histology's behaviour; `unspecific`: histologies that yield to any other; `micro_extent`: the fact attribute value that means microinvasion.
    `procedures`: from the most to the least definitive.
    """

    silent_sections: tuple[str, ...] = ()
    weak_sections: tuple[str, ...] = ()
    deciding_sections: tuple[str, ...] = ()
    settled_by: tuple[str, ...] = ()
    yielding_sections: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    dismissed_by: tuple[str, ...] = ()
    provisional_by: tuple[str, ...] = ()
    own_organ: str
    other_organ: str
    rows: tuple[AssertionRow, ...]
    behaviours: dict[str, Behaviour] = Field(default_factory=dict)
    unspecific: tuple[str, ...] = ()
    micro_extent: str = "micro"
    procedures: tuple[str, ...] = ()


class Target(Frozen):
    """The accuracy asked of coded values, at this confidence (binomial bound)."""

    accuracy: float = Field(gt=0, le=1)
    confidence: float = Field(gt=0, le=1)


class PackDefinition(Frozen):
    """pack.yaml."""

    id: str
    title: str
    language: str
    version: str
    history: tuple[HistoryEntry, ...]
    routing: Routing
    tasks: tuple[Task, ...]
    layout: LayoutRules = LayoutRules()
    segmentation: Segmentation
    primaries: PrimaryRules
    stated_heads: bool = True
    granularity: Literal["per_report", "per_task"] = "per_report"
    policy: Policy = "agreement"
    slice_lines: int = Field(default=10, ge=0)
    slice_characters: int | None = Field(default=None, gt=0)
    target: Target

    def task(self, key: str) -> Task:
        """The task of that key; raises KeyError where the pack has none."""
        for task in self.tasks:
            if task.key == key:
                return task
        raise KeyError(key)
