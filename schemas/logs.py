"""Logging that cannot print a report: only keys of an allow-list, only values of their pattern.

Whatever else is logged, by us or by a library, is withheld and counted, never printed: a resource, a text, an
identifier or an exception's message has no key and no pattern to come out by.
"""

import logging
import re
import sys
import threading
import warnings
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from schemas.errors import SynopticError
from schemas.settings import LoggingSettings

WITHHELD = "withheld"
LIBRARY_SECONDS = 60.0
NUMBER = "number"
_WORDS = re.compile(r"[a-z][a-z ,;:'()_.-]{0,99}")
_NAME = re.compile(r"[a-z][a-z_-]{0,39}")
_TARGET = "(Patient|DiagnosticReport|Specimen|Encounter|Organization)"
ALLOWED: Mapping[str, re.Pattern[str] | str] = {
    # What happened: fixed wording in lower case, so neither a name nor a number fits.
    "event": _WORDS,
    "level": _NAME,
    "timestamp": re.compile(r"[0-9T:.Z+-]{10,40}"),
    "logger": re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,60}"),
    "location": re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,80}:\d{1,6}"),
    # Where: our own names.
    "hop": _NAME,
    "topic": re.compile(r"synoptic\.[a-z-]{1,40}"),
    "pack": _NAME,
    "task": re.compile(r"[A-Za-z0-9_]{1,24}"),
    "phase": _NAME,
    "status": _NAME,
    "action": _NAME,
    "reader": _NAME,
    "device": re.compile(r"(cpu|cuda)(:\d+)?"),
    "code": re.compile(r"SYN-\d{3}"),
    "exception": re.compile(r"[A-Za-z0-9_.:<> -]{1,2000}"),
    # What findings wait for: types of resources, a closed list, since a name would fit any wider pattern.
    "missing": re.compile(rf"{_TARGET}(, {_TARGET})*"),
    # The identity of a patient's key that was deleted: random, and of no use without it.
    "erasure": re.compile(r"[0-9a-f]{36}"),
    "signal": re.compile(r"SIG[A-Z]{2,6}"),
    # How much: numbers only.
    **dict.fromkeys(
        (
            "attempt",
            "bytes",
            "characters",
            "count",
            "epoch",
            "loss",
            "offset",
            "pages",
            "page",
            "partition",
            "port",
            "primaries",
            "records",
            "rejected",
            "reports",
            "resources",
            "rows",
            "seconds",
            "step",
            "tokens",
            "waiting",
            WITHHELD,
        ),
        NUMBER,
    ),
}
EventDict = MutableMapping[str, Any]


def configure(settings: LoggingSettings, stream: TextIO | None = None, libraries: bool = True) -> None:
    """Send structlog, libraries, warnings and uncaught exceptions through the allow-list, to standard error.

    Without `libraries` theirs are dropped: beside the one line in which a command ends, they would only be noise.
    """
    target = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    json = settings.format == "json" or (settings.format == "auto" and not target.isatty())
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _explain_exceptions,
            allow,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [LibraryHandler() if libraries else logging.NullHandler()]
    root.setLevel(max(level, logging.WARNING))
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    threading.excepthook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)


def writes_json() -> bool:
    """Whether standard error holds lines of JSON, among which plain words would be a broken line."""
    return isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer)


def allow(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Keep what the allow-list names and its pattern matches; count the rest under `withheld`."""
    error = event.pop("error", None)
    kept: EventDict = {}
    withheld = 0
    for key, value in event.items():
        pattern = ALLOWED.get(key)
        if pattern is not None and _fits(value, pattern):
            kept[key] = value
        else:
            withheld += 1
    if isinstance(error, SynopticError):
        kept["code"] = error.code.label
        kept["reason"] = error.one_line()
    elif error is not None:
        withheld += 1
    if withheld:
        kept[WITHHELD] = withheld
    kept.setdefault("event", WITHHELD)
    return kept


def frames(error: BaseException) -> str:
    """An exception as type and code locations, outermost first: no message, no source line, no locals."""
    steps = []
    trace = error.__traceback__
    while trace is not None:
        steps.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join([type(error).__name__, *steps])[:2000]


def _fits(value: Any, pattern: re.Pattern[str] | str) -> bool:
    if isinstance(pattern, str):
        return isinstance(value, int | float)
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _explain_exceptions(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's type and places; a numbered error also gives its line."""
    if "exception" in event:
        event["given exception"] = event.pop("exception")  # not ours: words would pass for types and places
    info = event.pop("exc_info", None)
    if info:
        error = info if isinstance(info, BaseException) else sys.exc_info()[1]
        if isinstance(info, tuple):
            error = info[1]
        if error is not None:
            event["exception"] = frames(error)
            if isinstance(error, SynopticError):
                event["error"] = error
    return event


class LibraryHandler(logging.Handler):
    """Names the library and the place that logged; its wording may quote a URL or a value, so it is withheld.

    Without its wording a line says no more the second time: each place is shown once a minute, while Kafka's client
    would write a dozen lines a second during an outage. Nor is one an error by itself: what it means for reports, a
    numbered line of ours says, and an alarm on errors must mean something.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log where the record comes from, unless that place was shown within the last minute."""
        place = (record.pathname, record.lineno)
        if record.created - self._shown.get(place, -LIBRARY_SECONDS) < LIBRARY_SECONDS:
            return
        self._shown[place] = record.created
        structlog.get_logger().log(
            min(record.levelno, logging.WARNING),
            "message of a library",
            logger=record.name,
            location=f"{record.module}:{record.lineno}",
            exc_info=record.exc_info,
        )


def _log_uncaught(kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().error("uncaught exception", exc_info=error)
