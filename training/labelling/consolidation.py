"""Makes one picture of a patient from several reports: what stands, from which report it comes, what contradicts it.

Reports are taken in order of date and version. A later version of a report replaces it, an addendum adds to it; reports
that say nothing of a tumour are put aside. Within a primary (organ and side) a later result stands before an earlier
one, and one that says something before one that says nothing (pending). A value that is stated stands before a derived
one where the task describes the specimen (T, N, grade): what a re-excision measures is no new size of the tumour.
Reports of equal standing that differ are left to a person. One report passes through as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.findings import Basis, Status
from schemas.pack import PackDefinition
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading

ADDENDUM = "addendum"
"""The kind of a report that adds to the version before it instead of replacing it."""
INFORMATIVE = (Status.CODED, Status.REVIEW)

Pruning = Literal["replaced", "no_primary", "another_tumour", "no_side", "nothing_said"]
"""A later version came; no cancer of the organ; a recurrence or metastasis; two tumours and no side; no task's value."""
Reason = Literal["only", "repeated", "later", "fills", "stated"]
"""Said once; said alike by all; the latest result; in place of a report that gave no value; stated, the other derived.
"""


@dataclass(frozen=True)
class ReportLabels:
    """What the rules read in one report; `report` is its id, `date` ISO or empty, `order` its place among all."""

    report: str
    date: str
    kind: str
    order: int
    primaries: tuple[PrimaryReading, ...] = field(repr=False)


@dataclass(frozen=True)
class PatientLabel:
    """One value of a patient's primary: where it comes from, by which rule of labels and for which reason."""

    value: str | None
    status: Status
    basis: Basis | None
    rule: str | None
    report: str
    date: str
    order: int
    reason: Reason

    def as_data(self) -> dict[str, Any]:
        """The label as plain data."""
        basis = self.basis.value if self.basis else None
        return {**vars(self), "status": self.status.value, "basis": basis}


@dataclass(frozen=True)
class PatientConflict:
    """Reports of equal standing that give a primary's task different values."""

    primary: str
    task: str
    sides: tuple[PatientLabel, ...]


@dataclass(frozen=True)
class Patient:
    """All that is known of a patient: labels by primary and task, reports put aside and why, and open conflicts."""

    primaries: Mapping[str, Mapping[str, PatientLabel]]
    pruned: Mapping[int, Pruning]
    conflicts: tuple[PatientConflict, ...]
    tumours: Mapping[tuple[int, str], str]
    """The key of the patient's tumour for a report (its order) and the key of a primary in it."""

    def labels_of(self, order: int, primary: str) -> Mapping[str, PatientLabel]:
        """The patient's labels of the tumour of which a report's primary speaks."""
        return self.primaries.get(self.tumours.get((order, primary), ""), {})

    def open_tasks(self, order: int, primary: str) -> set[str]:
        """The tasks on which the patient's reports contradict each other, for a report's primary."""
        key = self.tumours.get((order, primary))
        return {conflict.task for conflict in self.conflicts if conflict.primary == key}

    def as_data(self, reports: Sequence[ReportLabels]) -> dict[str, Any]:
        """The patient as plain data; reports by their ids."""
        names = {report.order: report.report for report in reports}
        return {
            "primaries": {
                key: {task: label.as_data() for task, label in labels.items()} for key, labels in self.primaries.items()
            },
            "pruned": [{"report": names[order], "why": why} for order, why in self.pruned.items()],
            "conflicts": [
                {"primary": one.primary, "task": one.task, "values": [side.as_data() for side in one.sides]}
                for one in self.conflicts
            ],
        }


@dataclass(frozen=True)
class _Statement:
    """One report's label of one task."""

    report: ReportLabels
    label: TaskLabel

    @property
    def informs(self) -> bool:
        """True where the report gives a value."""
        return self.label.status in INFORMATIVE

    def as_label(self, reason: Reason) -> PatientLabel:
        """The statement as the patient's."""
        label, report = self.label, self.report
        return PatientLabel(
            label.value, label.status, label.basis, label.rule, report.report, report.date, report.order, reason
        )


