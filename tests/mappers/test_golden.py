"""Golden cases: findings.json becomes exactly bundle.json, and every quote stands in report.txt where it says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mappers.bundle import map_report
from schemas.messages import ReportContext, ReportFindings
from schemas.pack_loader import load_pack
from schemas.settings import Settings

CASES = sorted(path.parent for path in (Path(__file__).parent.parent / "golden").glob("*/*/findings.json"))


def test_there_are_golden_cases() -> None:
    """The folder is not empty, so that the tests below say something."""
    assert len(CASES) >= 5


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_findings_become_the_golden_bundle(case: Path) -> None:
    """After a wanted change: `python tests/golden/accept.py`, then read the difference."""
    findings = ReportFindings.model_validate_json((case / "findings.json").read_bytes())
    context = ReportContext.model_validate_json((case / "context.json").read_bytes())
    # The mapping's digest is not part of a case: each change of the mapping would change every one.
    pack = replace(load_pack(case.parent.name), mapping_digest="golden")
    mapped = map_report(findings, context, pack, Settings())
    assert mapped.transaction() == json.loads((case / "bundle.json").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_evidence_stands_in_the_report(case: Path) -> None:
    """`text[start:end] == quote` for every excerpt."""
    text = (case / "report.txt").read_text(encoding="utf-8")
    findings = ReportFindings.model_validate_json((case / "findings.json").read_bytes())
    for primary in findings.primaries:
        excerpts = [*primary.assertion_evidence, *primary.histology_evidence]
        excerpts += [item for finding in primary.findings.values() for item in finding.evidence]
        assert excerpts
        assert all(text[item.start : item.end] == item.quote for item in excerpts)
