"""Recall and precision of de-identification, with 95 % bootstrap intervals over texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.frozen import Frozen
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.verdicts import MarkVerdict, RemovalVerdict, Verdicts
from training.measures.resampling import Draws, Figures, Interval, Measure, interval, resampled
from workers.privacy.deidentify import TAGS

BOOTSTRAP_ROUNDS = 1000
SAFE_HARBOR, ALL_MARKS = "Safe Harbor", "everything marked"
KNOWN, UNKNOWN = "known to the resource", "unknown"


class Share(Frozen):
    """Cases among all, and the interval of that share."""

    cases: int
    of: int
    bounds: Interval | None = None

    @property
    def value(self) -> float | None:
        """The share; None where there is nothing to share."""
        return self.cases / self.of if self.of else None


class Row(Frozen):
    """One line of figures: marks found, their characters, how many carry the class's own tag; and removals.

    `own` are removals in the report that was planted into, which nobody judged; they are not among `removals`.
    """

    set: str
    part: str
    found: Share
    characters: Share
    tagged: Share
    right: Share | None = None
    right_characters: Share | None = None
    own: int = 0


class SetFigures(Frozen):
    """All figures of one set."""

    set: str
    texts: int
    summary: tuple[Row, ...]
    classes: tuple[Row, ...]
    apart: tuple[Row, ...]
    tags: tuple[Row, ...]
    spellings: tuple[Row, ...]


@dataclass(frozen=True)
class _Part:
    """One row to be: its verdicts."""

    name: str
    marks: Sequence[MarkVerdict]
    removals: Sequence[RemovalVerdict] | None = None
    own: int = 0


def set_figures(verdicts: Verdicts, rounds: int = BOOTSTRAP_ROUNDS) -> SetFigures:
    """The rows of one set: in all, by class, apart from Safe Harbor, by tag, and by spelling where there are any."""
    named = [one for one in verdicts.marks if one.mark.harbor is not None]
    judged = [one for one in verdicts.removals if not one.own]
    parts: dict[str, list[_Part]] = {
        "summary": _summary(verdicts, named, judged),
        "classes": [_Part(harbor.title, [one for one in named if one.mark.harbor is harbor]) for harbor in SafeHarbor],
        "apart": _by(lambda one: one.mark.label, [one for one in verdicts.marks if one.mark.harbor is None]),
        "tags": [_tag_part(tag, verdicts, named) for tag in TAGS],
        "spellings": _by(lambda one: one.mark.spelling, [one for one in named if one.mark.known]),
    }
    rows = _rows(verdicts, [part for several in parts.values() for part in several], rounds)
    tables: dict[str, tuple[Row, ...]] = {}
    for name, several in parts.items():
        tables[name] = tuple(row for row in (next(rows) for _ in several) if row.found.of or row.right is not None)
    return SetFigures(set=verdicts.name, texts=verdicts.texts, **tables)


def _summary(verdicts: Verdicts, named: list[MarkVerdict], judged: list[RemovalVerdict]) -> list[_Part]:
    """All of the set, what else is marked, and in a planted set its groups."""
    parts = [_Part(SAFE_HARBOR, named, judged, own=len(verdicts.removals) - len(judged))]
    if len(named) < len(verdicts.marks):
        parts.append(_Part(ALL_MARKS, verdicts.marks))
    if any(one.mark.known for one in named):
        parts.append(_Part(KNOWN, [one for one in named if one.mark.known]))
        parts.append(_Part(UNKNOWN, [one for one in named if not one.mark.known]))
    for group in sorted({one.mark.group for one in named} - {""}):
        inside = [one for one in named if one.mark.group == group]
        beside = [one for one in judged if one.group == group]
        parts.append(_Part(f"{group} carriers", inside, beside))
        parts.append(_Part(f"{group} carriers, unknown", [one for one in inside if not one.mark.known]))
    return parts


def _by(key: Callable[[MarkVerdict], str], marks: Sequence[MarkVerdict]) -> list[_Part]:
    """A part for each key that is not empty, in order."""
    names = sorted({key(one) for one in marks} - {""})
    return [_Part(name, [one for one in marks if key(one) == name]) for name in names]


def _tag_part(tag: str, verdicts: Verdicts, named: Sequence[MarkVerdict]) -> _Part:
    """The marks that a tag should replace, and what it did replace."""
    marks = [one for one in named if one.mark.harbor is not None and one.mark.harbor.tag == tag]
    removals = [one for one in verdicts.removals if one.tag == tag]
    judged = [one for one in removals if not one.own]
    return _Part(tag, marks, judged, own=len(removals) - len(judged))


_Counts = tuple[NDArray[np.float64], NDArray[np.float64]]


def _rows(verdicts: Verdicts, parts: Sequence[_Part], rounds: int) -> Iterator[Row]:
    """One row a part; every interval is drawn on the same resamples of the set's texts."""
    measured = [_counts(part, verdicts.texts) for part in parts]
    counted = {f"{index} {name}": counts for index, part in enumerate(measured) for name, counts in part.items()}
    drawn = resampled({name: _measure(counts) for name, counts in counted.items()}, verdicts.texts, rounds)

    def share(name: str) -> Share:
        cases, wholes = counted[name]
        bounds = interval(drawn[name]) if wholes.sum() else None
        return Share(cases=int(cases.sum()), of=int(wholes.sum()), bounds=bounds)

    for index, part in enumerate(parts):
        shares = {name: share(f"{index} {name}") for name in measured[index]}
        yield Row(set=verdicts.name, part=part.name, own=part.own, **shares)


def _counts(part: _Part, texts: int) -> dict[str, _Counts]:
    """Each measure's cases and wholes, one of each a text."""

    def by_text(pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        places = np.array([place for place, _ in pairs], dtype=np.int64)
        weights = np.array([weight for _, weight in pairs], dtype=np.float64)
        return np.bincount(places, weights, minlength=texts).astype(np.float64)

    marks, removals = part.marks, part.removals
    touched = [one for one in marks if one.tag is not None and one.mark.harbor is not None]
    counts = {
        "found": (by_text([(one.text, one.found) for one in marks]), by_text([(one.text, 1) for one in marks])),
        "characters": (
            by_text([(one.text, one.removed) for one in marks]),
            by_text([(one.text, one.characters) for one in marks]),
        ),
        "tagged": (
            by_text([(one.text, _well_tagged(one)) for one in touched]),
            by_text([(one.text, 1) for one in touched]),
        ),
    }
    if removals is not None:
        counts["right"] = (
            by_text([(one.text, one.right) for one in removals]),
            by_text([(one.text, 1) for one in removals]),
        )
        counts["right_characters"] = (
            by_text([(one.text, one.marked) for one in removals]),
            by_text([(one.text, one.characters) for one in removals]),
        )
    return counts


def _measure(counts: _Counts) -> Measure:
    """The share in each resample, 0 where a resample holds no case."""

    def share(drawn: Draws) -> Figures:
        wholes = drawn @ counts[1]
        return np.divide(drawn @ counts[0], wholes, out=np.zeros(len(drawn)), where=wholes > 0)

    return share


def _well_tagged(one: MarkVerdict) -> bool:
    """True where the tag that replaced it is its class's own."""
    return one.mark.harbor is not None and one.tag == one.mark.harbor.tag
