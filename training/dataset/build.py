"""Builds a dataset on disk from report texts: labelled, consolidated by patient, divided, in shards.

Texts are read twice: once for who is in them, then patient by patient. In memory stay, of each report, its place, its
values and its signature (1.4 kilobytes); of the texts only the few that are being read.
"""

import shutil
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition
from schemas.pack_loader import Pack
from training.dataset.manifest import MANIFEST, By, DatasetManifest, Granularity, Part, class_weights, distribution
from training.dataset.row_store import RowWriter
from training.dataset.splits import SHARES, stratified_split
from training.dataset.stored_rows import PreparedReport, prepare, report_rows, row_data
from training.labelling.consolidation import Patient, ReportLabels, consolidate
from training.labelling.run import in_parallel
from training.reports.gold import LabelledReport, load_gold_reports
from training.reports.json_lines import each_line
from training.reports.near_duplicates import HASHES, Groups, near_duplicates
from training.reports.texts import Place, files_of, placed_reports, report_at

PATIENTS = "patients.jsonl"
"""What became of each patient with several reports: labels and their origins, reports put aside, conflicts."""

Progress = Callable[[int], None]
Labels = tuple[tuple[str, str | None], ...]
"""A report's labels as pairs of task and value."""


@dataclass(frozen=True)
class Plan:
    """What is built from which files; `routed` says of a text whether the pack would be given it."""

    texts: tuple[Path, ...]
    gold: tuple[Path, ...]
    out: Path
    routed: Callable[[str], bool]
    by: By = "patient"
    granularity: Granularity = "per_report"
    seed: int = 42
    processes: int = 1


@dataclass
class _Stock:
    """Who is in the texts: where each patient's reports stand, and of which tasks the registry holds a value."""

    places: dict[str, list[Place]] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    left_out: int = 0


@dataclass
class _Ledger:
    """What must be known of all reports before they can be divided; equal labels are held once."""

    patients: list[str] = field(default_factory=list)
    hospitals: list[str] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    distinct: dict[Labels, Labels] = field(default_factory=dict)
    signatures: bytearray = field(default_factory=bytearray)
    report_of_row: "array[int]" = field(default_factory=lambda: array("Q"))
    counts: Counter[str] = field(default_factory=Counter)


