"""Finds the empty boxes of a form with their options, and the marks of ticked ones.

A box stands before its option, or after it; which of both shows in its line. Where neither shows, the line is left out:
an option that nobody ticked is no answer. A blank is a box only in a list of boxes; else it leads from a label to a value.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.layout import LayoutRules
from schemas.patterns import Pattern, compile_pattern
from workers.reading.document import Span

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
    beside: bool = False
    blank: bool = False
    # A box of its style is ticked somewhere in the text.
    used: bool = True
    # The list of boxes that it belongs to.
    group: int = 0


class Boxes:
    """The ways to tick a box of a pack, compiled."""

    def __init__(self, rules: LayoutRules) -> None:
        self._styles = [(style, compile_pattern(style.ticked), compile_pattern(style.empty)) for style in rules.ticks]
        self._self_named: Pattern = compile_pattern(rules.options or r"(?!)")
        every = "|".join(f"(?:{label.words})" for label in rules.labels) or "(?!)"
        sure = "|".join(f"(?:{label.words})" for label in rules.labels if label.answers) or "(?!)"
        said = "|".join(
            f"(?:{label.words})\\s+(?=[a-z+-])(?:{label.answers})" for label in rules.labels if label.answers
        )
        self._at_end: Pattern = compile_pattern(rf"(?:\b(?:{sure})|[,/|]\s*(?:{every})|:)\W*$")
        answers = "|".join(f"(?:{label.answers})" for label in rules.labels if label.answers)
        self._answer: Pattern = compile_pattern(answers or "(?!)")
        self._only: Pattern = compile_pattern(rf"\W*(?:{every})\W*")
        self._next: Pattern = compile_pattern(rf"{_GAP}|\b(?:{every})\s*:|\b(?:{said or '(?!)'})")
        self._label: Pattern = compile_pattern(rf"{_GAP}|:|\b(?:{sure})\s+")

    def dropped(self, text: str) -> Iterator[Span]:
        """The stretches to leave out, in order."""
        stretches = [match.span() for match in _STRETCH.finditer(text)]
        boxes = list(self._listed(text, stretches, self._found(text)))
        for stretch, own in _by_stretch(stretches, boxes):
            yield from self._of_stretch(text, stretch, own)

    def _found(self, text: str) -> list[_Box]:
        found: dict[int, _Box] = {}
        inside: set[int] = set()
        for style, tick, empty in self._styles:
            ticked = [match.span() for match in tick.finditer(text)]
            if style.beside and not ticked:
                continue
            used = bool(ticked)
            lines = {text.rfind("\n", 0, start) for start, _ in ticked} if style.beside else set()
            ticked = [span for span in ticked if span[0] not in inside]
            inside.update(place for start, end in ticked for place in range(start + 1, end))
            found |= {start: _Box(start, end, True, style.beside) for start, end in ticked if start not in found}
            for match in empty.finditer(text):
                start, end = match.span()
                crossed = start in found
                if (not crossed and start not in inside) or (
                    crossed and style.beside and text.rfind("\n", 0, start) in lines
                ):
                    found[start] = _Box(start, end, False, style.beside and not crossed, style.blank, used)
        return [found[start] for start in sorted(found)]

    def _listed(self, text: str, stretches: Sequence[Span], boxes: Sequence[_Box]) -> Iterator[_Box]:
        """The boxes with their lists; no lone one where none is ticked, and no lone blank behind other words."""
        grouped: list[_Box] = []
        opening: set[int] = set()
        for stretch, own in _by_stretch(stretches, boxes):
            leads = not _WORD.search(text[stretch[0] : own[0].start])
            opening |= {own[0].start} if leads else set()
            follows = leads and bool(grouped) and not _WORD.search(text[_end_of(stretches, grouped[-1]) : stretch[0]])
            for box in own:
                last = grouped[-1].group if grouped else 0
                joins = follows if box is own[0] else not self._opens(text[grouped[-1].end : box.start])
                grouped.append(replace(box, group=last if joins else last + 1))
        sizes = Counter(box.group for box in grouped)
        for box in grouped:
            named = box.start in opening or self._self_named.match(text[box.end : box.end + _NEAR].lstrip())
            if box.ticked or box.beside or sizes[box.group] > 1 or (box.used and (named or not box.blank)):
                yield box

    def _opens(self, between: str) -> bool:
        """Whether a label stands between two boxes, behind the option of the first."""
        ends = self._at_end.search(between[-_NEAR:])
        return ends is not None and ends.start() > len(between[-_NEAR:]) - len(between[-_NEAR:].lstrip())

    def _of_stretch(self, text: str, stretch: Span, boxes: Sequence[_Box]) -> Iterator[Span]:
        head, tail = text[stretch[0] : boxes[0].start], text[boxes[-1].end : stretch[1]]
        bare = not _WORD.search(head) or bool(self._at_end.search(head[-_NEAR:])) or bool(self._only.fullmatch(head))
        labelled = None if bare else self._label.search(head[-_NEAR:])
        if labelled and self._answer.match(head[-_NEAR:][labelled.end() :].strip()):
            yield from self._after(text, stretch, boxes)
        elif _WORD.search(tail):
            if labelled:
                yield boxes[0].start, stretch[1]
            else:
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
        ticked_groups = {box.group for box in boxes if box.ticked}
        following = iter([*(box.start for box in boxes[1:]), stretch[1]])
        for box in boxes:
            end = next(following)
            option = text[box.end : end]
            first = not _WORD.search(text[stretch[0] : box.start]) if box is boxes[0] else False
            if box.ticked:
                yield box.start, box.end
            elif not box.beside or box.group in ticked_groups or first or self._self_named.match(option.strip()):
                lead = len(option) - len(option.lstrip())
                stop = self._next.search(option, lead + 1)
                end = box.end + stop.start() if stop else end
                line_begins = not text[text.rfind("\n", 0, box.start) + 1 : box.start].strip()
                yield box.start, end + (text[end : end + 1] == "\n" and line_begins)


def _by_stretch(stretches: Sequence[Span], boxes: Iterable[_Box]) -> Iterator[tuple[Span, list[_Box]]]:
    """The stretches that have boxes, with them."""
    left = deque(boxes)
    for stretch in stretches:
        own: list[_Box] = []
        while left and left[0].start < stretch[1]:
            own.append(left.popleft())
        if own:
            yield stretch, own


def _end_of(stretches: Sequence[Span], box: _Box) -> int:
    """Where the stretch of a box ends."""
    return stretches[bisect_right(stretches, box.start, key=lambda stretch: stretch[0]) - 1][1]
