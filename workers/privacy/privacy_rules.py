"""The privacy vocabulary, compiled once, and where in a text its rules are tried.

Most rules begin at a word ("Pathologist", "Tel", "March") or at a number. The words of a text are looked up once, and a
rule is tried only where one of its own stands, so that the time for a text hardly grows with the number of rules.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Generic, TypeVar

from schemas.privacy_vocabulary import (
    ENGLISH_WORDS,
    NAMES_OF_PEOPLE_AND_PLACES,
    REPORT_WORDS,
    AnchoredRule,
    ContextRule,
    GivenNames,
    PatternRule,
    PrivacyVocabulary,
    load_given_names,
    load_privacy_vocabulary,
    load_words,
)
from workers.privacy.known_forms import KnownWords
from workers.privacy.spans import windows

_WORD = re.compile(r"[^\W\d_]+|\d+")
_NUMBER = "0"
_REACH = 80
_PROTECTED_REACH = 120
_LONG = 6

Rule = TypeVar("Rule", bound=AnchoredRule)


@dataclass(frozen=True, slots=True)
class Word:
    """A run of letters, in lower case, or of digits (as `0`), and where it starts and ends."""

    key: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Every word and number of the text."""
    return [
        Word(_NUMBER if match.group()[0] <= "9" else match.group().lower(), *match.span())
        for match in _WORD.finditer(text)
    ]


@dataclass(frozen=True)
class RuleBook(Generic[Rule]):
    """Rules of one kind with their expressions: those that begin at a word, and those that are searched for."""

    by_word: Mapping[str, Sequence[tuple[Rule, re.Pattern[str]]]]
    searched: Sequence[tuple[Rule, re.Pattern[str]]]

    @classmethod
    def of(cls, rules: Iterable[Rule], vocabulary: PrivacyVocabulary) -> "RuleBook[Rule]":
        """Compile the rules."""
        by_word: defaultdict[str, list[tuple[Rule, re.Pattern[str]]]] = defaultdict(list)
        searched: list[tuple[Rule, re.Pattern[str]]] = []
        for rule in rules:
            pair = rule, re.compile(vocabulary.expand(rule.expression), rule.flags)
            for word in vocabulary.expand(rule.at).split():
                by_word[word].append(pair)
            if not rule.at:
                searched.append(pair)
        return cls(dict(by_word), tuple(searched))

    def matches(self, text: str, words: Sequence[Word]) -> Iterator[tuple[Rule, re.Match[str]]]:
        """Every match of every rule, in no order."""
        lower = text.lower()
        for rule, pattern in self.searched:
            if not rule.needs or any(needed in lower for needed in rule.needs):
                for match in pattern.finditer(text):
                    yield rule, match
        for word in words:
            for rule, pattern in self.by_word.get(word.key, ()):
                found = _match_over(pattern, text, word, rule.back)
                if found is not None:
                    yield rule, found


def _match_over(pattern: re.Pattern[str], text: str, word: Word, back: int) -> re.Match[str] | None:
    """The match that starts at the word, or at most `back` characters before and covers the word's start."""
    if not back:
        return pattern.match(text, word.start)
    around = pattern.finditer(text, max(0, word.start - back), min(len(text), word.end + _REACH))
    return next((match for match in around if match.start() <= word.start < match.end()), None)


