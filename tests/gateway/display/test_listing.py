"""Rows and messages on standard output."""

import io
import sys

import pytest

from gateway.display.listing import print_message, print_rows

STEERING = "bad\x1b[2Jname\ttab\nline"


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let the test write to a terminal; from the test's body, since pytest sets its own stream before each phase."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    return shown


def test_rows_are_one_line_each(capsys):
    """For a script every row is one line with tabs between its cells, whatever the cells hold."""
    print_rows(("a", "b"), [("1", STEERING)])
    assert capsys.readouterr().out == "a\tb\n1\tbad [2Jname tab line\n"


def test_rows_cannot_steer_a_terminal(monkeypatch):
    """On a terminal the table shows the cells' text, none of their control characters, and reads no markup in them."""
    terminal = on_terminal(monkeypatch)
    print_rows(("a",), [("bad\x1b[2Jname",), ("[bold]not markup[/bold]",)])
    assert "\x1b[2J" not in terminal.getvalue()
    assert "bad [2Jname" in terminal.getvalue()
    assert "[bold]not markup[/bold]" in terminal.getvalue()


def test_message_for_a_script_is_byte_for_byte(monkeypatch):
    """A message that goes into a file or pipe is not changed."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    print_message(b"\x1b[2J\xff")
    assert written.getvalue() == b"\x1b[2J\xff"


def test_message_cannot_steer_a_terminal(monkeypatch):
    """On a terminal a message keeps its lines and loses its control characters."""
    terminal = on_terminal(monkeypatch)
    print_message(b"one\x1b[2J\ntwo \xff")
    assert terminal.getvalue() == "one [2J\ntwo �\n"
