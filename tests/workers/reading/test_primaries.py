"""Primaries: sides, histology, procedures and the evidence of each, beside the cases of the safety set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.findings import Assertion, Certainty, Side
from schemas.pack_loader import load_pack
from workers.reading.facts import read_facts
from workers.reading.primaries import PrimaryDecision, find_primaries
from workers.reading.report_reading import read_report
from workers.reading.segment import segment

PACK = load_pack("breast")
WORDS = (
    *("invasive ductal carcinoma", "no evidence of", "left breast", "right breast", "DCIS", "benign", "mastectomy"),
    *("history of", "metastatic", "lymph node", "suspicious for", "DIAGNOSIS:", "A.", "B.", "\n", ".", ";", "lung"),
)


def decide(text: str, side: Side | None = None) -> tuple[PrimaryDecision, ...]:
    """The primaries of a text under the breast pack."""
    document = segment(text, PACK.definition.segmentation)
    return find_primaries(document, read_facts(document, PACK.facts), PACK.definition, side)


def test_the_requests_side_holds_where_the_text_names_none():
    """A report without a side takes the side of the specimen that the request names."""
    (decision,) = decide("Diagnosis: Invasive ductal breast carcinoma, 2 cm.", side="right")
    assert (decision.key, decision.laterality) == ("breast-right", "right")


def test_the_texts_side_is_kept_against_the_request():
    """A side that contradicts the request is not overwritten: whoever compares the two must see it."""
    (decision,) = decide("Diagnosis: Left breast: invasive ductal carcinoma, 2 cm.", side="right")
    assert decision.key == "breast-left"


@pytest.mark.parametrize("header", ["Previous histology", "Prior cytology", "Previous biopsies", "Previous surgery"])
def test_an_earlier_specimen_gives_no_side(header: str):
    """What was once taken from the other breast does not turn the side of today's carcinoma."""
    text = (
        f"GROSS:\nSide: Right\n\nDIAGNOSIS:\nInvasive ductal breast carcinoma, grade 1.\n\n{header}: left breast, scar."
    )
    assert [decision.laterality for decision in decide(text)] == ["right"]


@pytest.mark.parametrize(
    ("words", "histology", "behaviour"),
    [
        ("Invasive ductal carcinoma", "IDC", "invasive"),
        ("Infiltrating duct carcinoma", "IDC", "invasive"),
        ("Invasive carcinoma of no special type", "IDC", "invasive"),
        ("Invasive lobular carcinoma", "ILC", "invasive"),
        ("Invasive mixed ductal and lobular carcinoma", "IDC_ILC", "invasive"),
        ("Invasive mucinous carcinoma", "mucinous", "invasive"),
        ("Metaplastic carcinoma", "metaplastic", "invasive"),
        ("Invasive carcinoma", "invasive_nos", "invasive"),
        ("Ductal carcinoma in situ", "DCIS", "in_situ"),
        ("Invasive ductal carcinoma with ductal carcinoma in situ", "IDC", "invasive"),
        ("Invasive lobular carcinoma and lobular carcinoma in situ", "ILC", "invasive"),
        ("Adenocarcinoma", None, "uncertain"),
    ],
)
def test_histology_is_never_a_default(words: str, histology: str | None, behaviour: str):
    """The type is what the report says; an unknown type stays unknown."""
    (decision,) = decide(f"DIAGNOSIS: Left breast, excision: {words}.")
    assert (decision.histology, decision.behaviour) == (histology, behaviour)


@pytest.mark.parametrize(
    ("words", "procedure"),
    [
        ("core biopsy", "core"),
        ("fine needle aspiration", "fna"),
        ("lumpectomy", "excision"),
        ("partial mastectomy", "excision"),
        ("re-excision", "re_excision"),
        ("modified radical mastectomy", "mastectomy"),
        ("mastectomy and sentinel lymph node biopsy", "mastectomy"),
    ],
)
def test_procedure_is_the_most_definitive(words: str, procedure: str):
    """Of several procedures the one that decides on pT and pN is named."""
    (decision,) = decide(f"DIAGNOSIS: Left breast, {words}: Invasive ductal carcinoma.")
    assert decision.procedure == procedure


def test_an_earlier_procedure_is_not_this_one():
    """The biopsy told in the history is not the specimen of this report."""
    (decision,) = decide(
        "CLINICAL HISTORY: Core biopsy: carcinoma.\nDIAGNOSIS: Left breast, mastectomy: Invasive carcinoma."
    )
    assert decision.procedure == "mastectomy"


def test_one_firm_statement_outweighs_a_suspicion():
    """The frozen section's suspicion does not weaken the final diagnosis."""
    text = (
        "FROZEN SECTION: Suspicious for carcinoma.\nFINAL DIAGNOSIS: Left breast, excision: Invasive ductal carcinoma."
    )
    (decision,) = decide(text)
    assert decision.certainty is Certainty.DEFINITE


