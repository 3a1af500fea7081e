"""Measures whether a text layer can be read: signs without meaning, the share of letters, the share of known words.

Fonts without a usable encoding give private-use characters, or letters in place of other letters: the text then looks
like text and says nothing. The bounds are measured (docs/documents.md).
"""

import re
from dataclasses import dataclass

from gateway.documents.common_words import common_words

MAXIMUM_BROKEN = 0.3
MINIMUM_LETTERS = 0.4
MINIMUM_KNOWN = 0.06
_ENOUGH_WORDS = 25
_WORD = re.compile(r"[^\W\d_]{2,}")
_PRIVATE_USE = range(0xE000, 0xF900)
_REPLACEMENT = 0xFFFD


@dataclass(frozen=True, slots=True)
class TextQuality:
    """Shares of the signs that are not white space: without meaning, letters or digits; and of known words."""

    broken: float
    letters: float
    known: float
    words: int

    @classmethod
    def of(cls, text: str) -> "TextQuality":
        """Measure a page's text."""
        signs = [sign for sign in text if not sign.isspace()]
        count = max(len(signs), 1)
        words = _WORD.findall(text.lower())
        return cls(
            sum(_is_broken(sign) for sign in signs) / count,
            sum(sign.isalnum() for sign in signs) / count,
            sum(word in common_words() for word in words) / max(len(words), 1),
            len(words),
        )

    @property
    def is_readable(self) -> bool:
        """False where the text cannot be what the page shows; a text of a few words may hold unknown ones only."""
        if self.broken > MAXIMUM_BROKEN:
            return False
        return self.words < _ENOUGH_WORDS or (self.letters >= MINIMUM_LETTERS and self.known >= MINIMUM_KNOWN)


def _is_broken(sign: str) -> bool:
    code = ord(sign)
    return code in _PRIVATE_USE or code == _REPLACEMENT or not sign.isprintable()
