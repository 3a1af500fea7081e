"""A text with the identifiers that somebody marked in it, or that were planted there."""

from dataclasses import dataclass, field

from schemas.messages import KnownIdentifier
from training.deidentification.safe_harbor import SafeHarbor


@dataclass(frozen=True)
class Mark:
    """One identifier: where it stands, its class (None for what Safe Harbor does not name), and the set's own label.

    `known` is true where the resource holds it. `group` divides a planted set, `spelling` says how a known one was
    written; both are empty in a set that people annotated.
    """

    start: int
    end: int
    label: str
    harbor: SafeHarbor | None
    known: bool = False
    group: str = ""
    spelling: str = ""


@dataclass(frozen=True)
class Passage:
    """A stretch of text that was planted, and the group that it belongs to."""

    start: int
    end: int
    group: str


@dataclass(frozen=True)
class AnnotatedText:
    """One text, its marks (sorted), and what the resource knows.

    `passages` are what was planted; None where the whole text was annotated, so that every removal can be judged. Nobody
    is to read what is missed in a text that is `held_out`.
    """

    text: str = field(repr=False)
    marks: tuple[Mark, ...] = field(repr=False)
    known: tuple[KnownIdentifier, ...] = field(default=(), repr=False)
    passages: tuple[Passage, ...] | None = field(default=None, repr=False)
    held_out: bool = False
