"""What waits for a person, as a Task on the store: one for each item of a report's content, for every worklist to show.

In clear it says which report, why and, of a conflict, which resource and what the report says instead. All that a
decision needs, a value in review among it, is sealed under the patient's key: the EHR shows no value that nobody has
accepted, and an erasure reaches it. The id derives from the report's content and the item, so that the same
question is one Task however often it is met; another content asks anew. Settled, it holds who decided what.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.stores.authorship import is_stamped, stamp, unversioned
from gateway.stores.resource_store import REVIEW_TASK, Put, Resource, Stored, id_of
from mappers.identity import derived_id
from mappers.provenance import manifest_id
from mappers.references import reference_of
from mappers.variables import MACHINE_LABEL
from schemas.errors import Code, SynopticError
from schemas.messages import Reference, ReportContext, ReviewItem, Settlement
from workers.privacy.sealing import Seal

REQUESTED, COMPLETED, CANCELLED = "requested", "completed", "cancelled"
_OFFERED = "offered"
_SEALED = "sealed"
_UNCONTAINED = frozenset(["id", "meta", "text", "contained"])
_ASKS = {
    "conflict": "Settle a conflict between a person's version and a report",
    "finding": "Decide on a value that the report does not state plainly enough",
    "primary": "Decide whether the report diagnoses a cancer",
}


@dataclass(frozen=True)
class Review:
    """A Task as it stands: what it asks, and how it was settled; `is_ours`: nobody else changed it."""

    reference: str
    item: ReviewItem
    stored: Stored
    settlement: Settlement | None = None

    @property
    def status(self) -> str:
        """The Task's own status."""
        return str(self.stored.resource.get("status"))

    @property
    def content(self) -> str:
        """The digest of the content that asks."""
        return self.item.findings.content_digest

    @property
    def is_open(self) -> bool:
        """True where a decision is awaited."""
        return self.status == REQUESTED

    @property
    def is_ours(self) -> bool:
        """True where Synoptic may change it: as it wrote it, and not settled."""
        return self.status != COMPLETED and is_stamped(self.stored.resource)


def task_reference(item: ReviewItem, context: ReportContext) -> str:
    """The Task of an item of this report's content."""
    return f"Task/{derived_id(context.report_key, 'review', item.findings.content_digest, item.name)}"


def make_task(item: ReviewItem, context: ReportContext, seal: Seal, is_there: bool = True) -> Resource:
    """The Task of an item; `is_there` is False where the person deleted the resource, which cannot be referred to."""
    sealed = seal.enclose(item.model_dump_json(exclude_defaults=True).encode(), context.patient_key)
    conflict: dict[str, Any] = {}
    inputs = [{"type": {"text": _SEALED}, "valueBase64Binary": base64.b64encode(sealed).decode()}]
    if item.reference is not None:
        focus = {"reference": item.reference} if is_there else {"display": item.reference}
        offered = {key: value for key, value in (item.offered or {}).items() if key not in _UNCONTAINED}
        conflict = {
            "contained": [{**offered, "id": _OFFERED}],
            "focus": {**focus, "type": item.reference.partition("/")[0]},
        }
        inputs.insert(0, {"type": {"text": "what the report says"}, "valueReference": {"reference": f"#{_OFFERED}"}})
    return stamp(
        {
            "resourceType": "Task",
            "id": id_of(task_reference(item, context)),
            "meta": {"security": [MACHINE_LABEL]},
            **conflict,
            "status": REQUESTED,
            "intent": "proposal",
            "code": {"coding": [REVIEW_TASK], "text": _ASKS[item.kind]},
            "for": reference_of(context.subject),
            "reasonCode": {"text": item.reason},
            "reasonReference": {"reference": f"Provenance/{manifest_id(context)}"},
            "input": inputs,
        }
    )


def read_reviews(names: Iterable[str], stored: Mapping[str, Stored], seal: Seal) -> Iterator[Review]:
    """The named Tasks that are there, and that were sealed here."""
    for name in names:
        if (task := stored.get(name)) is not None and (review := read_review(task, seal)) is not None:
            yield review


def read_review(stored: Stored, seal: Seal) -> Review | None:
    """The Task with what it asks; None where it holds nothing that was sealed here, or the patient was erased."""
    task = stored.resource
    sealed = [item.get("valueBase64Binary", "") for item in task.get("input", []) if _text(item) == _SEALED]
    try:
        (content,) = sealed
        item = ReviewItem.model_validate_json(seal.opened(base64.b64decode(content)))
    except (ValueError, SynopticError) as error:
        if isinstance(error, SynopticError) and error.code not in (Code.ERASED, Code.NOT_SEALED_HERE):
            raise
        return None
    return Review(f"Task/{task['id']}", item, stored, _settlement(task))


def settled(review: Review, settlement: Settlement) -> Put:
    """The Task completed by a person's decision."""
    outputs = [
        {"type": {"text": "verdict"}, "valueCode": settlement.verdict.value},
        *([{"type": {"text": "value"}, "valueString": settlement.value}] if settlement.value else []),
        {"type": {"text": "by"}, "valueReference": reference_of(settlement.by)},
        {"type": {"text": "decided"}, "valueDateTime": settlement.decided},
    ]
    task = {**unversioned(review.stored.resource), "status": COMPLETED, "output": outputs}
    return Put(stamp(task), review.stored.version)


def cancelled(review: Review) -> Put:
    """The Task of a question that a later version of the report, or another reading, leaves behind."""
    return Put(stamp({**unversioned(review.stored.resource), "status": CANCELLED}), review.stored.version)


def _settlement(task: Resource) -> Settlement | None:
    """How the Task was settled; None for one that a person completed in another program."""
    said = {_text(item): item for item in task.get("output", [])}
    if not {"verdict", "by", "decided"} <= said.keys():
        return None
    by = said["by"]["valueReference"]
    return Settlement(
        verdict=said["verdict"]["valueCode"],
        value=said["value"]["valueString"] if "value" in said else None,
        by=Reference(type=by["type"], literal=by.get("reference"), identifier=by.get("identifier")),
        decided=said["decided"]["valueDateTime"],
    )


def _text(item: Resource) -> str:
    return str(item.get("type", {}).get("text"))
