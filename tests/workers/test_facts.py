"""The reader of typed facts: the pack's own cases, contexts, sections, determinism and time."""

import pytest

from schemas.pack_loader import load_pack
from schemas.pack_rules import FactCase, FactRule
from workers.document import Document, Section
from workers.facts import read_facts

RULES = load_pack("breast").facts
CASES = [(rule, case) for rule in RULES.rules for case in rule.cases]


def one_section(text: str, key: str = "diagnosis") -> Document:
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
