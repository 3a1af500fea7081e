"""Makes a scan readable before OCR, each step only where the page needs it: specks, small print, shadows, a slant.

Each step answers a page that is as it was where nothing is to be done. docs/ocr.md has what each is worth.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy
from PIL import Image, ImageChops, ImageFilter, ImageOps

from gateway.documents.page_layout import THOUSANDTHS, Point

Pixels = numpy.ndarray[tuple[int, ...], numpy.dtype[Any]]

_SPECK_DEPTH = 60  # shades between a speck and everything around it
_SPECKLED = 0.003  # share of a page's points that are specks
_SMALL_SIDE = 1400  # a page below 120 dpi
_SHADE_CELL = 16
_SHADED = 0.85  # the darkest paper against the brightest
_PROFILE_WIDTH = 800
_WIDEST_SLANT = 5.0
_SLANT_STEP = 0.1
_LEAST_SLANT = 0.25  # degrees; engines read less as it is
_PAPER = 255


@dataclass(frozen=True)
class RepairedPage:
    """A page's image, grey, and how far it was turned (degrees counter-clockwise, about its middle)."""

    image: Image.Image
    turned: float = 0.0
    turned_from: tuple[int, int] | None = None  # the size before turning

    def to_page(self, x: float, y: float) -> Point:
        """Leads from a point of the image to thousandths of the page as it came."""
        if self.turned_from is None:
            return x / self.image.width * THOUSANDTHS, y / self.image.height * THOUSANDTHS
        across, down = x - self.image.width / 2, y - self.image.height / 2
        cosine, sine = math.cos(math.radians(self.turned)), math.sin(math.radians(self.turned))
        width, height = self.turned_from
        return (
            ((across * cosine - down * sine) / width + 0.5) * THOUSANDTHS,
            ((across * sine + down * cosine) / height + 0.5) * THOUSANDTHS,
        )


def repair(image: Image.Image, steps: Mapping[str, "Step"] | None = None) -> RepairedPage:
    """The page after every step, or after those given."""
    page = RepairedPage(image)
    for step in (STEPS if steps is None else steps).values():
        page = step(page)
    return page


def without_specks(page: RepairedPage) -> RepairedPage:
    """A speckled page cleaned: by a median of three by three, or where letters are too small for it, point by point.

    A clean page stays as it is, since a median eats full stops.
    """
    pixels = numpy.asarray(page.image)
    least, most = _around(pixels)
    dark, light = pixels < least - _SPECK_DEPTH, pixels > most + _SPECK_DEPTH
    if float((dark | light).mean()) < _SPECKLED:
        return page
    if max(page.image.size) >= _SMALL_SIDE:
        return replace(page, image=page.image.filter(ImageFilter.MedianFilter(3)))
    cleaned = Image.fromarray(numpy.where(dark, least, numpy.where(light, most, pixels)).astype(numpy.uint8))
    return replace(page, image=cleaned)


def enlarged(page: RepairedPage) -> RepairedPage:
    """A page of few points at twice its size, softened so that the steps of a fax become strokes."""
    width, height = page.image.size
    if max(width, height) >= _SMALL_SIDE:
        return page
    doubled = page.image.resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
    return replace(page, image=doubled.filter(ImageFilter.GaussianBlur(1)))


def _around(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """The darkest and the lightest of the eight points around each."""
    height, width = pixels.shape
    padded = numpy.pad(pixels.astype(numpy.int16), 1, mode="edge")
    places = [(down, across) for down in range(3) for across in range(3) if (down, across) != (1, 1)]
    near = [padded[down : down + height, across : across + width] for down, across in places]
    return functools.reduce(numpy.minimum, near), functools.reduce(numpy.maximum, near)


def without_shadow(page: RepairedPage) -> RepairedPage:
    """The page against its own paper, where the light on it differs."""
    width, height = page.image.size
    small = page.image.resize((max(width // _SHADE_CELL, 1), max(height // _SHADE_CELL, 1)), Image.Resampling.BOX)
    paper = small.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(2))
    shades = numpy.asarray(paper)
    if shades.min() >= _SHADED * shades.max():
        return page
    light = numpy.asarray(paper.resize(page.image.size, Image.Resampling.BICUBIC), dtype=numpy.float32)
    even = numpy.asarray(page.image, dtype=numpy.float32) * (_PAPER / numpy.maximum(light, 1))
    return replace(page, image=Image.fromarray(even.clip(0, _PAPER).astype(numpy.uint8)))


def upright(page: RepairedPage) -> RepairedPage:
    """The page turned by up to five degrees, so that its lines are level."""
    slant = _slant(page.image)
    if abs(slant) < _LEAST_SLANT:
        return page
    turned = page.image.rotate(slant, Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER)
    return RepairedPage(turned, slant, page.image.size)


def _slant(image: Image.Image) -> float:
    """The angle by which the rows of ink are sharpest, found coarsely first."""
    width = min(image.width, _PROFILE_WIDTH)
    ink = ImageChops.invert(image.resize((width, max(image.height * width // image.width, 1)), Image.Resampling.BOX))
    ink = ImageOps.autocontrast(ink)
    coarse = max((_sharpness(ink, angle), -abs(angle), angle) for angle in numpy.arange(-5, 5.01, 0.5))[2]
    near = numpy.arange(max(coarse - 0.5, -_WIDEST_SLANT), min(coarse + 0.5, _WIDEST_SLANT) + 0.01, _SLANT_STEP)
    return float(max((_sharpness(ink, angle), -abs(angle), angle) for angle in near)[2])


def _sharpness(ink: Image.Image, angle: float) -> float:
    """How much the rows differ from their neighbours, the page turned by `angle`."""
    rows = numpy.asarray(ink.rotate(float(angle), Image.Resampling.BILINEAR), dtype=numpy.float32).sum(axis=1)
    return float(numpy.square(numpy.diff(rows)).sum())


Step = Callable[[RepairedPage], RepairedPage]
STEPS: Mapping[str, Step] = {
    "specks": without_specks,
    "enlarging": enlarged,
    "shadow": without_shadow,
    "upright": upright,
}
"""The steps by name, in their order."""
