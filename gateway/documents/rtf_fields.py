r"""What fields of an RTF document show by their instruction alone, since Word writes them no result: symbols, boxes, choices."""

import re
from dataclasses import dataclass, field

from gateway.documents.symbol_fonts import symbols_of

_SYMBOL = re.compile(r'\s*SYMBOL\s+(0x[0-9a-f]{1,4}|\d{1,5})(?:.*?\\f\s*"?([\w ]{1,40}))?', re.IGNORECASE | re.DOTALL)
_OPEN = 25  # nothing was filled in, so the default holds
_MOST_CHARACTERS = 2000


@dataclass
class Field:
    """A field while its instruction is read: the words of it, and of a form's field its numbers and choices."""

    _instruction: str = ""
    _numbers: dict[str, int] = field(default_factory=dict)
    _choices: list[str] = field(default_factory=list)
    _group: str = ""

    def word(self, word: str, number: int | None) -> None:
        """A control word: a number of the form's field, or the beginning of a group within it."""
        if number is not None:
            self._numbers.setdefault(word, number)
        elif word.startswith("ff") or word == "datafield":
            self._group = word
            if word == "ffl":
                self._choices.append("")

    def text(self, text: str) -> None:
        """Text of the instruction, or of the group that began last."""
        if self._group == "ffl":
            self._choices[-1] = (self._choices[-1] + text)[:_MOST_CHARACTERS]
        elif not self._group:
            self._instruction = (self._instruction + text)[:_MOST_CHARACTERS]

    @property
    def shown(self) -> str:
        """What stands in the document; nothing where the field has a result of its own."""
        if found := _SYMBOL.match(self._instruction):
            code = int(found[1], 0) if found[1][:2].lower() == "0x" else int(found[1])
            return (symbols_of((found[2] or "").strip()) or {}).get(code, chr(code))
        filled_in = self._numbers.get("ffres", _OPEN)
        if filled_in == _OPEN:
            filled_in = self._numbers.get("ffdefres", 0)
        match self._numbers.get("fftype"):
            case 1:  # a box
                return "[x]" if filled_in else "[ ]"
            case 2:  # a choice
                return self._choices[filled_in] if 0 <= filled_in < len(self._choices) else ""
            case _:
                return ""
