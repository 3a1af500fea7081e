"""Plants the identifiers of invented patients into report texts, at the borders of lines and sentences.

Every second report is planted line by line, as reports are written; the other in one line whose former lines end in a
full stop, as text reads whose line breaks were lost. The same texts and seed give the same set.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from schemas.messages import KnownIdentifier
from training.deidentification.annotated import AnnotatedText, Mark, Passage
from training.deidentification.carriers import HELD_OUT, OPEN, PLACES, Filled, Place, endless, fill, load_carriers
from training.deidentification.people import InventedPatient, Language, invent_patient

_BORDER = re.compile(r"(?<=[a-z)][.;]) +(?=[A-Z])|\n+")
_COUNTS: Mapping[Place, int] = {"head": 1, "body": 3, "foot": 1}
"""How many carriers of each group and place a report takes."""
_GERMAN_SHARE = 0.3

ReadKnown = Callable[[dict[str, Any]], tuple[KnownIdentifier, ...]]
"""What intake makes of a report's resources."""


@dataclass(frozen=True)
class _Planted:
    """A filled carrier, where it goes in the report, and its group."""

    at: int
    filled: Filled
    group: str


def plant(texts: Iterable[str], seed: int, read_known: ReadKnown) -> Iterator[AnnotatedText]:
    """Each text with its own patient's identifiers in it."""
    cycles: dict[tuple[str, Language, Place], Iterator[str]] = {}
    languages: tuple[Language, ...] = ("english", "german")
    for group in (OPEN, HELD_OUT):
        for language in languages:
            for place in PLACES:
                order = Random(f"{seed} {group} {language} {place}")  # noqa: S311 - sampling, not security
                cycles[group, language, place] = endless(load_carriers(group).of(language, place), order)
    for index, text in enumerate(texts):
        chance = Random(f"{seed} {index}")  # noqa: S311 - sampling, not security
        patient = invent_patient(chance, "german" if chance.random() < _GERMAN_SHARE else "english")
        planted = _arranged(text, patient, cycles, chance)
        yield _assembled(text, planted, read_known(patient.resources(text)), in_lines=index % 2 == 0)


def _arranged(
    text: str, patient: InventedPatient, cycles: Mapping[tuple[str, Language, Place], Iterator[str]], chance: Random
) -> list[_Planted]:
    """The carriers of one report, in the order in which they will stand."""
    borders = [match.end() for match in _BORDER.finditer(text)] or [len(text)]
    found = []
    for group in (OPEN, HELD_OUT):
        for place, count in _COUNTS.items():
            for _ in range(count):
                at = {"head": 0, "body": chance.choice(borders), "foot": len(text)}[place]
                carrier = next(cycles[group, patient.language, place])
                found.append(_Planted(at, fill(carrier, patient, group, chance), group))
    return sorted(found, key=lambda planted: planted.at)


def _assembled(text: str, planted: list[_Planted], known: tuple[KnownIdentifier, ...], in_lines: bool) -> AnnotatedText:
    """The report with its carriers; a passage is all that its carrier added, separators included."""
    pieces: list[str] = []
    marks: list[Mark] = []
    passages: list[Passage] = []
    length = at = 0
    for one in planted:
        before = text[at : one.at]
        at = one.at
        written = one.filled if in_lines else _in_one_line(one.filled)
        opening = "" if not length + len(before) else "\n" if in_lines else " "
        passage = f"{opening}{written.text}\n" if in_lines else f"{opening}{written.text} "
        start = length + len(before) + len(opening)
        pieces += [before, passage]
        marks += [replace(mark, start=mark.start + start, end=mark.end + start) for mark in written.marks]
        length += len(before) + len(passage)
        passages.append(Passage(length - len(passage), length, one.group))
    return AnnotatedText("".join([*pieces, text[at:]]), tuple(marks), known, tuple(passages))


def _in_one_line(filled: Filled) -> Filled:
    """The carrier as it reads after its line breaks were lost: each former line ends in a full stop, a value goes on."""
    inside = {place for mark in filled.marks for place in range(mark.start, mark.end)}
    places = [0]
    pieces = []
    for place, character in enumerate(f"{filled.text}\n"):
        broken = character == "\n"
        ended = broken and place not in inside and filled.text[place - 1] not in ".:;,"
        pieces.append(". " if ended else " " if broken else character)
        places.append(places[-1] + len(pieces[-1]))
    marks = tuple(replace(mark, start=places[mark.start], end=places[mark.end]) for mark in filled.marks)
    return Filled("".join(pieces).rstrip(), marks)
