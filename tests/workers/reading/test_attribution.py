"""In which part a label was found, which masses a breast has, and what follows from the numbers of HER2."""

import pytest

from schemas.findings import Basis, Status
from schemas.pack_loader import load_pack
from workers.reading.report_reading import PrimaryReading, read_report

PACK = load_pack("breast")
CARCINOMA = "FINAL DIAGNOSIS: Left breast, lumpectomy: Invasive ductal carcinoma, 1.2 cm, grade 2. "


def read(text: str) -> PrimaryReading:
    """The only primary of the text."""
    (reading,) = read_report(text, PACK)
    return reading


def test_labels_name_the_part_that_their_evidence_stands_in() -> None:
    """Counts are of the node's part, the grade of the breast's."""
    labels = read(
        "FINAL DIAGNOSIS\nA. Left breast, mastectomy: Invasive ductal carcinoma, 3.2 cm, grade 3. ER positive.\n"
        "B. Left sentinel nodes: metastatic carcinoma in 1 of 3 lymph nodes (1/3).\n"
    ).labels
    assert [labels[key].attributes.get("specimen") for key in ("grade", "ER", "nodes_positive")] == ["A", "A", "B"]


def test_what_stands_behind_the_last_part_names_none() -> None:
    """Receptors behind two parts with tumour may be of either."""
    labels = read(
        "FINAL DIAGNOSIS\nA. Left breast, core biopsy: Invasive ductal carcinoma, grade 2.\n"
        "B. Left breast, lumpectomy: Invasive ductal carcinoma, 1.2 cm, grade 2. ER positive.\n"
    ).labels
    assert "specimen" not in labels["ER"].attributes


def test_a_quoted_result_says_so_and_names_no_part() -> None:
    """The biopsy's receptors in the report of the excision."""
    labels = read(CARCINOMA + "ER/PR performed on prior biopsy S19-123: ER positive (90%), PR negative (0%).").labels
    assert [labels[key].attributes.get("sample") for key in ("ER", "PR", "grade")] == ["earlier_result"] * 2 + [None]
    assert "specimen" not in labels["ER"].attributes


def test_each_measured_and_numbered_focus_is_a_mass() -> None:
    """The smaller one has its own size, type, grade and receptors; the largest stays the primary's."""
    reading = read(
        "FINAL DIAGNOSIS\nRight breast, mastectomy:\n"
        "Tumor 1: invasive lobular carcinoma, 9 mm, grade 1. ER positive.\n"
        "Tumor 2: invasive ductal carcinoma, 32 mm, grade 3. ER negative.\n"
    )
    (focus,) = reading.foci
    assert (focus.key, focus.histology) == ("1", "ILC")
    told = ("tumor_size", "grade", "ER")
    assert [focus.labels[key].value for key in told] == ["9", "G1", "positive"]
    assert [reading.labels[key].value for key in told] == ["32", "G3", "negative"]


def test_masses_without_sizes_are_not_told_apart() -> None:
    """Which is the largest is not known, so there is no further mass."""
    text = (
        "FINAL DIAGNOSIS\nLeft breast, mastectomy: Invasive ductal carcinoma.\nTumor 1: grade 2.\nTumor 2: grade 3.\n"
    )
    assert read(text).foci == ()


@pytest.mark.parametrize(
    ("words", "value", "status", "basis"),
    [
        ("HER2 IHC 2+, HER2/CEP17 ratio 1.2, average HER2 copy number 3.1.", "negative", Status.CODED, Basis.DERIVED),
        ("HER2 IHC 2+, HER2/CEP17 ratio 2.4, average HER2 copy number 3.1.", "negative", Status.REVIEW, Basis.DERIVED),
        ("HER2/CEP17 ratio 1.2.", None, Status.NOT_STATED, None),
        ("HER2 negative. HER2/CEP17 ratio 3.4, average HER2 copy number 7.", "negative", Status.REVIEW, Basis.STATED),
        ("HER2 positive (3+).", "positive", Status.CODED, Basis.STATED),
    ],
)
def test_numbers_of_her2_give_a_status_or_are_held_against_it(
    words: str, value: str | None, status: Status, basis: Basis | None
) -> None:
    """Group 5 is negative; group 2 waits for a second count; a ratio alone never decides; a contradiction is reviewed."""
    label = read(CARCINOMA + words).labels["HER2"]
    assert (label.value, label.status, label.basis) == (value, status, basis)


def test_the_category_of_a_recurrence_is_kept_as_written() -> None:
    """rpT4b is no pT4b."""
    reading = read(
        "FINAL DIAGNOSIS\nLeft breast, excision: Recurrent invasive ductal carcinoma, 3 cm. Stage: rpT4b rpN1.\n"
    )
    assert [reading.labels[key].detail for key in ("T", "N")] == ["rT4b", "rN1"]
