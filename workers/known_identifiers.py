"""One regular expression for all identifiers that a report's resource knows, in every spelling, over folded text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from schemas.messages import KnownIdentifier
from schemas.privacy_vocabulary import PrivacyVocabulary
from workers.offsets import FoldedText, fold, join_hyphenated

_WORD = re.compile(r"[^\W\d_]+")
_GROUP = re.compile(r"\d+|[a-z]+")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")
_GERMAN = (("ae", "a"), ("oe", "o"), ("ue", "u"))
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa"})
_BETWEEN_PARTS = r"[\s,.'’\-]{1,4}"
_BETWEEN_DIGITS = r"[\s\-./]?"
_ID_SEPARATOR = r"[\s\-./_:#]{0,3}"
_MINIMUM_WORD = 3
_MINIMUM_IDENTIFIER = 4
_SPACED_WORD = 5
_NUMBER_ALONE = 5
_NUMBER_SPLIT = 6


@dataclass(frozen=True)
class KnownWords:
    """The word sets that decide what part of a known name may stand alone."""

    titles: frozenset[str]
    particles: frozenset[str]
    organisation: frozenset[str]
    short: frozenset[str]
    confusables: Mapping[str, str]
    streets: Mapping[str, str]

    @classmethod
    def of(cls, vocabulary: PrivacyVocabulary) -> "KnownWords":
        """Read the sets from the vocabulary, folded."""

        def words(text: str) -> frozenset[str]:
            return frozenset(fold(text, vocabulary.confusables).text.split())

        streets = {word: "(?:" + "|".join(group) + r")\.?" for group in vocabulary.street_words for word in group}
        return cls(
            words(vocabulary.titles),
            words(vocabulary.particles),
            words(vocabulary.organisation_words),
            words(vocabulary.short_words),
            vocabulary.confusables,
            streets,
        )

    @cached_property
    def never_alone(self) -> frozenset[str]:
        """Words that no one may remove by themselves."""
        return self.titles | self.particles | self.organisation


def find_known(text: str, known: Sequence[KnownIdentifier], words: KnownWords) -> list[tuple[int, int, str]]:
    """Every span (start, end, tag) of the text that holds a known identifier, unsorted."""
    pattern = compile_known(known, words)
    if pattern is None:
        return []
    folded = fold(text, words.confusables)
    joined = join_hyphenated(folded)
    return [
        (*view.span(*match.span()), match.lastgroup or "ID")
        for view in (folded, joined)
        if view is not None
        for match in pattern.finditer(view.text)
        if _counts(match, view, text)
    ]


def compile_known(known: Sequence[KnownIdentifier], words: KnownWords) -> re.Pattern[str] | None:
    """The expression that finds them, one named group a tag; None where there is nothing to find."""
    groups: dict[str, list[str]] = {}
    for identifier in known:
        if identifier.kind == "DATE":
            groups.setdefault("DATE", []).extend(_date_forms(identifier.value))
        elif identifier.kind in ("ID", "CONTACT"):
            groups.setdefault(identifier.kind, []).extend(_id_forms(identifier.value, words))
        elif identifier.kind == "LOCATION":
            groups.setdefault("LOCATION", []).extend(_place_forms(identifier.value, words))
    names = _name_form([identifier.value for identifier in known if identifier.kind == "NAME"], words)
    if names:
        groups["NAME"] = [names]
    alternatives = [
        f"(?P<{tag}>{'|'.join(sorted(set(forms), key=lambda form: (-len(form), form)))})"
        for tag, forms in groups.items()
        if forms
    ]
    return re.compile(rf"(?<![a-z\d])(?:{'|'.join(alternatives)})(?![a-z\d])") if alternatives else None


def _counts(match: re.Match[str], view: FoldedText, text: str) -> bool:
    """A name of two letters counts alone only in a name's capitals, not inside an all-capital run of text."""
    if match.lastgroup != "NAME" or len(match.group()) >= _MINIMUM_WORD:
        return True
    start, end = view.span(*match.span())
    return text[start:end].istitle()


def _spellings(word: str, words: KnownWords) -> set[str]:
    """A name's word folded, with German umlauts as one letter and as two."""
    plain = fold(word, words.confusables).text
    long = fold(word.translate(_UMLAUTS), words.confusables).text
    short = plain
    for two, one in _GERMAN:
        short = short.replace(two, one)
    return {plain, long, short} - {""}


