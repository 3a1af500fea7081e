"""The spellings in which a report may write what its resource knows; recall over them is to be one.

Each spelling has a name, by which recall is reported. One that a value does not admit (no accent to lose, no letter to
mistake) gives the value itself.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from random import Random

from training.deidentification.people import Language, Person, plain_letters

Spelled = tuple[str, str]
"""The spelling's name, and the value in it."""

_MISREAD = str.maketrans({"0": "O", "1": "l"})
_MISREAD_LETTERS = str.maketrans({"o": "0", "O": "0", "l": "1", "I": "l"})
_LONG_ENOUGH = 6
MONTHS: Mapping[Language, Sequence[str]] = {
    "english": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    "german": (
        "Januar", "Februar", "März", "April", "Mai", "Juni",
        "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
}  # fmt: skip


def spell_name(person: Person, chance: Random) -> Spelled:
    """A person's name."""
    middle = f" {person.middle[0]}." if person.middle else ""
    plain = f"{person.given} {person.family}"
    return _one_of(
        {
            "as known": person.full,
            "without middle name": plain,
            "capitals": plain.upper(),
            "lower case": plain.lower(),
            "family name first": f"{person.family}, {person.given}{middle}",
            "family name first, capitals": f"{person.family}, {person.given}{middle}".upper(),
            "initials beside the name": f"{person.given[0]}.{middle} {person.family}",
            "initials after the name": f"{person.family}, {person.given[0]}.",
            "without accents": plain_letters(plain),
            "broken at a hyphen": f"{person.given} {_hyphenated(person.family)}",
            "broken between words": f"{person.given}\n{person.family}",
            "misread": f"{person.given} {_misread_letters(person.family, chance)}",
        },
        chance,
    )


def spell_family(person: Person, chance: Random) -> Spelled:
    """A family name alone."""
    family = person.family
    return _one_of(
        {
            "as known": family,
            "capitals": family.upper(),
            "without accents": plain_letters(family),
            "broken at a hyphen": _hyphenated(family),
            "misread": _misread_letters(family, chance),
        },
        chance,
    )


def spell_birth(born: date, chance: Random, language: Language) -> Spelled:
    """A date of birth, whole or in part."""
    month = MONTHS[language][born.month - 1]
    month_first = f"{born.month:02}/{born.day:02}/{born.year}"
    day_first = f"{born.day:02}.{born.month:02}.{born.year}"
    german = language == "german"
    numeric = day_first if german else month_first
    return _one_of(
        {
            "as known": born.isoformat(),
            "numeric": numeric,
            "numeric, short": (
                f"{born.day}.{born.month}.{born:%y}" if german else f"{born.month}/{born.day}/{born:%y}"
            ),
            "in words": f"{born.day}. {month} {born.year}" if german else f"{month} {born.day}, {born.year}",
            "day, month in letters, year": f"{born.day:02}-{month[:3].upper()}-{born.year}",
            "without separators": f"{born:%Y%m%d}",
            "partial: month and year": f"{born.month:02}/{born.year}",
            "partial: month in words and year": f"{month} {born.year}",
            "partial: day and month": f"{born.day}. {month}" if german else f"{month} {born.day}",
            "misread": numeric.translate(_MISREAD),
        },
        chance,
    )


def spell_number(number: str, chance: Random) -> Spelled:
    """A number, with or without its leading zeros and separators."""
    head = number.rstrip("0123456789")
    digits = number[len(head) :]
    bare = "".join(filter(str.isalnum, number))
    middle = len(digits) // 2
    return _one_of(
        {
            "as known": number,
            "without leading zeros": head + digits.lstrip("0"),
            "with more leading zeros": f"{head}00{digits}",
            "grouped": f"{head}{digits[:middle]} {digits[middle:]}" if len(digits) >= _LONG_ENOUGH else number,
            "without separators": bare,
            "lower case": number.lower(),
            "misread": head + digits.translate(_MISREAD),
        },
        chance,
    )


def spell_code(code: str, chance: Random) -> Spelled:
    """A number whose length is fixed, with or without its separators."""
    bare = "".join(filter(str.isalnum, code))
    return _one_of({"as known": code, "without separators": bare, "blanks": code.replace("-", " ")}, chance)


def spell_phone(number: str, chance: Random) -> Spelled:
    """A telephone number with other separators."""
    digits = "".join(filter(str.isdigit, number))
    groups = "".join(character if character.isdigit() else " " for character in number).split()
    return _one_of(
        {
            "as known": number,
            "dots": ".".join(groups),
            "blanks": " ".join(groups),
            "without separators": digits,
            "misread": number.translate(_MISREAD),
        },
        chance,
    )


def spell_words(words: str, chance: Random) -> Spelled:
    """An address line, a mail address, the name of a hospital or a city."""
    return _one_of(
        {
            "as known": words,
            "capitals": words.upper(),
            "lower case": words.lower(),
            "without accents": plain_letters(words),
        },
        chance,
    )


def spell_street(street: str, chance: Random) -> Spelled:
    """A street with its number, long or short."""
    short = street
    for long, abbreviation in (
        ("Street", "St."),
        ("Avenue", "Ave"),
        ("Drive", "Dr."),
        ("Road", "Rd."),
        ("straße", "str."),
    ):
        short = short.replace(long, abbreviation)
    return _one_of({"as known": street, "capitals": street.upper(), "shortened": short}, chance)


def _one_of(forms: Mapping[str, str], chance: Random) -> Spelled:
    """One form by chance; equal forms go by the name of the first of them."""
    form = chance.choice(list(forms.values()))
    return next(name for name, other in forms.items() if other == form), form


def _hyphenated(word: str) -> str:
    """The word broken at a line's end."""
    if len(word) < _LONG_ENOUGH or not word.isalpha():
        return word
    middle = len(word) // 2
    return f"{word[:middle]}-\n{word[middle:]}"


def _misread_letters(word: str, chance: Random) -> str:
    """The word with one letter read as a digit, as far as it has one that looks like a digit."""
    places = [place for place, letter in enumerate(word) if letter.translate(_MISREAD_LETTERS) != letter]
    if not places or len(word) < _LONG_ENOUGH:
        return word
    place = chance.choice(places)
    return word[:place] + word[place].translate(_MISREAD_LETTERS) + word[place + 1 :]
