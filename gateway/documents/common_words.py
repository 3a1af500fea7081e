"""The words that readable report text is made of: for broken words, and for text layers that only look like text."""

from functools import cache
from pathlib import Path

WORDS_FILE = Path(__file__).with_name("common_words.txt")


@cache
def common_words() -> frozenset[str]:
    """English and German words in lower case (the file says where they are from)."""
    lines = WORDS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
