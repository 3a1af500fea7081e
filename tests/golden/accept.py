"""Rewrites every golden case from its report.txt by the real chain: run it after a wanted change, then read the difference.

`.venv/bin/python tests/golden/accept.py` reads each report with the shipped pack and model (findings.json) and maps what
was found (bundle.json). Versions and digests of pack and model stay as they stand in findings.json, and probabilities are
rounded, so that a case changes only where a decision does.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from gateway.documents.reader import DocumentText
from gateway.intake import Intake
from mappers.bundle import MappedReport, map_report
from model.engine import load_engine
from schemas.findings import Finding, Primary
from schemas.messages import Action, ReportContext, ReportFindings
from schemas.pack_loader import load_pack
from schemas.settings import Settings
from workers.extraction import Extractor
from workers.privacy.sealing import passing_seal

MAPPING_DIGEST = "golden"
"""In place of the mapping's own, which each change of the mapping changes."""
CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/*/findings.json"))


class Chain:
    """Intake's assembly and extraction with the shipped model, for one report text at a time."""

    def __init__(self, intake: Intake, extractor: Extractor) -> None:
        self._intake = intake
        self._extractor = extractor

    def read(self, case: Path) -> tuple[Primary, ...]:
        """What the product finds in a case's report."""
        text = (case / "report.txt").read_text(encoding="utf-8")
        report = self._intake.assemble(Action.REPLACE, DocumentText(text), context_of(case))
        (found,) = self._extractor.extract([report])
        return found.primaries


@contextmanager
def open_chain() -> Iterator[Chain]:
    """The chain with the shipped settings."""
    settings = Settings()
    packs = {identifier: load_pack(identifier) for identifier in settings.packs}
    with closing(Intake(settings)) as intake:
        yield Chain(intake, Extractor(packs, load_engine(settings.model), passing_seal()))


def context_of(case: Path) -> ReportContext:
    """The context of a case's report."""
    return ReportContext.model_validate_json((case / "context.json").read_bytes())


def findings_of(case: Path) -> ReportFindings:
    """The accepted findings of a case."""
    return ReportFindings.model_validate_json((case / "findings.json").read_bytes())


def with_probabilities(primary: Primary, digits: int | None) -> Primary:
    """The primary with rounded probabilities; without any where `digits` is none."""

    def changed(finding: Finding) -> Finding:
        given = finding.probability
        rounded = None if given is None or digits is None else round(given, digits)
        return finding.model_copy(update={"probability": rounded})

    return primary.model_copy(update={"findings": {key: changed(item) for key, item in primary.findings.items()}})


def map_case(case: Path) -> MappedReport:
    """What the shipped mapping makes of a case's accepted findings."""
    pack = replace(load_pack(case.parent.name), mapping_digest=MAPPING_DIGEST)
    return map_report(findings_of(case), context_of(case), pack, Settings())


def rendered(content: object) -> str:
    """JSON as it is kept: indented, one key a line."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def accept(case: Path, chain: Chain) -> None:
    """Write the case's findings and its Bundle anew."""
    primaries = tuple(with_probabilities(primary, 2) for primary in chain.read(case))
    findings = findings_of(case).model_copy(update={"primaries": primaries})
    kept = findings.model_dump(mode="json", exclude_defaults=True)
    (case / "findings.json").write_text(rendered(kept | {"sealed": ""}), encoding="utf-8")
    (case / "bundle.json").write_text(rendered(map_case(case).transaction()), encoding="utf-8")


if __name__ == "__main__":
    with open_chain() as shipped:
        for golden in CASES:
            accept(golden, shipped)
