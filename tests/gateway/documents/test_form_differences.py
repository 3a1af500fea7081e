"""Two forms of one report: what differs in substance is told from layout, letterheads and spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.form_differences import Comparison, compare, shared_share

REPORT = """University Hospital
Patient: J. Doe  Case No. S24-1717  Received: 03/05/2024 10:22
FINAL DIAGNOSIS:
A. Left breast, mastectomy: invasive ductal carcinoma, 2.3 cm, pT2 pN0.
Closest margin 0.6 cm.
No residual carcinoma in the nipple.
ER: positive (95 %), PR: negative (1 %), HER2: negative, Ki-67 <10 %, E-cadherin+ .
Electronically signed
"""


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("95 %", "0 %"),
        ("ER: positive", "ER: negative"),
        ("Left", "Right"),
        ("pT2", "pT1c"),
        ("invasive ductal", "invasive lobular"),
        ("2.3", "3.2"),
        ("<10", ">10"),
        ("+ ", "- "),
        ("No residual", "Residual"),
        ("2.3 cm", "13 mm"),
        ("Closest margin 0.6 cm", "Closest margin is 6 cm"),
        ("ER: positive", "Estrogen receptor: not detected"),
        ("pT2 pN0", "ypT2 N1a"),
        ("HER2: negative", "HER2: 3+"),
        ("HER2: negative", "HER2: equivocal"),
        ("positive (95 %), PR: negative (1 %)", "negative (1 %), PR: negative (95 %)"),
        ("positive (95 %), PR: negative (1 %)", "negative (1 %), PR: positive (95 %)"),
    ],
)
def test_other_words_or_numbers_in_the_same_place_contradict(written: str, instead: str) -> None:
    """Whichever of the two is looked at first."""
    assert written in REPORT
    for other in (REPORT.replace(written, instead, 1), " ".join(REPORT.replace(written, instead, 1).split())):
        assert compare(REPORT, other).contradictions
        assert compare(other, REPORT).contradictions


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("", ""),
        ("University Hospital", "Surgical Pathology\nFinal report"),
        ("Electronically signed", "Dictated by the pathologist"),
        ("Patient:", "Name:"),
        ("Case No. S24", "Case # S24"),
        ("03/05/2024 10:22", "March 5, 2024"),
        ("mastectomy", "mas-\ntectomy"),
        ("mastectomy", "mastec\xadtomy"),
        ("carcinoma, 2.3", "carcinoma,\nPage 2 of 3\nConfidential\n2.3"),
        ("ER: positive", "Marker: ER  Result: positive"),
        ("A. Left", "1. Left"),
        ("HER2: negative", "HER2: neg"),
        ("2.3 cm", "2,3 cm"),
        ("0.6 cm", ".6 cm"),
        ("invasive", "i\uff4evasive"),
        ("2.3 cm", "23 mm"),
        ("95 %", "95 percent"),
        ("ER: positive", "Estrogen receptor is pos."),
        ("E-cadherin+", "E-cadherin positive"),
        ("No residual carcinoma in the nipple", "Residual carcinoma in the nipple: not seen"),
        ("pT2 pN0", "T2 N0 (sn)"),
        ("invasive ductal", "ductal"),
        ("invasive ductal carcinoma", "invasive carcinoma (NST)"),
        ("Left breast, mastectomy", "Mastectomy specimen, left"),
        ("Closest margin 0.6 cm", "The nearest margin measures 6 mm"),
        ("\n", "  "),
    ],
)
def test_other_wording_and_layout_do_not(written: str, instead: str) -> None:
    """What only one form has, labels, dates, units, and the same in other words are no contradiction."""
    assert written in REPORT
    other = REPORT.replace(written, instead) if written else REPORT
    assert compare(REPORT, other).contradictions == compare(other, REPORT).contradictions == 0


def test_one_form_may_hold_all_that_the_other_tells() -> None:
    """A letterhead, blanks and other words take nothing away; a number that it lacks does."""
    addendum = f"Mercy Hospital\n{REPORT.replace('mastectomy', 'ablation')}\nADDENDUM: HER2 FISH is not amplified.\n"
    assert compare(addendum, REPORT) == Comparison(0, True)
    assert compare(REPORT, addendum) == Comparison(0, False)
    assert compare(addendum.replace("Ki-67 <10 %, ", ""), REPORT) == Comparison(0, False)


def test_the_share_of_words_tells_one_text_from_another() -> None:
    """A report in another order shares its words; a letter does not."""
    assert shared_share(REPORT, "\n".join(reversed(REPORT.splitlines()))) == 1
    assert shared_share(REPORT, "Dear colleague, thank you for sending this lady to our clinic last week") < 0.5


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab12 .:\n", max_size=60), st.text(alphabet="ab12 .:\n", max_size=60))
def test_any_two_texts_can_be_compared(one: str, other: str) -> None:
    """No text fails, and none contradicts itself."""
    assert compare(one, one) == Comparison(0, True)
    assert compare(one, other).contradictions >= 0
