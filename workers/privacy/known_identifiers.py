"""Finds in a text all identifiers that its resource knows, in every spelling: one expression over the folded text.

A misreading counts where a digit stands in a word, or where the word is long: "Hall" is not "hail", "Mi1ler" is "Miller".
Initials, and numbers of up to three digits, count directly beside what has been removed already.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.messages import KnownIdentifier
from workers.privacy.known_forms import (
    KnownWords,
    NameWords,
    contact_forms,
    date_forms,
    identifier_forms,
    initials_forms,
    place_forms,
    short_identifier_form,
    squeezed,
    unmisread,
    words_of_value,
)
from workers.privacy.offsets import FoldedText, fold, join_hyphenated
from workers.privacy.spans import Span

_WORD = re.compile(r"[^\W_]+")
_SHORT_NAME = 2
_AROUND = 40
_MISREAD_WORD = 6
_WORDY = ("NAME", "LOCATION")


@dataclass(frozen=True)
class KnownPattern:
    """The expression that finds known identifiers, one named group a tag, and the words that are no misreading."""

    anywhere: re.Pattern[str] | None
    beside: re.Pattern[str] | None
    spelled: frozenset[str]

    @classmethod
    def of(cls, known: Sequence[KnownIdentifier], words: KnownWords, read: str) -> "KnownPattern":
        """Compile the spellings of those whose core the text holds."""
        letters = squeezed(read)
        values: defaultdict[str, list[str]] = defaultdict(list)
        for one in known:
            values[one.kind].append(one.value)
        names = NameWords.of(values["NAME"], words)
        expression = names.expression(letters)
        groups = {
            "DATE": [form for value in values["DATE"] for form in date_forms(value)],
            "ID": [form for value in values["ID"] for form in identifier_forms(value, words, letters)],
            "CONTACT": [form for value in values["CONTACT"] for form in contact_forms(value, words, letters)],
            "LOCATION": [form for value in values["LOCATION"] for form in place_forms(value, words, letters)],
            "NAME": [expression] if expression else [],
        }
        initials = list(initials_forms(values["NAME"])) if "]" in read else []
        short = [form for value in values["ID"] if (form := short_identifier_form(value, words))]
        spelled = {word for value in (one.value for one in known) for word in words_of_value(value, words)}
        return cls(
            _either(groups, r"(?<![a-z\d])(?:{})(?![a-z\d])"),
            _either({"NAME": initials, "ID": short}, r"(?:(?<=\])[\s,;:/(\-]{{1,3}}(?:{})(?![a-z\d]))"),
            names.spelled | spelled | words.streets.keys(),
        )


def find_known(text: str, known: Sequence[KnownIdentifier], words: KnownWords) -> list[Span]:
    """Every span of the text that holds a known identifier, unsorted."""
    if not known:
        return []
    folded = fold(text, words.confusables)
    pattern = KnownPattern.of(known, words, unmisread(folded.text))
    found: list[Span] = []
    for view in (folded, join_hyphenated(folded)):
        if view is not None:
            found += _found_in(view, text, pattern)
    return found


def _found_in(view: FoldedText, text: str, pattern: KnownPattern) -> list[Span]:
    read = unmisread(view.text)
    found: list[Span] = []
    if pattern.anywhere is not None:
        for match in pattern.anywhere.finditer(read):
            tag = match.lastgroup or "ID"
            if _counts(match, tag, view, text, pattern.spelled):
                found.append((*view.span(*match.span()), tag))
    if pattern.beside is not None and "[" in read:
        for match in pattern.beside.finditer(read):
            tag = match.lastgroup or "ID"
            start, end = view.span(*match.span(tag))
            if tag == "ID" or text[start:end].isupper():
                found.append((start, end, tag))
    return found


def _either(groups: dict[str, list[str]], around: str) -> re.Pattern[str] | None:
    """One expression for all forms, the longest first; None where there are none."""
    alternatives = [
        f"(?P<{tag}>{'|'.join(sorted(set(forms), key=lambda form: (-len(form), form)))})"
        for tag, forms in groups.items()
        if forms
    ]
    return re.compile(around.format("|".join(alternatives))) if alternatives else None


def _counts(match: re.Match[str], tag: str, view: FoldedText, text: str, spelled: frozenset[str]) -> bool:
    """False for what only a misreading could make an identifier, and for a name's two letters in a line of capitals alone."""
    written = view.text[match.start() : match.end()]
    found = _WORD.findall(written)
    others = [word for word in found if word not in spelled]
    if tag not in _WORDY:
        return not others or any(map(str.isdigit, written))
    if any(1 < len(word) < _MISREAD_WORD and word.isalpha() for word in others):
        return False
    if tag == "LOCATION" or sum(map(len, found)) > _SHORT_NAME:
        return True
    start, end = view.span(*match.span())
    around = text[max(0, start - _AROUND) : start] + text[end : end + _AROUND]
    return text[start:end].istitle() or (text[start:end].isupper() and not around.isupper())
