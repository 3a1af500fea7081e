"""Reads reports as extraction does and turns them into training rows: gold, registry-verified and varied reports."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.prompt import PromptInput
from schemas.findings import Status
from schemas.pack import PackDefinition
from schemas.pack_loader import Pack
from training.dataset.augmentation import Augmenter, Evidence, ReadText, load_augmentation
from training.recipe import Recipe
from training.reports.gold import NOT_STATED, VERIFIED, LabelledReport, RegistryValue
from workers.privacy.deidentify import CleanText, deidentify
from workers.reading.labelling import TaskLabel
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import PrimaryReading, read_report

GOLD, REGISTRY, RULES = "gold", "registry", "rules"
"""Where a row's labels come from: an annotator, a registry with which the rules agree, or the rules alone."""
_UNREGISTERED = RegistryValue(None, "none")

Labels = Mapping[str, str | None]
"""Task to class, None where the report states no value; a task that is absent is unknown."""


@dataclass(frozen=True)
class ReportReading:
    """A report as extraction reads it: the de-identified text and its principal primary, None where it finds none."""

    report: LabelledReport
    clean: CleanText = field(repr=False)
    primary: PrimaryReading | None = field(repr=False)


@dataclass(frozen=True)
class TrainingRow:
    """One prompt with its known labels: a class, None where the report states none; unknown tasks are absent.

    `rules` is what the labelling rules read, for fitting the threshold of the agreement policy; never an input.
    """

    patient: str
    hospital: str
    source: str
    prompt: PromptInput = field(repr=False)
    labels: Labels = field(repr=False)
    rules: Labels = field(default_factory=dict, repr=False)


def read_labelled(report: LabelledReport, pack: Pack) -> ReportReading:
    """De-identify and read one report."""
    clean = deidentify(report.text, ())
    return ReportReading(report, clean, principal(read_report(clean.text, pack)))


def principal(primaries: Sequence[PrimaryReading]) -> PrimaryReading | None:
    """The primary that report-level labels describe."""
    return next((primary for primary in primaries if primary.principal), None)


def rule_value(label: TaskLabel | None) -> str | None:
    """The value that the labelling rules code, if any."""
    return label.value if label is not None and label.status is Status.CODED else None


def gold_labels(report: LabelledReport, pack: PackDefinition) -> dict[str, str | None]:
    """What the annotator read, task by task."""
    return {task.key: report.gold[task.key].stated(task.classes) for task in pack.tasks if task.key in report.gold}


def registry_labels(
    report: LabelledReport, primary: PrimaryReading, pack: PackDefinition, trusted: Sequence[str]
) -> dict[str, str | None]:
    """Labels on which registry and labelling rules agree: the same value, or both that the report states none.

    `trusted` names tasks that the registry does not hold at all, for which the rules speak alone. What is in review
    is unknown: the report contradicts itself.
    """
    labels: dict[str, str | None] = {}
    for task in pack.tasks:
        label = primary.labels.get(task.key)
        if label is not None and label.status is Status.REVIEW:
            continue
        found, held = rule_value(label), report.registry.get(task.key, _UNREGISTERED)
        agreed = held.tier == VERIFIED and held.value == found and found is not None
        absent = held.tier == NOT_STATED and found is None
        if agreed or absent or task.key in trusted:
            labels[task.key] = found
    return labels


def unregistered_tasks(reports: Sequence[LabelledReport], pack: PackDefinition) -> tuple[str, ...]:
    """The tasks for which no report carries a registry value."""
    held = {task for report in reports for task, value in report.registry.items() if value.value is not None}
    return tuple(task.key for task in pack.tasks if task.key not in held)


