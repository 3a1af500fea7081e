"""What the styles of an HTML page hide: inline styles and the page's own style sheets, by the cascade of CSS.

Important declarations win, then inline ones, then the more specific selector, then the later rule. Hidden is what every
screen hides: a rule under a condition (`@media (max-width: …)`) may show what another hides, but hides nothing itself, and
rules for print do neither. The properties by which something may hide, and what can show again within it:

| property                   | hides                | within                                  |
|----------------------------|----------------------|-----------------------------------------|
| display, opacity, mso-hide | `none`, 0, `all`     | nothing                                 |
| text-decoration            | what is struck out   | nothing                                 |
| visibility                 | `hidden`, `collapse` | what is `visible`                       |
| font-size, font            | a size of 0          | what has a size that is no share of it  |
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_NOUGHT = r"(?:0++(?:\.0*+)?|\.0++)(?:[a-z]+|%)?"
_AS_AROUND = re.compile(r"inherit|unset|revert|[0-9.]+(?:em|ex|ch|%)|smaller|larger")
_PATTERNS = {  # what a browser takes for a value of the property, and which of those hide
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
            _NOUGHT,
        ),
    )
}
_ESCAPABLE = frozenset({"visibility", "font-size"})
_SIZE_IN_FONT = re.compile(r"(?<![\w.])(?:[0-9.]+(?:px|p[tc]|mm|cm|in|r?em|ex|%)|0(?=[\s/]))")
_BRACE = re.compile(r"([{}])")
_COMMA = re.compile(r",(?![^()\[\]]*[)\]])")
_MEDIA = re.compile(r"@media\b", re.IGNORECASE)
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
    """What holds for an element: gone with all that is in it, how it is laid out, and what hides its own text."""

    gone: bool = False
    display: str | None = None
    hidden_by: frozenset[str] = frozenset()


class PageStyles:
    """The styles of one parsed page."""

    def __init__(self, tree: Any) -> None:
        """Ask once which elements the rules of the page's sheets hold for."""
        self._winners: dict[int, Winners] = {}
        for selectors, declarations in _sheet_rules(tree):
            for selector in _COMMA.split(selectors) if declarations else ():
                self._apply(tree, selector, declarations)

    def style(self, node: Any, attributes: Mapping[str, str | None], around: Style) -> Style:
        """The style of an element within another; the attribute `hidden` yields to any display."""
        winners = dict(self._winners.get(node.mem_id, {}))
        _keep(winners, _declarations(attributes.get("style") or ""), inline=True)
        values = {"display": "none"} if "hidden" in attributes else {}
        return _within(around, values | {name: value for name, (_, value) in winners.items()})

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
    found = _within(Style(), {name: value for name, value, _ in _declarations(style)})
    return found.gone or bool(found.hidden_by)


def _keep(
    winners: Winners, declarations: list[Declaration], inline: bool = False, specificity: tuple[int, ...] = ()
) -> None:
    """Let each declaration win that weighs no less than what won before it."""
    for name, value, important in declarations:
        weight = (important, inline, specificity)
        if name not in winners or weight >= winners[name][0]:
            winners[name] = (weight, value)


def _within(around: Style, values: Mapping[str, str]) -> Style:
    hiding = {name for name, value in values.items() if _PATTERNS[name][1].fullmatch(value)}
    escaped = {name for name in _ESCAPABLE & values.keys() if not _AS_AROUND.fullmatch(values[name])}
    return Style(
        gone=not hiding <= _ESCAPABLE,
        display=values.get("display"),
        hidden_by=around.hidden_by - escaped | hiding & _ESCAPABLE,
    )


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
                declarations = [one for one in declarations if not _PATTERNS[one[0]][1].fullmatch(one[1])]
            yield selectors, declarations


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
        name, (value, _, important) = name.strip(), value.partition("!")
        value = value.strip()
        if name == "font":
            size = _SIZE_IN_FONT.search(f"{value} ")
            name, value = "font-size", size[0] if size else "medium"
        name = "text-decoration" if name == "text-decoration-line" else name
        if name in _PATTERNS and _PATTERNS[name][0].fullmatch(value):
            found.append((name, value, important.strip() == "important"))
    return found
