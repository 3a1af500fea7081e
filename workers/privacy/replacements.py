"""What stands in place of what was removed, where de-identified text is given out: tags, moved dates, numbered names.

The tags are the default, and what rules and classifier read in any case: the classifier was trained on them. Dates of a
patient move by a secret number of days, so that intervals survive; names are numbered in the order of their persons.
"""

import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from schemas.messages import ReportText
from schemas.settings import Settings
from workers.privacy.deidentify import CleanText, Removed, deidentify
from workers.privacy.known_forms import unmisread
from workers.privacy.offsets import FoldedText, fold, join_hyphenated
from workers.privacy.privacy_rules import load_privacy_rules
from workers.privacy.removal_reasons import KNOWN
from workers.privacy.sealing import load_secret
from workers.privacy.shifted_dates import DateStyle, WrittenDate

MOST_DAYS = 364
"""A date never moves by a whole year, which would leave day and month as they are."""
_PURPOSE = b"synoptic date offset 1"
_BEFORE = 40
_OLDEST = 89 * 365
_WORD = re.compile(r"[^\W_]+")
_GERMAN_LETTERS = (("ae", "a"), ("oe", "o"), ("ue", "u"))
_INITIALS = 3


@dataclass(frozen=True, repr=False)
class Replacements:
    """What a site writes in place of dates and names; without a secret dates stay tags."""

    secret: bytes | None = None
    numbered_names: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Replacements":
        """As the settings say; raises SYN-603 or SYN-604 where dates shall move and there is no key to move them by."""
        shift = settings.privacy.dates == "shift"
        return cls(load_secret(settings) if shift else None, settings.privacy.names == "number")

    def deidentified(self, report: ReportText) -> CleanText:
        """The report's text without its identifiers."""
        clean = deidentify(report.text, report.known_identifiers)
        written = dict[int, str]()
        if self.secret is not None:
            written |= _moved_dates(report.text, clean.removed, date_offset(self.secret, report.context.patient_key))
        if self.numbered_names:
            written |= _numbered_names(report.text, clean.removed)
        if not written:
            return clean
        removed = (replace(one, replacement=written.get(one.start, one.replacement)) for one in clean.removed)
        return CleanText.of(report.text, tuple(removed))


def date_offset(secret: bytes, patient_key: UUID) -> int:
    """The days by which a patient's dates move: -364 to 364 and never 0, the same for all reports of the patient."""
    drawn = int.from_bytes(hmac.digest(secret, _PURPOSE + patient_key.bytes, "sha256")) % (2 * MOST_DAYS)
    return drawn - MOST_DAYS if drawn < MOST_DAYS else drawn - MOST_DAYS + 1


def _moved_dates(text: str, removed: Sequence[Removed], days: int) -> Iterator[tuple[int, str]]:
    """Where a date stood, and the moved one; births stay tags, and so does what gives away an age over 89."""
    found = {one.start: text[one.start : one.end] for one in removed if one.tag == "DATE"}
    style = DateStyle.of(list(found.values()))
    read = {start: when for start, written in found.items() if (when := WrittenDate.read(written, style))}
    latest = max((one.when for one in read.values()), default=None)
    known = {one.start for one in removed if one.reason == KNOWN}
    born = load_privacy_rules().before_birth
    for start, one in read.items():
        birth = start in known or born.search(text, max(0, start - _BEFORE), start)
        if latest is not None and not birth and (latest - one.when).days < _OLDEST:
            yield start, one.moved(days)


@dataclass(frozen=True, repr=False)
class _Person:
    """The words and initials by which a text names somebody, as they compare."""

    words: frozenset[str]
    initials: frozenset[str]

    def fits(self, other: "_Person") -> bool:
        """True where the other has all words of this one, and a word or initial for each of its initials."""
        letters = other.initials | {word[0] for word in other.words}
        return self.words <= other.words and self.initials <= letters

    @classmethod
    def read(cls, name: str) -> "_Person":
        """Words without case, accents, titles, genitive and what scanning confuses."""
        rules = load_privacy_rules()
        folded: FoldedText = fold(name, rules.vocabulary.confusables)
        plain = (join_hyphenated(folded) or folded).text
        for two, one in _GERMAN_LETTERS:
            plain = plain.replace(two, one)
        parts = [part for part in _WORD.findall(plain) if part not in rules.known_words.never_alone]
        if len(parts) == 1 and len(parts[0]) <= _INITIALS and name.isupper():
            parts = list(parts[0])
        words = {unmisread(part.removesuffix("s") or part) for part in parts if len(part) > 1}
        return cls(frozenset(words), frozenset(unmisread(part) for part in parts if len(part) == 1))


def _numbered_names(text: str, removed: Sequence[Removed]) -> Iterator[tuple[int, str]]:
    """Where a name stood, and the tag with its person's number: a name of two persons counts as the later one's."""
    persons: list[_Person] = []
    last_seen: list[int] = []
    for place, one in enumerate(removed):
        if one.tag != "NAME":
            continue
        named = _Person.read(text[one.start : one.end])
        same = [index for index, person in enumerate(persons) if named.fits(person) or person.fits(named)]
        if same:
            index = max(same, key=last_seen.__getitem__)
            person = persons[index]
            persons[index] = _Person(person.words | named.words, person.initials | named.initials)
            last_seen[index] = place
        else:
            index = len(persons)
            persons.append(named)
            last_seen.append(place)
        yield one.start, f"[NAME {index + 1}]"
