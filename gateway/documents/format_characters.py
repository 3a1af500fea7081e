"""Takes away the characters that only tell how a text is set: nobody sees them, and they part words that readers look for.

They are soft hyphens, joiners, blanks of no width, and marks of direction. A word that a soft hyphen breaks at a line's end
becomes whole on the line where it began, as in PDFs.
"""

import re

FORMAT_CHARACTERS = "".join(
    map(chr, (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF))
)
_NOTHING = str.maketrans("", "", FORMAT_CHARACTERS)
_BROKEN_WORD = re.compile("\xad[ \t]{0,100}(\r?\n)[ \t]{0,100}([^\\W\\d_]{1,100})[ \t]?")


def without_format_characters(text: str) -> str:
    """The text as it is seen."""
    return text if text.isascii() else _BROKEN_WORD.sub(r"\2\1", text).translate(_NOTHING)
