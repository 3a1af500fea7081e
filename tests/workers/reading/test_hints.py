"""Hints: a closed vocabulary, a fixed order, raw facts and never the verdict of the rules."""

from model.prompt import HINT_LIMIT
from schemas.pack_loader import load_pack
from workers.reading.facts import Fact
from workers.reading.hints import hint_vocabulary, render_hints
from workers.reading.report_reading import PrimaryReading, read_report

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
    assert sum(rule.limit + (3 if rule.limit > 1 else 0) for rule in PACK.labels.hints) <= HINT_LIMIT


def test_facts_of_a_report_are_told_raw():
    """An equivocal score and its in situ result are both told, with the size's band and fit."""
    (primary,) = read_report(REPORT, PACK)
    told = [hint.token for hint in render_hints(primary, PACK)]
    wanted = ["T=T2", "N=N1", "nodes_sum=2", "G_nottingham=G2", "ER=positive", "PR=negative"]
    assert [token for token in wanted if token not in told] == []
    assert {"size_best=S2", "IHC=2+", "ISH=negative", "HER2=equivocal"} <= set(told)
    assert any(token.startswith("size=S2:") for token in told)


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


def test_the_best_fitting_size_is_told_once():
    """Of the lengths that fit best the largest is told, not a larger one that fits worse."""
    fitting = [Fact("size", value, at, at + 5, "a", "diagnosis", score=10) for at, value in ((0, "8"), (10, "30"))]
    larger = Fact("size", "60", 20, 25, "a", "diagnosis", score=4)
    assert [token for token in tokens(*fitting, larger) if token.startswith("size_best")] == ["size_best=S2"]


def test_a_lesser_result_is_told_only_where_there_is_no_other():
    """The earlier biopsy's receptor is left out beside this specimen's, and told where it is alone."""
    earlier = Fact("ER", "negative", 0, 5, "a", "history", marks=frozenset({"earlier_result"}))
    current = Fact("ER", "positive", 50, 55, "b", "diagnosis")
    assert "ER=negative" not in tokens(earlier, current)
    assert "ER=negative" in tokens(earlier)


def test_scores_of_several_kinds_share_their_tokens():
    """A histoscore and an intensity are told alike: there is staining, or none."""
    assert "ER_score=above_0" in tokens(Fact("ER_h_score", "180", 0, 5, "a", "diagnosis"))
    assert "ER_score=above_0" in tokens(Fact("ER_intensity", "2", 0, 5, "a", "diagnosis"))


def test_a_stage_in_the_history_is_not_told():
    """An earlier cancer's stage would be taken for this one's."""
    assert "T=T3" not in tokens(Fact("T", "T3", 0, 3, "a", "history", {"prefix": "p"}))
