"""Facts to labels: one label for each task and further finding of a primary, by the ordered rules of a pack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from schemas.findings import Basis, Status
from schemas.pack import PackDefinition
from schemas.pack_rules import Band, LabelRule, LabelRules, LabelSet
from workers.reading.conversion import number
from workers.reading.counting import counted_once
from workers.reading.facts import Fact
from workers.reading.foci import OTHER_FOCUS

# The mark of a fact of a specimen without a side, in a report of two.
UNSIDED = "unsided"
UNSIDED_REASON = "it may be of the other side"
IMPOSSIBLE = "its numbers are impossible"
_EVIDENCE_LIMIT = 5


@dataclass(frozen=True)
class TaskLabel:
    """What the rules make of one task: a value or the reason for its absence, with evidence.

    A label in review keeps its value as the best guess; `conflicts` are the values that contradict it, whose evidence
    is among `spans`, or `reason` says what else is doubtful. `support` leads from every value that some rule would give to
    the spans of the facts behind it.
    """

    task: str
    value: str | None
    status: Status
    detail: str | None = None
    basis: Basis | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    spans: tuple[tuple[int, int], ...] = ()
    rule: str | None = None
    conflicts: tuple[str, ...] = ()
    support: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class _Answer:
    """One value with the facts it rests on; the first fact supplies detail and attributes."""

    value: str
    facts: tuple[Fact, ...]
    measured: Decimal | None = None


def label_primary(
    facts: Sequence[Fact], rules: LabelRules, definition: PackDefinition, properties: Mapping[str, str]
) -> dict[str, TaskLabel]:
    """A label for each key of the rules; `properties` are the primary's assertion, procedure and therapy_before."""
    engine = LabellingEngine(rules, definition)
    sure = [fact for fact in facts if UNSIDED not in fact.marks]
    labels = {task: engine.label(task, sure, properties) for task in rules.labels}
    if len(sure) < len(facts):
        labels |= {task: engine.doubted(label, facts, properties) for task, label in labels.items()}
    labels = {task: _with_stated_beside(label, rules.labels[task].beside, facts) for task, label in labels.items()}
    return {task: _bounded(label, rules.labels[task].bounded, labels) for task, label in labels.items()}


def _with_stated_beside(label: TaskLabel, kinds: tuple[str, ...], facts: Sequence[Fact]) -> TaskLabel:
    """The label with what the primary's facts of these kinds agree on as attributes."""
    if label.status is Status.NOT_STATED:
        return label
    stated = {kind: {fact.value for fact in facts if fact.kind == kind} for kind in kinds}
    agreed = {kind: min(values) for kind, values in stated.items() if len(values) == 1}
    return replace(label, attributes={**label.attributes, **agreed})


def _bounded(label: TaskLabel, bounded: tuple[str, str] | None, labels: Mapping[str, TaskLabel]) -> TaskLabel:
    """The label, in review where it was derived from more of a number than there can be."""
    if bounded is None or label.status is not Status.CODED:
        return label
    if label.basis is not Basis.DERIVED and label.task not in bounded:
        return label
    part, whole = (number(labels[key].value or "") for key in bounded)
    if part is None or whole is None or part <= whole:
        return label
    return replace(label, status=Status.REVIEW, reason=IMPOSSIBLE)


