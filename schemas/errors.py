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
    BUS_UNAVAILABLE = (
        501,
        Kind.RETRY,
        "the bus cannot read or store ({detail})",
        "look at the disk's free space and rights, or the broker; the work goes on by itself",
    )
    BUS_IN_USE = (
        502,
        Kind.FATAL,
        "another process already works on the bus file ({detail})",
        "end the other `synoptic run`, or give this one its own bus.path; several machines need bus.kind kafka",
    )
    BUS_FILE = (503, Kind.FATAL, "the bus file cannot be used ({detail})", "correct bus.path, or its rights")
    MESSAGE_TOO_LARGE = (
        504,
        Kind.REJECT,
        "a message is larger than bus.maximum_message_bytes ({detail})",
        "send large attachments by url",
    )
    STALE_BATCH = (
        505,
        Kind.RETRY,
        "the batch is no longer this consumer's ({detail})",
        "nothing to do: it is read again",
    )
    UNEXPECTED = (
        506,
        Kind.REJECT,
        "an unexpected fault in the program ({detail})",
        "report this line as a defect; after the correction, `synoptic rejected replay`",
    )
    REJECTED_SHARE = (
        507,
        Kind.FATAL,
        "the hop stopped because it rejected too large a share of its records ({detail})",
        "see `synoptic rejected list`, correct the cause, then `synoptic rejected acknowledge`",
    )
    OUT_OF_RESOURCES = (
        508,
        Kind.RETRY,
        "the machine ran out of a resource ({detail})",
        "free disk space, memory or file handles; the work goes on by itself",
    )
    BUS_KIND = (509, Kind.FATAL, "there is no bus of the kind {detail}", "set bus.kind to embedded")
    NO_REJECTED_RECORD = (
        510,
        Kind.REJECT,
        "there is no rejected record {detail}",
        "`synoptic rejected list` shows their numbers",
    )
    NO_HOP = (511, Kind.FATAL, "there is no hop {detail}", "name intake, extraction, emission or all")
    BAD_SETTINGS = (
        601,
        Kind.FATAL,
        "the settings have faults: {detail}",
        "correct these keys in synoptic.yaml or the environment; `synoptic config show` prints all keys",
    )
    BAD_PACK = (602, Kind.FATAL, "a pack has faults: {detail}", "correct the file at that line")
    NO_PRIVACY_KEY = (
        603,
        Kind.FATAL,
        "privacy.key is not set, and with bus.kind {detail} every process must have the same one",
        "set SYNOPTIC_PRIVACY__KEY to the same 32 random characters or more everywhere",
    )
    BAD_PRIVACY_KEY = (
        604,
        Kind.FATAL,
        "the privacy key cannot be used ({detail})",
        "give it at least 32 random characters, in a file that only its owner reads (chmod 600)",
    )
    NOT_SEALED_HERE = (
        605,
        Kind.REJECT,
        "the sealed part of a message cannot be opened ({detail})",
        "use the privacy.key under which it was sealed, then `synoptic rejected replay`",
    )
    MISSING_EXTRA = (
        606,
        Kind.FATAL,
        "the library {detail} is not installed",
        "install the extra that brings it, such as synoptic-gateway[worker] or [ocr]",
    )

    BAD_TRAINING_FILE = (
        701,
        Kind.FATAL,
        "a file of reports or annotations cannot be read ({detail})",
        "give JSON lines with the documented fields",
    )
    GOLD_WITHOUT_TEXT = (
        702,
        Kind.FATAL,
        "annotations without a report text: {detail}",
        "give the text file that the annotations belong to",
    )
    NOTHING_TO_TRAIN_ON = (
        703,
        Kind.FATAL,
        "no report yields a training row ({detail})",
        "check that the pack reads these reports and that they carry labels",
    )

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
