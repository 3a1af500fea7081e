"""Signs that look like others as those others, one for one, so that every place in the text stays where it was."""

import re

_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_HYPHENS = "\u2010\u2011"
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_SAME_LENGTH = str.maketrans(
    dict.fromkeys(_SPACES, " ") | dict.fromkeys(_HYPHENS, "-") | {chr(code): chr(code - 0xFEE0) for code in _FULL_WIDTH}
)


def readable(text: str) -> str:
    """The text with blanks of every width as spaces, hyphens as hyphens, and full-width signs in their usual width.

    It has as many characters as before: a span of it is the same span of the text.
    """
    return text if text.isascii() else text.translate(_SAME_LENGTH)


_SECOND_HALF = "\u0138"
"""A letter that no language of today writes: folding drops it (`confusables` of the privacy vocabulary)."""
_TWICE_ENCODED = re.compile(
    "\ufffd|\u00ef\u00bf\u00bd|[\u00c2-\u00c5][\u0080-\u00bf\u0152-\u0192\u02c6-\u02dc\u2013-\u2122]"
    r"|(?<=[^\W\d_])\?{1,2}(?=[^\W\d_])"
)


def whole_letters(text: str) -> str:
    """The text with letters whose UTF-8 was read as Latin-1 or Windows-1252 ("MÃ¼ller") put right, as long as before.

    The letter takes the first place; what is left of it, and what nobody could read ("M?ller"), becomes a letter that
    folding drops.
    """
    return text if text.isascii() and "?" not in text else _TWICE_ENCODED.sub(_whole, text)


def _whole(match: re.Match[str]) -> str:
    read = match.group()
    if len(read) == 2 and not read.isascii():
        codes = b"".join(_byte(character) for character in read)
        letter = codes.decode("utf-8", errors="ignore")
        return letter + _SECOND_HALF if letter.isalpha() else read
    return _SECOND_HALF * len(read)


def _byte(character: str) -> bytes:
    """The byte that one of both charsets reads as the character; none where neither does."""
    return character.encode("latin-1" if ord(character) < 0x100 else "cp1252", errors="ignore")
