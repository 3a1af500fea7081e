"""Prints rows: a table on a terminal, tab-separated lines elsewhere, so that a script can read them."""

import sys
from collections.abc import Iterable, Sequence


def print_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows under their header as they come; control characters never reach the terminal."""
    clean = ([_printable(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(header) + "\n")
        for row in clean:
            sys.stdout.write("\t".join(row) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header)
    for row in clean:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def print_message(value: bytes) -> None:
    """Print a message byte for byte, except on a terminal, which its control characters could steer."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(value)
        return
    sys.stdout.write("\n".join(_printable(line) for line in value.decode("utf-8", "replace").split("\n")) + "\n")


def _printable(cell: str) -> str:
    return "".join(character if character.isprintable() else " " for character in cell)
