"""Turns one primary's reading into what the classifier is asked: the sliced report, the classes, the hints.

Training and extraction build their prompts here and nowhere else, so the model is asked as it was taught.
"""

from collections.abc import Sequence
from itertools import zip_longest

from model.prompt import ALL_TASKS, PromptInput
from schemas.pack_loader import Pack
from workers.reading.hints import render_hints
from workers.reading.report_reading import PrimaryReading
from workers.reading.slicing import slice_report


def build_prompts(text: str, reading: PrimaryReading, pack: Pack) -> tuple[PromptInput, ...]:
    """One prompt for all tasks, or one a task, as the pack's granularity says."""
    definition = pack.definition
    hints = render_hints(reading, pack)
    if definition.granularity == "per_report":
        asked = {ALL_TASKS: definition.tasks}
    else:
        asked = {task.key: (task,) for task in definition.tasks}
    return tuple(
        PromptInput(
            field=field,
            classes={task.key: task.classes for task in tasks},
            report=slice_report(
                text,
                reading.text_spans,
                _by_priority([task.anchors for task in tasks]),
                definition.slice_lines,
                definition.slice_characters,
            ),
            hints=hints,
        )
        for field, tasks in asked.items()
    )


def _by_priority(anchors: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The first anchor of every task, then the second of every task: no task's lines push out all of another's."""
    return tuple(anchor for rank in zip_longest(*anchors) for anchor in rank if anchor is not None)
