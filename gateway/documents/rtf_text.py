"""RTF to text: what a word processor shows and prints, as lines; cells of a row stay on one line.

Left out are what it does not show (hidden and deleted text, comments, fields' codes), struck-out text, which no longer
holds, pictures and embedded objects, and what repeats on every page (headers, footers). The tables of destinations and
of character sets are those of striprtf; its reader is not used, since it prints hidden and deleted text, reads the
Symbol font's ≥ as ³, loses text boxes and numbers of list items, and cannot tell a cell from a bar.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from gateway.documents.rtf_fields import Field
from gateway.documents.symbol_fonts import symbols_of
from gateway.documents.table_rows import CELL_GAP, are_labels, labelled, row_text
from schemas.errors import Code, SynopticError

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_READ_DESTINATIONS = frozenset(
    {"footnote", "listtext", "nesttableprops", "pntext", "shp", "shpinst", "shptxt", "shpgrp", "upr"}
)
_WORDS = {
    "tab": "\t",
    "line": "\n",
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "nestcell": CELL_GAP,
    "nestrow": "\n",
}
_SIGNS = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\", "\n": "\n", "\r": "\n", "\t": "\t"}
_PARAGRAPHS = {"par": "\n", "column": "\n", "sect": "\n\n", "page": "\n\n"}
_UNSHOWN = frozenset({"v", "deleted", "strike", "striked"})
_CODEPAGES = 1 << 16
_ALPHABETS = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_SYMBOL_CHARSET = 2
_USUAL_SYMBOLS = "symbol"
_LONGEST_FONT_NAME = 100
_SYMBOL_PAGE = range(0xF000, 0xF100)  # where Unicode's private use area keeps a symbol font's bytes


def rtf_to_text(data: bytes) -> str:
    """The visible text of an RTF document; raises SYN-132 where it ends within a group."""
    reader = _Reader()
    reader.read(data.decode("latin-1"))
    return reader.result()


class _State(NamedTuple):
    """What a group inherits: whether its text is read, and how. A document changes it a million times."""

    skipped: bool = False
    in_fonts: bool = False
    in_field: bool = False
    unshown: frozenset[str] = frozenset()
    fallback: int = 1  # how many characters stand for one \\u
    font: int | None = None
    in_table: bool = False


@dataclass
class _Font:
    name: str = ""
    charset: int = 0


@dataclass
class _Table:
    """The row being read, and the labels of its columns."""

    cells: list[str] = field(default_factory=list)
    is_header: bool = False
    labels: list[str] = field(default_factory=list)
    waiting: bool = False


class _Reader:
    def __init__(self) -> None:
        from striprtf import striprtf

        tables: Any = striprtf
        self._destinations: frozenset[str] = tables.destinations - _READ_DESTINATIONS
        self._charsets: dict[int, str] = tables.charset_map
        self._state = _State()
        self._stack: list[_State] = []
        self._fonts: dict[int, _Font] = {}
        self._default_font: int | None = None
        self._codepage = "cp1252"
        self._starred = False
        self._to_skip = 0
        self._bytes = bytearray()
        self._current: list[str] = []  # the open paragraph or cell
        self._table = _Table()
        self._field = Field()
        self._written: list[str] = []

    def read(self, rtf: str) -> None:
        """Read all tokens."""
        position, end = 0, len(rtf)
        while position < end:
            token = _TOKEN.match(rtf, position)
            if token is None:  # a backslash at the very end
                break
            position = token.end()
            word, number, code, sign, brace, run = token.groups()
            if word == "bin":
                position += max(int(number or 0), 0)
            elif word:
                self._word(word, int(number) if number else None)
            elif code:
                self._byte(int(code, 16))
            elif sign:
                self._sign(sign)
            elif brace:
                self._brace(brace)
            elif run:
                self._run(run)
        self._decode()
        if self._stack:
            raise SynopticError(Code.CUT_DOCUMENT, "RTF without its last brace")
        if self._table.cells:
            self._end_row()
        self._end_paragraph("")

    def result(self) -> str:
        """The text; halves of a character beyond the first plane are joined."""
        text = "".join(self._written)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip("\n")

    def _brace(self, brace: str) -> None:
        self._decode()
        self._to_skip, self._starred = 0, False
        if brace == "{":
            self._stack.append(self._state)
        elif self._stack:
            was_in_field = self._state.in_field
            self._state = self._stack.pop()
            if was_in_field and not self._state.in_field:
                self._show(self._field.shown)

    def _word(self, word: str, number: int | None) -> None:
        if self._bytes:
            self._decode()
        starred, self._starred = self._starred, False
        if self._to_skip and word != "u":
            self._to_skip -= 1
            return
        if word == "fldinst":
            self._state, self._field = self._state._replace(skipped=True, in_field=True), Field()
        elif self._state.in_field:
            self._field_word(word, number)
        elif word == "fldrslt" and self._field.shown:  # a picture of the same, if anything
            self._state = self._state._replace(skipped=True)
        elif word in self._destinations or (starred and word not in _READ_DESTINATIONS):
            self._state = self._state._replace(skipped=True, in_fonts=word == "fonttbl")
        elif word == "ansicpg" and number is not None:
            self._codepage = (_known(f"cp{number}") if 0 < number < _CODEPAGES else None) or self._codepage
        elif word in _ALPHABETS:
            self._codepage = _ALPHABETS[word]
        elif word == "deff":
            self._default_font = number
        elif self._state.in_fonts:
            self._font_word(word, number)
        elif not self._state.skipped:
            self._shown_word(word, number)

    def _field_word(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._unicode(number % 0x10000)
        else:
            self._field.word(word, number)

    def _font_word(self, word: str, number: int | None) -> None:
        if word == "f" and number is not None:
            self._state = self._state._replace(font=number)
            self._fonts[number] = _Font()
        elif word == "fcharset" and self._state.font in self._fonts:
            self._fonts[self._state.font].charset = number or 0

    def _shown_word(self, word: str, number: int | None) -> None:
        state = self._state
        if word == "u" and number is not None:
            self._unicode(number % 0x10000)
        elif word == "uc":
            self._state = state._replace(fallback=min(max(number or 0, 0), 100))
        elif word == "f":
            self._state = state._replace(font=number)
        elif word == "plain":
            self._state = state._replace(font=None, unshown=frozenset())
        elif word in _UNSHOWN:
            self._state = state._replace(unshown=state.unshown - {word} if number == 0 else state.unshown | {word})
        elif word in ("pard", "intbl"):
            self._state = state._replace(in_table=word == "intbl")
        elif word == "trowd":
            self._table.is_header = False
        elif word == "trhdr":
            self._table.is_header = True
        elif word == "cell":
            self._table.cells.append(self._taken())
        elif word == "row":
            self._end_row()
        elif word in _PARAGRAPHS:
            self._end_paragraph(_PARAGRAPHS[word])
        elif word in _WORDS:
            self._show(_WORDS[word])

    def _sign(self, sign: str) -> None:
        self._decode()
        if sign == "*":
            self._starred = True
        elif sign in ("\n", "\r") and not self._state.skipped:
            self._end_paragraph("\n")
        elif sign in _SIGNS:
            self._show(_SIGNS[sign])

    def _byte(self, code: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes.append(code)

    def _run(self, run: str) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(run))
            self._to_skip -= skipped
            run = run[skipped:]
        if self._state.in_fonts and self._state.font in self._fonts:
            font = self._fonts[self._state.font]
            font.name = (font.name + run.strip(" ;").lower())[:_LONGEST_FONT_NAME]
        elif run.isascii() and not self._bytes and self._symbols() is None:
            self._show(run)
        else:
            self._bytes += run.encode("latin-1")

    def _decode(self) -> None:
        """Write the bytes that were collected, in the present font's character set."""
        if not self._bytes:
            return
        content, symbols = bytes(self._bytes), self._symbols()
        self._bytes.clear()
        if symbols is not None:
            self._show("".join(symbols.get(code, chr(code)) for code in content))
            return
        font = self._font()
        charset = self._charsets.get(font.charset) if font and font.charset > 1 else None
        self._show(content.decode(_known(charset) or self._codepage, "replace"))

    def _unicode(self, code: int) -> None:
        if code in _SYMBOL_PAGE:
            self._show((self._symbols() or symbols_of(_USUAL_SYMBOLS) or {}).get(code, chr(code & 0xFF)))
        else:
            self._show(chr(code))
        self._to_skip = self._state.fallback

    def _font(self) -> _Font | None:
        number = self._default_font if self._state.font is None else self._state.font
        return None if number is None else self._fonts.get(number)

    def _symbols(self) -> Mapping[int, str] | None:
        """What the bytes of the present font stand for, where it is one of symbols."""
        font = self._font()
        if font is None or font.charset != _SYMBOL_CHARSET:
            return None
        return symbols_of(font.name) or symbols_of(_USUAL_SYMBOLS)

    def _show(self, text: str) -> None:
        if self._state.in_field:
            self._field.text(text)
        elif self._stack and not self._state.skipped and not self._state.unshown:
            self._current.append(text)

    def _taken(self) -> str:
        text = "".join(self._current)
        self._current.clear()
        return text.strip()

    def _end_paragraph(self, ending: str) -> None:
        if self._table.cells or self._state.in_table:  # within a cell
            self._current.append(ending)
            return
        text = "".join(self._current)
        self._current.clear()
        if text:
            self._close_table()
        self._written += (text, ending)

    def _end_row(self) -> None:
        table = self._table
        cells, table.cells = table.cells, []
        if table.is_header and are_labels(cells):
            self._close_table()
            table.labels, table.waiting = cells, True
            return
        if len(cells) == len(table.labels):
            table.waiting = False
            cells = [labelled(label, cell) if cell else "" for label, cell in zip(table.labels, cells, strict=True)]
        self._written += (row_text(cells), "\n")

    def _close_table(self) -> None:
        """Forget the labels of the columns; those that stood over no value are a line after all."""
        if self._table.waiting:
            self._written += (CELL_GAP.join(self._table.labels), "\n")
        self._table.labels, self._table.waiting = [], False


@cache
def _known(charset: str | None) -> str | None:
    """The name of the character set, if it can be read."""
    try:
        return charset and codecs.lookup(charset).name
    except LookupError:
        return None
