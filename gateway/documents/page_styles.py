"""What the styles of an HTML page hide: inline styles and the page's own style sheets, by the cascade of CSS.

Important declarations win, then inline ones, then the more specific selector, then the later rule. Hidden is what every
screen hides: a rule under a condition (`@media (max-width: …)`) may show what another hides, but hides nothing itself, and
rules for print do neither. The properties by which something may hide, and what can show again within it:

| property                   | hides                        | within                                  |
|----------------------------|------------------------------|-----------------------------------------|
| display, opacity, mso-hide | `none`, 0, `all`             | nothing                                 |
| text-decoration            | what is struck out           | nothing                                 |
| places and sizes           | gateway/documents/page_places.py       | nothing                                 |
| visibility                 | `hidden`, `collapse`         | what is `visible`                       |
| font-size, font            | less than 2 pixels or points | what has a size that is no share of it  |
| text-indent                | 1,000 pixels to the left     | what has an indent of its own           |
| color, background          | what has the color behind it | what has another                        |
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.documents.page_colours import BLACK, WHITE, Colour, colour_of, is_seen, surface_of
from gateway.documents.page_places import FAR_INDENT, TAKING_PART, is_box, is_out_of_sight

_ANY = r"(?s:.*)"
_NOUGHT = r"(?:0++(?:\.0*+)?|\.0++)(?:[a-z]+|%)?"
_AS_AROUND = re.compile(r"inherit|unset|revert|[0-9.]+(?:em|ex|ch|%)|smaller|larger")
_HIDING = {  # what a browser takes for a value of the property, and which of those hide
    name: (re.compile(valid), re.compile(hides))
    for name, valid, hides in (
        (
            "display",
            r"none|contents|flow-root|list-item|run-in|(?:inline-)?(?:block|flex|grid|table)|inline|inherit|initial|unset|revert"
            r"|table-(?:row|cell|caption|column|(?:row|column|header|footer)-group)",
            "none",
        ),
        ("opacity", r"[0-9.]+%?|inherit|initial|unset|revert", _NOUGHT),
        ("mso-hide", "all|none|screen", "all"),
        ("text-decoration", r".*", r".*\bline-through\b.*"),
        ("visibility", "visible|hidden|collapse|inherit|initial|unset|revert", "hidden|collapse"),
        (
            "font-size",
            r"[0-9.]+(?:[a-z]+|%)?|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger|inherit|initial|unset|revert|calc\(.*",
            rf"{_NOUGHT}|(?:[01](?:\.[0-9]*+)?|\.[0-9]++)p[xt]",
        ),
        ("text-indent", _ANY, FAR_INDENT),
    )
}
_FOLLOWED = {
    **_HIDING,
    **{name: (re.compile(_ANY), takes_part) for name, takes_part in TAKING_PART.items()},
    **{
        name: (re.compile(_ANY), re.compile(_ANY))
        for name in ("color", "background", "background-image", "text-shadow", "font-family")
    },
}
_ALIASES = {
    "text-decoration-line": "text-decoration",
    "background-color": "background",
    "overflow-x": "overflow",
    "overflow-y": "overflow",
    "mso-symbol-font-family": "font-family",
}
_ESCAPABLE = frozenset({"visibility", "font-size", "text-indent"})
_NONE = frozenset({"none", "initial", "unset"})
_PLACED = frozenset({"absolute", "fixed", "relative", "sticky"})  # each may lie over an element that is not around it
_UNKNOWN = "unknown"
_GROUNDS = frozenset({"body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"})
_FIELDS = frozenset({"input", "select", "textarea", "button"})
_BARE_HEX = re.compile(r"[0-9a-f]{6}|[0-9a-f]{3}")
_SIZE_IN_FONT = re.compile(r"(?<![\w.])(?:[0-9.]+(?:px|p[tc]|mm|cm|in|r?em|ex|%)|0(?=[\s/]))")
_BRACE = re.compile(r"([{}])")
_COMMA = re.compile(r",(?![^()\[\]]*[)\]])")
_MEDIA = re.compile(r"@media\b", re.IGNORECASE)
_IMPORT = re.compile(r"@import\b", re.IGNORECASE)
_EVERY_SCREEN = re.compile(r"(?:only\s+)?(?:screen|all)|not\s+print|", re.IGNORECASE)
_NO_SCREEN = re.compile(r"(?:only\s+)?(?:print|speech)\b.*", re.IGNORECASE)
_SPECIFIC = (
    re.compile(r"#[\w-]+"),
    re.compile(r"\.[\w-]+|\[[^\]]*\]|:(?!not\b|is\b|has\b)[\w-]+"),
    re.compile(r"(?<![\w.#:\[=-])[a-z][\w-]*", re.IGNORECASE),
)

Declaration = tuple[str, str, bool]  # property, value, whether it is important
Weight = tuple[bool, bool, tuple[int, ...]]  # important, inline, specificity
Winners = dict[str, tuple[Weight, str]]


class Style(NamedTuple):
    """What holds for an element: gone with all that is in it, how it is laid out, what hides its own text, its font."""

    gone: bool = False
    display: str | None = None
    hidden_by: frozenset[str] = frozenset()
    colour: Colour | None = BLACK
    surface: Colour | None = WHITE
    font: str = ""

    @property
    def shows_text(self) -> bool:
        """Whether the element's own text is seen."""
        return not self.hidden_by and is_seen(self.colour, self.surface)


