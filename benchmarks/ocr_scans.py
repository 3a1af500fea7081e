"""Makes scans from report text: lays it out on pages, prints them, and spoils the print as scanners and faxes do.

Every condition begins with the page as it was printed, at 300 dots an inch; all noise is drawn from the page's own
number, so that a page is the same in every run.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

PRINTED_DOTS_PER_INCH = 300
PAPER_INCHES = (8.27, 11.69)
MARGIN_INCHES = 0.9
POINTS = 10
LINE_SHARE = 1.25
_PAPER, _INK = 250, 25
_LOST_BREAK = re.compile(r"(?<=\w\w\.)\s")


@dataclass(frozen=True)
class PrintedPage:
    """One page: what stands on it, line by line, and its print at 300 dots an inch, grey."""

    lines: tuple[str, ...]
    image: Image.Image

    @property
    def text(self) -> str:
        """The lines as a text layer would give them."""
        return "\n".join(self.lines)


def find_fonts(folder: Path | None) -> list[Path]:
    """The upright fonts of a folder (such as Liberation's); by default the three that come with matplotlib."""
    if folder is not None:
        return sorted(folder.glob("Liberation[MS]*-Regular.ttf")) or sorted(folder.glob("*.ttf"))
    import matplotlib

    shipped = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [shipped / name for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")]


def print_pages(text: str, font: Path) -> list[PrintedPage]:
    """The report on as many pages as it needs, its lines wrapped at the margin."""
    face = ImageFont.truetype(str(font), round(POINTS / 72 * PRINTED_DOTS_PER_INCH))
    width, height = (round(side * PRINTED_DOTS_PER_INCH) for side in PAPER_INCHES)
    margin = round(MARGIN_INCHES * PRINTED_DOTS_PER_INCH)
    spacing = round(face.size * LINE_SHARE)
    lines = [part for line in _lines(text) for part in _wrapped(line, face, width - 2 * margin)]
    held = (height - 2 * margin) // spacing
    pages = []
    for start in range(0, len(lines), held):
        image = Image.new("L", (width, height), _PAPER)
        drawing = ImageDraw.Draw(image)
        for index, line in enumerate(lines[start : start + held]):
            drawing.text((margin, margin + index * spacing), line, font=face, fill=_INK)
        pages.append(PrintedPage(tuple(lines[start : start + held]), image))
    return pages


def _lines(text: str) -> list[str]:
    """The lines of the report; where the corpus lost them, each old line ends in a full stop ("A." begins one)."""
    return text.splitlines() if "\n" in text else _LOST_BREAK.sub("\n", text).splitlines()


def _wrapped(line: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    words = line.split()
    wrapped: list[str] = []
    for word in words:
        if wrapped and face.getlength(f"{wrapped[-1]} {word}") <= width:
            wrapped[-1] += f" {word}"
        else:
            wrapped.append(word)
    return wrapped


def _at(image: Image.Image, dots_per_inch: int) -> Image.Image:
    share = dots_per_inch / PRINTED_DOTS_PER_INCH
    return image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS)


def _pixels(image: Image.Image) -> "numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.float32]]":
    return numpy.asarray(image, dtype=numpy.float32)


def _picture(pixels: "numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.float32]]") -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def _clean_200(page: Image.Image, number: int) -> Image.Image:
    return _at(page, 200)


def _clean_300(page: Image.Image, number: int) -> Image.Image:
    return page


def _rotated(page: Image.Image, number: int) -> Image.Image:
    """Two degrees, to one side or the other."""
    angle = 2 if number % 2 else -2
    return _at(page, 200).rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER)


def _faxed_100(page: Image.Image, number: int) -> Image.Image:
    """100 dots an inch, black and white, shades by error diffusion."""
    return _at(page, 100).convert("1").convert("L")


def _faxed_200(page: Image.Image, number: int) -> Image.Image:
    """A fax in fine mode."""
    return _at(page, 200).convert("1").convert("L")


def _noisy(page: Image.Image, number: int) -> Image.Image:
    """Out of focus, and 2 % of the points black or white."""
    pixels = _pixels(_at(page, 200).filter(ImageFilter.GaussianBlur(0.9))).copy()
    chance = numpy.random.default_rng(number).random(pixels.shape)
    pixels[chance < 0.01] = 0
    pixels[chance > 0.99] = 255
    return _picture(pixels)


def _skewed(page: Image.Image, number: int) -> Image.Image:
    """Photographed from one side: the top is 6 % narrower than the foot, and a little higher on the left."""
    image = _at(page, 200)
    width, height = image.size
    inset, drop = 0.03 * width, 0.012 * height
    corners = [(inset, 0.0), (width - inset, drop), (float(width), float(height)), (0.0, height - drop)]
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        _perspective(corners, [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]),
        Image.Resampling.BICUBIC,
        fillcolor=_PAPER,
    )


def _perspective(shown: list[tuple[float, float]], source: list[tuple[float, float]]) -> list[float]:
    """The eight numbers by which Pillow finds a shown point's source."""
    rows, values = [], []
    for (x, y), (u, v) in zip(shown, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(number) for number in numpy.linalg.solve(numpy.array(rows), numpy.array(values))]


def _shadowed(page: Image.Image, number: int) -> Image.Image:
    """The light falls off to a third across the page, and a book's spine darkens the left edge."""
    pixels = _pixels(_at(page, 200))
    height, width = pixels.shape
    across, down = numpy.linspace(0, 1, width), numpy.linspace(0, 1, height)[:, None]
    light = 1 - 0.65 * (0.6 * across + 0.4 * down)
    spine = 1 - 0.6 * numpy.exp(-across * 14)
    return _picture((pixels * light * spine).astype(numpy.float32))


def _pale(page: Image.Image, number: int) -> Image.Image:
    """A faint print on grey paper: 45 of 255 shades apart."""
    pixels = _pixels(_at(page, 200))
    noise = numpy.random.default_rng(number).normal(0, 4, pixels.shape)
    return _picture((150 + (pixels - _INK) / (_PAPER - _INK) * 45 + noise).astype(numpy.float32))


CONDITIONS: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "clean, 200 dpi": _clean_200,
    "clean, 300 dpi": _clean_300,
    "rotated 2°": _rotated,
    "faxed, 200 dpi": _faxed_200,
    "faxed, 100 dpi": _faxed_100,
    "noisy": _noisy,
    "skewed": _skewed,
    "shadowed": _shadowed,
    "low contrast": _pale,
}
"""What happens to a page, by name; each takes the print and the page's number."""
