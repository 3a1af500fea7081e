"""Signs that look like others are read as those, without moving anything."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.pack_loader import load_pack
from workers.look_alikes import readable
from workers.reading import read_report


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
