"""The models of facts/ and labels.yaml: variants, checks at load, and the breast pack's own size."""

import pytest
from pydantic import ValidationError

from schemas.pack_loader import load_pack
from schemas.pack_rules import FactRule, FactRules
from schemas.patterns import compile_pattern, expand

RULE = {"name": "a", "kind": "T", "pattern": r"T(?P<t>\d)", "value": "T{t}"}


def rules(**changes: object) -> FactRules:
    """Fact rules with one rule, changed."""
    return FactRules.model_validate({"groups": {"one": [{**RULE, **changes}]}})


def test_unknown_fragment_is_named():
    """A pattern that refers to a missing fragment fails at load, with the rule and the fragment."""
    with pytest.raises(ValidationError, match="a: no fragment is named missing"):
        rules(pattern="{missing}")


def test_broken_pattern_is_named():
    """A pattern that does not compile fails at load, with the rule's name."""
    with pytest.raises(ValidationError, match="a: not a regular expression"):
        rules(pattern="(")


def test_template_must_refer_to_groups():
    """A template that names a group which the pattern lacks fails at load."""
    with pytest.raises(ValidationError, match="a: its pattern has no group n"):
        rules(value="N{n}")


def test_names_are_unique():
    """Two rules of one name fail at load."""
    with pytest.raises(ValidationError, match="rules that share a name: a"):
        FactRules.model_validate({"groups": {"one": [RULE], "two": [RULE]}})


def test_variants_write_out_one_rule_each():
    """A rule with variants stands for one rule a variant, each with its own fragments and cases."""
    rule = FactRule.model_validate(
        {
            "name": "status",
            "kind": "{variant}",
            "pattern": "{this} positive",
            "value": "positive",
            "variants": {"ER": {"this": "estrogen"}, "PR": {"this": "progesterone"}},
            "cases": [{"text": "estrogen positive", "finds": ["positive"], "variant": "ER"}],
        }
    )
    written = rule.expanded()
    assert [(item.name, item.kind, len(item.cases)) for item in written] == [
        ("status_ER", "ER", 1),
        ("status_PR", "PR", 0),
    ]
    assert written[1].pattern == "(?:progesterone) positive"


def test_space_matches_a_lost_line_break():
    """A space in a pattern matches ". " as well, except in a character class."""
    assert compile_pattern("estrogen receptor").search("ESTROGEN. RECEPTOR")
    assert compile_pattern("a ?b").search("ab")
    assert not compile_pattern("a[ ]b").search("a. b")


def test_fragments_may_hold_fragments():
    """Fragments expand inside fragments, and a circle is refused."""
    assert expand("{a}", {"a": "x{b}", "b": "y"}) == "(?:x(?:y))"
    with pytest.raises(ValueError, match="circle"):
        expand("{a}", {"a": "{b}", "b": "{a}"})


def test_every_rule_of_the_breast_pack_has_a_case():
    """Each rule is shown by at least one case."""
    facts = load_pack("breast").facts
    written = [rule for group in facts.groups.values() for rule in group]
    assert [rule.name for rule in written if not rule.cases] == []
    assert len(facts.rules) >= 100
