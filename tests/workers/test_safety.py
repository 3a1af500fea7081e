"""The safety set: benign, other, doubtful and edge-case reports, written as cases that a clinician can read."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.pack_loader import load_pack
from workers.facts import read_facts
from workers.primaries import assess
from workers.reading import PrimaryReading, read_report
from workers.segment import segment

CASES: list[dict[str, Any]] = YAML(typ="safe").load(
    (Path(__file__).parent / "cases" / "safety.yaml").read_text(encoding="utf-8")
)
PACK = load_pack("breast")


def shown(reading: PrimaryReading, keys: list[str]) -> dict[str, Any]:
    """The reading's values under these keys, as a case writes them."""
    return {key: value.value if hasattr(value := getattr(reading, key), "value") else value for key in keys}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_yields_exactly_its_primaries(case: dict[str, Any]):
    """A report makes the primaries that its case lists, and no other."""
    readings = read_report(case["text"], PACK)
    found = [shown(reading, list(wanted)) for reading, wanted in zip(readings, case["primaries"], strict=False)]
    assert len(readings) == len(case["primaries"]), [shown(reading, ["key", "assertion"]) for reading in readings]
    assert found == case["primaries"]


@pytest.mark.parametrize("case", [case for case in CASES if "verdict" in case], ids=lambda case: case["name"])
def test_report_without_primary_has_its_verdict(case: dict[str, Any]):
    """A report without a primary is still understood: benign, another malignancy, a metastasis."""
    document = segment(case["text"], PACK.definition.segmentation)
    verdicts = assess(document, read_facts(document, PACK.facts), PACK.definition)
    assert case["verdict"] in {verdict.assertion.value for verdict in verdicts}


@pytest.mark.parametrize("case", [case for case in CASES if "silent" in case], ids=lambda case: case["name"])
def test_silent_tasks_have_no_value(case: dict[str, Any]):
    """No value is made where none can be: no pT from a core, no Tis from LCIS."""
    for reading in read_report(case["text"], PACK):
        values = {task: reading.labels[task].value for task in case["silent"]}
        assert values == dict.fromkeys(case["silent"])


def test_the_set_is_large_and_balanced():
    """The set holds at least fifty cases, and at least half of them make no primary."""
    assert len(CASES) >= 50
    assert sum(not case["primaries"] for case in CASES) * 2 >= len(CASES)
    assert len({case["name"] for case in CASES}) == len(CASES)