def test_a_report_printed_behind_its_addendum_is_todays():
    """The words "Original report" at the start of a line is no earlier one: its specimen is a biopsy, so no pT is derived."""
    text = "ADDENDUM: HER2 FISH not amplified.\nORIGINAL REPORT: Left breast, core biopsy: Invasive carcinoma, 1.2 cm."
    (reading,) = read_report(text, PACK)
    assert (reading.assertion, reading.procedure) == (Assertion.PRIMARY_INVASIVE, "core")
    assert reading.labels["T"].value is None


def test_an_unspecific_type_yields_to_another_sections_type():
    """Receptors told of an "invasive carcinoma" do not hide the type that the diagnosis names."""
    (decision,) = decide(
        "DIAGNOSIS: Left breast: Invasive lobular carcinoma.\nBiomarkers: Invasive carcinoma: ER 90 %."
    )
    assert decision.histology == "ILC"


def test_evidence_is_the_words_of_the_highest_section():
    """The first quoted span is the diagnosis itself, not the gross description."""
    text = "GROSS: A mass, invasive carcinoma seen.\nDIAGNOSIS: Left breast, excision: Infiltrating lobular carcinoma."
    (decision,) = decide(text)
    start, end = decision.assertion_spans[0]
    assert text[start:end] == "Infiltrating lobular carcinoma"
    assert decision.assertion is Assertion.PRIMARY_INVASIVE


@pytest.mark.parametrize(
    ("closing", "estrogen"),
    [
        ("Estrogen receptor: negative.", "negative"),
        ("The right breast carcinoma of 2010 was estrogen receptor positive.", None),
    ],
)
def test_receptors_after_the_benign_side(closing: str, estrogen: str | None):
    """A closing line on receptors belongs to the only primary, unless it names the other side."""
    text = f"DIAGNOSIS:\nA. Left breast, lumpectomy: Invasive ductal carcinoma.\nB. Right breast, biopsy: Benign. {closing}"
    (reading,) = read_report(text, PACK)
    assert (reading.key, reading.labels["ER"].value) == ("breast-left", estrogen)


def test_an_earlier_specimens_stage_stays_out_and_its_receptors_stay():
    """Of the biopsy before, the receptors are the same tumour's; its size, category and grade are not today's."""
    text = (
        "DIAGNOSIS: Left breast, re-excision: Residual invasive ductal carcinoma, 3 mm, grade 2. COMMENT: The previous "
        "lumpectomy revealed invasive ductal carcinoma, 2.4 cm, grade 3, pT2 pN0. Prior biopsy was ER positive."
    )
    (reading,) = read_report(text, PACK)
    values = {task: reading.labels[task].value for task in ("T", "N", "grade", "ER")}
    assert values == {"T": "T1", "N": None, "grade": "G2", "ER": "positive"}


LEFT_AND_RIGHT = """FINAL DIAGNOSIS:
A. Left breast, lumpectomy: Invasive ductal carcinoma.
B. Right breast, mastectomy: Invasive lobular carcinoma.
"""


@pytest.mark.parametrize(
    "closing",
    [
        "Left tumor: ER positive, PR positive. Right tumor: ER positive, PR negative.\n"
        "Staging: Left: pT1b pN0(sn). Right: pT3 pN2a.",
        "Left: pT1b pN0(sn), ER positive. PR positive. Right: pT3 pN2a. ER positive; PR negative.",
        "SYNOPTIC: Left side: pT1b pN0, ER positive, PR positive. Right side: pT3 pN2, ER positive, PR negative.",
        "ADDENDUM: Left cancer pT1b pN0. ER positive, PR positive. Right cancer pT3 pN2. ER positive, PR negative.",
    ],
)
def test_closing_text_switches_sides(closing: str):
    """After the last part, "Left:" and "Right tumor:" say whose values follow, also over several sentences."""
    left, right = read_report(LEFT_AND_RIGHT + closing, PACK)
    tasks = ("T", "N", "ER", "PR")
    assert [left.labels[task].value for task in tasks] == ["T1", "N0", "positive", "positive"]
    assert [right.labels[task].value for task in tasks] == ["T3", "N2", "positive", "negative"]


@pytest.mark.parametrize(
    "closing",
    [
        "ER: A positive, B negative.",
        "ER: A positive; B negative.",
        "ER positive (left), negative (right).",
        "ER: left positive, right negative.",
        "Left tumor is ER positive, right tumor is ER negative.",
    ],
)
def test_what_cannot_be_split_is_nobodys(closing: str):
    """A line that names both sides, or parts of both, gives no side the other side's value."""
    left, right = read_report(LEFT_AND_RIGHT + closing, PACK)
    assert left.labels["ER"].value in ("positive", None)
    assert right.labels["ER"].value in ("negative", None)


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
@settings(max_examples=120, deadline=None)
def test_any_text_gives_sound_primaries(text: str):
    """Whatever the text, keys are unique, sides follow them, and evidence lies inside the primary's own block."""
    decisions = decide(text)
    assert len({decision.key for decision in decisions}) == len(decisions)
    assert decisions == decide(text)
    for decision in decisions:
        assert decision.key == (f"breast-{decision.laterality}" if decision.laterality else "breast")
        assert decision.assertion_spans
        for start, end in (*decision.assertion_spans, *decision.histology_spans):
            assert decision.block.holds(start, end)
