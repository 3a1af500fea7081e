"""Turns one primary's reading into what the classifier is asked: the sliced report, the classes, the hints.

Training and extraction build their prompts here and nowhere else, so the model is asked as it was taught.
"""

from model.prompt import ALL_TASKS, PromptInput
from schemas.pack_loader import Pack
from workers.hints import render_hints
from workers.reading import PrimaryReading
from workers.slicing import slice_report


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
                tuple(anchor for task in tasks for anchor in task.anchors),
                definition.slice_lines,
            ),
            hints=hints,
        )
        for field, tasks in asked.items()
    )
