"""What de-identification costs extraction: the labelling rules on the text as it came and on what is left of it.

Public reports hold few identifiers, so that they alone would show little: the same reports are also read with an
invented patient's identifiers planted in them and taken out again.
"""

from collections.abc import Sequence

from schemas.pack_loader import Pack
from training.dataset.rows import principal, rule_value
from training.deidentification.planting import ReadKnown, plant
from training.measures.comparison import Comparison, compare
from training.measures.resampling import Answers
from training.reports.gold import LabelledReport
from workers.privacy.deidentify import deidentify
from workers.reading.report_reading import read_report

RAW, CLEAN, PLANTED = "untouched text", "de-identified", "planted, de-identified"


def extraction_effect(
    reports: Sequence[LabelledReport], pack: Pack, seed: int, read_known: ReadKnown
) -> tuple[Comparison, Comparison]:
    """The rules' figures on the untouched reports against both de-identified ones, with paired intervals."""
    texts = [report.text for report in reports]
    planted = (deidentify(one.text, one.known).text for one in plant(texts, seed, read_known))
    raw, clean, cleaned_of_planted = (
        [_answers(text, pack) for text in several]
        for several in (texts, (deidentify(text).text for text in texts), planted)
    )
    tasks = pack.definition.tasks
    return (
        compare((RAW, CLEAN), reports, (raw, clean), tasks),
        compare((RAW, PLANTED), reports, (raw, cleaned_of_planted), tasks),
    )


def _answers(text: str, pack: Pack) -> Answers:
    """What the rules code of the principal primary."""
    primary = principal(read_report(text, pack))
    return {task: rule_value(label) for task, label in primary.labels.items()} if primary else {}