class PageStyles:
    """The styles of one parsed page; `around` is what its root is in, of no known colors where sheets are elsewhere."""

    def __init__(self, tree: Any) -> None:
        """Ask once which elements the rules of the page's sheets hold for."""
        self._winners: dict[int, Winners] = {}
        sheets = (sheet.text() or "" for sheet in tree.css("style"))
        is_all = tree.css_first("link[rel~=stylesheet]") is None and not any(map(_IMPORT.search, sheets))
        self.around = Style() if is_all else Style(colour=None, surface=None)
        for selectors, declarations in _sheet_rules(tree):
            for selector in _COMMA.split(selectors) if declarations else ():
                self._apply(tree, selector, declarations)

    def style(self, node: Any, attributes: Mapping[str, str | None], around: Style) -> Style:
        """The style of an element within another; the attribute `hidden` yields to any display."""
        winners = dict(self._winners.get(node.mem_id, {}))
        _keep(winners, _declarations(attributes.get("style") or ""), inline=True)
        values = _of_attributes(node.tag, attributes) | {name: value for name, (_, value) in winners.items()}
        return _within(around, node.tag, values)

    def _apply(self, tree: Any, selector: str, declarations: list[Declaration]) -> None:
        from selectolax.lexbor import SelectolaxError

        try:
            found = tree.css(selector)
        except SelectolaxError:  # no selector that the parser knows, or one of what is no element (::before)
            return
        specificity = tuple(len(pattern.findall(selector)) for pattern in _SPECIFIC)
        for node in found:
            _keep(self._winners.setdefault(node.mem_id, {}), declarations, specificity=specificity)


def hides(style: str) -> bool:
    """Whether an inline style hides its element, all else aside."""
    values = {name: value for name, value, _ in _declarations(style)}
    found = _within(Style(surface=None), "", values)
    return found.gone or not found.shows_text


def _keep(
    winners: Winners, declarations: list[Declaration], inline: bool = False, specificity: tuple[int, ...] = ()
) -> None:
    """Let each declaration win that weighs no less than what won before it."""
    for name, value, important in declarations:
        weight = (important, inline, specificity)
        if name not in winners or weight >= winners[name][0]:
            winners[name] = (weight, value)


def _of_attributes(tag: str, attributes: Mapping[str, str | None]) -> dict[str, str]:
    """What HTML's own attributes and elements say, which every style overrules."""
    values = {"display": "none"} if "hidden" in attributes else {}
    if tag in _FIELDS:
        values |= {"color": "black", "background": "white"}
    elif tag == "mark":
        values |= {"color": "black", "background": "yellow"}
    elif tag == "a" and "href" in attributes:
        values["color"] = "#0000ee"
    elif tag == "table":  # without a doctype, it takes no color from what is around it
        values["color"] = _UNKNOWN
    colours = {"color": attributes.get({"font": "color", "body": "text"}.get(tag, ""))}
    if tag in _GROUNDS:
        colours["background"] = attributes.get("bgcolor")
        values |= {"background-image": "url()"} if attributes.get("background") else {}
    if tag == "font" and (face := attributes.get("face")):
        values["font-family"] = _first_font(face.lower())
    for name, value in colours.items():
        if value:
            value = value.strip().lower()
            values[name] = f"#{value}" if _BARE_HEX.fullmatch(value) else value
    return values


