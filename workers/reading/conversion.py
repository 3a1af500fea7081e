"""Turns captured wording into values: numbers, lengths in millimetres, counts in digits or words, table look-ups."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

import regex

from schemas.patterns import Pattern

Tables = Mapping[str, Sequence[tuple[Pattern, str]]]

_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
_COUNTS = {word: index for index, word in enumerate(_WORDS)} | {
    "no": 0, "none": 0, "nil": 0, "single": 1, "a": 1, "an": 1, "both": 2, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50
}  # fmt: skip
# "twenty three", "two point oh five", "four and a half".
_SPELLED = regex.compile(
    rf"(?i)\b(?P<whole>(?:(?:twenty|thirty|forty|fifty)[ -])?(?:{'|'.join([*_WORDS, 'thirty', 'forty', 'fifty'])}))\b"
    rf"(?: point(?P<parts>(?: (?:oh|{'|'.join(_WORDS)})\b)+)|(?P<half> and (?:a|one)[ -]half))?"
)
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_OCR_DIGITS = str.maketrans({"O": "0", "o": "0", "l": "1", "I": "1", "|": "1", "S": "5"})
# With what OCR makes of them: "l.5", "2.O", "crn", "em", "rnm".
_SPLIT_POINT = regex.compile(r"(?<=\d)\s?([.,])\s?(?=\d)")
_LENGTH = regex.compile(
    r"((?:\d+|[lI|](?=[.,]))?[.,]?\d*(?:[\dO]|(?<=[.,])[lI|]))[\s-]*(?:(?i)(?P<cm>c\W?m|crn|em|centi\w+)|(?P<mm>m\W?m|[rn]+m|mrn|milli\w+))?"
)


def convert(text: str, converter: str, tables: Tables) -> str | None:
    """Convert captured text by a named converter or table; None where it does not fit."""
    text = " ".join(text.split())
    if converter == "upper":
        return text.upper()
    if converter == "lower":
        return text.lower()
    if converter == "number":
        return _plain(number(text))
    if converter == "integer":
        return _plain(count(text))
    if converter == "roman":
        return _plain(roman(text))
    if converter == "millimetres":
        return _plain(millimetres(text))
    if converter == "centimetres":
        return _plain(millimetres(f"{text} cm"))
    if converter == "category":
        return category(text)
    return _look_up(text, tables[converter])


def category(text: str) -> str:
    """The digit and letters of a T, N or M category: "Ic" and "lc" are 1c, "O" is 0, "x" is X, "IS" is is."""
    text = text.replace(" ", "").replace(".", "")
    if text.lower() == "is":
        return "is"
    first, rest = text[:1], text[1:].lower()
    return {"O": "0", "o": "0", "I": "1", "i": "1", "l": "1", "L": "1", "|": "1"}.get(first, first.upper()) + rest


def number(text: str) -> Decimal | None:
    """A decimal number with point or comma; letters that OCR writes for digits are read as digits."""
    cleaned = text.translate(_OCR_DIGITS).replace(" ", "").replace(",", ".").rstrip(".")
    try:
        return Decimal(cleaned) if cleaned else None
    except InvalidOperation:
        return None


def count(text: str) -> Decimal | None:
    """A count in digits or English words up to fifty-nine."""
    words = regex.split(r"[\s-]+", text.strip().lower())
    if all(word in _COUNTS for word in words):
        return Decimal(sum(_COUNTS[word] for word in words))
    value = number(text)
    return value if value is not None and value == value.to_integral_value() else None


def roman(text: str) -> Decimal | None:
    """A count in Roman numerals up to LXXXIX, of which "1" and "l" are the I of OCR; digits are read as they are."""
    if text.isdecimal() and text.strip("1"):
        return Decimal(text)
    values = [_ROMAN.get(letter) for letter in text.upper().replace("1", "I")]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    signs = [-1 if value < following else 1 for value, following in zip(known, [*known[1:], 0], strict=True)]
    return Decimal(sum(sign * value for sign, value in zip(signs, known, strict=True)))


def millimetres(text: str) -> Decimal | None:
    """The largest of the lengths in `text`, in digits or words, in millimetres; one without unit takes the last unit."""
    text = _SPLIT_POINT.sub(r"\1", _SPELLED.sub(_in_digits, text))
    found = [(number(match[1]), _factor(match)) for match in _LENGTH.finditer(text)]
    last = next((factor for _, factor in reversed(found) if factor), 0)
    lengths = [value * (factor or last) for value, factor in found if value is not None and (factor or last)]
    return max(lengths, default=None)


def _in_digits(match: "regex.Match[str]") -> str:
    """A spelled number of `_SPELLED` in digits: "2.05", "4.5"."""
    parts = "5" if match["half"] else "".join(_plain(count(word)) or "0" for word in (match["parts"] or "").split())
    return f"{count(match['whole'])}.{parts or 0}"


def _factor(match: "regex.Match[str]") -> int:
    """Millimetres in the unit; 0 without one."""
    return 10 if match["cm"] else 1 if match["mm"] else 0


def _plain(value: Decimal | None) -> str | None:
    if value is None:
        return None
    return format(value.normalize(), "f")


def _look_up(text: str, table: Sequence[tuple[Pattern, str]]) -> str | None:
    return next((value for pattern, value in table if pattern.fullmatch(text)), None)
