"""Runs the labelling rules over report texts, in parallel and in order: what each primary's labels rest on.

Texts are read as extraction reads them: without identifiers. Offsets are those of the text as it came.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from schemas.findings import Status
from schemas.pack import PackDefinition
from schemas.pack_loader import Pack, load_pack
from training.reports.texts import SourceReport
from workers.privacy.deidentify import CleanText, deidentify
from workers.reading.document import Span
from workers.reading.hints import section_priorities
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading, read_report

BATCH = 16
_AHEAD = 3
"""Batches that wait for each process: enough to keep it busy, few enough to hold in memory."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class TextReading:
    """A report, its text without identifiers, and every primary that the rules read in it."""

    source: SourceReport
    clean: CleanText = field(repr=False)
    primaries: tuple[PrimaryReading, ...] = field(repr=False)


def read_source(source: SourceReport, pack: Pack) -> TextReading:
    """De-identify and read one report."""
    clean = deidentify(source.text, ())
    return TextReading(source, clean, read_report(clean.text, pack))


def in_parallel(
    reports: Iterable[SourceReport], look: Callable[[TextReading, Pack], Result], pack: str, processes: int
) -> Iterator[Result]:
    """What `look` makes of every report, in order; no more than a few batches a process are held at a time.

    `look` must be a function of a module, or a partial of one, where there is more than one process.
    """
    if processes == 1:
        for report in reports:
            yield from _looked_at(look, pack, [report])
        return
    remaining = iter(reports)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        while batch := list(islice(remaining, BATCH)):
            waiting.append(pool.submit(_looked_at, look, pack, batch))
            if len(waiting) >= processes * _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _looked_at(look: Callable[[TextReading, Pack], Result], pack: str, reports: list[SourceReport]) -> list[Result]:
    """Each process loads the pack once, since its rules compile once for each time that they are loaded."""
    loaded = load_pack(pack)
    return [look(read_source(report, loaded), loaded) for report in reports]


def label_lines(reading: TextReading, pack: Pack, quotes: bool = False) -> list[dict[str, Any]]:
    """One line a primary, or one line without a primary for a report that names no cancer of the pack's organ.

    The line holds text of the report only with `quotes`.
    """
    source = reading.source
    head = {"patient": source.patient, "report": source.report or None, "site": source.hospital or None}
    if not reading.primaries:
        return [{**head, "primary": None, "principal": False, "assertion": None, "labels": {}}]
    return [
        {
            **head,
            "primary": primary.key,
            "principal": primary.principal,
            "assertion": primary.assertion.value,
            "labels": {
                task: _described(label, reading, primary, pack, quotes)
                for task, label in primary.labels.items()
                if label.status is not Status.NOT_STATED or is_task(task, pack.definition)
            },
        }
        for primary in reading.primaries
    ]


def is_task(key: str, definition: PackDefinition) -> bool:
    """True for what the classifier is asked, false for a further finding."""
    return any(task.key == key for task in definition.tasks)


def _described(
    label: TaskLabel, reading: TextReading, primary: PrimaryReading, pack: Pack, quotes: bool
) -> dict[str, Any]:
    """One label: value, how it came about, and where the text says so."""
    section = deciding_section(label, primary)
    described: dict[str, Any] = {
        "value": label.value,
        "status": label.status.value,
        "detail": label.detail,
        "basis": label.basis.value if label.basis else None,
        "rule": label.rule,
        "section": section,
        "priority": section_priorities(pack).get(section, 0) if section is not None else None,
        "spans": source_spans(label.spans, reading.clean),
        "conflicts": list(label.conflicts),
    }
    if quotes:
        described["quotes"] = [" ".join(reading.clean.text[start:end].split()) for start, end in label.spans]
    return described


def deciding_section(label: TaskLabel, primary: PrimaryReading) -> str | None:
    """The kind of section in which the leading evidence stands."""
    if not label.spans:
        return None
    return next((fact.section for fact in primary.facts if (fact.start, fact.end) == label.spans[0]), None)


def source_spans(spans: Iterable[Span], clean: CleanText) -> list[Span]:
    """Spans as offsets into the text as it came, less those that touch a removed identifier."""
    return [found for span in spans if (found := clean.to_source(*span)) is not None]


def table_row(line: Mapping[str, Any], definition: PackDefinition) -> list[str]:
    """A line of `label_lines` as patient, report, primary, and a cell for each task of the pack."""
    labels = line["labels"]
    cells = [_cell(labels[task.key]) if task.key in labels else "" for task in definition.tasks]
    return [line["patient"], line["report"] or "", line["primary"] or "no primary", *cells]


def _cell(label: Mapping[str, Any]) -> str:
    """A value; in review with what contradicts it; or the reason for its absence."""
    if label["status"] == Status.CODED:
        return str(label["value"])
    against = f": {' or '.join([label['value'], *label['conflicts']])}" if label["value"] else ""
    return "" if label["status"] == Status.NOT_STATED else f"{label['status']}{against}"
