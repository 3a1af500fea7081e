"""Signs that look like others are read as those, without moving anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import KnownIdentifier
from schemas.pack_loader import load_pack
from workers.privacy.deidentify import deidentify
from workers.privacy.look_alikes import readable, whole_letters
from workers.reading.report_reading import read_report


@given(st.text())
def test_no_character_moves(text: str) -> None:
    """The text keeps its length, and reading it twice changes nothing more."""
    assert len(readable(text)) == len(text)
    assert readable(readable(text)) == readable(text)


def test_wide_digits_and_blanks_that_do_not_break_are_read() -> None:
    """A text with non-breaking blanks, hyphens and full-width digits gives the labels of the plain one."""
    pack = load_pack("breast")
    plain = "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, grade 2. Tumor size 2.3 cm, pT2 pN0."
    odd = plain.replace(" ", "\u00a0").replace("2", "\uff12").replace("-", "\u2011")
    (expected,), (read,) = read_report(plain, pack), read_report(readable(odd), pack)
    assert {task: label.value for task, label in read.labels.items()} == {
        task: label.value for task, label in expected.labels.items()
    }


@pytest.mark.parametrize("text", ["Dr. MÃ¼ller-LÃ¼denscheidt", "Dr. Jos\ufffd Garc\ufffda", "Dr. Renï¿½ Dupont"])
def test_a_name_whose_letters_were_read_in_another_charset_goes_whole(text: str) -> None:
    """Letters of UTF-8 that were read one by one are the name's letters, and places stay where they were."""
    assert deidentify(text).text == "Dr. [NAME]"
    assert len(whole_letters(text)) == len(text)


def test_a_known_name_is_found_in_another_charset() -> None:
    """The letter that takes its first place is the one that the resource knows."""
    known = (KnownIdentifier(kind="NAME", value="José Núñez"),)
    assert deidentify("copy to jos\u00c3\u00a9 n\u00c3\u00ba\u00c3\u00b1ez", known).text == "copy to [NAME]"


@pytest.mark.parametrize(
    "text", ["M?ller, J?rgen", "M\ufffdLLER", "m??ller", "Jürgen MÃ¼ller", "J\ufffdrgen aus N?rnberg"]
)
def test_a_known_name_or_place_is_found_without_the_letters_that_a_charset_lost(text: str) -> None:
    """What stands for a lost letter goes with the name; a question mark after a word stays."""
    known = (KnownIdentifier(kind="NAME", value="Jürgen Müller"), KnownIdentifier(kind="LOCATION", value="Nürnberg"))
    assert not set("üÜJjMmNn") & set(
        deidentify(f"8 {text} 9", known).text.replace("[NAME]", "").replace("[LOCATION]", "")
    )
    assert deidentify("Is it free? Yes.", known).text == "Is it free? Yes."
