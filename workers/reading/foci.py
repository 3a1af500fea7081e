"""Tells which tumour mass of a primary each fact describes, and sets aside what is said of the smaller ones.

A primary of several foci has one grade and one status of each receptor: those of its largest invasive focus. The text
behind a word that opens a focus ("Tumor 2:", "the larger tumor") speaks of that focus; text of a lettered specimen of
that specimen. The pack reads such words as facts of the kind `focus`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from workers.reading.document import Document
from workers.reading.facts import Fact

KIND = "focus"
# The mark of a fact of another focus than the largest.
OTHER_FOCUS = "other_focus"
# Values of focus facts that name no mass of their own: of the largest, of some smaller one, of all together.
_LARGEST, _SMALLER, _ALL = "largest", "smaller", "all"
# A second mass without a word on the first: what stood before it was the first.
_FIRST, _SECOND = "1", "2"
# So far the words behind one that opens a focus speak of it, in its section and beyond; so near two such words name the
# same focus.
_REACH, _REACH_BEYOND = 900, 400
_NEAR = 3

_RANKS = (_LARGEST, _SMALLER)
_PART = "part "

# What the facts of a focus measure, by each of some measures.
Measure = Callable[[Sequence[Fact]], Sequence[float | None]]


def by_focus(facts: Sequence[Fact], document: Document, kinds: Collection[str], measure: Measure) -> tuple[Fact, ...]:
    """The facts with their foci, and marked where they are of a smaller one.

    Foci are those of which facts of these kinds stand, or which can be measured; the first measure decides that
    tells one from all others.
    """
    openers = [fact for fact in facts if fact.kind == KIND]
    placed = [replace(fact, focus=_focus_at(fact, openers, document)) for fact in facts]
    named = {fact.focus for fact in placed if fact.focus}
    if not named:
        placed = [replace(fact, focus=_specimen_of(fact, document)) for fact in facts]
    elif _SECOND in named and _FIRST not in named:
        placed = _with_first(placed, openers, document)
    smaller = _smaller(placed, kinds, measure)
    return tuple(replace(fact, marks=fact.marks | {OTHER_FOCUS}) if fact.focus in smaller else fact for fact in placed)


def further_masses(facts: Sequence[Fact], measure: Measure) -> tuple[str, ...]:
    """The foci beside the largest that are surely masses of their own, in the order of the text; `facts` know their foci.

    They are measured, and all foci are named in one way: "tumor 2" may be "the smaller one", and what lies in two
    specimens one mass.
    """
    named = dict.fromkeys(fact.focus for fact in facts if fact.focus)
    if len({_way_of_naming(name) for name in named}) != 1 or any(name.startswith(_PART) for name in named):
        return ()
    others = dict.fromkeys(fact.focus for fact in facts if OTHER_FOCUS in fact.marks)
    if len(named) != len(others) + 1:
        return ()
    own = {name: [fact for fact in facts if fact.focus == name] for name in others}
    return tuple(name for name in others if any(size is not None for size in measure(own[name])))


def _way_of_naming(name: str) -> str:
    if name in _RANKS:
        return _LARGEST
    return name.partition(" ")[0] if " " in name else ("number" if name.isdigit() else "letter")


def _focus_at(fact: Fact, openers: Sequence[Fact], document: Document) -> str:
    """The focus that was opened last before the fact, or right behind it in brackets."""
    passage = document.passage_at(fact.start)
    behind = next((one for one in openers if 0 <= one.start - fact.end <= _NEAR), None)
    if behind and document.text[fact.end : behind.start].strip() == "(":
        return _named(behind, openers)
    before = [one for one in openers if one.start <= fact.start <= one.end + _REACH]
    if before:
        last = before[-1]
        opened = document.passage_at(last.start)
        near = opened.section == passage.section or fact.start <= last.end + _REACH_BEYOND
        if near and opened.part in (None, passage.part):
            return "" if last.value == _ALL else _named(last, openers)
    return ""


def _specimen_of(fact: Fact, document: Document) -> str:
    part = document.passage_at(fact.start).part
    return f"{_PART}{part}" if part else ""


def _named(opener: Fact, openers: Sequence[Fact]) -> str:
    """The name of a focus: of "the larger tumor (tumor 2)" the word on its rank."""
    beside = [
        other.value
        for other in openers
        if other is not opener and 0 <= max(other.start - opener.end, opener.start - other.end) <= _NEAR
    ]
    return next((value for value in beside if value in (_LARGEST, _SMALLER)), opener.value)


def _with_first(placed: Sequence[Fact], openers: Sequence[Fact], document: Document) -> list[Fact]:
    """The facts, with those before "a second focus", in its section, of the first."""
    second = next(opener for opener in openers if opener.value == _SECOND)
    passage = document.passage_at(second.start)

    def is_first(fact: Fact) -> bool:
        own = document.passage_at(fact.start)
        return (
            not fact.focus and fact.start < second.start and (own.section, own.part) == (passage.section, passage.part)
        )

    return [replace(fact, focus=_FIRST) if is_first(fact) else fact for fact in placed]


def _smaller(placed: Sequence[Fact], kinds: Collection[str], measure: Measure) -> set[str]:
    """The foci that are known not to be the largest."""
    foci = {fact.focus for fact in placed if fact.focus}
    if _LARGEST in foci:
        return foci - {_LARGEST}
    told = {fact.focus for fact in placed if fact.kind in kinds}
    measured = {focus: measure([fact for fact in placed if fact.focus == focus]) for focus in foci - {_SMALLER}}
    for sizes in zip(*measured.values(), strict=True):
        found = sorted(
            ((size, focus) for size, focus in zip(sizes, measured, strict=True) if size is not None), reverse=True
        )
        if told <= {_SMALLER, "", *(focus for _, focus in found)} and len(found) > 1 and found[0][0] > found[1][0]:
            return foci - {found[0][1]}
    return foci & {_SMALLER}
