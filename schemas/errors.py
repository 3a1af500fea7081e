"""Numbered errors: each says in one line what happened and what to do, and holds no PHI.

Three kinds steer the runner: *retry* (slow down and try again), *reject* (this report can never succeed), *fatal*
(the configuration is wrong: exit and say what to fix). A retired number is never used again. Ranges: 1xx intake and
documents, 2xx text steps, 3xx model, 4xx mapping and emission, 5xx bus and runner, 6xx configuration and packs,
7xx training and commands.
"""

from enum import Enum, StrEnum


class Kind(StrEnum):
    """What the runner does with an error."""

    RETRY = "retry"
    REJECT = "reject"
    FATAL = "fatal"


class Code(Enum):
    """Every error: number, kind, message (may name `{detail}`), remedy."""

    NOT_JSON = (
        101,
        Kind.REJECT,
        "the message is not JSON ({detail})",
        "publish a FHIR R4 DiagnosticReport or Bundle as JSON",
    )
    WRONG_RESOURCE = (
        102,
        Kind.REJECT,
        "expected a DiagnosticReport, or a Bundle that holds exactly one, found {detail}",
        "publish one DiagnosticReport a message",
    )
    BAD_SETTINGS = (
        601,
        Kind.FATAL,
        "the settings have faults: {detail}",
        "correct these keys in synoptic.yaml or the environment; `synoptic config show` prints all keys",
    )
    BAD_PACK = (602, Kind.FATAL, "a pack has faults: {detail}", "correct the file at that line")

    def __init__(self, number: int, kind: Kind, message: str, remedy: str) -> None:
        self.number = number
        self.kind = kind
        self.message = message
        self.remedy = remedy

    @property
    def label(self) -> str:
        """The stable public name, such as SYN-101."""
        return f"SYN-{self.number}"


class SynopticError(Exception):
    """An error with a number; `detail` must never hold text of a report or an identifier."""

    def __init__(self, code: Code, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code.label} {self.one_line()}")

    def one_line(self) -> str:
        """The message and its remedy on one line."""
        message = self.code.message.format(detail=self.detail or "no detail")
        return " ".join(f"{message}; {self.code.remedy}".split())
