"""A report cut into sections, passages, specimens and blocks, all by offsets into one text."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from schemas.findings import Side

Span = tuple[int, int]


@dataclass(frozen=True)
class Section:
    """A stretch under one header: `start` is the header's, `body` the first character after it."""

    key: str
    priority: int
    start: int
    body: int
    end: int
    shared: bool = True
    one_side: bool = False


@dataclass(frozen=True)
class Passage:
    """The smallest stretch with one section, one specimen part and one side (None: not said).

    `foreign`: it describes a specimen of another organ.
    """

    start: int
    end: int
    section: Section
    part: str | None = None
    kind: str | None = None
    side: Side | None = None
    foreign: bool = False


@dataclass(frozen=True)
class Specimen:
    """A labelled part of what was sent, with every stretch of text that describes it."""

    part: str
    side: Side | None
    kind: str
    spans: tuple[Span, ...]
    foreign: bool = False


@dataclass(frozen=True)
class Block:
    """What one primary may draw on: the text of its side, and the text of no side."""

    key: str
    organ: str
    side: Side | None
    spans: tuple[Span, ...]
    parts: tuple[str, ...]

    def holds(self, start: int, end: int) -> bool:
        """True where the stretch begins and ends inside this block."""
        return any(first <= start and end <= last for first, last in self.spans)


@dataclass(frozen=True)
class Document:
    """The text with its structure; sections and passages each cover it without gap or overlap, in order."""

    text: str
    sections: tuple[Section, ...]
    passages: tuple[Passage, ...]
    specimens: tuple[Specimen, ...]
    blocks: tuple[Block, ...]

    @cached_property
    def _passage_starts(self) -> list[int]:
        return [passage.start for passage in self.passages]

    def passage_at(self, offset: int) -> Passage:
        """The passage that holds the character at `offset`."""
        return self.passages[bisect_right(self._passage_starts, offset) - 1]


def merge_spans(spans: list[Span]) -> tuple[Span, ...]:
    """Spans in order of the text, with touching and overlapping ones joined."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
