"""What each DiagnosticReport.status asks for; a status that is not in the table is an error of the sender.

| status           | what Synoptic does                                                             |
|------------------|--------------------------------------------------------------------------------|
| registered       | ignored: the report exists, its text does not yet                              |
| partial          | replace: what is said so far, observations mirror the status                   |
| preliminary      | replace: a later version replaces it                                           |
| final            | replace                                                                        |
| amended          | replace: ids that the new text no longer yields are withdrawn                  |
| corrected        | replace: as amended                                                            |
| appended         | merge: an addendum adds or supersedes, it never withdraws                      |
| cancelled        | withdraw: travels the whole way without a text, and leaves a tombstone         |
| entered-in-error | withdraw: as cancelled                                                         |
| unknown          | rejected: neither replacing nor withdrawing would be safe                      |
"""

from schemas.errors import Code, SynopticError
from schemas.messages import Action

STATUS_ACTIONS: dict[str, Action | None] = {
    "registered": None,
    "partial": Action.REPLACE,
    "preliminary": Action.REPLACE,
    "final": Action.REPLACE,
    "amended": Action.REPLACE,
    "corrected": Action.REPLACE,
    "appended": Action.MERGE,
    "cancelled": Action.WITHDRAW,
    "entered-in-error": Action.WITHDRAW,
}
REGISTERED_REASON = "registered: the report has no text yet"
_UNKNOWN = "unknown"


def action_for(status: str) -> Action | None:
    """The action of a status, None where the report is to be ignored; raises SYN-108 where nothing is safe."""
    if status in STATUS_ACTIONS:
        return STATUS_ACTIONS[status]
    raise SynopticError(Code.BAD_STATUS, _UNKNOWN if status == _UNKNOWN else "not a code of that element")
