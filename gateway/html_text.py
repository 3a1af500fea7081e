"""HTML to text: block elements and table rows become lines, cells are two spaces apart, hidden parts are gone."""

import re
from typing import Any

_SKIPPED = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe", "select"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_CELLS = frozenset({"td", "th"})
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_INTERNAL_SUBSET = re.compile(r"<!DOCTYPE[^\[>]{0,400}\[[^\]]*\]\s*>", re.IGNORECASE)  # entities are never declared
_WHITESPACE = re.compile(r"[ \t\r\n\f]+")
_CELL_GAP = "  "


class _Writer:
    """Collects text; a break is only written when more text follows it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._break = ""
        self._cells: list[bool] = []

    def enter(self, tag: str) -> None:
        if tag == "br":
            self._break += "\n" if self.parts else ""
        elif tag == "tr":
            self._new_line()
            self._cells.append(False)
        elif tag in _CELLS:
            if self._cells and self._cells[-1]:
                self._break = _CELL_GAP
            if self._cells:
                self._cells[-1] = True
            self._cells.append(False)
        elif tag in _BLOCKS:
            self._block()

    def leave(self, tag: str) -> None:
        if tag == "tr" or tag in _CELLS:
            if self._cells:
                self._cells.pop()
            if tag == "tr":
                self._new_line()
        elif tag in _BLOCKS:
            self._block()

    def text(self, content: str, keep_spaces: bool) -> None:
        if keep_spaces:
            if content:
                self._emit(content)
            return
        collapsed = _WHITESPACE.sub(" ", content)
        if collapsed.startswith(" "):
            self._break = self._break or (" " if self.parts else "")
        if collapsed.strip(" "):
            self._emit(collapsed.strip(" "))
            self._break = " " if collapsed.endswith(" ") else ""

    def _emit(self, content: str) -> None:
        self.parts.append(self._break)
        self.parts.append(content)
        self._break = ""
        if self._cells:
            self._cells[-1] = True

    def _block(self) -> None:
        if not self._cells or self._cells[-1]:  # the first block of a cell stays on the row's line
            self._new_line()

    def _new_line(self) -> None:
        if self.parts and "\n" not in self._break:
            self._break = "\n"


def html_to_text(html: str) -> str:
    """The visible text of an HTML or XHTML document; walks without recursion, so that no nesting can exhaust it."""
    from selectolax.lexbor import LexborHTMLParser

    writer = _Writer()
    to_do: list[Any] = [
        LexborHTMLParser(_INTERNAL_SUBSET.sub("", html, count=1)).body
    ]  # nodes to enter, and names of tags to leave
    preformatted = 0
    while to_do:
        step = to_do.pop()
        if isinstance(step, str):
            writer.leave(step)
            preformatted -= step == "pre"
        elif step is not None and step.tag == "-text":
            writer.text(step.text_content or "", preformatted > 0)
        elif step is not None and not _is_hidden(step):
            writer.enter(step.tag)
            preformatted += step.tag == "pre"
            to_do.append(step.tag)
            to_do.extend(reversed(list(step.iter(include_text=True))))
    return "".join(writer.parts)


def _is_hidden(node: Any) -> bool:
    if node.tag in _SKIPPED or node.tag.startswith("-"):
        return True
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
