"""Writes what markup shows as lines of text: blocks and rows are lines, cells stay apart, headers stand by their values.

The readers of HTML and CDA enter and leave elements by the names that HTML gives them. A row of a table is one line. The
row of header cells over a table is not: each of its cells is repeated as a label before the values below it ("ER:
positive  PR: negative"), since a line of labels and a line of values say nothing once they are read line by line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.documents.format_characters import FORMAT_CHARACTERS
from gateway.documents.table_rows import CELL_GAP, LONGEST_LABEL, are_labels, labelled, row_text

_BLOCK = re.compile(
    r"address|article|aside|blockquote|body|caption|center|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|h[1-6r]"
    r"|header|legend|li|main|nav|[ou]l|p|pre|section|summary|table|tbody|tfoot|thead|tr"
)
_CELLS = frozenset({"td", "th"})
_LISTS = frozenset({"ol", "ul"})
_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_WHITESPACE = re.compile(r"[ \t\r\n\f]+")
_HARD_SPACES = " \xa0\u2007\u202f"
_SHOWN = str.maketrans({**dict.fromkeys(_HARD_SPACES, " "), **dict.fromkeys(FORMAT_CHARACTERS)})
_MOST_COLUMNS = 200  # below which a cell may reach over rows
_TO_THE_END = 1 << 20  # of the group of rows, as HTML reads a rowspan of 0
_MOST_BREAKS = 100
_LONGEST_PREFIX = 200
_LABEL_PARTS = 3 * (LONGEST_LABEL + 1)  # each text is written as three parts, one of them with a character at least
_LONGEST_ROW = 4000  # characters of a row whose cells' lines are put side by side; longer ones only lay out a page
_NO_ATTRIBUTES: Mapping[str, str | None] = {}


@dataclass
class _Row:
    """An open row: where it starts in the parts, its cells' texts by column, and whether all of them are headers.

    `starts`: where in the parts each of its cells with text starts.

    Of a long text only the beginning is kept: it is no label, and cells within cells would be copied over and over.
    """

    start: int
    cells: dict[int, str] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    is_header: bool = True
    column: int = 0


@dataclass
class _Cell:
    """An open cell or row: where its text starts in the parts, and whether it has any."""

    start: int
    column: int = 0
    is_labelled: bool = False
    has_text: bool = False


@dataclass
class _Table:
    """An open table: the labels of its columns, whether they still wait for a value, and columns taken from above.

    `taken`: the row, counted within its group, from which on a column is free again; no cell leaves its group of rows.
    """

    labels: dict[int, str] = field(default_factory=dict)
    waiting: bool = False
    in_head: bool = False
    taken: dict[int, int] = field(default_factory=dict)
    row_number: int = 0
    row: _Row | None = None

    def begin_group(self, tag: str) -> None:
        """A group of rows begins or ends."""
        self.in_head = tag == "thead"
        self.taken.clear()

    def labels_from_above(self) -> dict[int, str]:
        """The labels of header cells that reach down into the row that ended, as over a second row of headers."""
        return {column: label for column, label in self.labels.items() if self.taken.get(column, 0) >= self.row_number}


@dataclass
class _List:
    """An open list: the number of its next item, and how it is written; None for a list of bullets."""

    number: int = 1
    style: str | None = None

    def marker(self) -> str:
        """What stands before the next item."""
        if self.style is None:
            return "- "
        number, self.number = self.number, self.number + 1
        if self.style in ("a", "A") and 0 < number <= 26:
            return f"{chr(ord(self.style) + number - 1)}. "
        return f"{number}. "


class TextWriter:
    """Collects text; a break, a label or a marker is only written when more text follows it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._break = ""
        self._prefix = ""
        self._cells: list[_Cell] = []
        self._tables: list[_Table] = []
        self._lists: list[_List] = []
        self._after_term = False

    def result(self) -> str:
        """All that was written."""
        return "".join(self._parts)

    def enter(self, tag: str, attributes: Mapping[str, str | None] = _NO_ATTRIBUTES) -> None:
        """An element begins."""
        if tag == "br":
            self._break += "\n" if self._parts and len(self._break) < _MOST_BREAKS else ""
        elif tag == "table":
            self._block()
            self._tables.append(_Table())
        elif tag in _ROW_GROUPS and self._tables:
            self._tables[-1].begin_group(tag)
        elif tag == "tr":
            self._enter_row()
        elif tag in _CELLS:
            self._enter_cell(tag, attributes)
        elif tag == "dd" and self._after_term:
            self._break = " " if self._parts[-1].endswith(":") else ": "
        elif _BLOCK.fullmatch(tag):
            self._block()
            self._enter_list(tag, attributes)

    def leave(self, tag: str) -> None:
        """An element ends."""
        if tag in _CELLS:
            self._leave_cell()
        elif tag == "tr":
            self._leave_row()
        elif tag in _ROW_GROUPS and self._tables:
            self._tables[-1].begin_group("")
        elif _BLOCK.fullmatch(tag):
            self._block()
            if tag == "table" and self._tables:
                self._write_waiting_labels(self._tables.pop())
            if tag in _LISTS and self._lists:
                self._lists.pop()
            if tag == "li":
                self._prefix = ""
            self._after_term = tag == "dt" and bool(self._parts)

    def text(self, content: str, keep_spaces: bool = False) -> None:
        """Text of the innermost element."""
        if keep_spaces:
            if content:
                self._emit(content)
            return
        collapsed = _WHITESPACE.sub(" ", content)
        if not collapsed.strip(_HARD_SPACES):
            self._break = self._break or (collapsed.translate(_SHOWN) if self._parts else "")
            return
        if collapsed.startswith(" "):
            self._break = self._break or (" " if self._parts else "")
        self._emit(collapsed.strip(" "))
        self._break = " " if collapsed.endswith(" ") else ""

    def _emit(self, content: str) -> None:
        self._parts += (self._break, self._prefix, content.translate(_SHOWN))
        self._break = self._prefix = ""
        self._after_term = False
        for cell in reversed(self._cells):
            if cell.has_text:
                break
            cell.has_text = True

    def _block(self) -> None:
        if not self._cells or self._cells[-1].has_text:  # the first block of a cell stays on the row's line
            self._new_line()

    def _new_line(self) -> None:
        if self._parts and "\n" not in self._break:
            self._break = "\n"

    def _enter_list(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        if tag in _LISTS:
            start = _number(attributes.get("start"), 1)
            self._lists.append(_List(start, (attributes.get("type") or "1") if tag == "ol" else None))
        elif tag == "li" and self._lists:
            if "value" in attributes:
                self._lists[-1].number = _number(attributes["value"], self._lists[-1].number)
            marker = self._lists[-1].marker()
            self._prefix += marker if len(self._prefix) < _LONGEST_PREFIX else ""

    def _enter_row(self) -> None:
        self._new_line()
        if not self._tables:
            self._tables.append(_Table())
        self._tables[-1].row = _Row(len(self._parts))
        self._cells.append(_Cell(len(self._parts)))

    def _enter_cell(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        row = self._tables[-1].row if self._tables else None
        if row is None:  # a cell without a row is a block
            self._block()
            self._cells.append(_Cell(len(self._parts)))
            return
        table = self._tables[-1]
        while table.taken.get(row.column, 0) > table.row_number:
            row.column += 1
        if self._cells[-1].has_text:
            self._break = CELL_GAP
        wide, high = _number(attributes.get("colspan"), 1) or 1, _number(attributes.get("rowspan"), 1) or _TO_THE_END
        is_header = tag == "th" or table.in_head
        row.is_header &= is_header
        is_labelled = not is_header and wide == 1 and row.column in table.labels
        if is_labelled:
            self._prefix = labelled(table.labels[row.column], "")
        self._cells.append(_Cell(len(self._parts), row.column, is_labelled))
        for column in range(row.column, min(row.column + wide, _MOST_COLUMNS) if high > 1 else 0):
            table.taken[column] = max(table.taken.get(column, 0), table.row_number + high)
        row.column += wide

    def _leave_cell(self) -> None:
        if not self._cells:
            return
        cell = self._cells.pop()
        row = self._tables[-1].row if self._tables else None
        if row is None:
            self._block()
            return
        if cell.has_text:
            self._tables[-1].waiting &= not cell.is_labelled
            row.starts.append(cell.start)
            row.cells[cell.column] = "".join(self._parts[cell.start + 1 : cell.start + 1 + _LABEL_PARTS]).strip()
        self._prefix = ""

    def _leave_row(self) -> None:
        table = self._tables[-1] if self._tables else None
        if table is None or table.row is None:
            return
        row, table.row = table.row, None
        if self._cells:
            self._cells.pop()
        self._new_line()
        table.row_number += 1
        if row.is_header and are_labels(list(row.cells.values())):
            del self._parts[row.start :]
            self._break = "\n" if self._parts else ""
            self._write_waiting_labels(table)
            table.labels, table.waiting = table.labels_from_above() | row.cells, True
            return
        self._put_side_by_side(row)
        if table.waiting and row.cells:  # the labels stand over no value of this row, so they are a line above it
            first = self._parts[row.start]
            self._parts[row.start : row.start + 1] = (first, CELL_GAP.join(table.labels.values()), "\n")
            table.waiting = False

    def _put_side_by_side(self, row: _Row) -> None:
        """Cells of several lines begin on one line: the last line of one must not read on into the next."""
        if len(row.starts) < 2 or len(self._parts) - row.start > 3 * _LONGEST_ROW:
            return
        if row.starts[0] != row.start:  # text of the row itself, as in CDA that is not valid
            return
        if sum(map(len, self._parts[row.start + 1 :])) <= _LONGEST_ROW:
            ends = [*row.starts[1:], len(self._parts)]
            cells = ["".join(self._parts[start + 1 : end]) for start, end in zip(row.starts, ends, strict=True)]
            self._parts[row.start + 1 :] = [row_text(cells)]

    def _write_waiting_labels(self, table: _Table) -> None:
        """The header of a table without values is a line after all."""
        if table.waiting:
            self._emit(CELL_GAP.join(table.labels.values()))
            self._new_line()
            table.waiting = False


def _number(text: str | None, otherwise: int) -> int:
    """A small number in an attribute, which may go on ("2px")."""
    found = re.match(r"\s*\+?([0-9]{1,5})(?![0-9])", text or "")
    return int(found[1]) if found else otherwise
