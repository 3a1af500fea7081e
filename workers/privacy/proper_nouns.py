"""Names of people and places that stand in English prose without any context: listed ones, and unknown ones beside them.

A capitalised word that neither reports nor the clinic know is a name where a list has it, or where it runs on from one
that a list has, or follows a word that leads to a name. German writes every noun so: only English prose is looked at.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from workers.privacy.privacy_rules import PrivacyRules, Word
from workers.privacy.spans import Span

_SHORTEST = 3
_SHORTEST_CAPITALS = 5
_REACH = 60
_BETWEEN = re.compile(
    r"[-'’]|(?:,|,?\sand)?\s(?:[^\W\d_a-z]\.?\s|(?:de|del|della|di|da|do|la|van|von|der|den|van\sde)\s)?"
)
_INITIALS_BEFORE = re.compile(r"(?<![^\W\d_])(?:[A-Z]\.\s?){1,2}$")
_LINE_BEFORE = re.compile(r"(?:^|\n)[ \t]*$")
_LINE_AFTER = re.compile(r"[ \t]*(?:\n|$)|['’]s\s")
_CITED = re.compile(r"\s(?:[A-Z]{1,3},?\s)?et\sal|\s[A-Z]{2,3}[,.]")


@dataclass(frozen=True)
class _Prose:
    """The vocabulary's words of prose as expressions."""

    surname: re.Pattern[str]
    place_before: re.Pattern[str]
    lead_before: re.Pattern[str]
    acts: re.Pattern[str]
    english: re.Pattern[str]
    german: re.Pattern[str]

    @classmethod
    @cache
    def of(cls, rules: PrivacyRules) -> "_Prose":
        """Compiled once."""
        words = rules.vocabulary
        places = words.leads_to_place
        return cls(
            re.compile(rf"[^\W\d_]{{3,}}(?:{_either(words.surname_endings)})"),
            re.compile(rf"(?<![^\W\d_])(?:{_either(places)})\s$"),
            re.compile(rf"(?<![^\W\d_])(?:{_either(f'{places} {words.leads_to_name}')})\s$"),
            re.compile(rf"\s(?:{_either(words.acts)})\s"),
            re.compile(rf"\b(?:{_either(words.english_words)})\b"),
            re.compile(rf"\b(?:{_either(words.german_words)})\b"),
        )


def _either(words: str) -> str:
    """An expression for any of the words; a + stands for a blank within one."""
    return "|".join(words.split()).replace("+", r"\s")


def find_proper_nouns(text: str, words: Sequence[Word], rules: PrivacyRules) -> list[Span]:
    """The names and places of English prose that a list, a surname's ending or a leading word gives away."""
    found: list[Span] = []
    prose = _Prose.of(rules)
    for run in _runs(text, words, rules):
        start, end = run[0].start, run[-1].end
        before = text[max(0, start - _REACH) : start]
        place = prose.place_before.search(before) is not None
        listed = any(word.key in rules.proper_names or prose.surname.fullmatch(word.key) for word in run)
        if text[start:end].isupper():
            named = listed and place
        else:
            led = len(run) == 1 and prose.lead_before.search(before) is not None
            named = listed or led or _alone(text, run, before, prose)
        if not named or rules.eponym_heads.match(text, end) or _CITED.match(text, end):
            continue
        around = text[max(0, start - _REACH) : end + _REACH]
        if prose.german.search(around) or not (prose.english.search(around) or _full_name(text, run, before, rules)):
            continue
        initials = _INITIALS_BEFORE.search(before)
        found.append((start - len(initials.group()) if initials else start, end, "LOCATION" if place else "NAME"))
    return found


def _full_name(text: str, run: Sequence[Word], before: str, rules: PrivacyRules) -> bool:
    """True for a line that is a given name and a surname, one of them listed: no prose need stand around it."""
    line = _LINE_BEFORE.search(before) is not None and _LINE_AFTER.match(text, run[-1].end) is not None
    listed = {run[0].key, run[-1].key} & rules.proper_names
    return line and len(run) > 1 and text[run[0].end] == " " and bool(listed)


def _alone(text: str, run: Sequence[Word], before: str, prose: _Prose) -> bool:
    """True where unknown words are a whole line, or begin it and do what people do."""
    if not _LINE_BEFORE.search(before):
        return False
    end = run[-1].end
    return prose.acts.match(text, end) is not None or (len(run) in (2, 3) and _LINE_AFTER.match(text, end) is not None)


def _runs(text: str, words: Sequence[Word], rules: PrivacyRules) -> Iterator[list[Word]]:
    """Capitalised words that no report knows, as they follow each other."""
    run: list[Word] = []
    for word in words:
        if word.key in rules.report_words or not _capitalised(text, word) or word.key in rules.never_names:
            continue
        if run and not _BETWEEN.fullmatch(text, run[-1].end, word.start):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _capitalised(text: str, word: Word) -> bool:
    """True for a word of three letters or more whose first is a capital, and of five or more that are all capitals."""
    found = text[word.start : word.end]
    return len(found) >= _SHORTEST and (found.istitle() or (len(found) >= _SHORTEST_CAPITALS and found.isupper()))
