"""A page for whoever reviews de-identification: each document as it was beside what is left of it, line by line.

It needs nothing from elsewhere, runs no script, and forbids both. It shows identifiers, and says so at its head.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count

from gateway.display.removal_review import MEANINGS, Review, is_known
from workers.privacy.deidentify import Removed

COLOURS = {
    "NAME": "#ffdc8a",
    "DATE": "#b9e0ff",
    "ID": "#e3ccff",
    "CONTACT": "#c3eebb",
    "LOCATION": "#ffc9b3",
    "AGE": "#ffc2dc",
}
_TITLE = "Review of de-identification"
_WARNING = (
    "This page shows protected health information: the text as it came, identifiers included. "
    "Keep it where the reports themselves are kept, send it to nobody, and delete it after the review."
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root{--line:#d5d9e0;--soft:#f5f6f8;--quiet:#5d6571}
*{box-sizing:border-box}
body{margin:0;font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#16191d;background:#fff}
.warning{background:#a61b1b;color:#fff;padding:.7rem 1.5rem;font-weight:600}
.tools{position:sticky;top:0;z-index:5;background:#fff;border-bottom:1px solid var(--line);padding:.6rem 1.5rem;
display:flex;flex-wrap:wrap;gap:.4rem 1.1rem;align-items:center}
.tools label{cursor:pointer;white-space:nowrap}.tools .reason{color:var(--quiet)}
main{padding:0 1.5rem 4rem;max-width:110rem;margin:auto}
h1{font-size:1.25rem;margin:1.1rem 0 .4rem}h2{font-size:1.05rem;margin:0}
nav ol{columns:18rem;padding-left:1.6rem;margin:.4rem 0}
section{margin-top:2rem;border:1px solid var(--line);border-radius:8px;overflow:clip}
section>header{background:var(--soft);padding:.7rem 1rem;border-bottom:1px solid var(--line);
display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:baseline}
.lines{display:grid;grid-template-columns:3.2rem 1fr 1fr;font:13px/1.65 ui-monospace,Menlo,Consolas,monospace}
.line{display:contents}.line>*{padding:.05rem .8rem;white-space:pre-wrap;overflow-wrap:anywhere;min-height:1.65em}
.line>:first-child{color:var(--quiet);text-align:right;user-select:none;background:var(--soft);padding:.05rem .5rem}
.line>:nth-child(2),.line>:first-child{border-right:1px solid var(--line)}
.heads>*{font:600 12px system-ui,sans-serif;color:var(--quiet);padding:.35rem .8rem;border-bottom:1px solid var(--line)}
.chip,mark,.tag{border-radius:3px;padding:1px 4px;color:inherit}
mark a,.tag{color:inherit;text-decoration:none;position:relative}
.tag{font-weight:600;font-size:12px}
.known{box-shadow:inset 0 -2px 0 #16191d}
[data-why]:hover::after,[data-why]:focus::after{content:attr(data-why);position:absolute;left:0;top:1.6em;z-index:9;
background:#16191d;color:#fff;font:12px/1.4 system-ui,sans-serif;padding:.25rem .55rem;border-radius:4px;white-space:nowrap}
:target{scroll-margin-top:6rem;outline:3px solid #1a56db;outline-offset:1px}
body:has(#only:checked) .line:not(.hit):not(.heads){display:none}
@media print{.tools{position:static}section{break-inside:auto;overflow:visible}}
"""


def review_page(reviews: Sequence[Review]) -> str:
    """The page of all documents; text is only ever escaped into it."""
    totals = Counter(one.tag for review in reviews for one in review.removals)
    sections = "".join("".join(_section(number, one)) for number, one in enumerate(reviews, start=1))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="robots" content="noindex,nofollow"><meta name="viewport" content="width=device-width">'
        f"<title>{_TITLE}</title><style>{_STYLE}{_colours()}</style></head><body>"
        f'<div class="warning" role="alert">{_WARNING}</div>{_tools(totals)}'
        f"<main><h1>{_TITLE}</h1>{_overview(reviews)}{sections}</main></body></html>\n"
    )


