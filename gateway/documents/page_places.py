"""Which elements of a page stand where nobody sees them: far off the screen, cut away, or in a box of no size.

Followed is what pages use to hide: a place or an indent at least 1,000 pixels to the left of or above the page, `clip` and
`clip-path` that leave nothing, `scale(0)`, and `overflow: hidden` in a box of at most one pixel. What is only to the right
or below can be scrolled to. A box with padding or a least size shows something, so nothing of it is hidden.
"""

import re
from collections.abc import Mapping

_FAR = r"-(?:0*[1-9][0-9]{3,8}(?:\.[0-9]*+)?(?:px|pt)|0*[1-9][0-9]{2,8}(?:\.[0-9]*+)?(?:em|rem|ch|cm|in))"
_NO_SIZE = r"0++(?:\.0*+)?(?:[a-z]+|%)?|0?\.[0-9]++px|0*+1(?:\.0*+)?px"
_KEEPING_SIZE = ("padding", "padding-top", "padding-bottom", "min-height", "min-width")
TAKING_PART = {  # of each property that is followed, the values by which something may be out of sight
    name: re.compile(values)
    for name, values in {
        "position": "absolute|fixed|relative",
        "left": _FAR,
        "top": _FAR,
        "margin-left": _FAR,
        "margin-top": _FAR,
        "transform": rf"scale(?:3d|[xy])?\(\s*0++(?:\.0*+)?\s*[,)].*|translate(?:3d|[xy])?\(\s*{_FAR}.*",
        "clip": r"rect\([\s,]*+(?:[01](?:px)?[\s,]++){3}[01](?:px)?\s*+\)",
        "clip-path": r"inset\(\s*+(?:[5-9][0-9]|100)(?:\.[0-9]*+)?%\s*+\)|circle\(\s*+0(?:px|%)?[\s)].*|polygon\([0\s,px%]*+\)",
        "overflow": r"(?:hidden|clip)\b.*",
        "height": _NO_SIZE,
        "width": _NO_SIZE,
        "max-height": _NO_SIZE,
        "max-width": _NO_SIZE,
        "float": "left|right",
        **dict.fromkeys(_KEEPING_SIZE, _NO_SIZE),
    }.items()
}
FAR_INDENT = _FAR
_SIZES = ("height", "width", "max-height", "max-width")
_BOXES = re.compile(
    r"address|article|aside|blockquote|center|d[dlt]|details|div|fieldset|figure|footer|form|h[1-6]|header|li|main|nav|[ou]l|p|pre|section"
)
_BOX_DISPLAY = re.compile(r"(?:inline-)?(?:block|flex|grid)|flow-root|list-item")


def is_out_of_sight(tag: str, values: Mapping[str, str]) -> bool:
    """Whether an element with these values, and all that is in it, stands where nobody sees it."""
    part = {name for name, value in values.items() if name in TAKING_PART and TAKING_PART[name].fullmatch(value)}
    is_placed = values.get("position") in ("absolute", "fixed")
    return (
        ("position" in part and not part.isdisjoint({"left", "top"}))
        or (is_placed and "clip" in part)
        or "clip-path" in part
        or (is_box(tag, values) and not part.isdisjoint({"margin-left", "margin-top", "transform"}))
        or (is_box(tag, values) and "overflow" in part and not part.isdisjoint(_SIZES) and not _keeps_size(values))
    )


def is_box(tag: str, values: Mapping[str, str]) -> bool:
    """Whether sizes, indents and moves hold for an element: not for words within a line, nor for cells, which grow."""
    if values.get("position") in ("absolute", "fixed") or values.get("float") in ("left", "right"):
        return True
    display = values.get("display")
    return (_BOX_DISPLAY if display else _BOXES).fullmatch(display or tag) is not None


def _keeps_size(values: Mapping[str, str]) -> bool:
    return any(not re.fullmatch(_NO_SIZE, values.get(name, "0")) for name in _KEEPING_SIZE)