class LabellingEngine:
    """The label rules of a pack, with the priorities of its sections."""

    def __init__(self, rules: LabelRules, definition: PackDefinition) -> None:
        self._rules = rules
        segmentation = definition.segmentation
        self._priorities = {section.key: section.priority for section in segmentation.sections}
        self._priorities[segmentation.opening_section] = segmentation.opening_priority
        self._missing: dict[str, dict[str, Status]] = {
            key: {value: Status(status) for value, status in label_set.missing.items()}
            for key, label_set in rules.labels.items()
        }
        for task in definition.tasks:
            stated = {value: Status(status) for value, status in task.missing.items()}
            self._missing.setdefault(task.key, {}).update(stated)

    def label(self, task: str, facts: Sequence[Fact], properties: Mapping[str, str]) -> TaskLabel:
        """What the facts of this sample's largest focus say; where they give no value, what those of others say."""
        label_set = self._rules.labels[task]
        largest = [fact for fact in facts if OTHER_FOCUS not in fact.marks] if label_set.of_largest else facts
        for pool in (_of_this_sample(label_set, largest), largest, _of_this_sample(label_set, facts)):
            label = self._label(task, pool, properties)
            if label.value is not None or (pool is largest and label.status is not Status.NOT_STATED):
                return label
        return self._label(task, facts, properties)

    def doubted(self, sure: TaskLabel, facts: Sequence[Fact], properties: Mapping[str, str]) -> TaskLabel:
        """A label not stated by its own side's text, in review where text of neither side gives it too."""
        if sure.status is not Status.NOT_STATED and sure.basis is not Basis.DERIVED:
            return sure
        unsided = [fact for fact in facts if UNSIDED in fact.marks]
        if self.label(sure.task, unsided, properties).value is None:
            return sure
        return replace(self.label(sure.task, facts, properties), status=Status.REVIEW, reason=UNSIDED_REASON)

    def _label(self, task: str, facts: Sequence[Fact], properties: Mapping[str, str]) -> TaskLabel:
        """The first rule that finds facts answers; facts of equal standing that give another value contradict it."""
        candidates = {
            rule.name: (rule, [fact for fact in facts if _takes_part(rule, fact)])
            for rule in self._rules.labels[task].rules
            if self._applies(rule, facts, properties)
        }
        support: dict[str, list[tuple[int, int]]] = {}
        for rule, taking_part in candidates.values():
            for fact in () if rule.contradicts else taking_part:
                if (value := _value(rule, _measure(rule, fact), fact)) is not None:
                    support.setdefault(value, []).append((fact.start, fact.end))
        for rule, taking_part in candidates.values():
            if not rule.contradicts and (answer := self._answer(rule, taking_part)) is not None:
                against = self._contradicting(rule, answer, candidates)
                if self._rules.labels[task].of_largest:
                    against |= self._of_another_focus(task, rule, answer, candidates)
                return self._task_label(task, rule, answer, against, support)
        return TaskLabel(task, None, Status.NOT_STATED)

    def _applies(self, rule: LabelRule, facts: Sequence[Fact], properties: Mapping[str, str]) -> bool:
        return (
            all(properties.get(name) in allowed for name, allowed in rule.when.items())
            and not any(properties.get(name) in refused for name, refused in rule.unless.items())
            and not (rule.unless_kinds and any(fact.kind in rule.unless_kinds for fact in facts))
        )

    def _answer(self, rule: LabelRule, facts: list[Fact]) -> _Answer | None:
        if not facts:
            return None
        kept = self._kept(rule, facts)
        if rule.choose == "sum":
            return _sum(rule, kept)
        chosen = _choose(rule, kept)
        value = _value(rule, _measure(rule, chosen), chosen)
        if value is None:
            return None
        same = [fact for fact in facts if fact is not chosen and fact.value == chosen.value]
        return _Answer(value, (chosen, *sorted(same, key=self._priority, reverse=True)))

    def _kept(self, rule: LabelRule, facts: list[Fact]) -> list[Fact]:
        """The facts that stand highest."""
        kept = _latest(rule, facts)
        if not rule.any_section:
            best = max(self._priority(fact) for fact in kept)
            kept = [fact for fact in kept if self._priority(fact) == best]
        if rule.best_score:
            highest = max(fact.score for fact in kept)
            kept = [fact for fact in kept if fact.score == highest]
        return kept

    def _contradicting(
        self, rule: LabelRule, answer: _Answer, candidates: Mapping[str, tuple[LabelRule, list[Fact]]]
    ) -> dict[str, list[Fact]]:
        """The values that contradict the answer, with the facts that give them."""
        standing = self._priority(answer.facts[0])
        against: dict[str, list[Fact]] = {}
        for value, fact in _valued(rule, self._kept(rule, candidates[rule.name][1])) if rule.unanimous else ():
            against.setdefault(value, []).append(fact)
        for name in rule.checked_by:
            check, facts = candidates.get(name, (rule, []))
            if check.contradicts and answer.value not in check.contradicts:
                continue
            equals = _latest(check, [fact for fact in facts if self._priority(fact) >= standing])
            said = _said(check, equals)
            for value, fact in said if all(value != answer.value for value, _ in said) else ():
                against.setdefault(value, []).append(fact)
        settled = {answer.value, *rule.supersedes}
        return {value: facts for value, facts in against.items() if value not in settled}

    def _of_another_focus(
        self, task: str, rule: LabelRule, answer: _Answer, candidates: Mapping[str, tuple[LabelRule, list[Fact]]]
    ) -> dict[str, list[Fact]]:
        """The values of other foci than the answer's, where it is not known which focus is the largest."""
        focus = answer.facts[0].focus
        against: dict[str, list[Fact]] = {}
        for name in (rule.name, *rule.checked_by) if focus else ():
            check, facts = candidates.get(name, (rule, []))
            for value, fact in _valued(check, [fact for fact in facts if fact.focus not in ("", focus)]):
                if value != answer.value and value not in self._missing.get(task, {}):
                    against.setdefault(value, []).append(fact)
        return against

    def _priority(self, fact: Fact) -> int:
        return self._priorities.get(fact.section, 0)

    def _task_label(
        self,
        task: str,
        rule: LabelRule,
        answer: _Answer,
        against: Mapping[str, list[Fact]],
        support: Mapping[str, list[tuple[int, int]]],
    ) -> TaskLabel:
        leading = answer.facts[0]
        known = {**leading.attributes, "value": answer.value, "fact": leading.value}
        status = self._missing.get(task, {}).get(answer.value, Status.CODED)
        if against and status is Status.CODED:
            status = Status.REVIEW
        evidence = (*answer.facts[:_EVIDENCE_LIMIT], *(facts[0] for facts in against.values()))
        details = _Attributes(known)
        attributes = {name: template.format_map(details) for name, template in rule.attributes.items()}
        return TaskLabel(
            task=task,
            value=answer.value if status in (Status.CODED, Status.REVIEW) else None,
            status=status,
            detail=_band(rule.detail_bands, _measured(rule, answer)) or rule.detail.format_map(details) or answer.value,
            basis=Basis(rule.basis),
            attributes={
                **leading.attributes,
                **{name: value for name, value in attributes.items() if value},
                **_origin(self._rules.labels[task], leading),
            },
            spans=tuple(dict.fromkeys((fact.start, fact.end) for fact in evidence)),
            rule=rule.name,
            conflicts=tuple(sorted(against)),
            support={value: tuple(dict.fromkeys(spans))[:_EVIDENCE_LIMIT] for value, spans in support.items()},
        )