def consolidate(reports: Sequence[ReportLabels], pack: PackDefinition) -> Patient:
    """One patient's reports as one picture."""
    ordered = sorted(reports, key=lambda report: (report.date, report.order))
    pruned: dict[int, Pruning] = {}
    kept: list[tuple[ReportLabels, PrimaryReading, str]] = []
    current = _current_versions(ordered)
    keys = {primary.key for report in current for primary in report.primaries}
    for report in ordered:
        if report not in current:
            pruned[report.order] = "replaced"
            continue
        found, why = _tumours(report, keys, pack)
        if why and len(reports) > 1:
            pruned[report.order] = why
        alone = [(primary, primary.key) for primary in report.primaries] if len(reports) == 1 else []
        kept += [(report, primary, key) for primary, key in alone or found]
    primaries: dict[str, dict[str, PatientLabel]] = {}
    conflicts: list[PatientConflict] = []
    for key in dict.fromkeys(key for *_, key in kept):
        for task in pack.tasks:
            said = [_Statement(report, primary.labels[task.key]) for report, primary, own in kept if own == key]
            said = [one for one in said if one.label.status is not Status.NOT_STATED]
            standing = _standing(said, task.primary_only)
            if len({one.value for one in standing}) > 1:
                conflicts.append(PatientConflict(key, task.key, tuple(standing)))
            elif standing:
                primaries.setdefault(key, {})[task.key] = standing[-1]
    tumours = {(report.order, primary.key): key for report, primary, key in kept}
    return Patient(primaries, pruned, tuple(conflicts), tumours)


def _current_versions(ordered: Sequence[ReportLabels]) -> list[ReportLabels]:
    """The reports less those of which a later version came that is no addendum; a report without an id has one."""
    current: list[ReportLabels] = []
    for report in ordered:
        if report.report and report.kind != ADDENDUM:
            current = [earlier for earlier in current if earlier.report != report.report]
        current.append(report)
    return current


def _tumours(
    report: ReportLabels, keys: set[str], pack: PackDefinition
) -> tuple[list[tuple[PrimaryReading, str]], Pruning | None]:
    """The primaries of a report with the key of the patient's tumour each speaks of; or why there is none."""
    if not report.primaries:
        return [], "no_primary"
    primaries = [primary for primary in report.primaries if primary.assertion.is_primary]
    if not primaries:
        return [], "another_tumour"
    speaking = [
        primary
        for primary in primaries
        if any(primary.labels[task.key].status is not Status.NOT_STATED for task in pack.tasks)
    ]
    if not speaking:
        return [], "nothing_said"
    found = []
    for primary in speaking:
        sided = sorted(key for key in keys if key.startswith(f"{primary.organ}-"))
        if primary.laterality is None and len(sided) > 1:
            continue
        found.append((primary, sided[0] if primary.laterality is None and sided else primary.key))
    return found, None if found else "no_side"


def _standing(said: Sequence[_Statement], primary_only: bool) -> list[PatientLabel]:
    """The statements that stand before all others, each with the reason; several of them may differ."""
    informing = [one for one in said if one.informs]
    pool = informing or list(said)
    if not pool:
        return []
    reason: Reason = "fills" if len(pool) < len(said) else "repeated" if len(said) > 1 else "only"
    if primary_only:
        stated = [one for one in pool if one.label.basis is Basis.STATED]
        if stated and len({one.label.value for one in pool}) > 1 and len(stated) < len(pool):
            pool, reason = stated, "stated"
    differ = len({one.label.value for one in pool}) > 1
    derived = primary_only and all(one.label.basis is Basis.DERIVED for one in pool)
    if differ and not derived and all(one.report.date for one in pool):
        last = max(one.report.date for one in pool)
        later = [one for one in pool if one.report.date == last]
        if len(later) < len(pool):
            pool, reason = later, "later"
    return [one.as_label(reason) for one in pool]