def labelled_rows(readings: Sequence[ReportReading], pack: Pack) -> list[TrainingRow]:
    """One row for each report in which a primary was read and something is known."""
    trusted = unregistered_tasks([reading.report for reading in readings if reading.report.registry], pack.definition)
    rows: list[TrainingRow] = []
    for reading in readings:
        if reading.primary is None:
            continue
        report = reading.report
        labels = known_labels(reading, pack.definition, trusted)
        source = GOLD if report.gold else REGISTRY
        for row in prompt_rows(report, source, build_prompts(reading.clean.text, reading.primary, pack), labels):
            read = {task: rule_value(reading.primary.labels.get(task)) for task in row.labels}
            rows.append(replace(row, rules=read))
    return rows


def prompt_rows(
    report: LabelledReport, source: str, prompts: Sequence[PromptInput], labels: Labels
) -> Iterator[TrainingRow]:
    """One row a prompt that asks for something known."""
    for prompt in prompts:
        asked = {task: value for task, value in labels.items() if task in prompt.classes}
        if asked:
            yield TrainingRow(report.patient, report.hospital, source, prompt, asked)


def known_labels(reading: ReportReading, pack: PackDefinition, trusted: Sequence[str]) -> dict[str, str | None]:
    """The gold where there is one, else what registry and rules agree on."""
    if reading.report.gold:
        return gold_labels(reading.report, pack)
    return registry_labels(reading.report, reading.primary, pack, trusted) if reading.primary else {}


def varied_rows(
    readings: Sequence[ReportReading], pack: Pack, recipe: Recipe
) -> tuple[list[TrainingRow], Counter[str]]:
    """Rows of verified variants, and how many of each kind were kept and tried.

    A variant carries its intended value for the changed task and the origin's known labels for the others.
    """
    origins = [reading for reading in readings if reading.primary is not None]
    reread: dict[str, PrimaryReading] = {}

    def read(text: str) -> ReadText | None:
        primary = principal(read_report(text, pack))
        if primary is None:
            return None
        reread[text] = primary
        return as_read_text(text, primary, pack.definition)

    augmenter = Augmenter(
        [as_read_text(reading.clean.text, reading.primary, pack.definition) for reading in origins if reading.primary],
        {task.key: task.classes for task in pack.definition.tasks},
        load_augmentation(pack.id),
        read,
        recipe.seed,
    )
    trusted = unregistered_tasks([reading.report for reading in readings if reading.report.registry], pack.definition)
    rows: list[TrainingRow] = []
    for variant in augmenter.variants(recipe.variants_per_class):
        origin = origins[variant.origin]
        before = as_read_text(origin.clean.text, origin.primary, pack.definition).values if origin.primary else {}
        changed = {task: value for task, value in variant.read.values.items() if value != before[task]}
        labels = {**known_labels(origin, pack.definition, trusted), **changed}
        # A variant teaches what its facts mean; its text is the origin's, and would only be learned by heart.
        prompts = [
            replace(prompt, report="") for prompt in build_prompts(variant.read.text, reread[variant.read.text], pack)
        ]
        rows += prompt_rows(origin.report, variant.kind, prompts, labels)
    counts = Counter({f"{kind} tried": count for kind, count in augmenter.attempts.items()})
    counts.update({f"{kind} kept": count for kind, count in augmenter.kept.items()})
    return rows, counts


def as_read_text(text: str, primary: PrimaryReading, pack: PackDefinition) -> ReadText:
    """A reading as augmentation sees it: values, and where they stand."""
    values = {task.key: rule_value(primary.labels.get(task.key)) for task in pack.tasks}
    evidence = {
        task: Evidence(value, primary.labels[task].rule or "", tuple(primary.labels[task].spans))
        for task, value in values.items()
        if value is not None
    }
    return ReadText(text, values, evidence)


def hospital_folds(hospitals: Sequence[str], folds: int) -> dict[str, int]:
    """Each hospital in one fold, whole: the largest first into the fold that holds the fewest reports."""
    sizes = [0] * folds
    assigned = {}
    for hospital, count in sorted(Counter(hospitals).items(), key=lambda item: (-item[1], item[0])):
        fold = sizes.index(min(sizes))
        sizes[fold] += count
        assigned[hospital] = fold
    return assigned
