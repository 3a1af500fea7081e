"""Reads a report in one call: lays it out, segments, reads facts, finds the primaries and labels each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from schemas.findings import Assertion, Certainty, Side
from schemas.pack_loader import Pack
from workers.reading.attribution import with_specimens
from workers.reading.derivation import with_derived
from workers.reading.document import Document, Span, merge_spans
from workers.reading.facts import Fact, read_facts
from workers.reading.foci import OTHER_FOCUS, Measure, by_focus, further_masses
from workers.reading.labelling import UNSIDED, LabellingEngine, TaskLabel, label_primary
from workers.reading.layout import LaidOut, lay_out
from workers.reading.primaries import PrimaryDecision, find_primaries, of_this_specimen
from workers.reading.segment import segment
from workers.reading.specimens import concerns_other_side, names_other_side

_SEVERITY = (Assertion.PRIMARY_INVASIVE, Assertion.RECURRENCE, Assertion.PRIMARY_IN_SITU, Assertion.NO_RESIDUAL)


@dataclass(frozen=True)
class PrimaryReading:
    """What the rules read about one primary; spans and facts refer to the text that was read.

    `foci` are readings of its further tumour masses, each from its own facts and with the labels of a focus; the key is
    the mass's name in the report.
    """

    key: str
    organ: str
    laterality: Side | None = None
    principal: bool = False
    assertion: Assertion = Assertion.UNCERTAIN
    certainty: Certainty = Certainty.DEFINITE
    assertion_spans: tuple[Span, ...] = ()
    histology: str | None = None
    histology_spans: tuple[Span, ...] = ()
    behaviour: Literal["invasive", "in_situ", "microinvasive", "benign", "uncertain"] | None = None
    procedure: str | None = None
    therapy_before: Literal["yes", "no", "unstated"] = "unstated"
    specimens: tuple[str, ...] = ()
    labels: Mapping[str, TaskLabel] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    text_spans: tuple[Span, ...] = ()
    foci: tuple["PrimaryReading", ...] = ()

    @property
    def properties(self) -> dict[str, str]:
        """What label rules may ask of the primary itself, beside its facts."""
        return {
            "assertion": self.assertion.value,
            "behaviour": self.behaviour or "",
            "procedure": self.procedure or "",
            "therapy_before": self.therapy_before,
        }


def read_report(text: str, pack: Pack, side: Side | None = None) -> tuple[PrimaryReading, ...]:
    """One reading for each primary of the report; empty where it names no cancer of the pack's organ.

    `side` is what the request says of the specimen; it holds where the text names no side.
    """
    laid = lay_out(text, pack.definition.layout)
    document = segment(laid.text, pack.definition.segmentation)
    facts = tuple(_of_part(fact, document, pack) for fact in read_facts(document, pack.facts))
    decisions = find_primaries(document, facts, pack.definition, side)
    if len(decisions) == 1:
        own = [_facts_of_sole(document, decisions[0], facts, pack)]
    else:
        own = [_facts_in(document, decision, facts, pack) for decision in decisions]
    readings = [
        _reading(decision, of_this_specimen(found, decision.assertion, pack.definition.primaries), document, pack)
        for decision, found in zip(decisions, own, strict=True)
    ]
    principal = max(readings, key=lambda reading: _extent(reading, pack), default=None)
    return tuple(_in_place(replace(reading, principal=reading is principal), laid) for reading in readings)


def _in_place(reading: PrimaryReading, laid: LaidOut) -> PrimaryReading:
    """The reading with the places of the text that came in."""
    if laid.before is None:
        return reading

    def placed(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(dict.fromkeys(laid.origin(start, end) for start, end in spans))

    def of_label(label: TaskLabel) -> TaskLabel:
        support = {value: placed(spans) for value, spans in label.support.items()}
        return replace(label, spans=placed(label.spans), support=support)

    def of_fact(fact: Fact) -> Fact:
        start, end = laid.origin(fact.start, fact.end)
        return replace(fact, start=start, end=end)

    return replace(
        reading,
        assertion_spans=placed(reading.assertion_spans),
        histology_spans=placed(reading.histology_spans),
        labels={task: of_label(label) for task, label in reading.labels.items()},
        facts=tuple(of_fact(fact) for fact in reading.facts),
        text_spans=merge_spans([span for start, end in reading.text_spans for span in laid.origins(start, end)]),
        foci=tuple(_in_place(focus, laid) for focus in reading.foci),
    )


def _facts_in(document: Document, decision: PrimaryDecision, facts: tuple[Fact, ...], pack: Pack) -> tuple[Fact, ...]:
    """The facts of one primary of several; those of a part without a side are marked; a sentence on both belongs to none."""
    side, segmentation = decision.block.side, pack.definition.segmentation
    return tuple(
        replace(fact, marks=fact.marks | {UNSIDED}) if _of_no_side(document, fact) else fact
        for fact in facts
        if decision.block.holds(fact.start, fact.end)
        and not concerns_other_side(document, fact.start, fact.end, side, segmentation)
    )


def _of_part(fact: Fact, document: Document, pack: Pack) -> Fact:
    """The fact with the letter of its specimen, where that is not the organ itself, whose text may tell of all parts."""
    passage = document.passage_at(fact.start)
    other = passage.part is not None and passage.kind not in (None, pack.definition.segmentation.organ)
    return replace(fact, part=passage.part or "") if other else fact


def _of_no_side(document: Document, fact: Fact) -> bool:
    passage = document.passage_at(fact.start)
    return passage.part is not None and passage.side is None


def _facts_of_sole(
    document: Document, decision: PrimaryDecision, facts: tuple[Fact, ...], pack: Pack
) -> tuple[Fact, ...]:
    """The facts of the only primary: its block's, and those of some kinds that merely follow text on the other side.

    A sentence that names the other side, the clinical history and another organ's specimen stay out.
    """
    segmentation = pack.definition.segmentation
    silent = pack.definition.primaries.silent_sections

    def follows(fact: Fact) -> bool:
        return (
            fact.kind in pack.labels.sole_primary_kinds
            and fact.section not in silent
            and not document.passage_at(fact.start).foreign
            and not names_other_side(document.text, fact.start, fact.end, decision.block.side, segmentation)
        )

    return tuple(fact for fact in facts if decision.block.holds(fact.start, fact.end) or follows(fact))


def _reading(decision: PrimaryDecision, own: tuple[Fact, ...], document: Document, pack: Pack) -> PrimaryReading:
    block = decision.block
    measure = _measure(pack)
    own = by_focus(own, document, pack.labels.kinds_of_largest, measure)
    reading = PrimaryReading(
        key=decision.key,
        organ=block.organ,
        laterality=decision.laterality,
        assertion=decision.assertion,
        certainty=decision.certainty,
        assertion_spans=decision.assertion_spans,
        histology=decision.histology,
        histology_spans=decision.histology_spans,
        behaviour=decision.behaviour,
        procedure=decision.procedure,
        therapy_before=decision.therapy_before,
        specimens=block.parts,
        facts=own,
        text_spans=merge_spans([*block.spans, *((fact.start, fact.end) for fact in own)]),
    )
    masses = further_masses(own, measure) if decision.assertion.is_primary else ()
    foci = tuple(_focus(reading, name, document, pack) for name in masses)
    return replace(reading, labels=_labels(reading, document, pack), foci=foci)


def _labels(reading: PrimaryReading, document: Document, pack: Pack) -> dict[str, TaskLabel]:
    """Every label of the reading's facts, held against the pack's tables, with the part where it was found."""
    labels = label_primary(reading.facts, pack.labels, pack.definition, reading.properties)
    return with_specimens(with_derived(labels, pack), reading.facts, document, reading.assertion, pack)


def _focus(primary: PrimaryReading, name: str, document: Document, pack: Pack) -> PrimaryReading:
    """The reading of one of the primary's further masses, from the facts of it alone."""
    facts = tuple(replace(fact, marks=fact.marks - {OTHER_FOCUS}) for fact in primary.facts if fact.focus == name)
    wanted = pack.definition.primaries.behaviours
    types = [fact for fact in facts if fact.kind == "histology" and wanted.get(fact.value) == primary.behaviour]
    told = len({fact.value for fact in types}) == 1
    focus = replace(
        primary,
        key=name,
        histology=types[0].value if told else None,
        histology_spans=tuple((fact.start, fact.end) for fact in types) if told else (),
        facts=facts,
        text_spans=merge_spans([(fact.start, fact.end) for fact in facts]),
    )
    sets = pack.labels.labels
    labels = {key: label for key, label in _labels(focus, document, pack).items() if sets[key].told_of_focus}
    return replace(focus, labels=labels)


def _measure(pack: Pack) -> Measure:
    """A function from the facts of a focus to what the pack compares foci by."""
    engine = LabellingEngine(pack.labels, pack.definition)

    def measure(facts: Sequence[Fact]) -> list[float | None]:
        values = {key: engine.label(key, facts, {}).value for key in pack.labels.largest_by}
        return [None if value is None else _rank(key, value, pack) for key, value in values.items()]

    return measure


def _extent(reading: PrimaryReading, pack: Pack) -> tuple[float, ...]:
    """Orders primaries by severity, then by the labels that the pack compares; the report's own order breaks ties."""
    severity = _SEVERITY.index(reading.assertion) if reading.assertion in _SEVERITY else len(_SEVERITY)
    values = {key: reading.labels[key].value for key in pack.labels.principal_by}
    return -severity, *(-1.0 if value is None else _rank(key, value, pack) for key, value in values.items())


def _rank(key: str, value: str, pack: Pack) -> float:
    """A label's value as a number: the place of a task's class, or the number that it is."""
    classes = next((task.classes for task in pack.definition.tasks if task.key == key), None)
    if classes is None:
        return float(value)
    return classes.index(value) if value in classes else -1
