"""Hints: a closed vocabulary, a fixed order, raw facts and never the verdict of the rules."""

from model.prompt import HINT_LIMIT
from schemas.pack_loader import load_pack
from workers.facts import Fact
from workers.hints import hint_vocabulary, render_hints
from workers.reading import PrimaryReading, read_report

PACK = load_pack("breast")
REPORT = """FINAL DIAGNOSIS:
Breast, left, mastectomy: Invasive ductal carcinoma, Nottingham grade 2 (score 7/9), 2.5 cm in greatest dimension. pT2 pN1a.
Lymph nodes, left axilla, dissection: metastatic carcinoma in 2 of 14 lymph nodes (2/14).
ADDENDUM:
Estrogen receptor: positive (90%). Progesterone receptor: negative (0%). HER2/neu: equivocal (2+). HER2 not amplified by FISH.
"""


def reading(*facts: Fact) -> PrimaryReading:
    """A primary of these facts."""
    return PrimaryReading(key="breast", organ="breast", facts=facts)


def tokens(*facts: Fact) -> list[str]:
    """The tokens that these facts are told as."""
    return [hint.token for hint in render_hints(reading(*facts), PACK)]


def test_vocabulary_is_closed_and_without_repeats():
    """Every token that a report gives is in the vocabulary, which lists each token once."""
    vocabulary = hint_vocabulary(PACK)
    (primary,) = read_report(REPORT, PACK)
    assert len(set(vocabulary)) == len(vocabulary)
    assert {hint.token for hint in render_hints(primary, PACK)} <= set(vocabulary)


def test_hints_never_exceed_their_room():
    """Even if every rule gives all it may, the hints fit their share of the prompt."""
    assert sum(rule.limit + 3 for rule in PACK.labels.hints) <= HINT_LIMIT


def test_facts_of_a_report_are_told_raw():
    """An equivocal score and its in situ result are both told, with the size's band and fit."""
    (primary,) = read_report(REPORT, PACK)
    told = [hint.token for hint in render_hints(primary, PACK)]
    wanted = ["T=T2", "N=N1", "nodes_sum=2", "G_nottingham=G2", "ER=positive", "PR=negative"]
    assert [token for token in wanted if token not in told] == []
    assert {"size=S2:2", "IHC=2+", "ISH=negative", "HER2=equivocal"} <= set(told)


def test_order_does_not_depend_on_where_facts_stand():
    """Hints come in the pack's order, whatever the order of the text."""
    first = Fact("ER", "positive", 0, 5, "a", "diagnosis", quote="ER positive")
    later = Fact("T", "T2", 50, 53, "b", "diagnosis", {"prefix": "p"}, quote="pT2")
    told = tokens(first, later)
    assert told.index("T=T2") < told.index("ER=positive")


def test_disagreeing_values_are_all_told_with_their_places():
    """Two values give both, and which stands first, last and in the highest section."""
    told = tokens(
        Fact("ER", "negative", 0, 5, "a", "addendum", quote="ER negative"),
        Fact("ER", "positive", 50, 53, "b", "diagnosis", quote="ER positive"),
    )
    assert {"ER=negative", "ER=positive", "ER.first=negative", "ER.last=positive", "ER.top=negative"} <= set(told)


def test_absence_is_told():
    """A kind without facts says so in one token, so that every prompt names every kind."""
    told = tokens()
    assert len(told) == len(PACK.labels.hints)
    assert all(token.endswith("=none") for token in told)


def test_text_is_the_wording_of_the_report():
    """The text of a hint is the raw wording with its section."""
    hints = {hint.token: hint.text for hint in render_hints(read_report(REPORT, PACK)[0], PACK)}
    assert hints["T=T2"] == "pT2 (diagnosis)"
