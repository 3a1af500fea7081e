"""Which sentences of a text are German: the tagger of names, which takes every noun there for a name, leaves them alone."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from workers.privacy.privacy_rules import PrivacyRules, Word

_SENTENCE_END = re.compile(r"(?<=\w{4})[.!?;:]\s+(?=[^\W\d_a-z])|\n+")
_LONG = 4
_DOUBT = 2
_UMLAUTS = frozenset("äöüß")


@dataclass(frozen=True)
class GermanSentences:
    """Where each sentence starts, and whether it is German."""

    starts: tuple[int, ...]
    german: tuple[bool, ...]

    @classmethod
    def of(cls, text: str, words: Sequence[Word], rules: PrivacyRules) -> "GermanSentences":
        """Judge each sentence by its small words; one that does not tell is as the whole text."""
        starts = (0, *(match.end() for match in _SENTENCE_END.finditer(text)))
        scores = [0] * len(starts)
        for word in words:
            scores[bisect_right(starts, word.start) - 1] += _english(text, word, rules)
        whole = sum(scores) < 0
        return cls(starts, tuple(score <= _DOUBT if whole else score < 0 for score in scores))

    @property
    def all(self) -> bool:
        """True where no sentence is anything else."""
        return all(self.german)

    def hold(self, place: int) -> bool:
        """True where the sentence at this place is German."""
        return self.german[bisect_right(self.starts, place) - 1]


def _english(text: str, word: Word, rules: PrivacyRules) -> int:
    """1 for what only English writes, -1 for what it does not, 0 for what may be either."""
    if word.key in rules.german_words:
        return -1
    if word.key in rules.english_words:
        return 1
    if not text[word.start : word.end].islower():
        return 0
    if word.key in rules.report_words or word.key in rules.prose_words:
        return int(word.end - word.start >= _LONG)
    return -int(not word.key.isascii() and not _UMLAUTS.isdisjoint(word.key) and word.key not in rules.all_names)
