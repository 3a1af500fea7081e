"""What de-identification removed from a document, and why, as a reviewer is shown it: in a terminal or on a page."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.text import Text

from gateway.sources import SourceReport
from schemas.messages import ReportText
from workers.deidentify import Removed, deidentify

KNOWN, RULE = "known", "rule"
"""Why something went: the resource knows it, and only that gave it away; or a rule finds it in the text itself."""
MEANINGS = {KNOWN: "known to the resource", RULE: "found by a rule"}
STYLES = {
    "NAME": "black on yellow",
    "DATE": "black on cyan",
    "ID": "white on magenta",
    "CONTACT": "black on green",
    "LOCATION": "white on blue",
    "AGE": "white on red",
}
"""How the words of each class look in a terminal."""


@dataclass(frozen=True)
class Removal:
    """A span that was removed, its class, and why."""

    start: int
    end: int
    tag: str
    reason: str


@dataclass(frozen=True)
class Review:
    """One document: its text as read, and what was removed from it."""

    name: str
    text: str = field(repr=False)
    removals: tuple[Removal, ...] = field(repr=False)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many removals there are of each class and reason, the most frequent first."""
        return dict(Counter((one.tag, one.reason) for one in self.removals).most_common())


def review(source: SourceReport, report: ReportText) -> Review:
    """De-identify a document, once with and once without what its resource knows."""
    with_known = deidentify(report.text, report.known_identifiers).removed
    without = deidentify(report.text).removed if report.known_identifiers else with_known
    found = {place for one in without for place in range(one.start, one.end)}
    removals = (Removal(one.start, one.end, one.tag, _reason(report.text, one, found)) for one in with_known)
    return Review(source.name, report.text, tuple(removals))


def _reason(text: str, removed: Removed, found: set[int]) -> str:
    """KNOWN where a letter or digit of it would have stayed but for the resource."""
    needed = any(place not in found and text[place].isalnum() for place in range(removed.start, removed.end))
    return KNOWN if needed else RULE


def pieces(one: Review) -> Iterator[tuple[str, Removal | None]]:
    """The text in order, cut into what stays and what was removed."""
    at = 0
    for removal in one.removals:
        yield one.text[at : removal.start], None
        yield one.text[removal.start : removal.end], removal
        at = removal.end
    yield one.text[at:], None


def terminal_text(one: Review, coloured: bool) -> Text:
    """The text with what was removed in the colour of its class, or in brackets where there is no colour."""
    shown = Text()
    for words, removal in pieces(one):
        printable = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in words)
        if removal is None:
            shown.append(printable)
        elif coloured:
            underline = " underline" if removal.reason == KNOWN else ""
            shown.append(printable, f"{STYLES[removal.tag]}{underline}")
        else:
            shown.append(f"⟦{removal.tag}, {removal.reason}: {printable}⟧")
    return shown


def terminal_legend() -> Text:
    """What each colour means."""
    legend = Text()
    for tag, style in STYLES.items():
        legend.append(tag, style).append("  ")
    legend.append(MEANINGS[KNOWN], "underline")
    return legend


def count_line(one: Review) -> str:
    """How much was removed, by class and reason, in one line."""
    counted = (f"{count} {tag} {MEANINGS[reason]}" for (tag, reason), count in one.counts().items())
    return f"{one.name}: {len(one.removals)} removed" + (f" ({', '.join(counted)})" if one.removals else "")
