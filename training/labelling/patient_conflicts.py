"""Values on which several reports of a patient contradict each other, found beside those within one report."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.pack import PackDefinition
from schemas.pack_loader import Pack
from training.labelling.conflicts import conflict_lines
from training.labelling.consolidation import ReportLabels, consolidate
from training.labelling.run import TextReading
from training.reports.texts import SourceReport


@dataclass(frozen=True)
class ReadReport:
    """What the queue needs of one report: the contradictions within it, and its labels without facts and text."""

    patient: str
    site: str
    lines: tuple[dict[str, Any], ...] = field(repr=False)
    labels: ReportLabels = field(repr=False)


def read_for_conflicts(reading: TextReading, pack: Pack, excerpts: bool = True) -> ReadReport:
    """One report as the queue needs it."""
    source = reading.source
    primaries = tuple(replace(primary, facts=(), text_spans=()) for primary in reading.primaries)
    labels = ReportLabels(source.report, source.date, source.kind, 0, primaries)
    return ReadReport(source.patient, source.hospital, tuple(conflict_lines(reading, pack, excerpts)), labels)


def with_several(reports: Iterable[SourceReport]) -> set[str]:
    """The patients of whom there is more than one report."""
    once: set[str] = set()
    several: set[str] = set()
    for report in reports:
        (several if report.patient in once else once).add(report.patient)
    return several


class PatientConflicts:
    """Gathers the reports of the patients who have several; of each only its labels are held."""

    def __init__(self, patients: Collection[str], pack: PackDefinition) -> None:
        self._patients = patients
        self._pack = pack
        self._held: dict[str, list[ReadReport]] = {}

    def add(self, report: ReadReport) -> None:
        """Keep the report where its patient has others."""
        if report.patient in self._patients:
            self._held.setdefault(report.patient, []).append(report)

    def lines(self, held_back: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """One line a conflict: its values, each with report, date and rule; `site` is one held back if any is."""
        for patient, reports in self._held.items():
            history = [replace(report.labels, order=order) for order, report in enumerate(reports)]
            sites = [report.site for report in reports]
            for conflict in consolidate(history, self._pack).conflicts:
                yield {
                    "patient": patient,
                    "report": None,
                    "site": next((site for site in sites if site in held_back), sites[0]) or None,
                    "primary": conflict.primary,
                    "task": conflict.task,
                    "rule": None,
                    "between_reports": True,
                    "values": [side.as_data() for side in conflict.sides],
                }
