"""Rows and messages on standard output."""

import sys

import pytest

from gateway.listing import print_message, print_rows

STEERING = "bad\x1b[2Jname\ttab\nline"


@pytest.fixture
def terminal(monkeypatch):
    """Standard output that says it is a terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def test_rows_are_one_line_each(capsys):
    """For a script every row is one line with tabs between its cells, whatever the cells hold."""
    print_rows(("a", "b"), [("1", STEERING)])
    assert capsys.readouterr().out == "a\tb\n1\tbad [2Jname tab line\n"


def test_rows_cannot_steer_a_terminal(capsys, terminal):
    """On a terminal the table shows the cells' text and none of their control characters."""
    print_rows(("a",), [("bad\x1b[2Jname",), ("[bold]not markup[/bold]",)])
    shown = capsys.readouterr().out
    assert "bad [2Jname" in shown
    assert "[bold]not markup[/bold]" in shown


def test_message_for_a_script_is_byte_for_byte(capfdbinary):
    """A message that goes into a file or pipe is not changed."""
    print_message(b"\x1b[2J\xff")
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"\x1b[2J\xff"


def test_message_cannot_steer_a_terminal(capsys, terminal):
    """On a terminal a message keeps its lines and loses its control characters."""
    print_message(b"one\x1b[2J\ntwo \xff")
    assert capsys.readouterr().out == "one [2J\ntwo �\n"