@dataclass(frozen=True, eq=False)
class PrivacyRules:
    """Everything that de-identification looks for and spares."""

    vocabulary: PrivacyVocabulary
    known_words: KnownWords
    given_names: GivenNames
    proper_names: frozenset[str]
    listed_names: frozenset[str]
    report_words: frozenset[str]
    prose_words: frozenset[str]

    @cached_property
    def patterns(self) -> RuleBook[PatternRule]:
        """What looks like an identifier."""
        return RuleBook.of(self.vocabulary.patterns, self.vocabulary)

    @cached_property
    def contexts(self) -> RuleBook[ContextRule]:
        """Where names stand."""
        return RuleBook.of(self.vocabulary.contexts, self.vocabulary)

    @cached_property
    def all_names(self) -> frozenset[str]:
        """Every listed name, of persons and places, words of reports among them."""
        return self.listed_names | self.given_names.before_surname

    @cached_property
    def technical_words(self) -> frozenset[str]:
        """Words of reports that are neither English of every day nor names."""
        return self.report_words - self.prose_words - self.all_names

    @cached_property
    def not_names(self) -> frozenset[str]:
        """Words that end a run of names."""
        return frozenset(f"{self.vocabulary.not_names} {self.vocabulary.titles} id".split())

    @cached_property
    def never_names(self) -> frozenset[str]:
        """Words that no name holds: those that end a run of names, and those of anatomy and pathology."""
        return self.not_names | frozenset(self.vocabulary.clinical_words.split())

    @cached_property
    def before_birth(self) -> re.Pattern[str]:
        """What stands before a date of birth, up to it."""
        return re.compile(rf"(?:{self.vocabulary.birth_labels})\W{{0,5}}(?:(?:on|am|is)\s{{1,2}})?$", re.IGNORECASE)

    @cached_property
    def labels(self) -> frozenset[str]:
        """The words at which rules begin."""
        return frozenset([*self.patterns.by_word, *self.contexts.by_word])

    @cached_property
    def english_words(self) -> frozenset[str]:
        """Small words that English text has and German has not."""
        return frozenset(self.vocabulary.english_words.split())

    @cached_property
    def german_words(self) -> frozenset[str]:
        """Small words that German text has and English has not."""
        return frozenset(self.vocabulary.german_words.split())

    def misreads_report_word(self, key: str) -> bool:
        """True for a long word that is one letter, or rn for m, away from a word of reports, as most misreadings are."""
        near = _one_letter_less(key) | _one_letter_less(key.replace("rn", "m"))
        return len(key) >= _LONG and not near.isdisjoint(self._nearly_report_words)

    @cached_property
    def _nearly_report_words(self) -> frozenset[str]:
        long = (word for word in self.report_words if len(word) >= _LONG)
        return frozenset(less for word in long for less in _one_letter_less(word))

    @cached_property
    def eponym_heads(self) -> re.Pattern[str]:
        """What follows a name that stands for a disease, a stain or a score."""
        heads = "|".join(self.vocabulary.eponym_heads.split())
        return re.compile(rf"(?:['’]s?)?[\s-]{{1,2}}(?:{heads})\b", re.IGNORECASE)

    @cached_property
    def _protected(self) -> re.Pattern[str]:
        phrases = "|".join(f"(?:{self.vocabulary.expand(phrase)})" for phrase in self.vocabulary.protected)
        return re.compile(rf"(?<!\w)(?:{phrases})(?!\w)", re.IGNORECASE)

    def protected_near(self, text: str, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The phrases that stay, sorted and apart, as far as they can touch one of the places."""
        spans: list[tuple[int, int]] = []
        for start, end in windows(places, _PROTECTED_REACH, len(text)):
            spans += (match.span() for match in self._protected.finditer(text, start, end))
        return spans


def _one_letter_less(word: str) -> set[str]:
    """The word itself, and without any one of its letters."""
    return {word} | {word[:place] + word[place + 1 :] for place in range(len(word))}


@cache
def load_privacy_rules() -> PrivacyRules:
    """The shipped vocabulary, compiled."""
    vocabulary = load_privacy_vocabulary()
    given = load_given_names()
    report_words = load_words(REPORT_WORDS) | frozenset(f"{vocabulary.kept_capitals} {vocabulary.eponym_heads}".split())
    listed = load_words(NAMES_OF_PEOPLE_AND_PLACES)
    names = (listed | given.before_surname) - report_words
    return PrivacyRules(
        vocabulary, KnownWords.of(vocabulary), given, names, listed, report_words, load_words(ENGLISH_WORDS)
    )
