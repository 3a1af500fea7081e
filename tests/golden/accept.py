"""Rewrites every golden bundle.json from its findings.json: run it after a wanted change, then read the difference.

`python tests/golden/accept.py`
"""

import json
from pathlib import Path

from mappers.bundle import MappedReport, map_report
from schemas.messages import ReportContext, ReportFindings
from schemas.pack_loader import load_pack
from schemas.settings import Settings

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/*/findings.json"))


def map_case(folder: Path) -> MappedReport:
    """What the shipped mapping makes of a case's findings."""
    findings = ReportFindings.model_validate_json((folder / "findings.json").read_bytes())
    context = ReportContext.model_validate_json((folder / "context.json").read_bytes())
    return map_report(findings, context, load_pack(folder.parent.name), Settings())


def rendered(mapped: MappedReport) -> str:
    """The transaction Bundle as it is kept in bundle.json."""
    return json.dumps(mapped.transaction(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for case in CASES:
        (case / "bundle.json").write_text(rendered(map_case(case)), encoding="utf-8")
