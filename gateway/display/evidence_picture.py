"""Draws a page with its evidence: boxes on the page, and a margin beside it with each task and value at its height.

Labels stand in the margin, so that they hide no text; a thin line under the row of the text leads from box to label.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops, ImageDraw, ImageFont

from gateway.display.evidence_marks import COLOURS, MEANINGS, Mark, Summary
from gateway.documents.page_layout import THOUSANDTHS, Box

PAGE_WIDTH = 1400
_MARGIN = 620
_HEADER = 116
_PADDING = 4
_INK, _GREY, _RULE, _PAPER = (25, 28, 33), (105, 112, 122), (210, 214, 220), (246, 247, 249)
_FILL = 0.82  # how much of the paper's white a box keeps
_MINIMUM_GAP = 10
_INDENT = 46


@dataclass(frozen=True)
class PageTitle:
    """What the header says: the document, its page, and who read it."""

    source: str
    page: str
    reader: str


Placed = Sequence[tuple[tuple[Box, ...], list[Mark]]]


def draw_page(image: bytes, title: PageTitle, placed: Placed, summaries: Sequence[Summary]) -> bytes:
    """The page as a PNG with its evidence; `summaries` head the margin, on the first page."""
    page = Image.open(io.BytesIO(image)).convert("RGB")
    page = page.resize((PAGE_WIDTH, max(round(page.height * PAGE_WIDTH / page.width), 1)), Image.Resampling.LANCZOS)
    labels = _Labels(_HEADER + 16)
    labels.head(summaries)
    for found, marks in placed:
        labels.add(found, marks, _HEADER + found[0][3] * page.height // THOUSANDTHS)
    height = max(_HEADER + page.height, labels.bottom + 20)
    canvas = Image.new("RGB", (PAGE_WIDTH + _MARGIN, height), _PAPER)
    canvas.paste(_filled(page, placed), (0, _HEADER))
    drawing = ImageDraw.Draw(canvas)
    _header(drawing, title)
    _outlines(drawing, page.size, placed)
    labels.draw(drawing, page.size)
    target = io.BytesIO()
    canvas.save(target, format="PNG", optimize=True)
    return target.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _colour(marks: Sequence[Mark]) -> tuple[int, int, int]:
    """The colour of a box: of what most needs a look."""
    kinds = {mark.kind for mark in marks}
    return COLOURS[next(kind for kind in ("review", "coded", "read") if kind in kinds)]


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    across, down = size[0] / THOUSANDTHS, size[1] / THOUSANDTHS
    return (
        round(left * across) - _PADDING,
        round(top * down) - _PADDING // 2,
        round(right * across) + _PADDING,
        round(bottom * down) + _PADDING // 2,
    )


def _filled(page: Image.Image, placed: Placed) -> Image.Image:
    """The page with its boxes tinted as a marker pen does: what is printed stays as dark as it was."""
    tint = Image.new("RGB", page.size, "white")
    drawing = ImageDraw.Draw(tint)
    for found, marks in placed:
        pale = tuple(round(255 * _FILL + part * (1 - _FILL)) for part in _colour(marks))
        for box in found:
            drawing.rectangle(_pixels(box, page.size), fill=pale)
    return ImageChops.multiply(page, tint)


def _outlines(drawing: ImageDraw.ImageDraw, size: tuple[int, int], placed: Placed) -> None:
    for found, marks in placed:
        for box in found:
            left, top, right, bottom = _pixels(box, size)
            drawing.rectangle((left, top + _HEADER, right, bottom + _HEADER), outline=_colour(marks), width=2)


def _header(drawing: ImageDraw.ImageDraw, title: PageTitle) -> None:
    """The document and its page on the left, the legend below."""
    drawing.rectangle((0, 0, PAGE_WIDTH + _MARGIN, _HEADER - 1), fill="white")
    drawing.line((0, _HEADER - 1, PAGE_WIDTH + _MARGIN, _HEADER - 1), fill=_RULE)
    drawing.line((PAGE_WIDTH, _HEADER, PAGE_WIDTH, 100_000), fill=_RULE)
    drawing.text((28, 18), title.source, font=_font(34), fill=_INK, stroke_width=0.5)
    drawing.text((PAGE_WIDTH + 24, 26), f"{title.page}, read by {title.reader}", font=_font(24), fill=_GREY)
    left = 28
    for kind, meaning in MEANINGS.items():
        drawing.rectangle((left, 76, left + 26, 96), fill=COLOURS[kind])
        drawing.text((left + 38, 72), meaning, font=_font(23), fill=_INK)
        left += 74 + round(drawing.textlength(meaning, font=_font(23)))


@dataclass(frozen=True)
class _Label:
    top: int
    box: Box
    marks: list[Mark]


class _Labels:
    """The margin: labels from top to bottom, each as near to the height of its box as those above it leave."""

    def __init__(self, top: int) -> None:
        self.bottom = top
        self._heads: list[tuple[int, str, bool]] = []
        self._labels: list[_Label] = []

    def head(self, summaries: Sequence[Summary]) -> None:
        """Head the margin with a line a primary, and what its report does not say."""
        for summary in summaries:
            for line in _wrapped(summary.primary, 23):
                self._heads.append((self.bottom, line, True))
                self.bottom += 32
            for line in _wrapped(f"not stated: {', '.join(summary.unsaid)}", 21) if summary.unsaid else ():
                self._heads.append((self.bottom, line, False))
                self.bottom += 28
            self.bottom += _MINIMUM_GAP

    def add(self, found: tuple[Box, ...], marks: list[Mark], height: int) -> None:
        """Place a label whose first line should stand at this height."""
        top = max(height - 30, self.bottom + _MINIMUM_GAP)
        self._labels.append(_Label(top, found[0], marks))
        self.bottom = top + sum(_height(mark) for mark in marks)

    def draw(self, drawing: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
        """Draw the margin and the lines that lead to it."""
        for top, line, strong in self._heads:
            drawing.text((PAGE_WIDTH + 24, top), line, font=_font(23 if strong else 21), fill=_INK if strong else _GREY)
        for label in self._labels:
            colour = _colour(label.marks)
            right, bottom = _pixels(label.box, size)[2:]
            points = [(right, bottom + _HEADER), (PAGE_WIDTH - 14, bottom + _HEADER)]
            points.append((PAGE_WIDTH + _INDENT - 14, label.top + 16))
            drawing.line(points, fill=colour, width=1)
            self._text(drawing, label)

    def _text(self, drawing: ImageDraw.ImageDraw, label: _Label) -> None:
        top = label.top
        for mark in label.marks:
            left, colour = PAGE_WIDTH + _INDENT, COLOURS[mark.kind]
            drawing.rectangle((left - 12, top, left - 6, top + _height(mark) - 6), fill=colour)
            drawing.text((left, top), mark.task, font=_font(25), fill=colour, stroke_width=0.6)
            left += round(drawing.textlength(mark.task, font=_font(25))) + 14
            drawing.text((left, top), mark.value, font=_font(25), fill=_INK, stroke_width=0.4)
            left += round(drawing.textlength(mark.value, font=_font(25))) + 14
            lines = _wrapped(mark.note, 20)
            if len(lines) == 1 and left + drawing.textlength(mark.note, font=_font(20)) < PAGE_WIDTH + _MARGIN - 10:
                drawing.text((left, top + 5), mark.note, font=_font(20), fill=_GREY)
            else:
                for row, line in enumerate(lines):
                    drawing.text((PAGE_WIDTH + _INDENT, top + 32 + 26 * row), line, font=_font(20), fill=_GREY)
            top += _height(mark)


def _height(mark: Mark) -> int:
    return 38 if len(mark.note) <= 4 else 38 + 26 * len(_wrapped(mark.note, 20))


def _wrapped(text: str, size: int) -> list[str]:
    """The text in lines that fit the margin."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(size).getlength(longer) <= _MARGIN - _INDENT - 20:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
