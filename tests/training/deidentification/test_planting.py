"""Planting: the same seed gives the same set, the report stays as it was, every class and both groups are there."""

from collections import Counter
from datetime import date
from random import Random

import pytest

from gateway.commands.deid import _known
from schemas.pack_loader import load_pack
from training.deidentification.annotated import AnnotatedText
from training.deidentification.carriers import HELD_OUT, OPEN, PLACES, Carriers, load_carriers
from training.deidentification.extraction_effect import extraction_effect
from training.deidentification.people import Person, invent_patient, plain_letters
from training.deidentification.planting import plant
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.spellings import spell_birth, spell_family, spell_name, spell_number
from training.reports.gold import GoldValue, LabelledReport

REPORT = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. Nottingham grade 2. Pathologic stage: pT2 pN1a."


def _planted(count: int, seed: int = 1, text: str = REPORT) -> list[AnnotatedText]:
    return list(plant([text] * count, seed, _known))


def test_a_seed_decides_everything() -> None:
    """Two runs plant the same, another seed something else."""
    assert _planted(4) == _planted(4)
    assert _planted(4) != _planted(4, seed=2)


@pytest.mark.parametrize("text", [REPORT, "", "One line\nand another\n", "no border at all"])
def test_the_report_itself_is_unchanged(text: str) -> None:
    """Without its passages, a planted text is the report character by character, and every mark is in a passage."""
    for planted in _planted(4, text=text):
        kept, at = "", 0
        for passage in planted.passages:
            kept += planted.text[at : passage.start]
            at = passage.end
        assert kept + planted.text[at:] == text
        assert all(any(p.start <= m.start and m.end <= p.end for p in planted.passages) for m in planted.marks)


def test_marks_hold_what_was_planted() -> None:
    """A known mark spelled as known is, letter by letter, one of the values that intake finds in the resources."""
    checked = 0
    for planted in _planted(40):
        values = {"".join(one.value.split()) for one in planted.known}
        for mark in planted.marks:
            if mark.spelling == "as known":
                assert "".join(planted.text[mark.start : mark.end].split()).removesuffix(".") in values
                checked += 1
            assert planted.text[mark.start : mark.end].strip() == planted.text[mark.start : mark.end]
    assert checked > 40


def test_all_classes_known_and_unknown_and_both_groups_are_planted() -> None:
    """Some sixty reports hold every Safe Harbor class in each group of carriers."""
    counts = Counter((mark.harbor, mark.group) for planted in _planted(120) for mark in planted.marks)
    assert {(harbor, group) for harbor in SafeHarbor for group in (OPEN, HELD_OUT)} <= counts.keys()
    known = {mark.known for planted in _planted(5) for mark in planted.marks}
    assert known == {True, False}


def test_the_groups_share_no_carrier() -> None:
    """What judges the rules is worded otherwise than what they may be tuned to."""

    def carriers(group: str) -> set[str]:
        loaded = load_carriers(group)
        return {
            carrier for language in ("english", "german") for place in PLACES for carrier in loaded.of(language, place)
        }

    assert carriers(OPEN).isdisjoint(carriers(HELD_OUT))


def test_a_carrier_with_an_unknown_slot_is_refused() -> None:
    """A slip in a slot's name would otherwise be planted as it stands."""
    placed = {"head": ["x {nobody}"], "body": ["x"], "foot": ["x"]}
    with pytest.raises(ValueError, match="nobody"):
        Carriers.model_validate({"english": placed, "german": placed})


def test_spellings_say_what_they_did() -> None:
    """Each spelling's name goes with its form, and a form that changes nothing is the value as known."""
    person = Person("Anna", "", "Müller")
    names = dict(spell_name(person, Random(seed)) for seed in range(60))
    assert names["family name first, capitals"] == "MÜLLER, ANNA"
    assert names["without accents"] == "Anna Mueller"
    assert names["broken at a hyphen"] == "Anna Mül-\nler"
    numbers = dict(spell_number("S24-001234", Random(seed)) for seed in range(60))
    assert numbers["without leading zeros"] == "S24-1234"
    assert numbers["misread"] == "S24-OOl234"
    births = dict(spell_birth(date(1961, 3, 5), Random(seed), "english") for seed in range(80))
    assert births["partial: month and year"] == "03/1961"
    assert births["in words"] == "March 5, 1961"
    assert {spell_family(Person("Mei", "", "Xu"), Random(seed)) for seed in range(30)} == {
        ("as known", "Xu"),
        ("capitals", "XU"),
    }


def test_plain_letters_are_spelled_as_a_keyboard_without_accents_would() -> None:
    """Umlauts become two letters, accents and apostrophes go."""
    assert plain_letters("Größl O'Núñez") == "Groessl ONunez"


def test_resources_hold_the_text_and_pass_intake() -> None:
    """The Bundle is one that intake reads: the patient's name, number and birth date are among what is known."""
    patient = invent_patient(Random(3), "german")
    known = {one.value for one in _known(patient.resources("text"))}
    assert {patient.person.family, patient.record, patient.birth.isoformat(), patient.hospital} <= known


def test_the_effect_on_extraction_compares_both_texts_with_the_untouched_one() -> None:
    """The rules read a report without identifiers, and one whose planted ones were taken out, as they read the original."""
    gold = {"T": GoldValue("T2", "stated"), "N": GoldValue("N1", "stated")}
    reports = [LabelledReport(patient=str(number), hospital="A", text=REPORT, gold=gold) for number in range(3)]
    clean, planted = extraction_effect(reports, load_pack("breast"), 1, _known)
    assert (clean.second, planted.second) == ("de-identified", "planted, de-identified")
    exact = {one.measure: one for one in clean.tasks[0].differences}["exact reports"]
    assert (exact.first, exact.difference) == (1.0, 0.0)
    assert {one.measure: one.first for one in planted.tasks[0].differences}["exact reports"] == 1.0