class _Attributes(dict[str, str]):
    """Template variables: an attribute that a fact lacks is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _takes_part(rule: LabelRule, fact: Fact) -> bool:
    return (
        fact.kind == rule.kind
        and (not rule.values or fact.value in rule.values)
        and all(fact.attributes.get(name, "") in allowed for name, allowed in rule.where.items())
        and (not rule.marks or any(mark in fact.marks for mark in rule.marks))
        and not any(mark in fact.marks for mark in rule.unless_marks)
        and (not rule.sections or fact.section in rule.sections)
        and fact.section not in rule.unless_sections
        and (rule.minimum_score is None or fact.score >= rule.minimum_score)
    )


def _origin(label_set: LabelSet, fact: Fact) -> dict[str, str]:
    """Where a fact is not of this sample's largest focus: the name of its focus, the mark or section of its sample."""
    origin = {"focus": fact.focus} if OTHER_FOCUS in fact.marks else {}
    sample = [mark for mark in label_set.lesser_marks if mark in fact.marks]
    sample += [fact.section] if fact.section in label_set.lesser_sections else []
    return origin | ({"sample": sample[0]} if sample else {})


def _of_this_sample(label_set: LabelSet, facts: Sequence[Fact]) -> list[Fact]:
    lesser = set(label_set.lesser_marks)
    return [fact for fact in facts if not fact.marks & lesser and fact.section not in label_set.lesser_sections]


def _latest(rule: LabelRule, facts: list[Fact]) -> list[Fact]:
    """The facts of a repeated test where there are any, else all."""
    return [fact for fact in facts if any(mark in fact.marks for mark in rule.later_marks)] or facts


def _valued(rule: LabelRule, facts: list[Fact]) -> list[tuple[str, Fact]]:
    return [(value, fact) for fact in facts if (value := _value(rule, _measure(rule, fact), fact)) is not None]


def _said(rule: LabelRule, facts: list[Fact]) -> list[tuple[str, Fact]]:
    """Each value that a rule, as a check, gives: that of the sum where it adds up."""
    if rule.choose != "sum":
        return _valued(rule, facts)
    answer = _sum(rule, facts)
    return [(answer.value, answer.facts[0])] if answer else []


def _measured(rule: LabelRule, answer: _Answer) -> Decimal | None:
    return _measure(rule, answer.facts[0]) if answer.measured is None else answer.measured


def _band(bands: Sequence[Band], measured: Decimal | None) -> str | None:
    if measured is None:
        return None
    return next((band.value for band in bands if band.at_most is None or measured <= band.at_most), None)


def _measure(rule: LabelRule, fact: Fact) -> Decimal | None:
    if any(mark in fact.marks for mark in rule.zero_marks):
        return Decimal(0)
    return number(fact.attributes.get(rule.number, "") if rule.number else fact.value)


def _value(rule: LabelRule, measured: Decimal | None, fact: Fact) -> str | None:
    if rule.bands:
        return _band(rule.bands, measured)
    if rule.number:
        return None if measured is None else format(measured.normalize(), "f")
    return rule.becomes.get(fact.value, fact.value)


def _choose(rule: LabelRule, facts: list[Fact]) -> Fact:
    if rule.choose == "last":
        return facts[-1]
    if rule.choose == "highest":
        return max(facts, key=lambda fact: _rank(rule, fact))
    return facts[0]


def _rank(rule: LabelRule, fact: Fact) -> Decimal:
    if rule.order:
        return Decimal(rule.order.index(fact.value)) if fact.value in rule.order else Decimal(-1)
    measured = _measure(rule, fact)
    return Decimal(-1) if measured is None else measured


def _sum(rule: LabelRule, facts: list[Fact]) -> _Answer | None:
    facts = counted_once(rule, facts, lambda fact: _measure(rule, fact))
    measures = [measured for fact in facts if (measured := _measure(rule, fact)) is not None]
    if not measures:
        return None
    total = sum(measures, Decimal(0))
    value = _value(rule, total, facts[0])
    if value is None:
        return None
    leading = sorted(facts, key=lambda fact: _measure(rule, fact) or 0, reverse=True)
    return _Answer(value, tuple(leading), total)
