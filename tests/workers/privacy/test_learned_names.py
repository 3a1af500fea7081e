"""The learned tagger: names and places of prose go, words of the clinic and of German stay, its file must be the one shipped."""

import shutil
from pathlib import Path

import pytest

from schemas.errors import Code, SynopticError
from workers.privacy.deidentify import deidentify
from workers.privacy.learned_names import DIGEST_SUFFIX, MODEL_FILE, load_tagger, worth_removing
from workers.privacy.privacy_rules import load_privacy_rules
from workers.privacy.tagger_features import stretches, tokens_of

RULES = load_privacy_rules()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We flew from Ettelgem to the sea with Dzhambek and came back on Monday.", ["Ettelgem", "Dzhambek"]),
        ("my name is borna jerković and i lost my card", ["borna jerković"]),
        ("The parcel was sent to 19902 Dobrovského 1394 but never came.", ["19902 Dobrovského 1394"]),
    ],
)
def test_names_and_places_of_prose_go(text: str, expected: list[str]) -> None:
    """Names that no list has, in small letters too, and addresses of other countries are removed whole."""
    assert [text[one.start : one.end] for one in deidentify(text).removed] == expected


@pytest.mark.parametrize(
    "text",
    [
        "The tumor is positive for Synaptophysin and was treated with Herceptin at the clinic.",
        "Sections show Glioblastorna of the temporal lobe, with foci of necrosis.",
        "Der Tumor wurde mit Xeloda und Qwortynib behandelt und ist nicht gewachsen.",
        "The margin is inked black and the specimen is sent to the laboratory in formalin.",
        "The node was mapped with Lymphazurin and Technetium-99m; the patient had Keytruda, Enhertu and Lynparza.",
        "GATA3 (L50-823), BRCA2, PALB2, TP53 and CHEK2 are tested; the clip is a Savi Scout.",
        "Tumortyp: Invasives Karzinom NST\nTumorgraduierung: Drüsenbildung 3, Kernpolymorphie 2, Mitosen 1\n"
        "Lymphgefäßinvasion: L1\nVeneninvasion: V0\nProgesteronrezeptor: 60 %, IRS 8",
    ],
)
def test_words_of_reports_stay(text: str) -> None:
    """Drugs, stains, genes, misread words of reports and German nouns, of a form without a small word too, are no names."""
    assert deidentify(text).text == text


def test_a_stretch_with_a_tag_is_not_looked_at_again() -> None:
    """What stood beside a tag has been read before the tag was, so that a second pass finds nothing new."""
    assert list(stretches(tokens_of("seen with [NAME] and Qworty in Ettelgem"), RULES)) == []


def test_a_bare_number_counts_beside_a_place_only() -> None:
    """A number is a postal code where a place stands beside it, and a count elsewhere."""
    text = "at Ettelgem 8460, and 1500 of them"
    place, code, count = (3, 11, "LOCATION"), (12, 16, "LOCATION"), (22, 26, "LOCATION")
    assert worth_removing(text, [place, code], [], RULES) == [place, code]
    assert worth_removing(text, [count], [], RULES) == []


def test_the_numbers_of_an_address_that_rules_found_a_part_of_go_too() -> None:
    """A house number beside a street goes with it, and a word between; a word of the clinic does not, nor a number with it."""
    text = "at 0896 69 Farnell Street no, 69 Farnell Street biopsy 2"
    address, clinical = (3, 28, "LOCATION"), (30, 56, "LOCATION")
    assert worth_removing(text, [address], [(8, 25)], RULES) == [(3, 8, "LOCATION")]
    assert worth_removing(text, [clinical], [(30, 47)], RULES) == []
    corner = "35 Pentelis Str. and Waechter Turnpike"
    assert worth_removing(corner, [(0, 38, "LOCATION")], [(0, 15), (21, 38)], RULES) == [(15, 21, "LOCATION")]


def test_the_rest_of_a_name_that_rules_found_a_part_of_goes_too() -> None:
    """A surname that is a word of reports goes after its given name; before what makes an eponym of it it stays."""
    assert worth_removing("Brad L Key", [(0, 10, "NAME")], [(0, 6)], RULES) == [(6, 10, "NAME")]
    assert worth_removing("Brad L Key disease", [(0, 10, "NAME")], [(0, 6)], RULES) == []


def test_a_model_with_another_digest_is_refused(tmp_path: Path) -> None:
    """A file whose bytes are not those of the digest beside it is SYN-602."""
    model = tmp_path / MODEL_FILE.name
    model.write_bytes(MODEL_FILE.read_bytes() + b"x")
    shutil.copy(MODEL_FILE.with_name(MODEL_FILE.name + DIGEST_SUFFIX), tmp_path)
    with pytest.raises(SynopticError) as raised:
        load_tagger(RULES, model)
    assert raised.value.code is Code.BAD_PACK
