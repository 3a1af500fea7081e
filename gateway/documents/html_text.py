"""HTML to text: what a browser shows, as lines; hidden and struck-out parts are gone.

Hidden is what an attribute, an inline style or a rule of the document's own style sheet hides (gateway/documents/page_styles.py),
by its color and its place too. What `aria-hidden` keeps from screen readers alone is shown on the screen, so it is read. Struck-out words no longer hold.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from gateway.documents.page_styles import PageStyles, Style
from gateway.documents.symbol_fonts import symbols_of
from gateway.documents.text_writer import TextWriter
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
        "audio",
        "video",
        "canvas",
        "datalist",
        "progress",
        "meter",
        "rp",
        "noframes",
        "del",
        "s",
        "strike",
    }
)
_DISPLAYED_IN = frozenset({"div", "li", "p", "span"})
_DISPLAYED_AS = {"table-row": "tr", "table-cell": "td", "inline": "span", "inline-block": "span"}
_START = 4096  # characters within which a document says what it is
_INTERNAL_SUBSET = re.compile(r"<!DOCTYPE[^\[>]{0,400}(\[)", re.IGNORECASE)
_INTERNAL_SUBSET_END = re.compile(r"\]\s*>")
_XHTML = re.compile(r"\s*<\?xml|<html[^>]{0,400}\bxmlns\s*=", re.IGNORECASE)
_EMPTY_ELEMENT = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)([a-z][a-z0-9]*)\b([^<>]*)/>",
    re.IGNORECASE,
)
_CHARACTER_DATA, _CHARACTER_DATA_END = "<![CDATA[", "]]>"
_OPEN_END = re.compile(r"</?(?:[a-z][^<>]*)?\Z", re.IGNORECASE)


def html_to_text(html: str) -> str:
    """The visible text of an HTML or XHTML document; raises SYN-132 where the document breaks off.

    Walks without recursion, so that no nesting can exhaust it.
    """
    from selectolax.lexbor import LexborHTMLParser

    _check_end(html)
    tree = LexborHTMLParser(_as_html(_without_declarations(html)))
    styles, writer = PageStyles(tree), TextWriter()
    around = styles.style(tree.root, tree.root.attributes, styles.around) if tree.root else styles.around
    to_do: list[tuple[Any, Style]] = [(tree.body, around)]  # nodes to enter, and names of tags to leave
    preformatted = 0
    while to_do:
        node, around = to_do.pop()
        if isinstance(node, str):
            writer.leave(node)
            preformatted -= node == "pre"
        elif node is not None and node.tag == "-text":
            content = node.text_content or "" if around.shows_text else ""
            writer.text(content.translate(symbols_of(around.font) or {}), preformatted > 0)
        elif node is not None and not _is_skipped(node.tag, attributes := node.attributes):
            style = styles.style(node, attributes, around)
            if style.gone:
                continue
            tag = _shown_as(node.tag, style.display)
            writer.enter(tag, attributes)
            preformatted += tag == "pre"
            writer.text(_filled_in(tag, attributes) if style.shows_text else "")
            to_do.append((tag, style))
            to_do += ((child, style) for child in reversed(list(node.iter(include_text=True))))
    return writer.result()


def _check_end(html: str) -> None:
    """A document that ends within a tag or comment, or opens html and body and closes neither, was cut."""
    lower = html.lower()
    is_open = "<html" in lower and "<body" in lower and "</body" not in lower and "</html" not in lower
    in_comment = html.rfind("<!--") > html.rfind("-->")
    if is_open or in_comment or _OPEN_END.search(html, max(html.rfind("<"), 0)):
        raise SynopticError(Code.CUT_DOCUMENT, "HTML without its end")


def _without_declarations(html: str) -> str:
    """Without what the document type declares: entities are never expanded."""
    begin = _INTERNAL_SUBSET.search(html, 0, _START)
    end = _INTERNAL_SUBSET_END.match(html, max(html.find("]", begin.end()), 0)) if begin else None
    return html[: begin.start()] + html[end.end() :] if begin and end else html


def _as_html(html: str) -> str:
    """XHTML as HTML: an empty element closes itself in XML alone, and CDATA is text there."""
    if not _XHTML.search(html[:_START]):
        return html
    return _EMPTY_ELEMENT.sub(r"<\1\2></\1>", "".join(_without_character_data(html)))


def _without_character_data(html: str) -> Iterator[str]:
    """The markup, with CDATA as escaped text; one that never ends stays, and is looked for once."""
    position = 0
    while (start := html.find(_CHARACTER_DATA, position)) >= 0:
        end = html.find(_CHARACTER_DATA_END, start)
        if end < 0:
            break
        yield html[position:start]
        yield escape(html[start + len(_CHARACTER_DATA) : end], quote=False)
        position = end + len(_CHARACTER_DATA_END)
    yield html[position:]


def _is_skipped(tag: str | None, attributes: Mapping[str, str | None]) -> bool:
    """Whether an element is none of what the page shows: a comment, a script, what is not chosen or not open."""
    if tag is None or tag in _SKIPPED or tag.startswith("-"):  # None: a processing instruction
        return True
    return (tag == "option" and "selected" not in attributes) or (tag == "dialog" and "open" not in attributes)


def _shown_as(tag: str, display: str | None) -> str:
    """The tag whose layout a style gives to an element of no layout of its own."""
    return _DISPLAYED_AS.get(display or "", tag) if tag in _DISPLAYED_IN else tag


def _filled_in(tag: str, attributes: Mapping[str, str | None]) -> str:
    """What a field of a form shows: a box with its tick, or the words in it."""
    if tag != "input":
        return ""
    match (attributes.get("type") or "text").lower():
        case "checkbox" | "radio":
            return "[x]" if "checked" in attributes else "[ ]"
        case "hidden" | "password" | "file" | "image" | "color" | "range" | "button" | "submit" | "reset":
            return ""
        case _:
            return attributes.get("value") or ""
