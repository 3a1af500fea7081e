"""Reads report texts and gold annotations from JSON lines, and joins them by patient."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition

VERIFIED, NOT_STATED = "verified", "not_stated"
"""The tiers of a registry value that the report itself states, and of one that it does not."""


@dataclass(frozen=True)
class GoldValue:
    """What an annotator read: the value (a class, or a missing form such as TX, pending, not_stated), and its basis."""

    value: str
    basis: str

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
    """One report with its hospital and what is known of it: an annotator's reading, or else the registry's values."""

    patient: str
    hospital: str
    text: str = field(repr=False)
    gold: dict[str, GoldValue] = field(default_factory=dict, repr=False)
    registry: dict[str, RegistryValue] = field(default_factory=dict, repr=False)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file; SYN-701 names the first line that is none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}, line {number}: not JSON") from None
        if not isinstance(row, dict) or not isinstance(row.get("patient"), str):
            raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}, line {number}: no patient")
        yield row


def _gold(row: dict[str, Any], path: Path) -> dict[str, GoldValue]:
    """The annotated values of one gold row."""
    try:
        return {task: GoldValue(value["v"], value["basis"]) for task, value in row["values"].items()}
    except (KeyError, TypeError, AttributeError):
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}: a row without values, v or basis") from None


def _registry(row: dict[str, Any], pack: PackDefinition) -> dict[str, RegistryValue]:
    """The registry's values of the pack's tasks, each with its tier."""
    held, tiers = row.get("registry", {}), row.get("tier", {})
    values = {}
    for task in pack.tasks:
        spelling = {value.lower(): value for value in task.classes}
        values[task.key] = RegistryValue(spelling.get(str(held.get(task.key)).lower()), str(tiers.get(task.key)))
    return values


def load_gold_reports(texts: Path, gold: Path) -> tuple[LabelledReport, ...]:
    """The reports that have a gold annotation, in the gold file's order; SYN-702 where a text is missing."""
    by_patient = {row["patient"]: row for row in _rows(texts)}
    annotated = list(_rows(gold))
    missing = sum(row["patient"] not in by_patient for row in annotated)
    if missing or not annotated:
        raise SynopticError(Code.GOLD_WITHOUT_TEXT, f"{missing} of {len(annotated)} rows of {gold.name}")
    return tuple(
        LabelledReport(
            patient=row["patient"],
            hospital=str(row.get("site", "")),
            text=by_patient[row["patient"]]["text"],
            gold=_gold(row, gold),
        )
        for row in annotated
    )


def load_registry_reports(
    texts: Path, gold: Path, pack: PackDefinition, routed: Callable[[str], bool]
) -> tuple[LabelledReport, ...]:
    """The reports without a gold annotation that routing gives to the pack and that state a registry value."""
    annotated = {row["patient"] for row in _rows(gold)}
    reports = (
        LabelledReport(
            patient=row["patient"],
            hospital=str(row.get("site", "")),
            text=row["text"],
            registry=_registry(row, pack),
        )
        for row in _rows(texts)
        if row["patient"] not in annotated
    )
    return tuple(
        report
        for report in reports
        if any(held.tier == VERIFIED and held.value for held in report.registry.values()) and routed(report.text)
    )
