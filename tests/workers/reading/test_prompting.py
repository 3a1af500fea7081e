"""Behaviour of the prompts that training and extraction share."""

from dataclasses import replace

from schemas.pack_loader import Pack, load_pack
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import read_report

PACK = load_pack("breast")
TEXT = (
    "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade 2. pT2 pN1 MX. "
    "Estrogen receptor: positive. " + "The skin is unremarkable and is described at length. " * 30
)


def _under(**changes: object) -> Pack:
    return replace(PACK, definition=PACK.definition.model_copy(update=changes))


def test_one_prompt_a_primary_asks_every_task() -> None:
    """Per report, a single sequence carries all label sets and the facts as hints."""
    (prompt,) = build_prompts(TEXT, read_report(TEXT, PACK)[0], PACK)
    assert prompt.field == "all"
    assert list(prompt.classes) == [task.key for task in PACK.definition.tasks]
    assert "T=T2" in {hint.token for hint in prompt.hints}


def test_per_task_each_prompt_asks_one_task() -> None:
    """The reference's granularity is one sequence for each task, from the same reading."""
    pack = _under(granularity="per_task")
    prompts = build_prompts(TEXT, read_report(TEXT, pack)[0], pack)
    assert [prompt.field for prompt in prompts] == [task.key for task in pack.definition.tasks]
    assert all(list(prompt.classes) == [prompt.field] for prompt in prompts)


def test_the_slice_keeps_the_lines_of_several_tasks_within_its_limit() -> None:
    """One task's many anchors do not push out the line of another."""
    (prompt,) = build_prompts(TEXT, read_report(TEXT, PACK)[0], _under(slice_characters=200, slice_lines=0))
    assert len(prompt.report) <= 200
    assert "pT2" in prompt.report
    assert "Estrogen receptor" in prompt.report
