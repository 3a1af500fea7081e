"""Tells the classifier the facts of one primary, raw and unreconciled, as wording and as tokens of a closed set."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from model.prompt import Hint
from schemas.pack_loader import Pack
from schemas.pack_rules import HintRule
from workers.reading.conversion import number
from workers.reading.facts import Fact
from workers.reading.report_reading import PrimaryReading

NONE = "none"
_PLACES = ("first", "last", "top")


def hint_vocabulary(pack: Pack) -> tuple[str, ...]:
    """Every token that `render_hints` can give for this pack, in a fixed order."""
    return tuple(
        token
        for rule in pack.labels.hints
        for token in (
            *(f"{rule.key}={value}" for value in (NONE, *rule.told)),
            *(f"{rule.key}.{place}={value}" for place in _PLACES for value in rule.told if not _single(rule)),
        )
    )


def render_hints(reading: PrimaryReading, pack: Pack) -> tuple[Hint, ...]:
    """The primary's facts in the order of the pack's hints; the same facts give the same hints."""
    priorities = section_priorities(pack)
    return tuple(hint for rule in pack.labels.hints for hint in _hints(rule, reading.facts, priorities))


def section_priorities(pack: Pack) -> dict[str, int]:
    """The rank of each kind of section; the highest is believed first."""
    segmentation = pack.definition.segmentation
    ranks = {section.key: section.priority for section in segmentation.sections}
    return {segmentation.opening_section: segmentation.opening_priority, **ranks}


def _hints(rule: HintRule, facts: Sequence[Fact], priorities: Mapping[str, int]) -> list[Hint]:
    told = [(value, fact) for fact in _taking_part(rule, facts) if (value := _told(rule, fact)) is not None]
    if rule.highest:
        told = _highest(rule, told)
    if rule.summed:
        told = _summed(rule, [fact for _, fact in told], priorities)
    if not told:
        return [Hint(rule.key, NONE, f"{rule.key}={NONE}")]
    ranked = sorted(told, key=lambda pair: (-priorities.get(pair[1].section, 0), -pair[1].score, pair[1].start))
    distinct = dict(reversed(ranked))
    best = list(dict.fromkeys(value for value, _ in ranked))[: rule.limit]
    hints = [Hint(rule.key, _wording(distinct[value]), f"{rule.key}={value}") for value in best]
    if len(distinct) > 1 and not _single(rule):
        places = {"first": told[0], "last": told[-1], "top": ranked[0]}
        hints += [
            Hint(f"{rule.key} ({place})", _wording(fact), f"{rule.key}.{place}={value}")
            for place, (value, fact) in places.items()
        ]
    return hints


def _taking_part(rule: HintRule, facts: Sequence[Fact]) -> list[Fact]:
    """The rule's facts, those with a lesser mark only where there is no other."""
    kinds = (rule.kind, *rule.further_kinds)
    found = [
        fact
        for fact in facts
        if fact.kind in kinds
        and all(fact.attributes.get(name, "") in rule.where[name] for name in rule.where)
        and (rule.minimum_score is None or fact.score >= rule.minimum_score)
        and fact.section not in rule.unless_sections
    ]
    return [fact for fact in found if not any(mark in fact.marks for mark in rule.lesser_marks)] or found


def _told(rule: HintRule, fact: Fact) -> str | None:
    """The value as it is told, or None where none is told of it."""
    value = fact.value
    if rule.bands:
        band = _band(rule, number(fact.attributes.get(rule.number, "") if rule.number else fact.value))
        if band is None:
            return None
        value = band
    if rule.score_bands and not rule.highest:
        value = f"{value}:{_fit(rule, fact)}"
    return value if value in rule.told else None


def _fit(rule: HintRule, fact: Fact) -> int:
    """How well the surroundings fit, as the number of score bands reached."""
    return sum(fact.score >= least for least in rule.score_bands)


def _highest(rule: HintRule, told: Sequence[tuple[str, Fact]]) -> list[tuple[str, Fact]]:
    """The largest of those that fit best."""
    best = max((_fit(rule, fact) for _, fact in told), default=0)
    fitting = [pair for pair in told if _fit(rule, pair[1]) == best]
    return [max(fitting, key=lambda pair: number(pair[1].value) or Decimal(0))] if fitting else []


def _summed(rule: HintRule, facts: Sequence[Fact], priorities: Mapping[str, int]) -> list[tuple[str, Fact]]:
    if not facts:
        return []
    top = max(priorities.get(fact.section, 0) for fact in facts)
    kept = [fact for fact in facts if priorities.get(fact.section, 0) == top]
    total = sum((number(fact.attributes.get(rule.number or "", "")) or Decimal(0) for fact in kept), Decimal(0))
    band = _band(rule, total)
    return [(band, kept[0])] if band is not None else []


def _band(rule: HintRule, measured: Decimal | None) -> str | None:
    if measured is None:
        return None
    return next((band.value for band in rule.bands if band.at_most is None or measured <= band.at_most), None)


def _single(rule: HintRule) -> bool:
    return rule.limit == 1 or len(rule.told) == 1


def _wording(fact: Fact) -> str:
    return f"{fact.quote} ({fact.section})" if fact.section else fact.quote
