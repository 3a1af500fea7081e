"""Reads report texts and gold annotations from JSON lines, and joins them by patient.

Three forms of annotation are read, told apart row by row: the gold with its quotes (`values` by task), an annotator's
flat row (a key a task), and the benchmark, which holds no words of a report but their places and digests.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition
from training.reports.json_lines import each_line
from training.reports.row_checks import gold_fault, row_values, text_fault

VERIFIED, NOT_STATED = "verified", "not_stated"
"""The tiers of a registry value that the report itself states, and of one that it does not."""
CIRCUMSTANCES = ("malignant", "bilateral", "multiple_invasive", "neoadjuvant", "doubt")
"""What an annotator may say of a whole report; a comment that begins with DOUBT: is kept as `doubt`."""
_DOUBT = "DOUBT"
_NAMED = 5
"""How many reports an error names."""
_PUBLIC_BARCODE = re.compile(r"TCGA-\w\w-\w{4}")

Files = Path | Sequence[Path]
"""One file, or several that are read as one."""


@dataclass(frozen=True)
class GoldValue:
    """What an annotator read: the value (a class, or a missing form such as TX, pending, not_stated), and its basis.

    `span` is where the deciding words stand in the report, None where none were given.
    """

    value: str
    basis: str
    span: tuple[int, int] | None = None

    def stated(self, classes: Sequence[str]) -> str | None:
        """The value where it is one of the classes, None where the report holds no codable value."""
        return self.value if self.value in classes else None


@dataclass(frozen=True)
class RegistryValue:
    """What the cancer registry holds for the patient, in the pack's spelling, and how the report relates to it."""

    value: str | None
    tier: str


@dataclass(frozen=True)
class LabelledReport:
    """One report with its hospital and what is known of it: an annotator's reading, or else the registry's values.

    `circumstances` are those of CIRCUMSTANCES that hold; `side` is that of the primary which the values describe.
    """

    patient: str
    hospital: str
    text: str = field(repr=False)
    gold: dict[str, GoldValue] = field(default_factory=dict, repr=False)
    registry: dict[str, RegistryValue] = field(default_factory=dict, repr=False)
    circumstances: frozenset[str] = field(default=frozenset(), repr=False)
    side: str | None = field(default=None, repr=False)


