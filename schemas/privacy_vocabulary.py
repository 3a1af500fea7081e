"""What de-identification removes and protects, read from privacy_vocabulary.yaml: data, with a case for each rule."""

import re
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.yaml_source import load_model

VOCABULARY_FILE = Path(__file__).resolve().parent / "privacy_vocabulary.yaml"

Tag = Literal["NAME", "DATE", "ID", "CONTACT", "LOCATION", "AGE"]


class PrivacyCase(Frozen):
    """A text and exactly the strings that one rule must remove from it."""

    text: str
    removed: tuple[str, ...]


class PatternRule(Frozen):
    """What looks like an identifier wherever it stands; the group `value`, else the whole match, is removed.

    A `labelled` one says itself what it is, and so is removed even where a protected phrase has its form (3/14).
    """

    key: str
    tag: Tag
    regex: str
    ignore_case: bool = False
    labelled: bool = False
    cases: tuple[PrivacyCase, ...] = Field(min_length=1)


class ContextRule(Frozen):
    """Where a name stands: directly after `before`, directly before `after`, or as the group `value` of `shape`.

    A `shape` knows by itself how far the name goes, so one word in it that is no name means that none stands there.
    """

    key: str
    before: str | None = None
    after: str | None = None
    shape: str | None = None
    cases: tuple[PrivacyCase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.before, self.after, self.shape)) != 1:
            raise ValueError("give exactly one of before, after and shape")
        if self.shape is not None and "(?P<value>" not in self.shape:
            raise ValueError("a shape needs the group value")
        return self

    @property
    def regex(self) -> str:
        """The expression that is searched for, fragments not yet in place."""
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
    confusables: dict[str, str]
    street_words: tuple[tuple[str, ...], ...]
    patterns: tuple[PatternRule, ...]
    contexts: tuple[ContextRule, ...]

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        for rule in self.patterns:
            self._check(rule.key, rule.regex)
        for context in self.contexts:
            self._check(context.key, context.regex)
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
