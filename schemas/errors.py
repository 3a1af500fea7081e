"""Numbered errors: each says in one line what happened and what to do, and holds no PHI.

Three kinds steer the runner: *retry* (slow down and try again), *reject* (this report can never succeed), *fatal*
(the configuration is wrong: exit and say what to fix). A retired number is never used again. Ranges: 1xx intake and
documents, 2xx text steps, 3xx model, 4xx mapping and emission, 5xx bus and runner, 6xx configuration and packs,
7xx training and commands.
"""

from enum import Enum, StrEnum, unique
from pathlib import Path


class Kind(StrEnum):
    """What the runner does with an error."""

    RETRY = "retry"
    REJECT = "reject"
    FATAL = "fatal"


def _load_texts() -> dict[int, tuple[Kind, str, str]]:
    """errors.txt: paragraphs of number and kind, message, remedy, a line each."""
    paragraphs = Path(__file__).with_name("errors.txt").read_text(encoding="utf-8").split("\n\n")
    texts = {}
    for paragraph in paragraphs:
        head, message, remedy = (line.strip() for line in paragraph.strip().splitlines())
        number, kind = head.split()
        texts[int(number)] = (Kind(kind), message, remedy)
    return texts


_TEXTS = _load_texts()


@unique
class Code(Enum):
    """Every error by its number; its kind, message (may name `{detail}`) and remedy stand in errors.txt."""

    NOT_JSON = 101
    WRONG_RESOURCE = 102
    REPORT_TOO_LARGE = 103
    INVALID_RESOURCE = 104
    NO_SUBJECT = 105
    NO_IDENTIFIER = 106
    UNSAFE_IDENTIFIER = 107
    BAD_STATUS = 108
    NO_INSTANT = 109
    NO_TEXT = 110
    ATTACHMENT_BY_URL = 111
    ATTACHMENT_TOO_LARGE = 112
    BAD_BASE64 = 113
    ATTACHMENT_MISMATCH = 114
    UNKNOWN_CONTENT_TYPE = 115
    CONTENT_TYPE_MISMATCH = 116
    UNDECODABLE_TEXT = 117
    ENCRYPTED_PDF = 118
    MALFORMED_PDF = 119
    DOCUMENT_LIMIT = 120
    TOO_MANY_PAGES = 121
    BAD_IMAGE = 122
    OCR_UNAVAILABLE = 123
    TOO_DEEP = 124
    UNREADABLE_FILE = 125
    UNKNOWN_XML = 127
    MALFORMED_XML = 128
    ATTACHMENT_NOT_FOUND = 129
    UNROUTABLE = 130
    ATTACHMENT_REFUSED = 131
    CUT_DOCUMENT = 132
    FORMS_CONTRADICT = 133
    TEXT_TOO_LONG = 134
    SLOW_RULE = 211
    UNKNOWN_PACK = 251
    NOT_A_REPORT_TEXT = 252
    NOT_A_CHECKPOINT = 301
    UNSAFE_WEIGHTS = 302
    DIGEST_MISMATCH = 303
    BAD_CHECKPOINT = 304
    PACK_MISMATCH = 305
    UNKNOWN_PROMPT_VERSION = 306
    PROMPT_MISMATCH = 307
    PROMPT_TOO_LONG = 308
    BACKBONE_UNAVAILABLE = 309
    DEVICE_UNAVAILABLE = 310
    BAD_RESOURCES = 401
    MAPPING_KEPT = 411
    BAD_EXPRESSION = 412
    STORE_UNAVAILABLE = 451
    STORE_UNUSABLE = 453
    STORE_CONTENDED = 454
    MISSING_TARGET = 455
    NOT_FINDINGS = 456
    PERSONS_VERSION = 457
    STORE_REFUSES = 458
    STORE_REJECTS = 459
    NO_ORGANIZATION = 460
    UNGUARDED_STORE = 461
    NOT_DUE = 462
    NOT_IN_REVIEW = 463
    CHANGED_SINCE = 464
    NO_SUCH_VALUE = 465
    NO_REVIEWER = 466
    NOTHING_TO_WRITE = 467
    NO_REVIEW_ITEM = 468
    NOT_A_DECISION = 469
    REGISTRY_UNAVAILABLE = 470
    REGISTRY_REFUSES = 471
    REGISTRY_REJECTS = 472
    NOT_CODED = 473
    UNRESOLVED = 474
    BAD_SUBSCRIPTION = 475
    REGISTRY_PAUSED = 476
    NO_REGISTRY = 477
    REGISTRY_STATE = 478
    REGISTRY_RUNS = 479
    TOKEN_REFUSED = 480
    SMART_KEY = 481
    NO_TOKEN_ENDPOINT = 482
    BAD_CONDITION = 483
    FAILS_ALONE = 484
    BUS_UNAVAILABLE = 501
    BUS_IN_USE = 502
    BUS_FILE = 503
    MESSAGE_TOO_LARGE = 504
    STALE_BATCH = 505
    UNEXPECTED = 506
    REJECTED_SHARE = 507
    OUT_OF_RESOURCES = 508
    NO_REJECTED_RECORD = 510
    NO_HOP = 511
    BUS_REFUSES = 512
    FENCED = 513
    NO_TOPIC = 514
    UNREADABLE_RECORD = 515
    BAD_SETTINGS = 601
    BAD_PACK = 602
    NO_PRIVACY_KEY = 603
    BAD_PRIVACY_KEY = 604
    NOT_SEALED_HERE = 605
    MISSING_EXTRA = 606
    DEFECT = 607
    NO_KEY_STORE = 608
    ERASED = 609
    KEY_STORE_UNAVAILABLE = 610
    CANNOT_LISTEN = 611
    KEY_STORE_FILE = 612
    BAD_OVERLAY = 613
    BAD_CONCEPT_MAP = 614
    BAD_RECORDED = 615
    NO_CASE = 616
    BAD_RULE_TABLE = 620
    UNKNOWN_SITE = 621
    STAGING_OFF = 622
    BAD_TRAINING_FILE = 701
    GOLD_WITHOUT_TEXT = 702
    NOTHING_TO_TRAIN_ON = 703
    TRAINING_FAILED = 704
    TEXT_DIFFERS = 720
    QUOTE_DIFFERS = 721
    ANNOTATED_TWICE = 722
    SEVERAL_TEXTS = 723
    NF4_UNAVAILABLE = 730
    RECIPE_AND_BACKBONE = 731
    BAD_UNLABELLED_FILE = 732
    UNKNOWN_VARIANT = 733
    DATASET_EXISTS = 740
    BAD_DATASET = 741
    BAD_AUDIT = 742
    AUDIT_NOT_WRITTEN = 743
    FOLDER_IN_USE = 744
    EMPTY_FOLDER = 751
    UNWRITABLE_FOLDER = 752
    NO_EXAMPLES = 753
    BAD_ANNOTATED_SET = 760
    TOO_FEW_TEXTS = 761

    def __init__(self, number: int) -> None:
        self.number = number
        self.kind, self.message, self.remedy = _TEXTS[number]

    @property
    def label(self) -> str:
        """The stable public name, such as SYN-101."""
        return f"SYN-{self.number}"


class SynopticError(Exception):
    """An error with a number; `detail` must never hold text of a report or an identifier.

    `retry_after` is how many seconds the other side asked to be left alone, where it did.
    """

    def __init__(self, code: Code, detail: str = "", retry_after: float | None = None) -> None:
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(f"{code.label} {self.one_line()}")

    def one_line(self) -> str:
        """The message and its remedy on one line."""
        message = self.code.message.format(detail=self.detail or "no detail")
        return " ".join(f"{message}; {self.code.remedy}".split())


def fault_location(error: BaseException) -> str:
    """An exception's type and the line of code that raised it; never its text, which may quote a report."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