def _within(around: Style, tag: str, values: Mapping[str, str]) -> Style:
    hiding = {name for name in _HIDING.keys() & values.keys() if _HIDING[name][1].fullmatch(values[name])}
    escaped = {name for name in _ESCAPABLE & values.keys() if not _AS_AROUND.fullmatch(values[name])}
    hiding -= set() if is_box(tag, values) else {"text-indent"}
    return Style(
        gone=not hiding <= _ESCAPABLE or is_out_of_sight(tag, values),
        display=values.get("display"),
        hidden_by=around.hidden_by - escaped | hiding & _ESCAPABLE,
        colour=_colour(around, values.get("color", "inherit")),
        surface=_surface(around, values),
        font=values.get("font-family", around.font),
    )


def _colour(around: Style, value: str) -> Colour | None:
    if value in ("inherit", "unset", "currentcolor"):
        return around.colour
    return BLACK if value == "initial" else colour_of(value)


def _surface(around: Style, values: Mapping[str, str]) -> Colour | None:
    """What an element's text stands on; not known where a picture lies there, a shadow parts it, or it is placed elsewhere."""
    if any(values.get(name, "none") not in _NONE for name in ("background-image", "text-shadow")):
        return None
    is_placed = values.get("position", "static") in _PLACED
    return surface_of(values.get("background", ""), None if is_placed else around.surface)


def _sheet_rules(tree: Any) -> Iterator[tuple[str, list[Declaration]]]:
    """Selectors and declarations in their order; of a rule that not every screen follows, only what shows something."""
    for sheet in tree.css("style"):
        media = sheet.attributes.get("media") or ""
        for selectors, text, around in _rules(sheet.text() or ""):
            conditions = [media, *(_MEDIA.sub("", prelude) if _MEDIA.match(prelude) else "?" for prelude in around)]
            asked = [[part.strip() for part in condition.split(",")] for condition in conditions]
            if any(all(_NO_SCREEN.fullmatch(part) for part in parts) for parts in asked):
                continue
            declarations = _declarations(text)
            if not all(any(_EVERY_SCREEN.fullmatch(part) for part in parts) for parts in asked):
                declarations = list(_showing(declarations))
            yield selectors, declarations


def _showing(declarations: list[Declaration]) -> Iterator[Declaration]:
    """Of declarations that may hold or not, those that hide nothing; colors are then not known."""
    for name, value, important in declarations:
        if name in ("color", "background"):
            yield name, _UNKNOWN, important
        elif not _FOLLOWED[name][1].fullmatch(value):
            yield name, value, important


def _rules(sheet: str) -> Iterator[tuple[str, str, list[str]]]:
    """Selectors, declarations and what is around each rule; in one pass, whatever is left open."""
    first, *rest = sheet.replace("<!--", "").replace("-->", "").split("/*")
    pieces = _BRACE.split("".join([first, *(piece.partition("*/")[2] for piece in rest)]))
    around: list[str] = []
    for text, brace in zip(pieces[::2], pieces[1::2], strict=False):
        if brace == "{":
            around.append(text.rpartition(";")[2].strip())
        elif around:
            selectors = around.pop()
            yield selectors, text, around


def _declarations(text: str) -> list[Declaration]:
    """The declarations of followed properties whose values are valid; a browser passes over the others."""
    found: list[Declaration] = []
    for part in text.lower().split(";"):
        name, _, value = part.partition(":")
        name, (value, _, flag) = name.strip(), value.partition("!")
        value, is_important = value.strip(), flag.strip() == "important"
        if name == "font":
            size = _SIZE_IN_FONT.search(f"{value} ")
            found.append(("font-family", _first_font(value[size.end() :] if size else value), is_important))
            name, value = "font-size", size[0] if size else "medium"
        name = _ALIASES.get(name, name)
        if name == "font-family":
            value = _first_font(value)
        if name in _FOLLOWED and _FOLLOWED[name][0].fullmatch(value):
            found.append((name, value, is_important))
    return found


def _first_font(families: str) -> str:
    """The font of the families that a browser tries first."""
    return families.partition(",")[0].strip(" \t\r\n\"'")
