"""A conflict as a Task on the FHIR server: which resource a person holds, why, and what Synoptic read instead.

Its id derives from all three, so that the same conflict is one Task however often it is met. It holds no wall-clock
time. Synoptic never changes it: whoever settles the conflict completes it.
"""

from typing import Any
from uuid import UUID

from gateway.resource_store import Conflict, Resource
from mappers.identity import derived_id, digest
from mappers.variables import MACHINE_LABEL

_CONFLICTS = UUID("2b7c5a0e-94f1-5d0b-8a57-0c3f1e6d2a77")
_OFFERED = "offered"
_UNCONTAINED = frozenset(["id", "meta", "text", "contained"])


def make_task(conflict: Conflict, is_there: bool = True) -> Resource:
    """The Task; `is_there` is False where the person deleted the resource, which then cannot be referred to."""
    kind = conflict.reference.partition("/")[0]
    focus: dict[str, Any] = {"reference": conflict.reference} if is_there else {"display": conflict.reference}
    offered = {key: value for key, value in conflict.offered.items() if key not in _UNCONTAINED}
    subject = conflict.offered.get("subject") or conflict.offered.get("patient")
    return {
        "resourceType": "Task",
        "id": derived_id(_CONFLICTS, conflict.reference, conflict.reason, digest(conflict.offered)),
        "meta": {"security": [MACHINE_LABEL]},
        "contained": [{**offered, "id": _OFFERED}],
        "status": "requested",
        "intent": "proposal",
        "code": {"text": "Settle a conflict between a person's version and a report"},
        "focus": {**focus, "type": kind},
        **({"for": subject} if subject else {}),
        "reasonCode": {"text": conflict.reason},
        "reasonReference": {"reference": conflict.report},
        "input": [{"type": {"text": "what the report says"}, "valueReference": {"reference": f"#{_OFFERED}"}}],
    }
