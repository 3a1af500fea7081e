"""The safety set: benign, other, doubtful and edge-case reports, written as cases that a clinician can read."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.findings import Status
from schemas.pack_loader import load_pack
from workers.reading.facts import read_facts
from workers.reading.primaries import assess
from workers.reading.report_reading import PrimaryReading, read_report
from workers.reading.segment import segment

FOLDER = Path(__file__).parents[2] / "golden" / "safety"
CASES: list[dict[str, Any]] = [
    case for file in sorted(FOLDER.glob("*.yaml")) for case in YAML(typ="safe").load(file.read_text(encoding="utf-8"))
]
PACK = load_pack("breast")
TASKS = PACK.definition.tasks
OF_LABELS = {"values", "silent", "never", "review"}


@cache
def read(text: str) -> tuple[PrimaryReading, ...]:
    """The primaries of a text, read once."""
    return read_report(text, PACK)


def shown(reading: PrimaryReading, keys: set[str]) -> dict[str, Any]:
    """The reading's values under these keys, as a case writes them."""
    return {key: value.value if hasattr(value := getattr(reading, key), "value") else value for key in keys}


def coded(text: str) -> list[tuple[str, str, dict[str, str | None]]]:
    """Each primary's key, assertion and values of the pack's tasks."""
    return [
        (reading.key, reading.assertion.value, {task.key: reading.labels[task.key].value for task in TASKS})
        for reading in read(text)
    ]


def labelled(case: dict[str, Any], form: str) -> list[tuple[PrimaryReading, str, Any]]:
    """Each reading of a case with a task and what the case says of it: of all primaries, or of one."""
    said = []
    for place, reading in enumerate(read(case["text"])):
        alone = case["primaries"][place] if "primaries" in case else {}
        for told in (case.get(form, {}), alone.get(form, {})):
            pairs = told.items() if isinstance(told, dict) else dict.fromkeys(told).items()
            said += [(reading, task, wanted) for task, wanted in pairs]
    return said


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_yields_exactly_its_primaries(case: dict[str, Any]):
    """A report makes the primaries that its case lists, or one of the lists that it allows, and no other."""
    readings = read(case["text"])
    allowed = [
        [{key: value for key, value in primary.items() if key not in OF_LABELS} for primary in listed]
        for listed in case.get("primaries_any", [case.get("primaries")])
    ]
    found = [
        [shown(reading, set(primary)) for reading, primary in zip(readings, listed, strict=False)] for listed in allowed
    ]
    fitting = [listed == shown for listed, shown in zip(allowed, found, strict=True) if len(listed) == len(readings)]
    assert any(fitting), (found, [shown(reading, {"key", "assertion"}) for reading in readings])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_findings_are_those_that_the_case_allows(case: dict[str, Any]):
    """What must be coded is, what must not have any value has none, what is doubtful waits, nothing forbidden is given."""
    for reading, task, value in labelled(case, "values"):
        assert (task, reading.labels[task].value, reading.labels[task].status) == (task, value, Status.CODED)
    for reading, task, _ in labelled(case, "silent"):
        assert (task, reading.labels[task].value) == (task, None)
    for reading, task, _ in labelled(case, "review"):
        assert (task, reading.labels[task].status) == (task, Status.REVIEW)
    for reading, task, refused in labelled(case, "never"):
        assert reading.labels[task].value not in refused
    assert not {reading.laterality for reading in read(case["text"])} & set(case.get("never_side", ()))


@pytest.mark.parametrize("case", [case for case in CASES if "verdict" in case], ids=lambda case: case["name"])
def test_report_without_primary_has_its_verdict(case: dict[str, Any]):
    """A report without a primary is still understood: benign, another malignancy, a metastasis."""
    document = segment(case["text"], PACK.definition.segmentation)
    verdicts = assess(document, read_facts(document, PACK.facts), PACK.definition)
    assert case["verdict"] in {verdict.assertion.value for verdict in verdicts}


def test_the_set_is_large_and_balanced():
    """The set holds at least 300 cases and at least 120 of them make no primary."""
    assert len(CASES) >= 300
    assert sum(case.get("primaries") == [] for case in CASES) >= 120
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("broken", "written"), [(r"\.?\n+ *", ". "), (r"\. ", ".\n")], ids=["lines are lost", "each sentence has a line"]
)
def test_line_breaks_change_nothing(broken: str, written: str):
    """Every case says the same where its line breaks are lost, and where each sentence has a line of its own."""
    for case in CASES:
        text = case["text"].rstrip("\n")
        assert (case["name"], coded(re.sub(broken, written, text))) == (case["name"], coded(text))
