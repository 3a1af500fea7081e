"""The reader of typed facts: the pack's own cases, contexts, sections, determinism and time."""

import pytest

from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from schemas.pack_rules import FactCase, FactRule, FactRules, IgnoredText
from workers.reading import facts
from workers.reading.document import Document, Section
from workers.reading.facts import read_facts

RULES = load_pack("breast").facts
CASES = [(rule, case) for rule in RULES.rules for case in rule.cases]


def one_section(text: str, key: str = "diagnosis") -> Document:
    """A document of one section."""
    return Document(text, (Section(key, 80, 0, 0, len(text)),), (), (), ())


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{rule.name}: {case.text[:40]}" for rule, case in CASES])
def test_pack_case(rule: FactRule, case: FactCase):
    """Each rule finds in its cases exactly what they say."""
    found = [fact for fact in read_facts(one_section(case.text), RULES) if fact.rule == rule.name]
    expected = [{"value": item} if isinstance(item, str) else item for item in case.finds]
    seen = [{"value": fact.value, **fact.attributes} for fact in found]
    assert len(seen) == len(expected), seen
    for fact, wanted in zip(seen, expected, strict=True):
        assert {name: fact.get(name) for name in wanted} == wanted


def test_reading_is_deterministic_and_ordered():
    """The same text gives the same facts, in the order of the text."""
    document = one_section("pT2 pN1a pMX. ER positive, PR negative. Nottingham grade 2. Tumor size: 2.5 cm.")
    first, again = read_facts(document, RULES), read_facts(document, RULES)
    assert first == again
    assert [fact.start for fact in first] == sorted(fact.start for fact in first)


def test_facts_know_their_section_and_wording():
    """A fact carries the section it stands in, and quotes the text at its span."""
    text = "GROSS: a mass. DIAGNOSIS: pT2"
    sections = (Section("gross", 30, 0, 6, 15), Section("diagnosis", 80, 15, 25, len(text)))
    (fact,) = (fact for fact in read_facts(Document(text, sections, (), (), ()), RULES) if fact.kind == "T")
    assert (fact.section, fact.quote, text[fact.start : fact.end]) == ("diagnosis", "pT2", "pT2")


@pytest.mark.parametrize(
    "text",
    [
        "HER2 scores of 0 and 1+ are considered negative, 2+ equivocal, 3+ positive.",
        "Reference range: negative < 1 %, low positive 1-10 %, positive > 10 %.",
        "Positive control for ER stained appropriately.",
        "Many carcinomas with scores of 2 do not show HER2 gene amplification.",
        "PathVysion: HER2 negative controls and known amplified controls were run.",
    ],
)
def test_boilerplate_is_no_result(text: str):
    """Scoring legends, reference ranges and controls give no receptor result."""
    kinds = {"ER", "PR", "HER2", "HER2_ihc", "HER2_ish", "ER_percent", "PR_percent"}
    assert [fact for fact in read_facts(one_section(text), RULES) if fact.kind in kinds] == []


@pytest.mark.parametrize(
    ("text", "measures_tumor"),
    [
        ("Invasive ductal carcinoma, 2.3 cm.", True),
        ("Size of invasive component: 2.3 cm", True),
        ("Invasive carcinoma is 0.3 cm from the deep margin", False),
        ("Ductal carcinoma in situ, 4 cm", False),
        ("The specimen measures 12 x 10 x 4 cm", False),
        ("Lymph nodes ranging from 0.2 to 1.4 cm", False),
        ("A skin ellipse of 12 x 4 cm", False),
        ("A 0.5 cm fibroadenoma", False),
    ],
)
def test_lengths_are_weighed(text: str, measures_tumor: bool):
    """A length counts for the tumour only where the words around it say so."""
    sizes = [fact for fact in read_facts(one_section(text), RULES) if fact.kind == "size"]
    assert any(fact.score >= 3 for fact in sizes) == measures_tumor


def test_slow_ignored_text_is_a_slow_rule(monkeypatch: pytest.MonkeyPatch):
    """A pattern of ignored text that searches for too long ends as the numbered error of a slow rule, by its name."""
    monkeypatch.setattr(facts, "RULE_TIMEOUT_SECONDS", 0.001)
    rules = FactRules(ignored=(IgnoredText(name="endless", pattern="(a|aa)+(a|aa)+b"),))
    with pytest.raises(SynopticError) as error:
        read_facts(one_section("a" * 5000), rules)
    assert error.value.code is Code.SLOW_RULE
    assert "endless" in str(error.value)
