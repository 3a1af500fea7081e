"""The messages between hops: one frozen model per topic, each with a schema version.

    EHR -> (FHIR JSON bytes) -> intake -> ReportText -> extraction -> ReportFindings -> emission -> (transaction Bundle bytes)

A person's answer to what waits for review is a ReviewDecision, which emission reads beside the findings.
Zones: the reports, ReportText, ReviewDecision, the Bundles and `ReportFindings.sealed` hold PHI; everything else in
ReportFindings does not.
"""

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from schemas.findings import Primary, Side
from schemas.frozen import Frozen

TOPIC_REPORTS = "synoptic.diagnostic-reports"
TOPIC_TEXTS = "synoptic.report-texts"
TOPIC_FINDINGS = "synoptic.report-findings"
TOPIC_DELAYED = "synoptic.findings-delayed"
TOPIC_DECISIONS = "synoptic.review-decisions"
TOPIC_BUNDLES = "synoptic.coded-observations"
TOPIC_REJECTED = "synoptic.rejected-reports"
TOPIC_UNMAPPED = "synoptic.unmapped-values"


class Action(StrEnum):
    """What a report version asks for: a full replacement, an addition, or taking everything back."""

    REPLACE = "replace"
    MERGE = "merge"
    WITHDRAW = "withdraw"


class Identifier(Frozen):
    """A business identifier, as FHIR's Identifier."""

    system: str | None = None
    value: str


class Reference(Frozen):
    """A pointer to a resource of the EHR: literal ("Patient/1"), by identifier, or both."""

    type: str
    literal: str | None = None
    identifier: Identifier | None = None


class ReportVersion(Frozen):
    """What orders two versions of a report: issued, then meta.lastUpdated, then versionId (instants as sent)."""

    issued: str | None = None
    last_updated: str | None = None
    version_id: str | None = None


class SpecimenPart(Frozen):
    """A specimen that the EHR sent with the report."""

    reference: Reference
    part: str | None = None
    side: Side | None = None
    collected: str | None = None


class ReportContext(Frozen):
    """Who and what the report is about: all that emission needs beside the findings (PHI; sealed after extraction).

    `report_key` and `patient_key` are uuid5 values (docs/architecture.md); `recorded` is issued, else meta.lastUpdated.
    """

    tenant: str
    report_key: UUID
    patient_key: UUID
    report_identifier: Identifier
    report: Reference
    subject: Reference
    gender: str | None = None
    encounter: Reference | None = None
    organization: Reference | None = None
    specimens: tuple[SpecimenPart, ...] = ()
    status: str
    version: ReportVersion
    effective: str | None = None
    recorded: str
    codes: tuple[str, ...] = ()


class KnownIdentifier(Frozen):
    """An identifier that the resource itself knows, to be removed from the text in every spelling."""

    kind: Literal["NAME", "DATE", "ID", "CONTACT", "LOCATION"]
    value: str


class PageSpan(Frozen):
    """A run of the text that came from one page (1-based) by one reader ("digital", "ocr", "html", "plain").

    `layout` leads from characters to boxes on the page (gateway/documents/page_layout.py packs it); empty where none is known.
    `doubtful`: read with less confidence than the settings ask for, so that a person decides what it says.
    """

    page: int
    start: int
    end: int
    reader: str
    confidence: float | None = None
    doubtful: bool = False
    layout: tuple[int, ...] = ()


class ReportText(Frozen):
    """Intake's answer: the report as text, with its context and the identifiers to remove (PHI)."""

    schema_version: Literal[1] = 1
    action: Action
    pack: str
    text: str
    pages: tuple[PageSpan, ...] = ()
    side: Side | None = None
    context: ReportContext
    known_identifiers: tuple[KnownIdentifier, ...] = ()
    content_digest: str


class Configuration(Frozen):
    """What produced the findings: digests and versions, so that a replay under the same ones writes nothing."""

    pack: str
    pack_version: str
    pack_digest: str
    model: str
    model_digest: str
    adapter_digest: str
    policy: str


class ReportFindings(Frozen):
    """Extraction's answer: findings without PHI, and the context sealed under `privacy.key`."""

    schema_version: Literal[1] = 1
    report_hmac: str
    action: Action
    pack: str
    primaries: tuple[Primary, ...] = ()
    content_digest: str
    configuration: Configuration
    sealed: str


class ReviewItem(Frozen):
    """What waits for a person, with all that deciding it needs (PHI; sealed where it is kept).

    `finding`: a finding withheld from the EHR; `primary`: whether there is a cancer at all; `conflict`: a resource that
    a person holds (`reference`), and what the report offers instead. `findings` are those of its primary alone; `focus`
    is the further tumour mass that the finding is of.
    """

    kind: Literal["finding", "primary", "conflict"]
    primary: str | None = None
    focus: str | None = None
    finding: str | None = None
    value: str | None = None
    reason: str
    reference: str | None = None
    offered: dict[str, Any] | None = Field(default=None, repr=False)
    findings: ReportFindings = Field(repr=False)

    @property
    def name(self) -> str:
        """What tells it apart among the items of one report."""
        mass = f"{self.primary}|{self.focus}" if self.focus else self.primary
        return self.reference or f"{mass}|{self.finding or ''}"


class Verdict(StrEnum):
    """What a person decides: the report's value stands, another value stands, or nothing of the report is written."""

    ACCEPT = "accept"
    CORRECT = "correct"
    DISMISS = "dismiss"


class Settlement(Frozen):
    """A person's answer: by whom, and when; `value` is the corrected one, as a pathologist writes it."""

    verdict: Verdict
    value: str | None = None
    by: Reference
    decided: str


class ReviewDecision(Frozen):
    """A settlement of the item that a Task of the store stands for; `seen`: the versions that the person looked at."""

    schema_version: Literal[1] = 1
    task: str
    item: ReviewItem
    settlement: Settlement
    seen: dict[str, str] = Field(default_factory=dict)
