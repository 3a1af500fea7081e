"""Maps from a changed text back to the text it came from: cut-out spans, and folded (case, accents, alphabets) views."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HYPHENATED = re.compile(r"(?<=\w)-(?:[ \t]*\r?\n[ \t]*| {1,2})(?=\w)")  # a lost line break is a blank
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")


@dataclass(frozen=True, repr=False)
class OffsetMap:
    """Runs of kept characters: `clean[i]` in the changed text is `source[i]` in the original, for `length[i]` characters."""

    clean: tuple[int, ...]
    source: tuple[int, ...]
    length: tuple[int, ...]

    def to_source(self, start: int, end: int) -> tuple[int, int] | None:
        """The same span in the original; None where it is not wholly made of kept, neighbouring characters."""
        run = bisect_right(self.clean, start) - 1
        if run < 0 or start < 0 or end < start:
            return None
        shift = self.source[run] - self.clean[run]
        if start > self.clean[run] + self.length[run] or end > self.clean[run] + self.length[run]:
            return None
        return start + shift, end + shift


def replace_spans(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[str, OffsetMap]:
    """The text with each span (sorted, apart) replaced by its string, and the map back."""
    pieces: list[str] = []
    clean: list[int] = []
    source: list[int] = []
    length: list[int] = []
    at = written = 0
    for start, end, replacement in [*spans, (len(text), len(text), "")]:
        if start > at or not clean:
            clean.append(written)
            source.append(at)
            length.append(start - at)
        pieces += (text[at:start], replacement)
        written += start - at + len(replacement)
        at = end
    return "".join(pieces), OffsetMap(tuple(clean), tuple(source), tuple(length))


@dataclass(frozen=True, repr=False)
class FoldedText:
    """A text in lower case without accents, in which character i stands at `positions[i]` of the original."""

    text: str
    positions: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that gave a (non-empty) folded one."""
        return self.positions[start], self.positions[end - 1] + 1


def fold_character(character: str, confusables: Mapping[str, str]) -> str:
    """One character as lower-case Latin letters without accents, as far as there are any; nothing for invisible ones."""
    if character in _INVISIBLE:
        return ""
    lower = character.lower()
    if lower in confusables:
        return confusables[lower]
    plain = "".join(part for part in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(part))
    return "".join(confusables.get(part, part) for part in plain.lower())


def fold(text: str, confusables: Mapping[str, str]) -> FoldedText:
    """Fold every character, remembering where it stood."""
    if text.isascii():
        return FoldedText(text.lower(), range(len(text)))
    table: dict[str, str] = {
        character: character.lower() if character.isascii() else fold_character(character, confusables)
        for character in set(text)
    }
    pieces: list[str] = []
    positions: list[int] = []
    for index, character in enumerate(text):
        folded = table[character]
        pieces.append(folded)
        if len(folded) == 1:
            positions.append(index)
        else:
            positions.extend([index] * len(folded))
    return FoldedText("".join(pieces), positions)


def join_hyphenated(folded: FoldedText) -> FoldedText | None:
    """The same view with words joined that a hyphen breaks at a line's end; None where there are none."""
    breaks = [match.span() for match in _HYPHENATED.finditer(folded.text)]
    if not breaks:
        return None
    pieces: list[str] = []
    positions: list[int] = []
    at = 0
    for start, end in [*breaks, (len(folded.text), len(folded.text))]:
        pieces.append(folded.text[at:start])
        positions.extend(folded.positions[at:start])
        at = end
    return FoldedText("".join(pieces), positions)
