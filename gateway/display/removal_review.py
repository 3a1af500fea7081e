"""What de-identification removed from a document, and why, as a reviewer is shown it: in a terminal or on a page."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.text import Text

from schemas.messages import ReportText
from workers.privacy.deidentify import Removed
from workers.privacy.removal_reasons import KNOWN
from workers.privacy.replacements import Replacements

MEANINGS = {True: "known to the resource", False: "found by a rule"}
"""Why something went, by whether the resource knows it."""
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
class Review:
    """One document: its text as read, and what was removed from it."""

    name: str
    text: str = field(repr=False)
    removals: tuple[Removed, ...] = field(repr=False)

    def counts(self) -> dict[tuple[str, bool], int]:
        """How many removals there are of each class, known to the resource or not, the most frequent first."""
        return dict(Counter((one.tag, is_known(one)) for one in self.removals).most_common())


def is_known(removed: Removed) -> bool:
    """True where the resource knows it, whether or not a rule would find it as well."""
    return removed.reason == KNOWN


def review(name: str, report: ReportText, replacements: Replacements) -> Review:
    """De-identify a document as `synoptic deid text` does."""
    return Review(name, report.text, replacements.deidentified(report).removed)


def pieces(one: Review) -> Iterator[tuple[str, Removed | None]]:
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
            underline = " underline" if is_known(removal) else ""
            shown.append(printable, f"{STYLES[removal.tag]}{underline}")
        else:
            shown.append(f"⟦{removal.tag}, {removal.reason}: {printable}⟧")
    return shown


def terminal_legend() -> Text:
    """What each colour means."""
    legend = Text()
    for tag, style in STYLES.items():
        legend.append(tag, style).append("  ")
    legend.append(MEANINGS[True], "underline")
    return legend


def count_line(one: Review) -> str:
    """How much was removed, by class and reason, in one line."""
    counted = (f"{count} {tag} {MEANINGS[known]}" for (tag, known), count in one.counts().items())
    return f"{one.name}: {len(one.removals)} removed" + (f" ({', '.join(counted)})" if one.removals else "")