def _name_form(names: Iterable[str], words: KnownWords) -> str | None:
    """A run of known name words, with initials and short words only beside another one."""
    strong: set[str] = set()
    weak: set[str] = set()
    for name in names:
        for part in _WORD.findall(name):
            for form in _spellings(part, words):
                if form in words.never_alone or form in words.short or len(form) == 1:
                    weak.add(form)
                else:
                    strong.add(form)
                weak.add(form[0])
        for compound in re.findall(r"[^\W\d_]+(?:[-'’ ][^\W\d_]+)+", name):
            pieces = _WORD.findall(compound)
            for left, right in pairwise(pieces):
                strong |= {a + b for a in _spellings(left, words) for b in _spellings(right, words)}
    if not strong:
        return None
    strong |= {" ".join(form) for form in strong if len(form) >= _SPACED_WORD}
    strong_form = "(?:" + "|".join(sorted(strong, key=lambda form: (-len(form), form))) + ")"
    any_form = "(?:" + "|".join(sorted(strong | weak, key=lambda form: (-len(form), form))) + r")(?![a-z\d])\.?"
    return (
        rf"(?:{any_form}[\s,.'’\-]{{0,4}}(?<![a-z\d])){{0,3}}{strong_form}(?![a-z\d])"
        rf"(?:{_BETWEEN_PARTS}{any_form}){{0,5}}"
    )


def _date_forms(value: str) -> list[str]:
    """The digit-only and numeric spellings of a date; spelled months are found by the patterns anyway."""
    match = _ISO_DATE.match(value.strip())
    if not match:
        return []
    year, month, day = match.groups()
    if day is None:
        return [rf"0?{int(month)}[\s./-]{{1,3}}{year}", rf"{year}[\s./-]{{1,3}}0?{int(month)}"]
    short_month, short_day, short_year = f"0?{int(month)}", f"0?{int(day)}", f"(?:{year[:2]})?{year[2:]}"
    between = r"\s?[\s./\-]\s?"
    forms = [
        between.join(order)
        for order in (
            (short_day, short_month, short_year),
            (short_month, short_day, short_year),
            (year, short_month, short_day),
        )
    ]
    digits = (year + month + day, day + month + year, month + day + year)
    return [*forms, *digits, day + month + year[2:], month + day + year[2:], year[2:] + month + day]


def _id_forms(value: str, words: KnownWords) -> list[str]:
    """An identifier with and without separators and leading zeros, and its long number alone."""
    folded = fold(value, words.confusables).text
    groups = _GROUP.findall(folded)
    compact = "".join(groups)
    if len(compact) < _MINIMUM_IDENTIFIER:
        return []
    forms = [_ID_SEPARATOR.join(_id_group(group) for group in groups)]
    if compact.isdigit() and len(groups) > 1:
        forms.append(_id_group(compact))
    for group in groups:
        if group.isdigit() and len(group.lstrip("0")) >= _NUMBER_ALONE and len(groups) > 1:
            forms.append(_id_group(group))
    return forms


def _id_group(group: str) -> str:
    if not group.isdigit():
        return group
    digits = group.lstrip("0") or "0"
    body = _BETWEEN_DIGITS.join(digits) if len(digits) >= _NUMBER_SPLIT else digits
    return rf"(?:0{_BETWEEN_DIGITS}){{0,12}}{body}"


def _place_forms(value: str, words: KnownWords) -> list[str]:
    """A place or address, whole, with its street word short or long and any spacing."""
    parts = re.findall(r"[a-z\d]+", fold(value, words.confusables).text)
    if len("".join(parts)) < _MINIMUM_WORD or (len(parts) == 1 and parts[0] in words.never_alone):
        return []
    forms = [r"[\s,.\-]{1,4}".join(words.streets.get(part, part) for part in parts)]
    umlauts = re.findall(r"[a-z\d]+", fold(value.translate(_UMLAUTS), words.confusables).text)
    if umlauts != parts:
        forms.append(r"[\s,.\-]{1,4}".join(words.streets.get(part, part) for part in umlauts))
    return forms
