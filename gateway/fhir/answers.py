"""What a FHIR server's answer means to us: a numbered error that quotes nothing of it but codes.

An OperationOutcome's diagnostics and expressions name ids, values and references of patients, so only what matches a
fixed pattern comes out: issue codes and HAPI's own message numbers.
"""

import re
from dataclasses import dataclass, field

from gateway.fhir.parsing import objects
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError

# Whatever a server or a proxy before it calls its own fault, but for what it can never do; and 423, a lock.
PASSING = frozenset([408, 423, 425, 429, *range(500, 600)]) - {501, 505}
REFUSED_BY_GUARD = frozenset([304, 409, 412])
_SHOWN = 3
_ISSUE_CODE = re.compile(r"[a-z][a-z-]{1,24}")
_MESSAGE_NUMBER = re.compile(r"\bHAPI-\d{4}\b")
_MISSING_CODES = frozenset(["not-found", "deleted"])
# HAPI calls every issue "processing"; these are: a reference to what is not there, and to what was deleted.
_MISSING_NUMBERS = frozenset(["HAPI-1094", "HAPI-1096"])


@dataclass(frozen=True)
class Answer:
    """An HTTP status with the FHIR resource that came with it, if any."""

    status: int
    body: Resource | None = field(default=None, repr=False)

    @property
    def is_success(self) -> bool:
        """True where the server did what it was asked."""
        return 200 <= self.status < 300

    @property
    def explains(self) -> bool:
        """True where an OperationOutcome came with it: a FHIR server spoke, not something before it."""
        return self.body is not None and self.body.get("resourceType") == "OperationOutcome"


def fault_of(answer: Answer) -> SynopticError:
    """The error that an unsuccessful answer stands for."""
    detail = detail_of(answer)
    if answer.status in PASSING:
        return SynopticError(Code.STORE_UNAVAILABLE, detail)
    if answer.status in (401, 403):
        return SynopticError(Code.STORE_REFUSES, detail)
    if 300 <= answer.status < 400:
        return SynopticError(Code.BAD_SETTINGS, f"fhir.base_url: the server redirects ({detail}); name where to")
    if answer.status == 404 and not answer.explains:
        return SynopticError(Code.BAD_SETTINGS, f"fhir.base_url: no FHIR server answers there ({detail})")
    if answer.status in (405, 501):
        return SynopticError(Code.UNGUARDED_STORE, detail)
    return SynopticError(Code.STORE_REJECTS, detail)


def detail_of(answer: Answer) -> str:
    """What may be shown of an answer."""
    return ", ".join([f"status {answer.status}", *_reasons(answer.body)])


def lacks_target(answer: Answer) -> bool:
    """True where a write was rejected because it refers to what the server does not hold, or no longer."""
    codes, numbers = _issue_codes(answer.body), _message_numbers(answer.body)
    return answer.status in (400, 422) and bool(codes & _MISSING_CODES or numbers & _MISSING_NUMBERS)


def _reasons(outcome: Resource | None) -> list[str]:
    """What may be shown of an OperationOutcome."""
    return [*sorted(_issue_codes(outcome))[:_SHOWN], *sorted(_message_numbers(outcome))[:_SHOWN]]


def _issue_codes(outcome: Resource | None) -> set[str]:
    found = (issue.get("code") for issue in _issues(outcome))
    return {code for code in found if isinstance(code, str) and _ISSUE_CODE.fullmatch(code)}


def _message_numbers(outcome: Resource | None) -> set[str]:
    texts = (issue.get("diagnostics") for issue in _issues(outcome))
    return {number for text in texts if isinstance(text, str) for number in _MESSAGE_NUMBER.findall(text)}


def _issues(outcome: Resource | None) -> list[Resource]:
    return objects((outcome or {}).get("issue"))
