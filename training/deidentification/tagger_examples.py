"""The texts that the tagger of names and places learns from, with what is to be found in each.

Invented prose (prose.yaml); the sentences of a set whose values are replaced by invented ones, so that no value of the set
is learned; and reports, in which the rules say what is a name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from schemas.frozen import Frozen
from schemas.privacy_vocabulary import load_privacy_vocabulary
from schemas.yaml_source import load_model
from training.deidentification.annotated import AnnotatedText
from training.deidentification.invented_values import InventedValues
from training.deidentification.safe_harbor import SafeHarbor
from workers.privacy.deidentify import find_by_rules
from workers.privacy.privacy_rules import load_privacy_rules, words_of
from workers.privacy.spans import Span

PROSE_FILE = Path(__file__).resolve().parent / "prose.yaml"
_SLOT = re.compile(r"\{(\w+)\}")
_TAGS = {
    "name": "NAME", "first": "NAME", "last": "NAME",
    "city": "LOCATION", "street": "LOCATION", "unit": "LOCATION", "address": "LOCATION", "zip": "LOCATION",
    "org": "ORGANISATION", "phone": "CONTACT", "date": "DATE",
    "card": "ID", "iban": "ID", "ssn": "ID", "number": "ID",
}  # fmt: skip
_CASES = (str.lower, str.upper)
_BORDER = re.compile(r"(?<=[a-z)])[.;] +(?=[A-Z])|\n+")
_AROUND = 300
_TIMES = 8


class Prose(Frozen):
    """prose.yaml."""

    prose: tuple[str, ...]
    forms: tuple[str, ...]
    clinical: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A text, and what is to be found in it."""

    text: str
    spans: tuple[Span, ...]


@cache
def load_prose() -> Prose:
    """The sentences."""
    prose, faults = load_model(PROSE_FILE, Prose)
    if prose is None:
        raise ValueError("; ".join(map(str, faults)))
    return prose


def filled(template: str, values: InventedValues) -> Example:
    """A sentence with a value in each slot."""
    pieces, spans, at, length = [], [], 0, 0
    for slot in _SLOT.finditer(template):
        value = values.of(slot.group(1))
        pieces += [template[at : slot.start()], value]
        start = length + slot.start() - at
        length = start + len(value)
        at = slot.end()
        if tag := _TAGS.get(slot.group(1)):
            spans.append((start, length, tag))
    return Example("".join([*pieces, template[at:]]), tuple(spans))


def invented_prose(count: int, values: InventedValues) -> Iterator[Example]:
    """So many passages of one to three sentences, or a form."""
    prose = load_prose()
    for _ in range(count):
        if values.chance.random() < 0.25:
            yield _cased(filled(values.chance.choice(prose.forms), values), values.chance)
            continue
        sentences = values.chance.choices((*prose.prose, *prose.clinical), k=values.chance.choice((1, 1, 1, 2, 3)))
        yield _cased(
            joined([filled(sentence, values) for sentence in sentences], values.one_of(" ", " ", "\n", "  ")),
            values.chance,
        )


def joined(examples: Sequence[Example], between: str) -> Example:
    """The examples as one."""
    text, spans = "", []
    for one in examples:
        if text:
            text += between
        spans += [(start + len(text), end + len(text), tag) for start, end, tag in one.spans]
        text += one.text
    return Example(text, tuple(spans))


def _cased(example: Example, chance: Random) -> Example:
    """Some passages in small letters or capitals only, as far as that keeps their length."""
    if chance.random() < 0.14:
        text = chance.choice(_CASES)(example.text)
        if len(text) == len(example.text):
            return Example(text, example.spans)
    return example


def refilled(text: AnnotatedText, values: InventedValues) -> Example:
    """A text of a set with invented values for its names, places and organisations; its other values stay."""
    pieces, spans, at, length = [], [], 0, 0
    last_end = -99
    for mark in text.marks:
        old = text.text[mark.start : mark.end]
        slot = _slot(mark.label, old, mark.harbor, mark.start - last_end < 8)
        value = values.of(slot[0]) if slot[0] else old
        if old.isdigit() and slot[1] == "LOCATION":
            value = values.digits(len(old), len(old))
        pieces += [text.text[at : mark.start], value]
        start = length + mark.start - at
        length = start + len(value)
        at = mark.end
        last_end = mark.end
        if slot[1]:
            spans.append((start, length, slot[1]))
    return _cased(Example("".join([*pieces, text.text[at:]]), tuple(spans)), values.chance)


def _slot(label: str, old: str, harbor: SafeHarbor | None, beside: bool) -> tuple[str | None, str | None]:
    if label == "PERSON":
        return ("name" if " " in old else "first"), "NAME"
    if label == "ORGANIZATION":
        return "org", "ORGANISATION"
    if label == "GPE":
        if harbor is None:
            return "country", "LOCATION" if beside else None
        return "city", "LOCATION"
    if label == "STREET_ADDRESS":
        if old.isdigit():
            return None, "LOCATION"
        if old.lower().startswith(("apt", "suite")):
            return "unit", "LOCATION"
        return ("address" if "\n" in old or "," in old or len(old) > 30 else "street"), "LOCATION"
    if label == "ZIP_CODE":
        return "zip", "LOCATION"
    if label == "PHONE_NUMBER":
        return "phone", "CONTACT"
    if label == "DATE_TIME":
        return None, "DATE"
    if label in ("CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE"):
        return None, "ID"
    return None, None


def from_reports(texts: Iterable[str], values: InventedValues) -> Iterator[Example]:
    """Reports with what the rules remove from them, and a part of each with a clinical sentence set in at a border."""
    prose = load_prose()
    for text in texts:
        report = _by_rules(text)
        yield report
        at = values.chance.choice([match.end() for match in _BORDER.finditer(text)] or [len(text)])
        sentence = filled(values.chance.choice(prose.clinical), values)
        parts = [_part(report, max(0, at - _AROUND), at), sentence, _part(report, at, at + _AROUND)]
        yield joined(parts, values.one_of(" ", "\n"))


def vocabulary_cases() -> Iterator[Example]:
    """The cases of the rules, several times over: fragments of reports and letters, most of them of a few words."""
    vocabulary = load_privacy_vocabulary()
    cases = [case.text for rule in (*vocabulary.patterns, *vocabulary.contexts) for case in rule.cases]
    return (_by_rules(text) for text in cases * _TIMES)


def plain(texts: Iterable[str]) -> Iterator[Example]:
    """Texts in which nothing is to be found."""
    return (Example(text, ()) for text in texts)


def _by_rules(text: str) -> Example:
    """A text with what rules and lists find in it, ages apart."""
    found = find_by_rules(text, words_of(text), (), load_privacy_rules())
    return Example(text, tuple(claim.span for claim in found if claim.tag != "AGE"))


def _part(example: Example, start: int, end: int) -> Example:
    inside = (span for span in example.spans if span[0] >= start and span[1] <= end)
    return Example(example.text[start:end], tuple((left - start, right - start, tag) for left, right, tag in inside))
