"""Puts the answers of a form beside their labels, before anything is read.

Forms lose their layout on the way: all labels come first and all answers after them, a table gives both sides in one
line, and empty boxes stand among ticked ones. The text is laid out anew by the pack's `layout`; every place in it leads
back to the text that came in. Text without such a form stays as it is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from schemas.layout import FormLabel, LayoutRules
from schemas.patterns import Pattern, compile_pattern
from workers.reading.alignment import align
from workers.reading.boxes import Boxes
from workers.reading.document import Span, merge_spans

_LINE = compile_pattern(r"[^\n]+")
_SENTENCE = compile_pattern(r"(?:[^.\n]|\.(?![\s]|$))+\.?")
_FIELD = compile_pattern(r"\s{2,}|\t|\s*\|\s*")
_UNIT = compile_pattern(r"(?P<unit>\b(?:cm|mm)|%)\)?\W*$")
_BARE = compile_pattern(r"[\d.,]+")
# A line of prose is longer on average.
_LINE_LENGTH = 120
_LABEL_LENGTH = 70
_ANSWER_LENGTH = 140
_FEWEST_LABELS = 3
# More labels in a row are no form; it bounds the work on a hostile text.
_MOST_LABELS = 60
_EXTRA_CELLS = 4


@dataclass(frozen=True)
class LaidOut:
    """A text made of stretches of another: `starts[i]` in this one is `sources[i]` in that one, for `lengths[i]`."""

    text: str
    starts: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    before: "LaidOut | None" = None

    def origins(self, start: int, end: int) -> tuple[Span, ...]:
        """Where the characters of a stretch stood in the text that came in, in its order."""
        if self.before is None:
            return ((start, end),)
        found: list[Span] = []
        for run in range(max(0, bisect_right(self.starts, start) - 1), len(self.starts)):
            first, last = max(start, self.starts[run]), min(end, self.starts[run] + self.lengths[run])
            if self.starts[run] >= end:
                break
            if first < last:
                shift = self.sources[run] - self.starts[run]
                found += self.before.origins(first + shift, last + shift)
        return merge_spans(found)

    def origin(self, start: int, end: int) -> Span:
        """Where a stretch stood, from its first to its last word; of a label and an answer far from it, the answer."""
        if self.before is None:
            return start, end
        found = self.origins(start, end)
        if not found:
            return self.before.origin(*self._nearest(start))
        first, last = found[0][0], found[-1][1]
        if last - first <= 2 * (end - start) + _ANSWER_LENGTH:
            return first, last
        answer = self.origins(max(start, self._run_start(end - 1)), end)
        return answer[-1] if answer else found[-1]

    def _run_start(self, at: int) -> int:
        return self.starts[max(0, bisect_right(self.starts, at) - 1)]

    def _nearest(self, at: int) -> Span:
        run = max(0, bisect_right(self.starts, at) - 1)
        end = self.sources[run] + self.lengths[run] if self.sources else 0
        return max(0, end - 1), end


@dataclass(frozen=True)
class _Cell:
    """A line of the text, or a sentence where it has no lines."""

    start: int
    end: int
    wording: str


def lay_out(text: str, rules: LayoutRules) -> LaidOut:
    """The text with the options of empty boxes left out, and every answer beside its label."""
    forms = _Forms.of(rules)
    laid = _edited(LaidOut(text), list(forms.empty_boxes(text)))
    laid = _edited(laid, list(forms.tables(laid.text)))
    laid = _edited(laid, list(forms.rows(laid.text)))
    return _edited(laid, list(forms.columns(laid.text)))


# A stretch that is replaced by others of the same text, or by words of its own.
_Edit = tuple[Span, tuple[Span | str, ...]]


def _edited(laid: LaidOut, edits: list[_Edit]) -> LaidOut:
    if not edits:
        return laid
    pieces: list[Span | str] = []
    at = 0
    for (start, end), instead in sorted(edits):
        pieces += [(at, start), *instead]
        at = end
    pieces.append((at, len(laid.text)))
    written: list[str] = []
    runs: list[tuple[int, int, int]] = []
    length = 0
    for piece in pieces:
        wording = piece if isinstance(piece, str) else laid.text[slice(*piece)]
        if not isinstance(piece, str) and wording:
            runs.append((length, piece[0], len(wording)))
        written.append(wording)
        length += len(wording)
    starts, sources, lengths = zip(*runs, strict=True) if runs else ((), (), ())
    return LaidOut("".join(written), starts, sources, lengths, laid)


class _Forms:
    """The layout rules of a pack, compiled."""

    def __init__(self, rules: LayoutRules) -> None:
        self._boxes = Boxes(rules)
        words = "|".join(f"(?:{label.words})" for label in rules.labels)
        self._any_label: Pattern = compile_pattern(rf"(?:{words})")
        self._labels = [
            (label, compile_pattern(label.words), compile_pattern(label.answers) if label.answers else None)
            for label in rules.labels
        ]
        heads = "|".join(f"(?:{head.words})" for head in rules.heads)
        self._head_line: Pattern = compile_pattern(
            rf"(?:(?:{rules.first_head})\W+)?(?P<head>{heads})(?:[\s|,/]+(?P<head>{heads})){{1,2}}\W*"
        )
        self._heads = [(head.title, compile_pattern(head.words)) for head in rules.heads]
        self._no_answer: Pattern = compile_pattern(rules.no_answer or r"(?!)")
        self._page_break: Pattern = compile_pattern(rules.page_breaks or r"(?!)")

    @classmethod
    def of(cls, rules: LayoutRules) -> "_Forms":
        """The compiled rules; compiled once."""
        return _forms(rules)

    def empty_boxes(self, text: str) -> Iterator[_Edit]:
        """The empty boxes with their options, and the marks of ticked ones."""
        return ((span, ()) for span in self._boxes.dropped(text))

    def tables(self, text: str) -> Iterator[_Edit]:
        """Tables of two sides or foci: each column as a list of its own."""
        cells = _cells(text)
        index = 0
        while index < len(cells):
            head = self._head_line.fullmatch(cells[index].wording.strip(" |.:"))
            titles = [self._title(words) for words in head.captures("head")] if head else []
            rows, used = self._rows(cells[index + 1 :], len(titles)) if len(set(titles)) > 1 else ([], 0)
            if len(rows) > 1:
                inside = {words for _, words, _ in rows}
                others = [cell for cell in cells[index + 1 : index + 1 + used] if not _holds(cell, inside)]
                columns: list[Span | str] = []
                for cell in others:  # of no column: they stand before all
                    columns += [(cell.start, cell.end), "\n"]
                for column, title in enumerate(titles):
                    columns.append(f"\n\n{title}:\n")
                    for label, words, answers in rows:
                        # Behind the title no word of a row looks like the header of a section.
                        columns += [] if label else [f"{title}, "]
                        columns += (*self._beside(text, label, words, answers[column]), "\n")
                yield (cells[index].start, cells[index + used].end), (*columns, "\n")
            index += 1 + (used if len(rows) > 1 else 0)

    def _title(self, words: str) -> str:
        return next(title for title, pattern in self._heads if pattern.fullmatch(words))

    def _rows(
        self, cells: Sequence[_Cell], columns: int
    ) -> tuple[list[tuple[FormLabel | None, Span, list[Span]]], int]:
        """The rows right under the head of a table: label, its words, and one answer a column; with the cells they take."""
        rows: list[tuple[FormLabel | None, Span, list[Span]]] = []
        used = 0
        for index, cell in enumerate(cells):
            row = self._row(cell, columns)
            if row:
                rows.append(row)
                used = index + 1
            elif not rows or index + 1 - used > 2:
                break
        return rows, used

    def _row(self, cell: _Cell, columns: int) -> tuple[FormLabel | None, Span, list[Span]] | None:
        body = cell.wording.rstrip(" .|")
        fields = _parted(body, cell.start)
        if len(fields) == columns + 1:
            first, last = fields[0]
            words = body[first - cell.start : last - cell.start]
            return (self._label(words), fields[0], fields[1:]) if not words[:1].isdigit() else None
        found = [match for _, words, _ in self._labels if (match := words.match(body))]
        match = max(found, key=lambda match: match.end(), default=None)
        if match is None or not match.end() or len(fields) > 1:
            return None
        rest = [(found.start(), found.end()) for found in compile_pattern(r"\S+").finditer(body, match.end())]
        rest = [span for span in rest if body[slice(*span)].strip(":|-") or span != rest[0]]
        each, left = divmod(len(rest), columns)
        if left or not 1 <= each <= 2:
            return None
        start = cell.start
        answers = [
            (start + rest[column * each][0], start + rest[(column + 1) * each - 1][1]) for column in range(columns)
        ]
        label = self._label(match.group())
        fits = label and all(self._fits(label, body[first - start : last - start]) for first, last in answers)
        return (label, (start, start + match.end()), answers) if fits else None

    def rows(self, text: str) -> Iterator[_Edit]:
        """Lines of a label and its answer, which blanks, a tab or a bar part; three or more under each other."""
        run: list[_Edit] = []
        for cell in [*_cells(text), _Cell(len(text), len(text), "")]:
            fields = _parted(cell.wording.rstrip(" .|"), cell.start)
            if len(fields) == 2:
                label, answer = self._label(text[slice(*fields[0])]), text[slice(*fields[1])]
                if label and self._fits(label, answer):
                    run.append(((cell.start, cell.end), self._beside(text, label, *fields)))
                continue
            if len(run) >= _FEWEST_LABELS:
                yield from run
            run = []

    def columns(self, text: str) -> Iterator[_Edit]:
        """Labels in a row with their answers in a row after them, or before them where a colon opens each label."""
        cells = [cell for cell in _cells(text) if not self._page_break.search(cell.wording)]
        index = 0
        while index < len(cells):
            labels, end = self._label_run(cells, index)
            if not labels:
                index = max(index + 1, end)
                continue
            run = cells[index:end]
            before = all(cell.wording.lstrip().startswith(":") for cell in run)
            reach = len(run) + _EXTRA_CELLS
            answers = cells[max(0, index - reach) : index] if before else cells[end : end + reach]
            pairs = self._paired(labels, answers, before)
            if pairs:
                written: list[Span | str] = ["\n"]
                for label, answer in pairs:
                    beside = self._beside(text, labels[label], _trimmed(run[label]), _trimmed(answers[answer]))
                    written += (*beside, "\n")
                yield (run[0].start, run[-1].end), tuple(written)
                yield from _left_out(answers, {answer for _, answer in pairs})
                end = end if before else end + pairs[-1][1] + 1
            index = end

    def _label_run(self, cells: Sequence[_Cell], index: int) -> tuple[list[FormLabel], int]:
        """The labels from a cell on, and where they end; few among them may be unknown, if they look like one."""
        if self._label(cells[index].wording) is None:
            return [], index
        labels: list[FormLabel] = []
        known = end = 0
        for place in range(index, len(cells)):
            wording = cells[place].wording
            label = self._label(wording)
            strange = place - (index + end)
            few = strange < (2 if wording.rstrip().endswith(":") else 1)
            if label is None and (not few or any(sign.isdigit() for sign in wording) or len(wording) > 50):
                break
            labels.append(label or _UNKNOWN)
            if label:
                known, end = known + 1, place - index + 1
        labels = labels[:end]
        if len(labels) > _MOST_LABELS:
            return [], index + end
        return (labels, index + end) if known >= _FEWEST_LABELS and known * 4 >= len(labels) * 3 else ([], index)

    def _paired(self, labels: Sequence[FormLabel], cells: Sequence[_Cell], before: bool) -> list[tuple[int, int]]:
        """Label and answer by their places, in order; none where too little fits."""
        fits = [[self._fit(label, cell.wording) for cell in cells] for label in labels]
        if before:
            turned = align([list(reversed(row)) for row in reversed(fits)])
            pairs = [(len(labels) - 1 - label, len(cells) - 1 - answer) for label, answer in reversed(turned)]
        else:
            pairs = align(fits)
        sure = sum(fits[label][answer] == _SURE for label, answer in pairs)
        return pairs if sure >= 2 and 3 * len(pairs) >= 2 * len(labels) else []

    def _fit(self, label: FormLabel, wording: str) -> int:
        wording = wording.strip(" \t.")
        if len(wording) > _ANSWER_LENGTH:
            return 0
        if label.answers is None:
            return _POSSIBLE
        if self._fits(label, wording):
            return _SURE
        return _POSSIBLE if self._no_answer.match(wording) else 0

    def _fits(self, label: FormLabel, wording: str) -> bool:
        return label.answers is None or compile_pattern(label.answers).match(wording.strip()) is not None

    def _label(self, wording: str) -> FormLabel | None:
        """The label that a cell is, if it is nothing else."""
        wording = wording.strip(" \t:.|*•-=")
        if not wording or len(wording) > _LABEL_LENGTH or not self._any_label.match(wording):
            return None
        return next((label for label, words, _ in self._labels if words.fullmatch(wording)), None)

    def _beside(self, text: str, label: FormLabel | None, words: Span, answer: Span) -> tuple[Span | str, ...]:
        """Label and answer, with the unit that only the label names."""
        unit = _UNIT.search(text[slice(*words)])
        bare = unit and _BARE.fullmatch(text[slice(*answer)].strip())
        said: Span | str = label.says if label and label.says else words
        return (said, ": ", answer, f" {unit['unit']}" if unit and bare else "")


_UNKNOWN = FormLabel(words="")
_POSSIBLE, _SURE = 1, 3


@cache
def _forms(rules: LayoutRules) -> _Forms:
    return _Forms(rules)


def _cells(text: str) -> list[_Cell]:
    """The lines of the text that hold anything, or its sentences where it has few lines."""
    pattern = _LINE if text.count("\n") * _LINE_LENGTH > len(text) else _SENTENCE
    found = ((match.end() - len(match.group().lstrip()), match.group().strip()) for match in pattern.finditer(text))
    return [_Cell(start, start + len(wording), wording) for start, wording in found if wording.strip(" .")]


def _holds(cell: _Cell, spans: set[Span]) -> bool:
    return any(cell.start <= start < cell.end for start, _ in spans)


def _left_out(cells: Sequence[_Cell], taken: set[int]) -> Iterator[_Edit]:
    """Each stretch of cells that were taken from where they stood."""
    for place in sorted(taken):
        if place - 1 not in taken:
            last = place
            while last + 1 in taken:
                last += 1
            yield (cells[place].start, cells[last].end), ()


def _trimmed(cell: _Cell) -> Span:
    wording = cell.wording.rstrip(" \t.:")
    lead = len(wording) - len(wording.lstrip(" \t:"))
    return cell.start + lead, cell.start + len(wording)


def _parted(wording: str, start: int) -> list[Span]:
    """The fields of a line that two blanks, a tab or a bar separate."""
    spans: list[Span] = []
    at = len(wording) - len(wording.lstrip(" |"))
    for match in _FIELD.finditer(wording, at):
        spans.append((start + at, start + match.start()))
        at = match.end()
    spans.append((start + at, start + len(wording)))
    return [span for span in spans if span[0] < span[1]]
