"""Holds what was removed from a text against what is marked in it: a verdict for each mark and for each removal.

A mark counts as found when every letter and digit of it is removed. A removal is right when it shares a letter or digit
with a mark of any class, one that Safe Harbor does not name included. In a planted text a removal outside the planted
passages that happens without planting as well is the report's own: nobody annotated it, so it is not judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from training.deidentification.annotated import AnnotatedText, Mark, Passage
from workers.privacy.deidentify import Removed, deidentify


@dataclass(frozen=True)
class MarkVerdict:
    """One mark: how many letters and digits it has, how many of them went, and the tag of what took the first."""

    text: int
    mark: Mark
    characters: int
    removed: int
    tag: str | None

    @property
    def found(self) -> bool:
        """True where nothing of it is left."""
        return self.removed == self.characters


@dataclass(frozen=True)
class RemovalVerdict:
    """One removal: its letters and digits, how many of them are marked, and whether it is the report's own.

    `group` is that of the planted passage which it touches, empty outside of one.
    """

    text: int
    tag: str
    start: int
    end: int
    characters: int
    marked: int
    own: bool
    group: str

    @property
    def right(self) -> bool:
        """True where it overlaps a mark."""
        return self.marked > 0


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of one set of texts; `text` in each is the position of its text."""

    name: str
    texts: int
    marks: tuple[MarkVerdict, ...] = field(repr=False)
    removals: tuple[RemovalVerdict, ...] = field(repr=False)


def judge(name: str, texts: Iterable[AnnotatedText]) -> Verdicts:
    """De-identify every text and judge it; one is held at a time."""
    marks: list[MarkVerdict] = []
    removals: list[RemovalVerdict] = []
    count = 0
    for index, text in enumerate(texts):
        removed = deidentify(text.text, text.known).removed
        marks += _marks(index, text, removed)
        removals += _removals(index, text, removed)
        count = index + 1
    return Verdicts(name, count, tuple(marks), tuple(removals))


def _marks(index: int, text: AnnotatedText, removed: Sequence[Removed]) -> Iterable[MarkVerdict]:
    letters, gone = _running(text.text), _running(text.text, [(one.start, one.end) for one in removed])
    for mark in text.marks:
        characters = letters[mark.end] - letters[mark.start]
        if not characters:
            continue
        tag = next((one.tag for one in removed if one.start < mark.end and mark.start < one.end), None)
        yield MarkVerdict(index, mark, characters, gone[mark.end] - gone[mark.start], tag)


def _removals(index: int, text: AnnotatedText, removed: Sequence[Removed]) -> Iterable[RemovalVerdict]:
    letters, marked = _running(text.text), _running(text.text, [(mark.start, mark.end) for mark in text.marks])
    passages = text.passages
    own = _running(text.text, _without_planting(text.text, passages)) if passages is not None else None
    for one in removed:
        group = next((piece.group for piece in passages or () if piece.start < one.end and one.start < piece.end), "")
        inside = marked[one.end] - marked[one.start]
        yield RemovalVerdict(
            text=index,
            tag=one.tag,
            start=one.start,
            end=one.end,
            characters=letters[one.end] - letters[one.start],
            marked=inside,
            own=not inside and not group and own is not None and own[one.end] > own[one.start],
            group=group,
        )


def _running(text: str, spans: Sequence[tuple[int, int]] | None = None) -> list[int]:
    """How many letters and digits stand before each place of the text; with spans only those inside of them."""
    if spans is None:
        counted = [character.isalnum() for character in text]
    else:
        counted = [False] * len(text)
        for start, end in spans:
            counted[start:end] = [character.isalnum() for character in text[start:end]]
    return [0, *accumulate(counted)]


def _without_planting(text: str, passages: Sequence[Passage]) -> list[tuple[int, int]]:
    """What is removed from the report alone, without its planted passages, in places of the planted text."""
    kept: list[tuple[int, int]] = []
    at = 0
    for passage in passages:
        kept.append((at, passage.start))
        at = passage.end
    kept.append((at, len(text)))
    alone = deidentify("".join(text[start:end] for start, end in kept)).removed
    found: list[tuple[int, int]] = []
    before = 0
    for start, end in kept:
        shift = start - before
        before += end - start
        found += [
            (max(one.start + shift, start), min(one.end + shift, end))
            for one in alone
            if one.start + shift < end and start < one.end + shift
        ]
    return found