def build(plan: Plan, pack: Pack, progress: Progress) -> DatasetManifest:
    """Build the dataset in `plan.out`, or nothing; SYN-740 or SYN-744 where files lie there, SYN-703 without a row."""
    files = files_of(plan.texts)
    with _own_folder(plan.out):
        return _build(plan, pack, files, progress)


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """A new or empty folder for its owner alone, in place since it may be a mounted volume; gone after a failure."""
    if (folder / MANIFEST).exists():
        raise SynopticError(Code.DATASET_EXISTS)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SynopticError(Code.FOLDER_IN_USE)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _build(plan: Plan, pack: Pack, files: Sequence[Path], progress: Progress) -> DatasetManifest:
    """Write the dataset into its folder, the manifest last."""
    stock = _take_stock(files, plan, pack.definition)
    ledger = _Ledger(counts=Counter({"of other organs": stock.left_out}))
    with RowWriter(plan.out) as writer:
        _write_rows(plan, pack, files, stock, ledger, writer, progress)
        if not ledger.patients:
            raise SynopticError(Code.NOTHING_TO_TRAIN_ON, f"{len(stock.places)} patients")
        groups = _groups(plan.by, ledger)
        named = {labels: [f"{task}={value}" for task, value in labels] for labels in ledger.distinct}
        assigned = stratified_split(groups, [named[labels] for labels in ledger.labels], plan.seed)
        rows: dict[str, list[int]] = {name: [] for name in SHARES}
        for row, report in enumerate(ledger.report_of_row):
            rows[assigned[groups[report]]].append(row)
        for name, numbers in rows.items():
            writer.write_index(name, numbers)
    manifest = _manifest(plan, pack, ledger, groups, assigned, rows)
    (plan.out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return manifest


def _take_stock(files: Sequence[Path], plan: Plan, pack: PackDefinition) -> _Stock:
    """One pass over all texts that keeps none of them; what a person annotated needs no routing."""
    stock, annotated = _Stock(), set(_patients_of(plan.gold))
    for place, report in placed_reports(files):
        if report.patient not in annotated and not plan.routed(report.text):
            stock.left_out += 1
            continue
        stock.places.setdefault(report.patient, []).append(place)
        held = report.registry_values(pack)
        stock.registered.update(task for task, value in held.items() if value.value is not None)
    return stock


def _write_rows(
    plan: Plan, pack: Pack, files: Sequence[Path], stock: _Stock, ledger: _Ledger, writer: RowWriter, progress: Progress
) -> None:
    """Read patient by patient; write their rows, and what became of those with several reports."""
    gold = _gold(plan, files, stock, pack.definition)
    trusted = [task.key for task in pack.definition.tasks if task.key not in stock.registered]
    sources = (report_at(files, place) for places in stock.places.values() for place in places)
    prepared = in_parallel(sources, partial(prepare, granularity=plan.granularity), pack.id, plan.processes)
    done = 0
    with (plan.out / PATIENTS).open("wb") as patients:
        for name, group in groupby(prepared, key=lambda one: one.source.patient):
            reports = list(group)
            history = [_history(order, one) for order, one in enumerate(reports)]
            patient = consolidate(history, pack.definition)
            if len(reports) > 1:
                patients.write(orjson.dumps({"patient": name, **patient.as_data(history)}) + b"\n")
            ledger.counts["conflicts between reports"] += len(patient.conflicts)
            ledger.counts.update(f"put aside: {why}" for why in patient.pruned.values())
            for order, one in enumerate(reports):
                if order not in patient.pruned:
                    rows = _rows(one, order, patient, gold.get(name), pack.definition, trusted)
                    _enter(one, rows, ledger, writer)
            done += len(reports)
            progress(done)


def _history(order: int, prepared: PreparedReport) -> ReportLabels:
    source = prepared.source
    return ReportLabels(source.report, source.date, source.kind, order, prepared.primaries)


def _rows(
    prepared: PreparedReport,
    order: int,
    patient: Patient,
    annotated: LabelledReport | None,
    pack: PackDefinition,
    trusted: Sequence[str],
) -> list[dict[str, Any]]:
    """One report's rows as they are stored, each with what other reports of the patient say."""
    if prepared.principal is None:
        return []
    key = prepared.principal.key
    gold = annotated.gold if annotated is not None and annotated.text == prepared.source.text else {}
    elsewhere = {
        task: label.as_data()
        for task, label in patient.labels_of(order, key).items()
        if label.order != order and label.reason != "repeated"
    }
    rows = report_rows(prepared, gold, patient.open_tasks(order, key), pack, trusted)
    return [row_data(row, prepared.source.report, elsewhere) for row in rows]


def _enter(prepared: PreparedReport, rows: Sequence[dict[str, Any]], ledger: _Ledger, writer: RowWriter) -> None:
    """Write one report's rows, and keep what dividing needs to know of it."""
    if not rows:
        ledger.counts["without a label"] += 1
        return
    number = len(ledger.patients)
    ledger.patients.append(prepared.source.patient)
    ledger.hospitals.append(prepared.source.hospital)
    labels = tuple(pair for row in rows for pair in row["labels"].items())
    ledger.labels.append(ledger.distinct.setdefault(labels, labels))
    ledger.signatures += prepared.signature.tobytes()
    ledger.counts[f"from {rows[0]['source']}"] += 1
    for row in rows:
        writer.append(row)
        ledger.report_of_row.append(number)


def _gold(plan: Plan, files: Sequence[Path], stock: _Stock, pack: PackDefinition) -> dict[str, LabelledReport]:
    """The annotated reports by patient, each checked against its text; of the texts only theirs are read."""
    if not plan.gold:
        return {}
    annotated = plan.out / "annotated.jsonl"
    try:
        with annotated.open("wb") as file:
            for patient in _patients_of(plan.gold):
                for place in stock.places.get(patient, ())[:1]:
                    source = report_at(files, place)
                    row = {"patient": patient, "site": source.hospital, "text": source.text}
                    file.write(orjson.dumps(row) + b"\n")
        return {report.patient: report for report in load_gold_reports(annotated, plan.gold, pack)}
    finally:
        annotated.unlink(missing_ok=True)


def _patients_of(gold: Sequence[Path]) -> Iterator[str]:
    """The patients whom the gold names; a row that names none is left to those who check the gold."""
    for path in gold:
        for line in each_line(path):
            if isinstance(line.row.get("patient"), str):
                yield line.row["patient"]


def _groups(by: By, ledger: _Ledger) -> list[Hashable]:
    """The group of each report: with the others of its patient, with copies of its template, with its hospital."""
    import numpy

    groups = Groups()
    for report, (patient, hospital) in enumerate(zip(ledger.patients, ledger.hospitals, strict=True)):
        groups.join([report, ("patient", patient), *([("hospital", hospital)] if by == "hospital" else [])])
    signatures = numpy.frombuffer(ledger.signatures, dtype=numpy.uint32).reshape(-1, HASHES)
    for pair in near_duplicates(signatures):
        groups.join(pair)
    return [groups.of(report) for report in range(len(ledger.patients))]


def _manifest(
    plan: Plan,
    pack: Pack,
    ledger: _Ledger,
    groups: Sequence[Hashable],
    assigned: Mapping[Hashable, str],
    rows: Mapping[str, Sequence[int]],
) -> DatasetManifest:
    """The finished dataset's description."""
    reports: dict[str, list[int]] = defaultdict(list)
    for report, group in enumerate(groups):
        reports[assigned[group]].append(report)
    tasks = pack.definition.tasks
    parts = {
        name: Part(
            rows=len(rows[name]),
            reports=len(reports[name]),
            patients=len({ledger.patients[report] for report in reports[name]}),
            hospitals=len({ledger.hospitals[report] for report in reports[name]}),
            distribution=distribution(tasks, [dict(ledger.labels[report]) for report in reports[name]]),
        )
        for name in SHARES
    }
    return DatasetManifest(
        pack=pack.id,
        pack_version=pack.definition.version,
        pack_digest=pack.digest,
        by=plan.by,
        granularity=plan.granularity,
        seed=plan.seed,
        groups=len(set(groups)),
        largest_group=max(Counter(groups).values()),
        counts=dict(ledger.counts),
        parts=parts,
        class_weights=class_weights(tasks, parts["train"].distribution),
    )
