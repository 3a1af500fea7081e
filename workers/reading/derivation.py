"""Holds labels against decision tables of the pack: what follows from stated numbers, and what contradicts them.

The table of HER2 takes the score, the ratio and the copies, which are labels of their own: a report that gives them without
a status has one derived from them, with each of them as evidence.
"""

from collections.abc import Mapping
from dataclasses import replace

from schemas.findings import Basis, Status
from schemas.pack_loader import Pack
from schemas.pack_rules import Derivation
from schemas.rule_table import RuleTable
from workers.reading.labelling import TaskLabel

_OPEN = (Status.NOT_STATED, Status.PENDING)


def with_derived(labels: Mapping[str, TaskLabel], pack: Pack) -> dict[str, TaskLabel]:
    """The labels, each that has a table held against it."""
    rules = {key: label_set.derived for key, label_set in pack.labels.labels.items()}
    return {
        key: _held_against(label, rule, pack.derivations[rule.table], labels) if (rule := rules[key]) else label
        for key, label in labels.items()
    }


def _held_against(label: TaskLabel, rule: Derivation, table: RuleTable, labels: Mapping[str, TaskLabel]) -> TaskLabel:
    """The label as the table leaves it: kept, replaced by what follows from the inputs, or in review against them."""
    known = {name: labels[key] for name, key in table.findings.items() if labels[key].status is Status.CODED}
    samples = {one.attributes.get("sample") for one in known.values()}
    if labels[rule.needs].status is not Status.CODED or len(samples) > 1:
        return label
    decision = table.decide({name: (one.value or "",) for name, one in known.items()}).decision
    spans = tuple(dict.fromkeys((*label.spans, *(span for one in known.values() for span in one.spans[:1]))))
    if decision.result is None:
        reconcilable = label.status is not Status.CODED or len(known) < len(table.findings)
        return label if reconcilable else replace(label, status=Status.REVIEW, reason=decision.reason, spans=spans)
    yields = label.status is Status.CODED and (label.basis is Basis.DERIVED or label.value in rule.supersedes)
    if label.value == decision.result or not (label.status in _OPEN or label.status is Status.CODED):
        return label
    if label.status is Status.CODED and not yields:
        return replace(label, status=Status.REVIEW, conflicts=(decision.result,), spans=spans)
    row = table.table.rows[decision.rows[0]]
    return replace(
        label,
        value=decision.result,
        detail=decision.result,
        status=Status.REVIEW if row.provisional else Status.CODED,
        reason=row.note if row.provisional else None,
        basis=Basis.DERIVED,
        attributes={**labels[rule.needs].attributes},
        spans=spans,
        support={decision.result: spans},
        rule=f"{label.task}_by_table",
    )
