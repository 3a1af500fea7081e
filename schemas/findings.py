"""What extraction found: findings with status, basis, probability and evidence, grouped by primary.

A primary is organ + side (one Condition, one T, N, M and stage). All quotes are de-identified text; all
offsets count characters of the text as read from the source document, so `text[start:end] == quote`.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.frozen import Frozen

MAXIMUM_QUOTE_LENGTH = 120


class Status(StrEnum):
    """How sure a finding is: only `coded` findings become values on the wire."""

    CODED = "coded"
    REVIEW = "review"
    NOT_STATED = "not_stated"
    NOT_ASSESSABLE = "not_assessable"
    PENDING = "pending"
    NOT_PERFORMED = "not_performed"


class Basis(StrEnum):
    """Whether the report states the value or it follows from stated facts."""

    STATED = "stated"
    DERIVED = "derived"


class Assertion(StrEnum):
    """What the report asserts about cancer in a primary; only the first three allow a Condition, TNM and grade."""

    PRIMARY_INVASIVE = "primary_invasive"
    PRIMARY_IN_SITU = "primary_in_situ"
    NO_RESIDUAL = "no_residual"
    RECURRENCE = "recurrence"
    METASTASIS_TO_BREAST = "metastasis_to_breast"
    BREAST_METASTASIS_ELSEWHERE = "breast_metastasis_elsewhere"
    NOT_CARCINOMA = "not_carcinoma"
    BENIGN_OR_ATYPIA = "benign_or_atypia"
    UNCERTAIN = "uncertain"

    @property
    def is_primary(self) -> bool:
        """True where a Condition, TNM and grade may be emitted."""
        return self in (Assertion.PRIMARY_INVASIVE, Assertion.PRIMARY_IN_SITU, Assertion.NO_RESIDUAL)


class Certainty(StrEnum):
    """Whether the report diagnoses ("definite") or suspects ("provisional": suspicious for, consistent with)."""

    DEFINITE = "definite"
    PROVISIONAL = "provisional"


Side = Literal["left", "right"]
Behaviour = Literal["invasive", "in_situ", "microinvasive", "benign", "uncertain"]


class Evidence(Frozen):
    """The excerpt that supports a value; `text[start:end] == quote` in the source document."""

    quote: str = Field(max_length=MAXIMUM_QUOTE_LENGTH)
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    page: int | None = Field(default=None, ge=1)


class Finding(Frozen):
    """One task's outcome in one primary.

    `value` is the class of the pack (T2, G3, positive); under `review` it is the best guess, under the other missing
    states null. `detail` is the most specific stated form (pT1c(m), N1mi, "3+"). `attributes` are what mapping needs
    beside the value: prefix (p, c, yp, yc, r, a), system (nottingham, words), method (ihc, ish), percent, unit, ... and
    where it was found: specimen (the part's letter), focus (a smaller mass), sample (why it is another one's result).
    """

    value: str | None = None
    detail: str | None = None
    status: Status
    basis: Basis | None = None
    probability: float | None = Field(default=None, ge=0.0, le=1.0)
    evidence: tuple[Evidence, ...] = ()
    source: Literal["model", "rules"] = "rules"
    reason: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)


class StageGroup(Frozen):
    """A computed stage group; `conditional_on` names what was not stated but would have to hold ("M0")."""

    group: str
    system: str
    conditional_on: str | None = None


class Focus(Frozen):
    """A further tumour mass of a primary, with what the report says of it alone; `key` is its name in the report."""

    key: str
    histology: str | None = None
    findings: dict[str, Finding] = Field(default_factory=dict)


class Primary(Frozen):
    """One tumour site: organ + side, with what the report says of it.

    `principal` marks the primary that report-level values describe: the side of the larger invasive tumour. `findings` are
    of the whole and of its largest mass; `foci` are the others, where the report tells which is which.
    """

    key: str
    organ: str
    laterality: Side | None = None
    principal: bool = False
    assertion: Assertion
    certainty: Certainty = Certainty.DEFINITE
    assertion_evidence: tuple[Evidence, ...] = ()
    histology: str | None = None
    histology_evidence: tuple[Evidence, ...] = ()
    behaviour: Behaviour | None = None
    procedure: str | None = None
    therapy_before: Literal["yes", "no", "unstated"] = "unstated"
    specimens: tuple[str, ...] = ()
    findings: dict[str, Finding] = Field(default_factory=dict)
    foci: tuple[Focus, ...] = ()
    stage: StageGroup | None = None

    def told_of(self, focus: str | None) -> dict[str, Finding]:
        """The findings of a further mass by its key; None: of the whole and its largest mass, but not of the others alone."""
        if focus is not None:
            return next((one.findings for one in self.foci if one.key == focus), {})
        others = {one.key for one in self.foci}
        return {key: one for key, one in self.findings.items() if one.attributes.get("focus") not in others}

    def having(self, focus: str | None, findings: dict[str, Finding]) -> "Primary":
        """The primary with these findings of the whole, or of a further mass; what it has of that mass alone as well."""
        own = {key: one for key, one in findings.items() if focus in (None, self._mass_of(key))}
        foci = tuple(
            one.model_copy(update={"findings": {**one.findings, **findings}}) if one.key == focus else one
            for one in self.foci
        )
        return self.model_copy(update={"findings": {**self.findings, **own}, "foci": foci})

    def _mass_of(self, key: str) -> str | None:
        return self.findings[key].attributes.get("focus") if key in self.findings else None
