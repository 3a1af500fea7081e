"""What de-identification removes and protects, read from privacy_vocabulary.yaml: data, with a case for each rule."""

import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.yaml_source import load_model

VOCABULARY_FILE = Path(__file__).resolve().parent / "privacy_vocabulary.yaml"

NAMES_FILE = VOCABULARY_FILE.parent / "given_names.txt"
NAMES_OF_PEOPLE_AND_PLACES = VOCABULARY_FILE.parent / "proper_names.txt"
REPORT_WORDS = VOCABULARY_FILE.parent / "report_words.txt"
ENGLISH_WORDS = VOCABULARY_FILE.parent / "english_words.txt"

_FRAGMENT = re.compile(r"<<[A-Z_]+>>")

Tag = Literal["NAME", "DATE", "ID", "CONTACT", "LOCATION", "AGE"]


class PrivacyCase(Frozen):
    """A text and exactly the strings that one rule must remove from it; `also` is what others remove there."""

    text: str
    removed: tuple[str, ...]
    also: tuple[str, ...] = ()


class AnchoredRule(Frozen):
    """Where an expression is tried, so that a text is not searched once for each rule.

    With `at`, a match covers the start of one of these words (in lower case; `0` stands for every number) and starts at
    most `back` characters before it. Without, the text is searched if it holds one of the strings in `needs`.
    """

    key: str
    at: str = ""
    back: int = Field(default=0, ge=0, le=80)
    needs: tuple[str, ...] = ()
    cases: tuple[PrivacyCase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.needs and self.at:
            raise ValueError("give at or needs, not both")
        at = _FRAGMENT.sub("", self.at)
        if any(word != word.lower() for word in (at, *self.needs)):
            raise ValueError("words and strings to search for are in lower case")
        return self

    @property
    def expression(self) -> str:
        """The regular expression, fragments not yet in place."""
        raise NotImplementedError

    @property
    def flags(self) -> re.RegexFlag:
        """How it is compiled."""
        return re.NOFLAG


class PatternRule(AnchoredRule):
    """What looks like an identifier wherever it stands; the group `value`, else the whole match, is removed.

    A `labelled` one says itself what it is, and so is removed even where a protected phrase has its form (3/14). A
    `proper` one is removed only where no word of it is a word of the clinic.
    """

    tag: Tag
    regex: str
    ignore_case: bool = False
    labelled: bool = False
    proper: bool = False

    @property
    def expression(self) -> str:
        """The regular expression, fragments not yet in place."""
        return self.regex

    @property
    def flags(self) -> re.RegexFlag:
        """How it is compiled."""
        return re.IGNORECASE if self.ignore_case else re.NOFLAG


class ContextRule(AnchoredRule):
    """Where a name stands: directly after `before`, directly before `after`, or as the group `value` of `shape`.

    A `shape` knows by itself how far the name goes, so one word in it that is no name means that none stands there.
    """

    before: str | None = None
    after: str | None = None
    shape: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.before, self.after, self.shape)) != 1:
            raise ValueError("give exactly one of before, after and shape")
        if self.shape is not None and "(?P<value>" not in self.shape:
            raise ValueError("a shape needs the group value")
        return self

    @property
    def expression(self) -> str:
        """The regular expression, fragments not yet in place."""
        return self.before or self.after or self.shape or ""


class PrivacyVocabulary(Frozen):
    """privacy_vocabulary.yaml."""

    fragments: dict[str, str]
    protected: tuple[str, ...]
    not_names: str
    clinical_words: str
    organisation_words: str
    titles: str
    particles: str
    short_words: str
    eponym_heads: str
    kept_capitals: str
    surname_endings: str
    leads_to_place: str
    leads_to_name: str
    acts: str
    birth_labels: str
    english_words: str
    german_words: str
    confusables: dict[str, str]
    street_words: tuple[tuple[str, ...], ...]
    patterns: tuple[PatternRule, ...]
    contexts: tuple[ContextRule, ...]

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        for rule in (*self.patterns, *self.contexts):
            self._check(rule.key, rule.expression)
        for phrase in self.protected:
            self._check("protected", phrase)
        return self

    def expand(self, regex: str) -> str:
        """The regular expression with its fragments in place."""
        for name, fragment in self.fragments.items():
            regex = regex.replace(f"<<{name}>>", fragment)
        return regex

    def _check(self, key: str, regex: str) -> None:
        try:
            re.compile(self.expand(regex))
        except re.error as error:
            raise ValueError(f"{key}: {error}") from None


@cache
def load_privacy_vocabulary(path: Path = VOCABULARY_FILE) -> PrivacyVocabulary:
    """Read the vocabulary; raises SYN-602 that lists every fault with file, line and key."""
    vocabulary, faults = load_model(path, PrivacyVocabulary)
    if vocabulary is None:
        raise SynopticError(Code.BAD_PACK, "; ".join(str(fault) for fault in faults))
    return vocabulary


class GivenNames(NamedTuple):
    """Given names in lower case: those that name somebody before a surname, and of these the ones that do so alone."""

    before_surname: frozenset[str]
    alone: frozenset[str]


@cache
def load_given_names(path: Path = NAMES_FILE) -> GivenNames:
    """Read the list: one name a line, a + after one that names somebody alone, comments after #."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    alone = frozenset(line.removesuffix("+") for line in lines if line.endswith("+"))
    return GivenNames(frozenset(line for line in lines if line and not line.endswith("+")) | alone, alone)


@cache
def load_words(path: Path) -> frozenset[str]:
    """Read a list of words in lower case, several a line, comments in lines that begin with #."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
