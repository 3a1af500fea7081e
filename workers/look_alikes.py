"""Signs that look like others as those others, one for one, so that every place in the text stays where it was."""

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
