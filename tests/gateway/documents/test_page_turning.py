"""Pages on their side and upside down are turned, all others stay, and boxes lead to the page as it came."""

from collections.abc import Callable

import pytest
from documents_made import image_of
from layouts_made import whole_page
from PIL import Image, ImageDraw

from gateway.documents.columns import Piece
from gateway.documents.ocr_process import prepare
from gateway.documents.page_turning import turn_of, turned, turned_back

WORDS = ("invasive", "ductal", "carcinoma", "breast", "tumor", "lymph", "node", "margin")
READ = [Piece(word, 10, 20 * row, 90, 20 * row + 12) for row, word in enumerate(WORDS)]
RUBBISH = [Piece("eqmnr", 10, 20 * row, 90, 20 * row + 12) for row in range(9)]
ON_THEIR_SIDE = [Piece(word, 20 * row, 10, 20 * row + 12, 90) for row, word in enumerate(WORDS)]


def page(quarters: int) -> Image.Image:
    """A page with a mark at its top left, turned clockwise."""
    image = Image.new("L", (200, 300), 255)
    ImageDraw.Draw(image).rectangle((0, 0, 40, 40), fill=0)
    return image.rotate(-90 * quarters, expand=True)


def reader(elsewhere: list[Piece]) -> Callable[[Image.Image], list[Piece]]:
    """Reads a page that stands upright, and gives other pieces where it does not."""
    return lambda image: READ if image.getpixel((2, 2)) == 0 else elsewhere


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("elsewhere", [RUBBISH, ON_THEIR_SIDE, []])
def test_a_page_is_turned_until_it_reads(quarters: int, elsewhere: list[Piece]) -> None:
    """By as much as it lies wrong, whether an engine reads rubbish, lines on their side or nothing."""
    lying = page(quarters)
    assert turn_of(lying, reader(elsewhere)(lying), reader(elsewhere)) == quarters
    assert turned(lying, quarters).tobytes() == page(0).tobytes()


def test_a_page_that_reads_in_no_direction_stays() -> None:
    """A picture, a foreign language, or a page with few words."""
    for pieces in (RUBBISH, [], READ[:2]):
        assert turn_of(page(0), pieces, lambda image: RUBBISH) == 0


def test_a_page_that_reads_is_not_read_again() -> None:
    """It costs nothing more."""

    def never(image: Image.Image) -> list[Piece]:
        raise AssertionError

    assert turn_of(page(0), READ, never) == 0


@pytest.mark.parametrize("quarters", range(4))
def test_a_point_leads_to_the_page_as_it_came(quarters: int) -> None:
    """The mark at the top left of the turned page is where it was scanned."""
    lying = page(quarters)
    back = turned_back(whole_page(200, 300), quarters)
    across, down = back(5, 5)
    assert lying.getpixel((round(across * lying.width / 1000), round(down * lying.height / 1000))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
def test_a_scan_that_lies_wrong_is_read(turn: Image.Transpose) -> None:
    """By the engine whose weights are in its package."""
    import io

    lines = (
        "FINAL DIAGNOSIS: left breast, mastectomy",
        "Invasive ductal carcinoma of no special type",
        "Estrogen receptor negative",
    )
    scan = Image.open(io.BytesIO(image_of(lines, height=1000))).transpose(turn)
    target = io.BytesIO()
    scan.save(target, format="PNG")
    _, text = prepare(("rapidocr",))({"frame": 0}, target.getvalue())
    assert text.decode().split("\n") == list(lines)
