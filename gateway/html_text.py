"""HTML to text: what a browser shows, as lines; hidden and struck-out parts are gone.

Hidden is what an attribute, an inline style or a rule of the document's own style sheet hides from every reader. What
`aria-hidden` keeps from screen readers alone is shown on the screen, so it is read. Struck-out words no longer hold.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from gateway.text_writer import TextWriter
from schemas.errors import Code, SynopticError

_SKIPPED = frozenset(
    {
        "script",
        "style",
        "head",
        "title",
        "template",
        "noscript",
        "svg",
        "math",
        "object",
        "iframe",
        "del",
        "s",
        "strike",
    }
)
HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|text-decoration[a-z-]*\s*:[^;]*line-through"
    r"|(?:font-size|opacity)\s*:\s*0*\.?0+(?![\d.])",
    re.IGNORECASE,
)
_DISPLAY = re.compile(r"display\s*:\s*(table-row|table-cell|inline(?:-block)?)\b", re.IGNORECASE)
_DISPLAYED_AS = {"table-row": "tr", "table-cell": "td"}
_STYLE_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_STYLE_CONDITION = re.compile(r"/\*.*?\*/|<!--|-->|@[^{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})", re.DOTALL)
_INTERNAL_SUBSET = re.compile(r"<!DOCTYPE[^\[>]{0,400}\[[^\]]*\]\s*>", re.IGNORECASE)  # entities are never declared
_XHTML = re.compile(r"\s*<\?xml|<html[^>]{0,400}\bxmlns\s*=", re.IGNORECASE)
_EMPTY_ELEMENT = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)([a-z][a-z0-9]*)\b([^<>]*)/>",
    re.IGNORECASE,
)
_CHARACTER_DATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_OPEN_END = re.compile(r"</?(?:[a-z][^<>]*)?\Z", re.IGNORECASE)


def html_to_text(html: str) -> str:
    """The visible text of an HTML or XHTML document; raises SYN-132 where the document breaks off.

    Walks without recursion, so that no nesting can exhaust it.
    """
    from selectolax.lexbor import LexborHTMLParser

    _check_end(html)
    tree = LexborHTMLParser(_as_html(_INTERNAL_SUBSET.sub("", html, count=1)))
    hidden = set(_hidden_by_style_sheets(tree))
    writer = TextWriter()
    to_do: list[Any] = [tree.body]  # nodes to enter, and names of tags to leave
    preformatted = 0
    while to_do:
        step = to_do.pop()
        if isinstance(step, str):
            writer.leave(step)
            preformatted -= step == "pre"
        elif step is not None and step.tag == "-text":
            writer.text(step.text_content or "", preformatted > 0)
        elif step is not None and step.mem_id not in hidden and not _is_hidden(step):
            attributes = step.attributes
            tag = _shown_as(step.tag, attributes)
            writer.enter(tag, attributes)
            preformatted += tag == "pre"
            writer.text(_filled_in(tag, attributes))
            to_do.append(tag)
            to_do.extend(reversed(list(step.iter(include_text=True))))
    return writer.result()


def _check_end(html: str) -> None:
    """A document that ends within a tag or comment, or opens html and body and closes neither, was cut."""
    lower = html.lower()
    is_open = "<html" in lower and "<body" in lower and "</body" not in lower and "</html" not in lower
    in_comment = html.rfind("<!--") > html.rfind("-->")
    if is_open or in_comment or _OPEN_END.search(html, max(html.rfind("<"), 0)):
        raise SynopticError(Code.CUT_DOCUMENT, "HTML without its end")


def _as_html(html: str) -> str:
    """XHTML as HTML: an empty element closes itself in XML alone, and CDATA is text there."""
    if not _XHTML.search(html[:4096]):
        return html
    plain = _CHARACTER_DATA.sub(lambda match: escape(match[1], quote=False), html)
    return _EMPTY_ELEMENT.sub(r"<\1\2></\1>", plain)


def _hidden_by_style_sheets(tree: Any) -> Iterator[int]:
    """The nodes that rules of the document's own style sheets hide; rules for print or narrow screens do not count."""
    from selectolax.lexbor import SelectolaxError

    for style in tree.css("style"):
        for selector, rules in _STYLE_RULE.findall(_STYLE_CONDITION.sub("", style.text() or "")):
            if HIDING_STYLE.search(rules):
                try:
                    found = tree.css(selector.strip())
                except SelectolaxError:  # no selector that the parser knows
                    continue
                yield from (node.mem_id for node in found)


def _is_hidden(node: Any) -> bool:
    if node.tag in _SKIPPED or node.tag.startswith("-"):
        return True
    attributes = node.attributes
    if node.tag == "option":
        return "selected" not in attributes
    return "hidden" in attributes or bool(HIDING_STYLE.search(attributes.get("style") or ""))


def _shown_as(tag: str, attributes: dict[str, str | None]) -> str:
    """The tag whose layout an inline style gives to an element of no layout of its own."""
    if tag in ("div", "li", "p", "span") and (found := _DISPLAY.search(attributes.get("style") or "")):
        return _DISPLAYED_AS.get(found[1].lower(), "span")
    return tag


def _filled_in(tag: str, attributes: dict[str, str | None]) -> str:
    """What a field of a form shows: a box with its tick, or the words in it."""
    if tag != "input":
        return ""
    match (attributes.get("type") or "text").lower():
        case "checkbox" | "radio":
            return "[x]" if "checked" in attributes else "[ ]"
        case "text" | "number" | "date":
            return attributes.get("value") or ""
        case _:
            return ""
