"""Repairs of a scanned page: each where it is needed, none where it is not, and every point leads back to the page."""

import numpy
import pytest
from PIL import Image, ImageDraw, ImageFont

from gateway.documents.page_repair import RepairedPage, repair, upright, without_shadow, without_specks


def page_of_lines(width: int = 1654, height: int = 2339) -> Image.Image:
    """A printed page: level lines of words."""
    image = Image.new("L", (width, height), 250)
    drawing, font = ImageDraw.Draw(image), ImageFont.load_default(size=28)
    for top in range(200, height - 200, 60):
        drawing.text((180, top), "Left breast, invasive carcinoma, 2.3 cm, grade 2.", font=font, fill=20)
    return image


def test_clean_page_stays_as_it_is() -> None:
    """Nothing is done to a page that needs nothing, so that no full stop is lost."""
    image = page_of_lines()
    page = repair(image)
    assert page.image is image
    assert page.to_page(image.width, image.height / 2) == (1000, 500)


@pytest.mark.parametrize("angle", [-3.0, 2.0])
def test_slanting_page_is_turned_upright(angle: float) -> None:
    """A page that lies askew is read level."""
    slanting = page_of_lines().rotate(angle, Image.Resampling.BICUBIC, fillcolor=250)
    assert upright(RepairedPage(slanting)).turned == pytest.approx(-angle, abs=0.11)


def test_points_of_a_turned_page_lead_back_to_the_page_as_it_came() -> None:
    """What stands on a turned page is placed where it stood before."""
    image = Image.new("L", (1654, 2339), 255)
    ImageDraw.Draw(image).rectangle((1400, 300, 1408, 308), fill=0)
    turned = image.rotate(3.0, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    down, across = numpy.argwhere(numpy.asarray(turned) < 128).mean(axis=0)
    x, y = RepairedPage(turned, 3.0, image.size).to_page(float(across), float(down))
    assert (x * 1.654, y * 2.339) == pytest.approx((1404, 304), abs=2)


def test_specks_go_and_letters_stay() -> None:
    """Scattered black and white points vanish from a page that is strewn with them."""
    clean = page_of_lines()
    shades = numpy.array(clean)
    chance = numpy.random.default_rng(0).random(shades.shape)
    shades[chance < 0.01], shades[chance > 0.99] = 0, 255
    cleaned = numpy.asarray(without_specks(RepairedPage(Image.fromarray(shades))).image).astype(int)
    before = numpy.abs(shades.astype(int) - numpy.asarray(clean)) > 100
    after = numpy.abs(cleaned - numpy.asarray(clean)) > 100
    assert after.mean() < before.mean() / 4


def test_shadow_is_taken_off_the_paper() -> None:
    """Paper in the dark becomes as white as paper in the light, and ink stays dark."""
    printed = numpy.asarray(page_of_lines(), dtype=float)
    light = numpy.linspace(1, 0.4, printed.shape[1])
    page = without_shadow(RepairedPage(Image.fromarray((printed * light).astype(numpy.uint8))))
    lit = numpy.asarray(page.image)
    assert numpy.median(lit[:, :100]) > 240
    assert numpy.median(lit[:, -100:]) > 240
    assert lit[200:].min() < 80


def test_coarse_fax_loses_its_dots_and_doubles_its_size() -> None:
    """The lone dots by which a fax shows grey paper go; the page's points still lead to where they stood."""
    shades = numpy.full((1170, 827), 255, numpy.uint8)
    shades[5::9, 5::9] = 0
    shades[500:520, 100:700] = 0
    page = repair(Image.fromarray(shades))
    cleaned = numpy.asarray(page.image)
    assert cleaned.shape == (2340, 1654)
    assert cleaned[:900].min() == 255
    assert cleaned[1010:1030, 300:1300].max() < 10
    assert page.to_page(827, 1170) == (500, 500)


def test_small_page_is_enlarged() -> None:
    """Small print is doubled in size; its points still lead to where they stood."""
    page = repair(Image.new("L", (827, 1170), 255))
    assert page.image.size == (1654, 2340)
    assert page.to_page(827, 1170) == (500, 500)


def test_empty_and_tiny_pages_are_no_trouble() -> None:
    """A blank page and one of a single point pass through."""
    assert repair(Image.new("L", (1654, 2339), 255)).turned == 0
    assert repair(Image.new("L", (1, 1), 0)).image.size == (2, 2)
