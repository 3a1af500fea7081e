"""The spellings in which a report may write what its resource knows, as regular expressions over folded, unmisread text.

Folded means lower case without accents (workers/privacy/offsets.py). `unmisread` then makes one character of each group that
scanning confuses, so that "l5.O3.l947" reads as "15.03.1947" does; the expressions here are built of such characters.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from schemas.privacy_vocabulary import PrivacyVocabulary
from workers.privacy.offsets import fold

_WORD = re.compile(r"[^\W\d_]+")
_GROUP = re.compile(r"\d+|[a-z]+")
_BETWEEN = re.compile(r"[\W_]+")
_PLAIN = re.compile(r"[^\W_]+")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")
_SCHEME = re.compile(r"^(?:https?|ftp|mailto|tel)\W{1,3}(?:www\.)?", re.IGNORECASE)
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", "2": "z"})
_GERMAN = (("ae", "a"), ("oe", "o"), ("ue", "u"))
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa", "ø": "oe", "Ø": "Oe"}
)
_MISREAD_LETTERS = str.maketrans({"ü": "ii", "Ü": "Ii", "ß": "B"})
_LOSABLE = re.compile(r"(?<=[A-Za-z])[^\W\d_a-zA-Z](?=[A-Za-z])")
_BETWEEN_PARTS = r"[\s,.'’\-]{1,4}"
_BETWEEN_DIGITS = r"[\s\-./]?"
_ID_SEPARATOR = r"[\s\-./_:#@()+]{0,4}"
_PLACE_SEPARATOR = r"[\s,.'’\-]{0,4}"
_ZERO = "o"
_MINIMUM_WORD = 3
_MINIMUM_IDENTIFIER = 4
_SPACED_WORD = 5
_MISREAD_WORD = 6
_NUMBER_ALONE = 5
_NUMBER_SPLIT = 5
_COUNTRY_CODES = (1, 2, 3)
_MINIMUM_SUBSCRIBER = 7


def unmisread(folded: str) -> str:
    """The text with one character for each group that scanning confuses, as long as before."""
    return folded.translate(_ALIKE)


def squeezed(read: str) -> str:
    """Letters and digits only: every spelling of an identifier holds its core, so that most need not be looked for."""
    return _BETWEEN.sub("", read)


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

        groups: defaultdict[str, set[str]] = defaultdict(set)
        for group in vocabulary.street_words:
            for word in group:
                groups[word] |= set(group)
        streets = {word: rf"(?:{_longest_first(map(unmisread, group))})\.?" for word, group in groups.items()}
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
        return self.titles | self.particles

    def folded(self, text: str) -> str:
        """The text in lower case without accents."""
        return fold(text, self.confusables).text

    def spellings(self, word: str) -> set[str]:
        """A name's word folded, umlauts as one letter and as two, without letters that a charset loses (M?ller), misread (Miiller)."""
        plain = self.folded(word)
        short = plain
        for two, one in _GERMAN:
            short = short.replace(two, one)
        lost = self.folded(_LOSABLE.sub("", word))
        changed = (self.folded(word.translate(letters)) for letters in (_UMLAUTS, _MISREAD_LETTERS))
        return {plain, *changed, short, lost if len(lost) >= _MINIMUM_WORD else plain} - {""}