def _colours() -> str:
    """Each class's colour, and how its box switches it off."""
    return "".join(
        f".{tag}{{background:{colour}}}body:has(#show-{tag}:not(:checked)) mark.{tag}{{background:none;box-shadow:none}}"
        for tag, colour in COLOURS.items()
    )


def _tools(totals: Counter[str]) -> str:
    """The legend with its counts, which is also what switches colours and lines."""
    boxes = "".join(
        f'<label><input type="checkbox" id="show-{tag}" checked> <span class="chip {tag}">{tag}</span> {totals[tag]}</label>'
        for tag in COLOURS
    )
    return (
        f'<div class="tools">{boxes}<label><input type="checkbox" id="only"> only lines with a removal</label>'
        f'<span class="reason"><span class="chip known">underlined</span> {MEANINGS[True]}, otherwise found by a rule; '
        "point at a word for its reason, click it for its other side</span></div>"
    )


def _overview(reviews: Sequence[Review]) -> str:
    """The documents with a link to each, where there are several."""
    removed = sum(len(one.removals) for one in reviews)
    line = f"<p>{len(reviews)} document{'s' * (len(reviews) != 1)}, {removed} removals.</p>"
    if len(reviews) < 2:
        return line
    entries = (
        f'<li><a href="#d{number}">{escape(one.name)}</a> ({len(one.removals)})</li>'
        for number, one in enumerate(reviews, start=1)
    )
    return f"{line}<nav><ol>{''.join(entries)}</ol></nav>"


def _section(number: int, one: Review) -> Iterator[str]:
    """One document: its counts, then a row a line."""
    chips = " ".join(
        f'<span><span class="chip {tag}{" known" * known}">{tag}</span> {escape(MEANINGS[known])}: {found}</span>'
        for (tag, known), found in one.counts().items()
    )
    yield f'<section id="d{number}"><header><h2>{escape(one.name)}</h2>{chips or "nothing removed"}</header>'
    yield '<div class="lines"><div class="line heads"><span></span><span>Original</span><span>De-identified</span></div>'
    yield from _lines(number, one)
    yield "</div></section>"


def _lines(document: int, one: Review) -> Iterator[str]:
    """Each line of the original beside what is left of it; a removal over several lines leaves its tag in the first."""
    removals = list(enumerate(one.removals))
    start = first = 0
    for number in count(1):
        end = one.text.find("\n", start)
        end = len(one.text) if end < 0 else end
        while first < len(removals) and removals[first][1].end <= start:
            first += 1
        original, left, at, hit = [], [], start, False
        for index, removal in removals[first:]:
            if removal.start >= end:
                break
            hit = True
            name = f"{document}-{index}"
            kept = escape(one.text[at : max(at, removal.start)])
            at = min(removal.end, end)
            words = escape(one.text[max(start, removal.start) : at])
            original += [kept, _mark(name, removal, words, removal.start >= start)]
            left += [kept, _tag(name, removal)] if removal.start >= start else [kept]
        rest = escape(one.text[at:end])
        yield (
            f'<div class="line{" hit" * hit}"><span>{number}</span>'
            f"<span>{''.join(original)}{rest}</span><span>{''.join(left)}{rest}</span></div>"
        )
        if end == len(one.text):
            return
        start = end + 1


def _mark(name: str, removal: Removed, words: str, opens: bool) -> str:
    """The removed words in the colour of their class; only the first piece of a removal can be linked to."""
    anchor = f' id="o{name}"' if opens else ""
    known = " known" * is_known(removal)
    return (
        f'<mark class="{removal.tag}{known}"{anchor}><a href="#c{name}" data-why="{_why(removal)}">{words}</a></mark>'
    )


def _tag(name: str, removal: Removed) -> str:
    """What stands in place of the words."""
    why = _why(removal)
    return (
        f'<a class="tag {removal.tag}" id="c{name}" href="#o{name}" data-why="{why}">{escape(removal.replacement)}</a>'
    )


def _why(removal: Removed) -> str:
    rule = "" if is_known(removal) else f" ({removal.reason})"
    return escape(f"{removal.tag}: {MEANINGS[is_known(removal)]}{rule}")
