"""Moves the dates of a report by a number of days and writes each as it was found: 12/03/2019, 12. März 2019, Mar 12.

Slashes and hyphens are read month first, as in the United States, unless a date of the report shows the other order or
the report is German; where both are shown, a date that fits both is not read at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = r"(?P<name>[^\W\d_]{3,9})"
_ORDINAL = r"(?P<ordinal>st|nd|rd|th)?"
_TIME = r"(?:,?[ T]\s?(?:at\s)?\d{1,2}:\d\d.*)?"
_FORMS = tuple(
    re.compile(f"(?P<date>{form}){_TIME}")
    for form in (
        r"(?P<year>\d{4})(?P<gap>[-/.])(?P<month>\d\d?)(?P=gap)(?P<day>\d\d?)",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<first>\d\d?)(?P<gap>\s?[./-]\s?|\s)(?P<second>\d\d?)(?:\s?[./-]\s?|\s)(?P<year>\d{4}|\d\d)",
        rf"(?P<day>\d\d?){_ORDINAL}\.?(?:\s+of)?[\s-]{{0,2}}{_NAME}\.?(?:[\s,-]{{0,3}}['’]?(?P<year>\d{{4}}|\d\d))?",
        rf"{_NAME}\.?[\s,-]{{0,3}}(?P<day>\d\d?){_ORDINAL}(?:[\s,-]{{1,3}}['’]?(?P<year>\d{{4}}|\d\d))?",
        rf"(?P<year>\d{{4}})[-\s]{_NAME}[-\s](?P<day>\d\d?)",
        rf"{_NAME}\.?[\s,-]{{0,3}}(?:of\s)?['’]?(?P<year>\d{{4}}|(?<=['’])\d\d)",
        r"(?P<month>\d\d?)\s?[/.]\s?(?P<year>\d{4})",
        r"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.",
    )
)
_MONTH_NAMES = """
January February March April May June July August September October November December
Januar Februar März April Mai Juni Juli August September Oktober November Dezember
"""
_ENGLISH, _GERMAN = (line.split() for line in _MONTH_NAMES.strip().splitlines())
_ENGLISH_SHORT = [name[:3] for name in _ENGLISH]
_GERMAN_SHORT = [name[:3] for name in _GERMAN]
_OTHER_NAMES = {"jänner": 1, "maerz": 3, "mrz": 3, "sept": 9}
_ENGLISH_WORDS, _GERMAN_WORDS = (
    {name.lower(): number for names in several for number, name in enumerate(names, start=1)}
    for several in ((_ENGLISH, _ENGLISH_SHORT), (_GERMAN, _GERMAN_SHORT))
)
_MONTHS = {**_ENGLISH_WORDS, **_GERMAN_WORDS, **_OTHER_NAMES}
_DOTTED = re.compile(r"\d\d?\.\s?\d\d?\.|\d\.\s?[^\W\d_]")
_MIDDLE = 15
_MOST_MONTHS = 12
_CENTURY_TURNS = 70
_COMMON_YEAR = 2001
_LONGEST_SHORT = 4


@dataclass(frozen=True)
class DateStyle:
    """How a report writes its dates: the order (None: it shows both), the language, the latest year that it names."""

    day_first: bool | None
    german: bool
    year: int

    @classmethod
    def of(cls, found: Sequence[str]) -> "DateStyle":
        """Read it from all dates of a report."""
        names = {name.lower() for written in found for name in re.findall(r"[^\W\d_]{3,}", written)}
        german = bool(names & (_GERMAN_WORDS.keys() - _ENGLISH_WORDS.keys())) or any(map(_DOTTED.match, found))
        pairs = [re.match(r"(\d\d?)\s?[/-]\s?(\d\d?)\s?[/-]", written) for written in found]
        day, month = (any(pair and int(pair[group]) > _MOST_MONTHS for pair in pairs) for group in (1, 2))
        years = [int(year) for written in found for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", written)]
        return cls(None if day and month else day or (german and not month), german, max(years, default=_COMMON_YEAR))


@dataclass(frozen=True, repr=False)
class WrittenDate:
    """A date with the expression that read it; a month of a year counts as its middle."""

    when: date
    match: re.Match[str]
    style: DateStyle

    @classmethod
    def read(cls, written: str, style: DateStyle) -> "WrittenDate | None":
        """None for a range, a year alone, day/month without a year, and what is no date at all."""
        for form in _FORMS:
            match = form.fullmatch(written)
            when = _when(match, style) if match else None
            if match and when:
                return cls(when, match, style)
        return None

    def moved(self, days: int) -> str:
        """The date so many days later, written in the same way; a time of day is left out."""
        when = self.when + timedelta(days=days)
        groups = self.match.groupdict()
        numbers = {"day": when.day, "month": when.month}
        if "first" in groups:
            order = ("day", "month") if _day_first(groups, self.style) else ("month", "day")
            numbers = dict(zip(("first", "second"), (numbers[name] for name in order), strict=True))
        found = [groups[name] for name in numbers if groups.get(name)]
        width = 1 if any(len(number) == 1 for number in found) else 2
        new = {name: f"{number:0{width}}" for name, number in numbers.items()}
        new["year"] = str(when.year)[-len(groups.get("year") or "") :]
        new["name"] = self._month_name(when.month)
        new["ordinal"] = _ordinal(when.day)
        return self._rewritten(new)

    def _rewritten(self, new: dict[str, str]) -> str:
        """What was found with the new words and numbers in the places of the old."""
        pieces: list[str] = []
        at = 0
        places = {name: self.match.span(name) for name in self.match.re.groupindex if name in new}
        for name, (start, end) in sorted(places.items(), key=lambda item: item[1]):
            if start >= 0:
                pieces += (self.match.string[at:start], new[name])
                at = end
        return "".join((*pieces, self.match.string[at : self.match.end("date")]))

    def _month_name(self, month: int) -> str:
        """A month's name in the language, length and case of the one that was found."""
        found = self.match.groupdict().get("name") or ""
        key = found.lower()
        german = key not in _ENGLISH_WORDS or (key in _GERMAN_WORDS and self.style.german)
        full, short = (_GERMAN, _GERMAN_SHORT) if german else (_ENGLISH, _ENGLISH_SHORT)
        # May is as long as its abbreviation: it is one where no blank stands beside it (07-MAY-2014).
        is_full = len(found) > _LONGEST_SHORT or (
            found.title() in full and (len(found) > 3 or " " in self.match["date"])
        )
        name = (full if is_full else short)[month - 1]
        return name.upper() if found.isupper() else name.lower() if found.islower() else name


