"""A report read in one call: primaries with labels, evidence inside their text, sides kept apart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.findings import Assertion, Status
from schemas.pack_loader import load_pack
from workers.reading.report_reading import read_report

PACK = load_pack("breast")
BILATERAL = """FINAL DIAGNOSIS:
A. Breast, left, mastectomy: Invasive ductal carcinoma, Nottingham grade 1, 1.2 cm in greatest dimension (pT1c).
B. Breast, right, mastectomy: Invasive lobular carcinoma, Nottingham grade 2, 3.4 cm in greatest dimension (pT2).
C. Lymph nodes, right axilla, dissection: metastatic carcinoma in 5 of 12 lymph nodes (5/12).
"""
CLOSING_LINE = """Final Diagnosis. Breast, right, mastectomy: Infiltrating ductal carcinoma, Nottingham grade III (of III),
forming a 2.5 x 2.5 x 2 cm mass (AJCC pT2). Breast, left, mastectomy: Proliferative fibrocystic changes. A single 0.5 cm
fibroadenoma is identified. Immunohistochemical stains for estrogen and progesterone receptors are negative."""


def test_each_side_has_its_own_values():
    """Both sides are primaries of their own; the larger invasive tumour is the principal one."""
    left, right = sorted(read_report(BILATERAL, PACK), key=lambda reading: reading.laterality or "")
    assert (left.laterality, left.labels["T"].detail, left.labels["grade"].value) == ("left", "pT1c", "G1")
    assert (right.laterality, right.labels["T"].detail, right.labels["grade"].value) == ("right", "pT2", "G2")
    assert (left.principal, right.principal) == (False, True)
    assert (left.labels["N"].status, right.labels["N"].value) == (Status.NOT_STATED, "N2")


def test_evidence_lies_inside_the_primary():
    """Every span that supports a label lies inside the text of its primary, and quotes what it says."""
    for reading in read_report(BILATERAL, PACK):
        for label in reading.labels.values():
            for start, end in label.spans:
                assert any(first <= start and end <= last for first, last in reading.text_spans)
        start, end = reading.labels["T"].spans[0]
        assert BILATERAL[start:end] == reading.labels["T"].detail


def test_receptors_after_the_benign_side_belong_to_the_only_primary():
    """A closing line on receptors is the cancer's, though it follows the other breast; that breast's sizes are not."""
    (reading,) = read_report(CLOSING_LINE, PACK)
    assert (reading.laterality, reading.labels["ER"].value, reading.labels["PR"].value) == (
        "right",
        "negative",
        "negative",
    )
    assert reading.labels["tumor_size"].value == "25"


def test_stage_after_the_benign_side_belongs_to_the_only_primary():
    """A stage that closes a report in capitals is the cancer's, though the other breast was named last."""
    text = "FINAL DIAGNOSIS A) BREAST, LEFT, LUMPECTOMY: INVASIVE DUCTAL CARCINOMA, 2.3 CM. C) BREAST, RIGHT, BIOPSY: "
    (reading,) = read_report(text + "FIBROADENOMA. PATHOLOGIC STAGE PT2 PN1A(SN) PMX", PACK)
    assert (reading.labels["T"].detail, reading.labels["N"].detail, reading.labels["M"].detail) == (
        "pT2",
        "pN1a(sn)",
        "pMX",
    )


def test_spans_have_no_white_space_at_their_ends():
    """Evidence quotes words, not the blanks or line breaks that follow them."""
    text = (
        "FINAL DIAGNOSIS: Left breast, lumpectomy: Invasive ductal carcinoma. pT2 pN0\n(0/3). ER 5 - 10 % , PR <1 % \n"
    )
    (reading,) = read_report(text, PACK)
    quotes = [text[start:end] for label in reading.labels.values() for start, end in label.spans]
    assert {"pT2", "pN0"} <= set(quotes)
    assert all(quote == quote.strip() for quote in quotes)


def test_benign_report_has_no_primary():
    """Without cancer there is nothing to label."""
    assert read_report("FINAL DIAGNOSIS: Breast, left, excision: Fibroadenoma. Negative for malignancy.", PACK) == ()


def test_text_with_lost_line_breaks_reads_the_same():
    """Line breaks and the ". " that stands for them give the same labels."""
    lost = BILATERAL.replace("\n", ". ")
    values = [{task: label.value for task, label in reading.labels.items()} for reading in read_report(BILATERAL, PACK)]
    again = [{task: label.value for task, label in reading.labels.items()} for reading in read_report(lost, PACK)]
    assert values == again


def test_request_side_holds_where_the_text_names_none():
    """The side of the request is taken only where the report is silent."""
    text = "DIAGNOSIS: Breast, mastectomy: Invasive ductal carcinoma, pT2."
    (reading,) = read_report(text, PACK, "left")
    assert (reading.laterality, reading.assertion) == ("left", Assertion.PRIMARY_INVASIVE)


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_is_read_without_error(text: str):
    """Whatever the text, reading ends and evidence stays inside it."""
    for reading in read_report("Invasive carcinoma of the left breast. " + text, PACK):
        assert all(0 <= fact.start < fact.end <= len(text) + 39 for fact in reading.facts)


def test_in_situ_alone_is_tis_and_never_sized():
    """Ductal carcinoma in situ alone is pTis whatever its extent; lobular carcinoma in situ alone has no T."""
    (ductal,) = read_report("FINAL DIAGNOSIS: Breast, left, lumpectomy: Ductal carcinoma in situ, 3.5 cm.", PACK)
    (lobular,) = read_report("FINAL DIAGNOSIS: Breast, left, lumpectomy: Lobular carcinoma in situ, 3.5 cm.", PACK)
    assert (ductal.labels["T"].value, ductal.labels["T"].detail) == ("Tis", "pTis")
    assert lobular.labels["T"].status is Status.NOT_STATED


def test_equal_counts_of_two_parts_are_both_counted():
    """Two of eight nodes of each of two levels are four; the same count said twice of one part is two."""
    start = "A. Left breast, mastectomy: invasive ductal carcinoma, 2 cm. B. Level I nodes: 2/8. "
    values = [
        read_report(start + rest, load_pack("breast"))[0].labels["N"].value
        for rest in ("C. Level II nodes: 2/8.", "Comment: lymph nodes 2/8.")
    ]
    assert values == ["N2", "N1"]
