"""Logs that cannot print a report."""

import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from schemas import logs
from schemas.errors import Code, SynopticError
from schemas.settings import LoggingSettings

CANARIES = ("Erika", "Mustermann", "MRN-4711", "1961-05-04", "S24-1234")
TEXT = "Patient Erika Mustermann, MRN-4711, born 1961-05-04, specimen S24-1234"


@pytest.fixture
def stream():
    """The logs written during a test; the process's own logging is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers, root.level, sys.excepthook, threading.excepthook, logging.raiseExceptions
    target = io.StringIO()
    with warnings.catch_warnings():
        logs.configure(LoggingSettings(level="debug", format="json"), target)
        yield target
        logging.captureWarnings(False)
    root.handlers, root.level, sys.excepthook, threading.excepthook, logging.raiseExceptions = before
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """What was logged, after the assertion that none of it holds a canary."""
    text = stream.getvalue()
    assert not [canary for canary in CANARIES if canary in text], text
    return [json.loads(line) for line in text.splitlines()]


def test_allowed_values_are_printed(stream):
    """What operators need comes out: hop, counts, places, numbered errors."""
    error = SynopticError(Code.NOT_JSON, "line 1")
    structlog.get_logger().warning("record rejected", hop="intake", offset=7, seconds=0.25, error=error)
    (line,) = lines(stream)
    timestamp = line.pop("timestamp")
    assert str(timestamp).startswith("20")
    assert line == {
        "event": "record rejected",
        "level": "warning",
        "hop": "intake",
        "offset": 7,
        "seconds": 0.25,
        "code": "SYN-101",
        "reason": error.one_line(),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"text": TEXT},
        {"hop": TEXT},
        {"hop": "Mustermann"},
        {"offset": TEXT},
        {"offset": [TEXT]},
        {"error": ValueError(TEXT)},
        {"error": TEXT},
        {"topic": "synoptic.reports\nErika"},
        {"resource": {"name": [{"family": "Mustermann"}]}},
        {"patient": 4711},
        {"logger": TEXT},
        {"exception": TEXT},
        {"path": "/in/Mustermann_Erika.pdf"},
        {"missing": "Patient, Mustermann"},
    ],
)
def test_anything_else_is_withheld_and_counted(stream, fields):
    """A key off the list, or a value off its pattern, is never printed."""
    structlog.get_logger().info("something happened", **fields)
    (line,) = lines(stream)
    assert line["event"] == "something happened"
    assert line["withheld"] == 1
    assert not set(fields) & set(line)


@pytest.mark.parametrize("event", [TEXT, "read Erika", "read 1961-05-04", "two\nlines", ""])
def test_event_must_be_fixed_wording(stream, event):
    """An event with capitals, digits or line breaks may quote a report, so it is withheld."""
    structlog.get_logger().info(event)
    (line,) = lines(stream)
    assert line["event"] == "withheld"


def test_exception_is_type_and_places(stream):
    """An exception shows where it came from; its message, source lines and locals stay inside."""
    patient = TEXT
    try:
        raise KeyError(patient)
    except KeyError:
        structlog.get_logger().exception("hop failed", hop="intake")
    (line,) = lines(stream)
    assert str(line["exception"]).startswith("KeyError test_logs:")


def test_numbered_error_keeps_its_line(stream):
    """A raised numbered error is printed with its number and its one line."""
    try:
        raise SynopticError(Code.NOT_JSON, "line 1")
    except SynopticError as error:
        structlog.get_logger().error("hop stopped", exc_info=error)
    (line,) = lines(stream)
    assert line["code"] == "SYN-101"
    assert "line 1" in str(line["reason"])


def test_libraries_cannot_quote(stream):
    """A library's message, warning or handler fault comes out as its place only."""
    logging.getLogger("httpx").error("GET https://fhir.example/Patient?identifier=%s", "MRN-4711")
    logging.getLogger("kafka").error("bad %d", TEXT)
    warnings.warn(TEXT, stacklevel=1)
    found = lines(stream)
    assert [line["logger"] for line in found] == ["httpx", "kafka", "py.warnings"]
    assert {line["event"] for line in found} == {"message of a library"}
    assert {line["level"] for line in found} == {"warning"}


def test_a_library_that_repeats_itself_is_shown_once(stream):
    """A client that complains of the same thing without end does not fill the log; another place still shows."""
    for _ in range(50):
        logging.getLogger("kafka").error("no broker")
    logging.getLogger("kafka").error("no broker, elsewhere")
    assert len(lines(stream)) == 2


def test_uncaught_exceptions_cannot_quote(stream, capsys):
    """Neither the main thread nor another prints a traceback with values."""

    def fail() -> None:
        raise ValueError(TEXT)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError:
        sys.excepthook(*sys.exc_info())
    found = lines(stream)
    assert [str(line["exception"]).split()[0] for line in found] == ["ValueError", "ValueError"]
    captured = capsys.readouterr()
    assert "Erika" not in captured.out + captured.err


def test_level_is_obeyed(stream):
    """Lines under the level are not written."""
    logs.configure(LoggingSettings(level="error", format="console"), stream)
    structlog.get_logger().warning("not shown")
    structlog.get_logger().error("shown", hop="intake")
    assert "not shown" not in stream.getvalue()
    assert "hop=intake" in stream.getvalue()
