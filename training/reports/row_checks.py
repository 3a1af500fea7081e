"""What is wrong with one row of report texts or annotations, said without a word of the row.

A fault names the field, and a task that the pack knows; the reader adds file and line.
"""

from collections.abc import Mapping
from typing import Any

from schemas.findings import Status
from schemas.pack import PackDefinition

ABSENCES = frozenset((Status.NOT_STATED, Status.NOT_ASSESSABLE, Status.PENDING, Status.NOT_PERFORMED))
"""The forms of absence that any task may have in the gold, beside those that the pack writes (TX, equivocal)."""


def text_fault(row: Mapping[str, Any]) -> str | None:
    """Why a row is no report text; None where it is one."""
    if not isinstance(row.get("text"), str):
        return "no text"
    for name in ("registry", "tier"):
        if not isinstance(row.get(name, {}), dict):
            return f"{name} is no mapping"
    return None


def gold_fault(row: Mapping[str, Any], pack: PackDefinition) -> str | None:
    """Why a row is no annotation of the pack's tasks with their values and forms of absence; None where it is one."""
    values = row_values(row)
    if not isinstance(values, dict) or not values or not all(isinstance(value, dict) for value in values.values()):
        return "no values"
    if not _is_text_or_none(row.get("side")) or not _is_text_or_none(row.get("text_sha256")):
        return "side or text_sha256 is no string"
    faults = (_value_fault(value) or _foreign(task, value["v"], pack) for task, value in values.items())
    return next((fault for fault in faults if fault), None)


def row_values(row: Mapping[str, Any]) -> Any:
    """The annotation of each task: `values` as it is, or of a flat row every key that holds a value and a basis."""
    if "values" in row:
        return row["values"]
    return {key: value for key, value in row.items() if isinstance(value, dict) and "v" in value}


def _value_fault(value: Mapping[str, Any]) -> str | None:
    """Why the annotation of one task has not the documented fields."""
    if not isinstance(value.get("v"), str) or not isinstance(value.get("basis"), str):
        return "v or basis is no string"
    if not _is_text_or_none(value.get("quote")) or not _is_text_or_none(value.get("quote_sha256")):
        return "quote or quote_sha256 is no string"
    if {type(value.get("start")), type(value.get("end"))} not in ({int}, {type(None)}):
        return "start and end are not two integers"
    return None


def _foreign(task: str, value: str, pack: PackDefinition) -> str | None:
    """Why the pack cannot measure a value: its task, or the value itself, is none of the pack's."""
    known = {one.key: {*one.classes, *one.missing, *ABSENCES} for one in pack.tasks}
    if task not in known:
        return f"a task that is none of {', '.join(known)}"
    return None if value in known[task] else f"a value of {task} that is no class and no form of absence"


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)