@dataclass(frozen=True)
class NameWords:
    """The words of known names, folded: those that are removed wherever they stand, and those beside one of them only."""

    strong: frozenset[str]
    weak: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str], words: KnownWords) -> "NameWords":
        """Take the names apart; a name of short words only counts as a whole."""
        strong: set[str] = set()
        weak: set[str] = set()
        for name in names:
            parts = _WORD.findall(name)
            for part in parts:
                for form in words.spellings(part):
                    alone = form not in words.never_alone | words.short and len(form) > 1
                    if alone and (len(parts) == 1 or form not in words.organisation):
                        strong.add(form)
                    weak |= {form, form[0]}
            strong |= set(_compounds(name, words))
            if not any(len(form) > 1 and form in strong for part in parts for form in words.spellings(part)):
                strong |= set(_short_names(parts, words))
        return cls(frozenset(strong), frozenset(weak))

    @cached_property
    def spelled(self) -> frozenset[str]:
        """Every form that is no misreading."""
        single = {word for form in self.strong | self.weak for word in _WORD.findall(form)}
        return frozenset(single | {form + "s" for form in single})

    def expression(self, letters: str) -> str | None:
        """A run of name words with a strong one in it, of those that the squeezed text holds; None where there is none."""
        read = {unmisread(form) for form in self.strong | _misread(self.strong)}
        strong = {form for form in read if squeezed(form) in letters}
        if not strong:
            return None
        spaced = {r"[\s.]".join(form) for form in strong if len(form) >= _SPACED_WORD and form.isalnum()}
        weak = {unmisread(form) for form in self.weak}
        any_form = rf"(?:{_longest_first({*map(re.escape, strong), *weak})})(?![a-z\d])\.?"
        strong_form = rf"(?:{_longest_first({*map(re.escape, strong), *spaced})})(?:['’]?s)?"
        return (
            rf"(?:{any_form}[\s,.'’\-]{{0,4}}(?<![a-z\d])){{0,5}}{strong_form}(?![a-z\d])"
            rf"(?:{_BETWEEN_PARTS}{any_form}){{0,5}}"
        )


def initials_forms(names: Iterable[str]) -> Iterator[str]:
    """The initials of each name, in both orders; they count beside another identifier only."""
    for name in names:
        letters = [unmisread(part[0].lower()) for part in _WORD.findall(name) if part[0].isascii()]
        if len(letters) > 1:
            for order in (letters, [letters[-1], *letters[:-1]]):
                yield r"\.?\s?".join(order) + r"\.?"


def _compounds(name: str, words: KnownWords) -> Iterator[str]:
    """Neighbouring words of a name as one: Annalena, OBrien."""
    for compound in re.findall(r"[^\W\d_]+(?:[-'’ ][^\W\d_]+)+", name):
        for left, right in pairwise(_WORD.findall(compound)):
            yield from (a + b for a in words.spellings(left) for b in words.spellings(right))
    for prefix, rest in re.findall(r"\b(Ma?c)([A-Z]\w+)", name):
        yield f"{prefix} {rest}".lower()


def _short_names(parts: list[str], words: KnownWords) -> Iterator[str]:
    """Two short words of a name beside each other, in both orders."""
    for left, right in pairwise([words.folded(part) for part in parts if len(part) > 1]):
        for separator in (" ", ", "):
            yield f"{left}{separator}{right}"
            yield f"{right}{separator}{left}"


def _misread(forms: Iterable[str]) -> set[str]:
    """Long words with rn read as m, or m as rn."""
    long = [form for form in forms if len(form) >= _MISREAD_WORD]
    return {form.replace("rn", "m") for form in long if "rn" in form} | {
        form.replace("m", "rn", 1) for form in long if "m" in form
    }


def date_forms(value: str) -> list[str]:
    """The numeric spellings of a date, and what is left of it without day or year; the patterns find spelled months."""
    match = _ISO_DATE.match(value.strip())
    if not match:
        return []
    year, month, day = match.groups()
    long_year = unmisread(year)
    if day is None:
        short = _unpadded(month)
        return [rf"{short}[\s./-]{{1,3}}{long_year}", rf"{long_year}[\s./-]{{1,3}}{short}"]
    short_month, short_day = _unpadded(month), _unpadded(day)
    short_year = f"(?:{unmisread(year[:2])})?{unmisread(year[2:])}"
    between = r"\s?[\s./\-]\s?"
    orders = (
        (short_day, short_month, short_year),
        (short_month, short_day, short_year),
        (short_year, short_month, short_day),
    )
    digits = (
        year + month + day,
        day + month + year,
        month + day + year,
        day + month + year[2:],
        month + day + year[2:],
    )
    padded = "|".join(
        (rf"{unmisread(month)}/{short_day}", rf"{short_day}/{unmisread(month)}", unmisread(f"{month}/{year[2:]}"))
    )
    return [
        *(between.join(order) for order in orders),
        # "3/15" and "11/15" may count nodes, "03/15" and "03/47" hardly.
        *([rf"(?<![./-])(?:{padded})(?![./-][a-z\d])"] if month < "10" else ()),
        *map(unmisread, (*digits, year[2:] + month + day)),
        rf"{short_month}\s?[./-]\s?{long_year}",
        rf"{short_day}\.{short_month}\.",
        long_year,
    ]


