"""Routing: a pack takes the reports of its organ, and nothing else is read by guess."""

import pytest

from gateway.routing import route
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack

PACK = load_pack("breast")
BREAST = "DIAGNOSIS: Left breast, lumpectomy: Invasive ductal carcinoma."


@pytest.mark.parametrize(
    "text",
    [
        BREAST,
        "Diagnosis: Poorly differentiated invasive ductal carcinoma (tumor diameter: 3.0 cm). G III, pT2.",
        "Addendum: Estrogen receptor positive. HER2 negative. Block from the mastectomy.",
        "Sentinel node, axilla: negative. Nipple unremarkable.",
        "Benign breast tissue. Fibroadenoma.",
    ],
)
def test_breast_reports_are_taken(text: str):
    """Diagnoses, addenda and benign reports of the breast go to the breast pack."""
    assert route(text, [], [], [PACK]) is PACK


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lung, right upper lobe, lobectomy: Adenocarcinoma, 2.4 cm, pT1c.",
        "Sigmoid colon, resection: Invasive adenocarcinoma, pT3 pN1.",
        "Prostate, radical prostatectomy: Gleason 3+4.",
        "Chest radiograph: no acute disease.",
    ],
)
def test_other_reports_are_unroutable(text: str):
    """A report of another organ is rejected by number, and the message holds none of its text."""
    with pytest.raises(SynopticError) as raised:
        route(text, [], [], [PACK])
    assert raised.value.code is Code.UNROUTABLE
    assert "lobectomy" not in raised.value.one_line()


@pytest.mark.parametrize(
    ("codes", "categories", "taken"),
    [
        (["11529-5"], [], True),
        ([], ["PAT"], True),
        (["11529-5"], ["RAD"], True),
        (["24606-6"], [], False),
        ([], ["RAD"], False),
        (["24606-6"], ["LAB"], True),
    ],
)
def test_codes_and_categories_can_refuse(codes: list[str], categories: list[str], taken: bool):
    """A radiology report that names the breast is refused; one known code or category is enough."""
    if taken:
        assert route(BREAST, codes, categories, [PACK]) is PACK
    else:
        with pytest.raises(SynopticError):
            route(BREAST, codes, categories, [PACK])


def test_no_pack_takes_nothing():
    """Without packs every report is unroutable."""
    with pytest.raises(SynopticError):
        route(BREAST, [], [], [])