def _when(match: re.Match[str], style: DateStyle) -> date | None:
    """The day that the numbers and the name say; None where there is no such day or it could be another."""
    groups = match.groupdict()
    name, year, day, month = (groups.get(key) for key in ("name", "year", "day", "month"))
    if "first" in groups:
        day_first = _day_first(groups, style)
        if day_first is None:
            return None
        day, month = (groups[key] for key in (("first", "second") if day_first else ("second", "first")))
    if style.german and name and day and not year and match.start("name") < match.start("day"):
        return None  # "im August 27" is a year
    number = _MONTHS.get(name.lower(), 0) if name else int(month or 0)
    try:
        return date(_full_year(year) if year else style.year, number, int(day or _MIDDLE))
    except ValueError:
        return None


def _day_first(groups: dict[str, str | None], style: DateStyle) -> bool | None:
    """The order of two numbers: the one that fits, else the report's; None where it cannot be told."""
    first, second = int(groups["first"] or 0), int(groups["second"] or 0)
    if first > _MOST_MONTHS or second > _MOST_MONTHS:
        return first > _MOST_MONTHS
    dotted = (groups["gap"] or "").strip() in ("", ".")
    return dotted or style.day_first


def _full_year(year: str) -> int:
    number = int(year)
    return number if len(year) > 2 else number + (2000 if number < _CENTURY_TURNS else 1900)


def _ordinal(day: int) -> str:
    teens = 10 < day < 14
    return "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