def identifier_forms(value: str, words: KnownWords, letters: str) -> list[str]:
    """An identifier with and without separators and leading zeros, and its long number alone."""
    groups = _GROUP.findall(words.folded(value))
    compact = "".join(groups)
    if len(compact) < _MINIMUM_IDENTIFIER or _core(groups) not in letters:
        return []
    forms = [_ID_SEPARATOR.join(_group_form(group) for group in groups)]
    if compact.isdigit() and len(groups) > 1:
        forms.append(_group_form(compact))
    for group in groups:
        if group.isdigit() and len(group.lstrip("0")) >= _NUMBER_ALONE and len(groups) > 1:
            forms.append(_group_form(group))
    return forms


def contact_forms(value: str, words: KnownWords, letters: str) -> list[str]:
    """A telephone number with and without its country, or an address of mail or web."""
    bare = _SCHEME.sub("", value.strip())
    forms = identifier_forms(bare, words, letters)
    digits = "".join(filter(str.isdigit, bare)).lstrip("0")
    if any(map(str.isalpha, bare)) or len(digits) < _MINIMUM_SUBSCRIBER:
        return forms
    if unmisread(digits[-_MINIMUM_SUBSCRIBER:]) in letters:
        forms.append(_group_form(digits, _ID_SEPARATOR))
        if bare.startswith(("+", "00")):
            national = (digits[length:].lstrip("0") for length in _COUNTRY_CODES)
            forms += [_group_form(rest, _ID_SEPARATOR) for rest in national if len(rest) >= _MINIMUM_SUBSCRIBER]
    return forms


def short_identifier_form(value: str, words: KnownWords) -> str | None:
    """An identifier of up to three characters, which counts beside another one only; None for a longer one."""
    compact = "".join(_GROUP.findall(words.folded(value)))
    return unmisread(compact) if 0 < len(compact) < _MINIMUM_IDENTIFIER else None


def place_forms(value: str, words: KnownWords, letters: str) -> list[str]:
    """A place or address, whole, with its street word short or long and any spacing."""
    forms: list[str] = []
    spellings = (value, value.translate(_UMLAUTS), _LOSABLE.sub("", value))
    for spelling in dict.fromkeys(map(words.folded, spellings)):
        parts = _GROUP.findall(spelling)
        lone = len(parts) == 1 and parts[0] in words.never_alone | words.organisation
        stems = [_stem(part) for part in parts if part not in words.streets]
        if len("".join(parts)) >= _MINIMUM_WORD and not lone and (not stems or _core(stems) in letters):
            forms.append(_PLACE_SEPARATOR.join(_place_part(part, words) for part in parts))
    return forms


def words_of_value(value: str, words: KnownWords) -> set[str]:
    """The words and numbers of an identifier, folded."""
    return {part for form in words.spellings(value) for part in _PLAIN.findall(form)}


def _core(groups: Iterable[str]) -> str:
    """The longest group as every spelling has it."""
    longest = max(groups, key=len)
    return unmisread(longest.lstrip("0") if longest.isdigit() else longest)


def _place_part(part: str, words: KnownWords) -> str:
    """A word of an address; a street's name may end in strasse or str."""
    if part in words.streets:
        return words.streets[part]
    stem = _stem(part)
    return unmisread(part) if stem == part else unmisread(stem) + r"str(?:asse)?\.?"


def _stem(part: str) -> str:
    """The word without strasse or str at its end."""
    for ending in ("strasse", "str"):
        if part.endswith(ending) and len(part) > len(ending):
            return part.removesuffix(ending)
    return part


def _group_form(group: str, separator: str = _BETWEEN_DIGITS) -> str:
    """A run of digits with any leading zeros, grouped at will when it is long; letters as they are."""
    if not group.isdigit():
        return unmisread(group)
    digits = unmisread(group.lstrip("0") or "0")
    body = separator.join(digits) if len(group) >= _NUMBER_SPLIT else digits
    return rf"(?:{_ZERO}{_BETWEEN_DIGITS}){{0,12}}{body}"


def _unpadded(number: str) -> str:
    """A day or month with or without its leading zero."""
    return f"{_ZERO}?{unmisread(str(int(number)))}"


def _longest_first(forms: Iterable[str]) -> str:
    return "|".join(sorted(forms, key=lambda form: (-len(form), form)))
