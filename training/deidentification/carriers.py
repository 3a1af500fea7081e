"""Sentences that carry identifiers (carriers.yaml, carriers_held_out.yaml), and how their slots are filled."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import model_validator

from schemas.frozen import Frozen
from schemas.yaml_source import load_model
from training.deidentification.annotated import Mark
from training.deidentification.people import InventedPatient, Language
from training.deidentification.slots import SLOTS

FOLDER = Path(__file__).resolve().parent
OPEN, HELD_OUT = "open", "held-out"
FILES = {OPEN: FOLDER / "carriers.yaml", HELD_OUT: FOLDER / "carriers_held_out.yaml"}
Place = Literal["head", "body", "foot"]
PLACES: tuple[Place, ...] = ("head", "body", "foot")
_SLOT = re.compile(r"\{(\w+)\}")


class PlacedCarriers(Frozen):
    """The carriers of one language by where they stand in a report."""

    head: tuple[str, ...]
    body: tuple[str, ...]
    foot: tuple[str, ...]


class Carriers(Frozen):
    """One group of carriers."""

    english: PlacedCarriers
    german: PlacedCarriers

    @model_validator(mode="after")
    def _slots_exist(self) -> "Carriers":
        named = {
            slot
            for placed in (self.english, self.german)
            for place in PLACES
            for carrier in getattr(placed, place)
            for slot in _SLOT.findall(carrier)
        }
        if unknown := named - SLOTS.keys():
            raise ValueError(f"no such slot: {', '.join(sorted(unknown))}")
        return self

    def of(self, language: Language, place: Place) -> tuple[str, ...]:
        """The carriers of one place."""
        placed = self.english if language == "english" else self.german
        found: tuple[str, ...] = getattr(placed, place)
        return found


@dataclass(frozen=True)
class Filled:
    """A carrier with its values, and their marks, places counted from its start."""

    text: str
    marks: tuple[Mark, ...]


@cache
def load_carriers(group: str) -> Carriers:
    """The carriers of one group."""
    carriers, faults = load_model(FILES[group], Carriers)
    if carriers is None:
        raise ValueError("; ".join(map(str, faults)))
    return carriers


def fill(carrier: str, patient: InventedPatient, group: str, chance: Random) -> Filled:
    """The carrier with a value in each slot."""
    pieces: list[str] = []
    marks: list[Mark] = []
    length = at = 0

    def add(text: str) -> None:
        nonlocal length
        pieces.append(text)
        length += len(text)

    for slot in _SLOT.finditer(carrier):
        add(carrier[at : slot.start()])
        at = slot.end()
        for value in SLOTS[slot.group(1)](patient, chance):
            label = value.harbor.title
            end = length + len(value.text)
            marks.append(Mark(length, end, label, value.harbor, value.known, group, value.spelling))
            add(value.text)
            add(value.after)
    add(carrier[at:])
    return Filled("".join(pieces), tuple(marks))


def endless(carriers: tuple[str, ...], chance: Random) -> Iterator[str]:
    """The carriers again and again, each round in another order, so that all are used alike."""
    while True:
        yield from chance.sample(carriers, len(carriers))
