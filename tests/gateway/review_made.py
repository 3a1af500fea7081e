"""A site for the tests of review: emission over a folder store, a reviewer at its desk, and a person who edits."""

import json
from pathlib import Path

from emission_made import context
from findings_made import SEAL, finding, make_hop, message, record

from gateway.emission import EmissionHop
from gateway.review.desk import ReviewDesk
from gateway.review.hop import ReviewHop
from gateway.review.tasks import Review
from gateway.stores.folder_store import FolderStore
from schemas.findings import Status
from schemas.messages import TOPIC_DECISIONS, Reference, ReportFindings, ReviewDecision, Settlement, Verdict
from schemas.settings import Settings
from workers.hop import Result

BY = Reference(type="Practitioner", literal="Practitioner/ruth")
REPORT = {"T": "T1", "N": "N0", "grade": "G2", "ER": "positive"}


class Site:
    """Emission over a folder, and a reviewer at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FolderStore(folder)
        self.hop: EmissionHop = make_hop(self.store)
        self.desk = ReviewDesk(Settings(_env_file=None), self.store, SEAL)

    def emit(self, day: int = 1, action: str = "replace", adapter: str = "a", **values: str) -> None:
        """A version of the report; a value that ends in "?" is in review, one that ends in "-" has no prefix."""
        self.emit_findings(doubted(message(day, action, adapter=adapter, **plain(values)), values))

    def emit_findings(self, value: bytes) -> None:
        """A version of the report."""
        (result,) = self.hop.process([record(value)])
        assert result.error is None

    def decision(self, name: str, verdict: str, value: str | None = None) -> ReviewDecision:
        """What a reviewer sends of the item that is about this finding, primary or resource."""
        settlement = Settlement(verdict=Verdict(verdict), value=value, by=BY, decided="2024-06-01T08:00:00Z")
        return self.desk.decision(self.item(name), settlement)

    def send(self, decision: ReviewDecision) -> Result:
        """The decision through its hop."""
        sealed = SEAL.enclose(decision.model_dump_json().encode(), context().patient_key)
        (result,) = ReviewHop(self.hop).process([record(sealed, TOPIC_DECISIONS)])
        return result

    def decide(self, name: str, verdict: str, value: str | None = None) -> Result:
        """Decide, which must succeed."""
        result = self.send(self.decision(name, verdict, value))
        assert result.error is None
        return result

    def item(self, name: str) -> Review:
        """The one item of that name."""
        (found,) = (one for one in self.desk.waiting() if name in (one.item.finding, one.item.kind))
        return found

    @property
    def waiting(self) -> list[tuple[str, str]]:
        """Kind and finding of all that waits."""
        return sorted((one.item.kind, one.item.finding or "") for one in self.desk.waiting())

    def resources(self, kind: str) -> dict[str, dict]:
        """What stands in the store, by id."""
        return {path.stem: json.loads(path.read_text()) for path in (self.folder / kind).glob("*.json")}

    def observation(self, code: str) -> dict | None:
        """The Observation of that code."""
        found = [one for one in self.resources("Observation").values() if one["code"]["coding"][0]["code"] == code]
        return found[0] if found else None

    def value(self, code: str) -> str | None:
        """The first code of an Observation's value, or what became of it."""
        observation = self.observation(code)
        if observation is None or observation["status"] == "entered-in-error":
            return observation and "withdrawn"
        return observation["valueCodeableConcept"]["coding"][0]["code"]

    def edit(self, code: str, value: str) -> None:
        """A person gives an Observation another value."""
        observation = self.observation(code)
        observation["valueCodeableConcept"] = {"coding": [{"system": "http://snomed.info/sct", "code": value}]}
        (self.folder / "Observation" / f"{observation['id']}.json").write_text(json.dumps(observation))

    @property
    def verifications(self) -> list[dict]:
        """The verifiers' Provenances."""
        return [
            one
            for one in self.resources("Provenance").values()
            if one["agent"][0]["type"]["coding"][0]["code"] == "verifier"
        ]

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the store, its history too."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*.json")}


T, N, ER = "384625004", "371494008", "16112-5"
G1 = "1155708003"
T1, T2, T3 = "1228957006", "1229852009", "1229859000"


def plain(values: dict[str, str]) -> dict[str, str]:
    """The values without their marks."""
    return {task: value.rstrip("?-") for task, value in values.items()}


def doubted(value: bytes, values: dict[str, str]) -> bytes:
    """The findings with what the marks say of them."""
    findings = ReportFindings.model_validate_json(value)
    (primary,) = findings.primaries
    changed = dict(primary.findings)
    for task, text in values.items():
        if text.endswith("?"):
            changed[task] = finding(text[:-1]).model_copy(update={"status": Status.REVIEW, "reason": "not sure enough"})
        if text.endswith("-"):
            changed[task] = finding(text[:-1]).model_copy(update={"attributes": {}})
    procedure = "core" if any(text.endswith("-") for text in values.values()) else primary.procedure
    primary = primary.model_copy(update={"findings": changed, "procedure": procedure})
    digest = f"{findings.content_digest} {values}"
    return findings.model_copy(update={"primaries": (primary,), "content_digest": digest}).model_dump_json().encode()
