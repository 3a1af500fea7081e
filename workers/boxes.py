"""Finds the empty boxes of a form with their options, and the marks of ticked ones.

A box stands before its option, or after it; which of both shows in its line. Where neither shows, the line stays as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.layout import LayoutRules
from schemas.patterns import Pattern, compile_pattern
from workers.document import Span

_STRETCH = compile_pattern(r"(?:[^\n.;]|\.(?!\s|$))+")
_WORD = compile_pattern(r"[^\W_]")
_GAP = r"(?<![:,.\s])(?:\s{3,}|\t|\s*\|)"
# Labels are looked for this near to a box.
_NEAR = 60


@dataclass(frozen=True)
class _Box:
    start: int
    end: int
    ticked: bool
    beside: bool


class Boxes:
    """The ways to tick a box of a pack, compiled."""

    def __init__(self, rules: LayoutRules) -> None:
        self._styles = [
            (compile_pattern(style.ticked), compile_pattern(style.empty), style.beside) for style in rules.ticks
        ]
        self._self_named: Pattern = compile_pattern(rules.options or r"(?!)")
        every = "|".join(f"(?:{label.words})" for label in rules.labels) or "(?!)"
        sure = "|".join(f"(?:{label.words})" for label in rules.labels if label.answers) or "(?!)"
        said = "|".join(
            f"(?:{label.words})\\s+(?=[a-z+-])(?:{label.answers})" for label in rules.labels if label.answers
        )
        self._at_end: Pattern = compile_pattern(rf"(?:\b(?:{sure})|[,/|]\s*(?:{every})|:)\W*$")
        self._only: Pattern = compile_pattern(rf"\W*(?:{every})\W*")
        self._next: Pattern = compile_pattern(rf"{_GAP}|\b(?:{every})\s*:|\b(?:{said or '(?!)'})")
        self._label: Pattern = compile_pattern(rf"{_GAP}|:|\b(?:{sure})\s+")

    def dropped(self, text: str) -> Iterator[Span]:
        """The stretches to leave out, in order."""
        boxes = self._found(text)
        at = 0
        for stretch in _STRETCH.finditer(text) if boxes else ():
            first = at
            while at < len(boxes) and boxes[at].start < stretch.end():
                at += 1
            if at > first:
                yield from self._of_stretch(text, stretch.span(), boxes[first:at])

    def _found(self, text: str) -> list[_Box]:
        found: dict[int, _Box] = {}
        inside: set[int] = set()
        for tick, empty, beside in self._styles:
            ticked = [match.span() for match in tick.finditer(text)]
            if not ticked:
                continue
            lines = {text.rfind("\n", 0, start) for start, _ in ticked} if beside else set()
            ticked = [span for span in ticked if span[0] not in inside]
            inside.update(place for start, end in ticked for place in range(start + 1, end))
            found |= {start: _Box(start, end, True, beside) for start, end in ticked if start not in found}
            for match in empty.finditer(text):
                start, end = match.span()
                crossed = start in found
                if (not crossed and start not in inside) or (
                    crossed and beside and text.rfind("\n", 0, start) in lines
                ):
                    found[start] = _Box(start, end, False, beside and not crossed)
        return [found[start] for start in sorted(found)]

    def _of_stretch(self, text: str, stretch: Span, boxes: Sequence[_Box]) -> Iterator[Span]:
        head, tail = text[stretch[0] : boxes[0].start], text[boxes[-1].end : stretch[1]]
        bare = not _WORD.search(head) or bool(self._at_end.search(head[-_NEAR:])) or bool(self._only.fullmatch(head))
        if _WORD.search(tail):
            if not bare and self._label.search(head[-_NEAR:]):
                return
            yield from self._before(text, stretch, boxes)
        elif not bare:
            yield from self._after(text, stretch, boxes)

    def _after(self, text: str, stretch: Span, boxes: Sequence[_Box]) -> Iterator[Span]:
        """Each box with the option before it; a line without a tick keeps its blanks."""
        if any(box.beside for box in boxes) and not any(box.ticked for box in boxes):
            return
        at = stretch[0]
        for box in boxes:
            labels = [at + match.end() for match in self._label.finditer(text[at : box.start].rstrip())]
            yield (box.start if box.ticked else max([at, *labels])), box.end
            at = box.end

    def _before(self, text: str, stretch: Span, boxes: Sequence[_Box]) -> Iterator[Span]:
        """Each box with the option behind it, up to the next box, label or wide gap."""
        groups: list[list[_Box]] = []
        for place, box in enumerate(boxes):
            between = text[boxes[place - 1].end : box.start] if place else ""
            ends = self._at_end.search(between[-_NEAR:]) if place else None
            begin = len(between[-_NEAR:]) - len(between[-_NEAR:].lstrip())
            if not place or (ends and ends.start() > begin):
                groups.append([])
            groups[-1].append(box)
        following = iter([*(box.start for box in boxes[1:]), stretch[1]])
        for group in groups:
            ticked = any(box.ticked for box in group)
            for box in group:
                end = next(following)
                option = text[box.end : end]
                first = not _WORD.search(text[stretch[0] : box.start]) if box is boxes[0] else False
                if box.ticked:
                    yield box.start, box.end
                elif not box.beside or ticked or first or self._self_named.match(option.strip()):
                    lead = len(option) - len(option.lstrip())
                    stop = self._next.search(option, lead + 1)
                    end = box.end + stop.start() if stop else end
                    line_begins = not text[text.rfind("\n", 0, box.start) + 1 : box.start].strip()
                    yield box.start, end + (text[end : end + 1] == "\n" and line_begins)
