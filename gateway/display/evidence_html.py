"""A text with its evidence as one HTML page: each quote marked in the colour of its status, its task and value before it."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from gateway.display.evidence_marks import COLOURS, MEANINGS, Mark, Summary

_STYLE = """body{font:15px/1.55 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#191c21}
h1{font-size:1.3rem}pre{font:14px/1.75 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;
background:#f6f7f9;border:1px solid #d2d6dc;border-radius:6px;padding:1.2rem}.legend span{margin-right:1.5rem}
.unsaid{color:#69707a}mark{color:inherit;border-radius:3px;padding:1px 2px}
b{color:#fff;border-radius:3px;padding:1px 6px;margin-right:3px;font:600 12px system-ui,sans-serif;white-space:nowrap}"""


def evidence_page(source: str, text: str, marks: Sequence[Mark], summaries: Sequence[Summary]) -> str:
    """The page; it needs nothing from elsewhere and runs no script."""
    legend = "".join(
        f'<span><b class="{kind}">{kind}</b>{escape(meaning)}</span>' for kind, meaning in MEANINGS.items()
    )
    heads = "".join(
        f"<p>{escape(summary.primary)}"
        + (f'<br><span class="unsaid">not stated: {escape(", ".join(summary.unsaid))}</span>' if summary.unsaid else "")
        + "</p>"
        for summary in summaries
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(source)}</title>'
        f"<style>{_STYLE}{_colours()}</style></head><body><h1>{escape(source)}</h1>"
        f'<p class="legend">{legend}</p>{heads}<pre>{"".join(_marked(text, marks))}</pre></body></html>\n'
    )


def _colours() -> str:
    rules = []
    for kind, (red, green, blue) in COLOURS.items():
        rules.append(f"b.{kind}{{background:rgb({red},{green},{blue})}}")
        rules.append(
            f"mark.{kind}{{background:rgba({red},{green},{blue},.18);outline:1px solid rgb({red},{green},{blue})}}"
        )
    return "".join(rules)


def _marked(text: str, marks: Sequence[Mark]) -> Iterator[str]:
    """The text in pieces, cut wherever a mark begins or ends, so that marks may overlap."""
    borders = sorted({0, len(text), *(mark.start for mark in marks), *(mark.end for mark in marks)})
    for start, end in pairwise(borders):
        covering = [mark for mark in marks if mark.start <= start and end <= mark.end]
        for mark in covering:
            if mark.start == start:
                yield f'<b class="{mark.kind}" title="{escape(mark.note)}">{escape(f"{mark.task} {mark.value}".strip())}</b>'
        piece = escape(text[start:end])
        yield f'<mark class="{covering[0].kind}">{piece}</mark>' if covering else piece
