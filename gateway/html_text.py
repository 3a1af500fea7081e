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
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all"
    r"|text-decoration[a-z-]{0,20}\s*:[^;]{0,200}line-through|(?:font-size|opacity)\s*:\s*(?:0++(?:\.0*+)?|\.0++)(?![\d.])",
    re.IGNORECASE,
)
_DISPLAY = re.compile(r"display\s*:\s*(table-row|table-cell|inline(?:-block)?)\b", re.IGNORECASE)
_DISPLAYED_AS = {"table-row": "tr", "table-cell": "td"}
_STYLE_BRACE = re.compile(r"([{}])")
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


def _hidden_by_style_sheets(tree: Any) -> Iterator[int]:
    """The nodes that rules of the document's own style sheets hide; rules for print or narrow screens do not count."""
    from selectolax.lexbor import SelectolaxError

    for style in tree.css("style"):
        hiding = (selector for selector, rules in _style_rules(style.text() or "") if HIDING_STYLE.search(rules))
        for selector in dict.fromkeys(hiding):
            try:
                found = tree.css(selector)
            except SelectolaxError:  # no selector that the parser knows
                continue
            yield from (node.mem_id for node in found)


def _style_rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Selector and declarations of each rule that holds under no condition; in one pass, whatever is left open."""
    first, *rest = sheet.replace("<!--", "").replace("-->", "").split("/*")
    pieces = _STYLE_BRACE.split("".join([first, *(piece.partition("*/")[2] for piece in rest)]))
    around: list[str] = []
    for text, brace in zip(pieces[::2], pieces[1::2], strict=False):
        if brace == "{":
            around.append(text.rpartition(";")[2].strip())
        elif around:
            selector = around.pop()
            if selector and not around:
                yield selector, text


def _is_hidden(node: Any) -> bool:
    if node.tag is None or node.tag in _SKIPPED or node.tag.startswith("-"):  # None: a processing instruction
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
