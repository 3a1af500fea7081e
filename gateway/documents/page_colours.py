"""Whether a page's text can be told from what is behind it: colours of CSS and of HTML's own attributes.

None stands for what is not known: a picture, a gradient, `var()`, a system's own color. Text of such a colour, or before it, counts as seen.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_ALIKE = 16  # of 255: by which red, green and blue differ at most; #f0f0f0 on white is not seen
_FUNCTION = re.compile(r"rgba?\(([^()]*)\)")
_NUMBER = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(%?)")
_PART = re.compile(r"(?:rgb|hsl)a?\([^()]*\)|[^\s,/]+")
_NO_MATTER = re.compile(  # of a background: where it lies and how it repeats
    r"[-+]?[0-9.]+[a-z%]*|none|(?:no-)?repeat(?:-[xy])?|space|round|scroll|fixed|local|top|left|right|bottom|center|cover"
    r"|contain|auto|text|(?:border|padding|content)-box|initial|unset|revert|inherit"
)


class Colour(NamedTuple):
    """Red, green and blue (0 to 255), and the share of what is behind it that it covers."""

    red: float
    green: float
    blue: float
    share: float = 1.0

    def over(self, behind: "Colour") -> "Colour":
        """What is seen of the two."""
        return Colour(
            *(self.share * mine + (1 - self.share) * its for mine, its in zip(self[:3], behind[:3], strict=True))
        )


BLACK, WHITE = Colour(0, 0, 0), Colour(255, 255, 255)
_NO_COLOUR = Colour(0, 0, 0, 0)


def is_seen(text: Colour | None, surface: Colour | None) -> bool:
    """Whether text of this colour can be told from the surface that it stands on."""
    if text is None or surface is None:
        return True
    shown = text.over(surface)
    return max(abs(mine - its) for mine, its in zip(shown[:3], surface[:3], strict=True)) > _ALIKE


def surface_of(background: str, around: Colour | None) -> Colour | None:
    """What text stands on within an element of this background (as CSS writes it) before a surface."""
    parts = {part: colour_of(part) for part in _PART.findall(background)}
    if any(colour is None and not _NO_MATTER.fullmatch(part) for part, colour in parts.items()):
        return None
    colour = next((colour for colour in parts.values() if colour is not None), _NO_COLOUR)
    if around is None:
        return colour if colour.share == 1 else None
    return colour.over(around)


@lru_cache(maxsize=512)
def colour_of(text: str) -> Colour | None:
    """A colour as CSS writes it."""
    from PIL import ImageColor

    if text == "transparent":
        return _NO_COLOUR
    if function := _FUNCTION.fullmatch(text):
        parts = [(float(number), percent) for number, percent in _NUMBER.findall(function[1])]
        if len(parts) not in (3, 4):
            return None
        red, green, blue = (number * 2.55 if percent else number for number, percent in parts[:3])
        return Colour(red, green, blue, *(number / 100 if percent else number for number, percent in parts[3:]))
    try:
        red, green, blue, *share = ImageColor.getrgb(text)
    except ValueError:
        return None
    return Colour(red, green, blue, share[0] / 255 if share else 1)
