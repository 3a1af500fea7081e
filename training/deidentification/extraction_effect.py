"""What de-identification costs extraction: the labelling rules on the text as it came and on what is left of it."""

from collections.abc import Callable, Sequence

from schemas.pack_loader import Pack
from training.dataset.rows import principal, read_labelled, rule_value
from training.measures.comparison import Comparison, compare
from training.measures.resampling import Answers
from training.reports.gold import LabelledReport
from workers.reading import PrimaryReading, read_report

RAW, CLEAN = "untouched text", "de-identified"


def extraction_effect(
    reports: Sequence[LabelledReport], pack: Pack, done: Callable[[int], None] = lambda count: None
) -> Comparison:
    """The rules' figures on both texts of the same annotated reports, with paired intervals; `done` counts reports."""
    raw: list[Answers] = []
    clean: list[Answers] = []
    for position, report in enumerate(reports, start=1):
        raw.append(_answers(principal(read_report(report.text, pack))))
        clean.append(_answers(read_labelled(report, pack).primary))
        done(position)
    return compare((RAW, CLEAN), reports, (raw, clean), pack.definition.tasks)


def _answers(primary: PrimaryReading | None) -> Answers:
    return {task: rule_value(label) for task, label in primary.labels.items()} if primary else {}