def digest(text: str) -> str:
    """The SHA-256 of a text or a quote, over its UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def load_gold_reports(texts: Files, gold: Files, pack: PackDefinition) -> tuple[LabelledReport, ...]:
    """The reports that have a gold annotation, in the gold files' order.

    Raises SYN-701 where a row is malformed or holds what is none of the pack's tasks and values, SYN-702 where a
    text is missing, SYN-720 where a text is not the annotated one, SYN-721 where a quote does not stand in its text,
    SYN-722 where a patient is annotated twice, and SYN-723 where an annotated patient has several texts.
    """
    by_patient: dict[str, dict[str, Any]] = {}
    several = set()
    for row in _rows(texts, text_fault):
        if by_patient.setdefault(row["patient"], row)["text"] != row["text"]:
            several.add(row["patient"])
    annotated = list(_rows(gold, lambda row: gold_fault(row, pack)))
    missing = sum(row["patient"] not in by_patient for row in annotated)
    if missing or not annotated:
        raise SynopticError(Code.GOLD_WITHOUT_TEXT, f"{missing} of {len(annotated)} rows of {_names(gold)}")
    counts = Counter(row["patient"] for row in annotated)
    _refuse(Code.ANNOTATED_TWICE, annotated, lambda row: counts[row["patient"]] > 1)
    _refuse(Code.SEVERAL_TEXTS, annotated, lambda row: row["patient"] in several)
    held = {patient: by_patient[patient]["text"] for patient in counts}
    _refuse(Code.TEXT_DIFFERS, annotated, lambda row: _differs(row.get("text_sha256"), held[row["patient"]]))
    reports = tuple(_labelled(row, by_patient[row["patient"]]) for row in annotated)
    _refuse(Code.QUOTE_DIFFERS, annotated, lambda row: _misquotes(row, held[row["patient"]]))
    return reports


def load_double_readings(gold: Files, pack: PackDefinition) -> list[tuple[dict[str, GoldValue], dict[str, GoldValue]]]:
    """Both readings of every patient who is annotated twice, without places; SYN-722 where one is more often."""
    rows = list(_rows(gold, lambda row: gold_fault(row, pack)))
    counts = Counter(row["patient"] for row in rows)
    _refuse(Code.ANNOTATED_TWICE, rows, lambda row: counts[row["patient"]] > 2)
    first: dict[str, dict[str, GoldValue]] = {}
    pairs = []
    for row in rows:
        values = _gold(row, "")
        if row["patient"] in first:
            pairs.append((first[row["patient"]], values))
        first[row["patient"]] = values
    return pairs


def load_registry_reports(
    texts: Files, gold: Files, pack: PackDefinition, routed: Callable[[str], bool]
) -> tuple[LabelledReport, ...]:
    """The reports without a gold annotation that routing gives to the pack and that state a registry value."""
    annotated = {row["patient"] for row in _rows(gold)}
    reports = (
        LabelledReport(
            patient=row["patient"],
            hospital=str(row.get("site", "")),
            text=row["text"],
            registry=registry_values(row.get("registry", {}), row.get("tier", {}), pack),
        )
        for row in _rows(texts, text_fault)
        if row["patient"] not in annotated
    )
    return tuple(
        report
        for report in reports
        if any(held.tier == VERIFIED and held.value for held in report.registry.values()) and routed(report.text)
    )


def load_silver_reports(
    texts: Files, pack: PackDefinition, routed: Callable[[str], bool]
) -> tuple[LabelledReport, ...]:
    """Reports with the registry's values in place of gold, and the tier in place of the basis.

    Only what the report is known to state (tier verified) or not to state is taken; other tasks are left out.
    """
    return tuple(
        LabelledReport(
            patient=report.patient,
            hospital=report.hospital,
            text=report.text,
            gold={
                task: GoldValue(held.value if held.tier == VERIFIED and held.value else NOT_STATED, held.tier)
                for task, held in report.registry.items()
                if held.tier == NOT_STATED or (held.tier == VERIFIED and held.value)
            },
        )
        for report in load_registry_reports(texts, (), pack, routed)
    )


def each_file(files: Files) -> Sequence[Path]:
    """The files, however many were given."""
    return (files,) if isinstance(files, Path) else files


def _names(files: Files) -> str:
    return ", ".join(path.name for path in each_file(files))


def _rows(
    files: Files, fault_of: Callable[[dict[str, Any]], str | None] = lambda row: None
) -> Iterator[dict[str, Any]]:
    """The rows of JSON-lines files; SYN-701 names the first line that is none, or that is at fault."""
    for path in each_file(files):
        for line in each_line(path):
            fault = fault_of(line.row) if isinstance(line.row.get("patient"), str) else "no patient"
            if fault:
                raise SynopticError(Code.BAD_TRAINING_FILE, f"{line.name}: {fault}")
            yield line.row


def _labelled(row: dict[str, Any], source: Mapping[str, Any]) -> LabelledReport:
    """One annotated row joined to its text, whichever form it has."""
    text = source["text"]
    doubted = str(row.get("comment", "")).startswith(_DOUBT)
    return LabelledReport(
        patient=row["patient"],
        hospital=str(row.get("site") or source.get("site", "")),
        text=text,
        gold=_gold(row, text),
        circumstances=frozenset(name for name in CIRCUMSTANCES if row.get(name) or (name == "doubt" and doubted)),
        side=row.get("side"),
    )


def _gold(row: Mapping[str, Any], text: str) -> dict[str, GoldValue]:
    """The annotated values of one row."""
    return {task: GoldValue(value["v"], value["basis"], _span(value, text)) for task, value in row_values(row).items()}


def _span(value: Mapping[str, Any], text: str) -> tuple[int, int] | None:
    """Where the deciding words stand: the places of the benchmark, or the first place of the quote."""
    if value.get("start") is not None:
        return value["start"], value["end"]
    quote = value.get("quote")
    start = text.find(quote) if quote else -1
    return (start, start + len(quote)) if quote and start >= 0 else None


def _misquotes(row: Mapping[str, Any], text: str) -> bool:
    """True where a quote does not stand in the text, or the words at its place have another digest."""
    return any(
        (bool(value.get("quote")) and value["quote"] not in text)
        or _differs(value.get("quote_sha256"), text[slice(*(_span(value, text) or (0, 0)))])
        for value in row_values(row).values()
    )


def _differs(expected: str | None, words: str) -> bool:
    return expected is not None and digest(words) != expected


def _refuse(code: Code, rows: Sequence[dict[str, Any]], at_fault: Callable[[dict[str, Any]], bool]) -> None:
    """Raise the error that names the first rows at fault: a public barcode as it is, any other patient by row."""
    faults = {
        row["patient"] if _PUBLIC_BARCODE.fullmatch(row["patient"]) else f"row {number}": None
        for number, row in enumerate(rows, start=1)
        if at_fault(row)
    }
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise SynopticError(code, ", ".join(list(faults)[:_NAMED]) + more)


def registry_values(
    held: Mapping[str, Any], tiers: Mapping[str, Any], pack: PackDefinition
) -> dict[str, RegistryValue]:
    """The registry's values of the pack's tasks, in the pack's spelling, each with its tier."""
    values = {}
    for task in pack.tasks:
        spelling = {value.lower(): value for value in task.classes}
        values[task.key] = RegistryValue(spelling.get(str(held.get(task.key)).lower()), str(tiers.get(task.key)))
    return values
