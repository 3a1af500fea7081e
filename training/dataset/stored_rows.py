"""Training rows as they are stored: from one report as it was read, and back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from model.prompt import Hint, PromptInput
from schemas.pack import PackDefinition
from schemas.pack_loader import Pack
from training.dataset.manifest import Granularity
from training.dataset.rows import (
    GOLD,
    REGISTRY,
    RULES,
    TrainingRow,
    gold_labels,
    principal,
    prompt_rows,
    registry_labels,
    rule_value,
)
from training.labelling.run import TextReading
from training.reports.gold import GoldValue, LabelledReport
from training.reports.near_duplicates import signature
from training.reports.texts import SourceReport
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import PrimaryReading

if TYPE_CHECKING:
    from training.reports.near_duplicates import Signature


@dataclass(frozen=True)
class PreparedReport:
    """One report as it was read: its primaries without their facts, the prompts of the principal, its signature."""

    source: SourceReport
    primaries: tuple[PrimaryReading, ...] = field(repr=False)
    prompts: tuple[PromptInput, ...] = field(repr=False)
    signature: "Signature" = field(repr=False)

    @property
    def principal(self) -> PrimaryReading | None:
        """The primary that labels of the report describe."""
        return principal(self.primaries)


def prepare(reading: TextReading, pack: Pack, granularity: Granularity) -> PreparedReport:
    """What rows need of one report."""
    main = principal(reading.primaries)
    asked = replace(pack, definition=pack.definition.model_copy(update={"granularity": granularity}))
    return PreparedReport(
        reading.source,
        tuple(replace(primary, facts=(), text_spans=()) for primary in reading.primaries),
        build_prompts(reading.clean.text, main, asked) if main else (),
        signature(reading.clean.text),
    )


def report_rows(
    prepared: PreparedReport,
    gold: Mapping[str, GoldValue],
    open_tasks: Collection[str],
    pack: PackDefinition,
    trusted: Sequence[str],
) -> Iterator[TrainingRow]:
    """The report's rows: its gold, else what registry and rules agree on; nothing of tasks in open conflict."""
    source, primary = prepared.source, prepared.principal
    if primary is None:
        return
    report = LabelledReport(source.patient, source.hospital, source.text, dict(gold), source.registry_values(pack))
    if gold:
        labels = gold_labels(report, pack)
    else:
        read = registry_labels(report, primary, pack, trusted)
        labels = {task: value for task, value in read.items() if task not in open_tasks}
    origin = GOLD if gold else REGISTRY if report.registry else RULES
    for row in prompt_rows(report, origin, prepared.prompts, labels):
        yield replace(row, rules={task: rule_value(primary.labels.get(task)) for task in row.labels})


def row_data(row: TrainingRow, report: str, elsewhere: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is stored; `elsewhere` is what other reports of the patient say, task by task, and which."""
    prompt = row.prompt
    return {
        "patient": row.patient,
        "report": report,
        "hospital": row.hospital,
        "source": row.source,
        "field": prompt.field,
        "classes": prompt.classes,
        "text": prompt.report,
        "hints": [[hint.key, hint.text, hint.token] for hint in prompt.hints],
        "labels": row.labels,
        "rules": row.rules,
        "elsewhere": {task: elsewhere[task] for task in prompt.classes if task in elsewhere},
    }


def training_row(data: Mapping[str, Any]) -> TrainingRow:
    """The row that was stored."""
    prompt = PromptInput(
        data["field"],
        {task: tuple(classes) for task, classes in data["classes"].items()},
        data["text"],
        tuple(Hint(*hint) for hint in data["hints"]),
    )
    return TrainingRow(data["patient"], data["hospital"], data["source"], prompt, data["labels"], data["rules"])
