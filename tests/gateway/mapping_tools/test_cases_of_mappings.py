"""Inline cases, explanations and differences, over the shipped mapping with a change."""

from dataclasses import replace

import pytest
from mapping_cases import context, finding, findings, primary

from gateway.mapping_tools.cases import report_of, run_cases
from gateway.mapping_tools.chosen import Chosen, choose
from gateway.mapping_tools.differences import compare
from gateway.mapping_tools.explanation import explain
from gateway.mapping_tools.recorded import Recorded
from schemas.findings import Focus
from schemas.pack_loader import Pack, load_pack
from schemas.pack_mapping import Case, Mapping
from schemas.settings import MappingSettings, Settings

T2 = {"T": {"value": "T2", "detail": "pT2(m)"}}


def with_cases(*cases: dict, **changes) -> Pack:
    """The breast pack with these cases and other parts of its mapping changed."""
    pack = load_pack("breast")
    return replace(pack, mapping=Mapping.model_validate({**pack.mapping.model_dump(), **changes, "cases": cases}))


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ({"findings": T2, "expect": {"T": ["sct|384625004", "sct|1229852009", "pT2(m)"]}}, None),
        ({"findings": T2, "expect": {"N": "none", "condition": "icd10|C50.912"}}, None),
        ({"findings": T2, "primary": {"side": "right"}, "expect": {"condition": "icd10|C50.911"}}, None),
        ({"findings": T2, "report": {"gender": None}, "expect": {"condition": "sct|408643008"}}, None),
        ({"findings": T2, "expect": {"T": "none"}}, "T: expected no resource, found"),
        ({"findings": T2, "expect": {"N": "sct|371494008"}}, "N: expected sct|371494008, found no resource"),
        ({"findings": T2, "expect": {"T": "sct|399504009"}}, "T: expected sct|399504009, found "),
        ({"findings": T2, "report": {"collected": "1999"}, "expect": {"T": "sct|384625004"}},
         "T: expected sct|384625004, found no resource; staging_method has no code for none"),
    ],
)  # fmt: skip
def test_a_case_passes_or_says_what_is_missing(case: dict, fault: str | None) -> None:
    """Codes, profiles and values must stand in the slot's resource; none stands for no resource."""
    (outcome,) = run_cases(with_cases({"name": "a", **case}), Settings())
    assert len(outcome.faults) == (0 if fault is None else 1)
    assert fault is None or outcome.faults[0].startswith(fault)


def shipped() -> Chosen:
    """The breast mapping with the places of its rules."""
    return choose("breast", MappingSettings(), ["breast"])


def explained(case: dict, only: tuple[str, ...] = ()) -> list[str]:
    """The explanation of a case's findings."""
    chosen = shipped()
    report = report_of(Case.model_validate({"name": "a", "expect": {}, **case}), chosen.pack)
    return [line.strip() for line in explain(report, chosen, Settings(), only)]


def test_each_step_is_explained() -> None:
    """What was found, read and assumed; the rule that fits with its line; templates; the resource's elements."""
    lines = explained({"findings": T2}, ("T",))
    assert lines[0] == "breast-left T"
    assert "read      prefix p, category T2" in lines
    assert any(line.startswith("assumed   edition 8") and "year of diagnosis" in line for line in lines)
    rules = [line for line in lines if line.startswith("rule")]
    assert rules[0].startswith("rule      mapping.yaml:")
    assert rules[0].endswith("fits")
    assert "template  T over TNM over observation" in lines
    assert any(line.startswith("code: ") and "384625004" in line for line in lines)


def test_a_rule_that_does_not_fit_says_why() -> None:
    """The condition, what was found and what was expected; what was excluded is told as well."""
    lines = explained({"findings": T2, "primary": {"histology": "LCIS", "behaviour": "in_situ"}}, ("T",))
    assert any("histology is LCIS, which is excluded" in line for line in lines)
    assert any("prefix is p, expected yp" in line for line in lines)
    assert lines[-1] == "no rule fits: no resource"


def test_a_value_without_a_code_is_explained() -> None:
    """The table and the key that it lacks."""
    lines = explained({"findings": T2, "report": {"collected": "1999"}}, ("T",))
    assert "no resource: staging_method has no code for none" in lines


def test_a_finding_without_a_rule_and_the_primary_itself_are_explained() -> None:
    """Without a choice of findings the primary comes first, with the rules that are about it."""
    lines = explained({"findings": {"nothing": {"value": "x"}}})
    assert lines[0] == "breast-left"
    assert any("condition: fits" in line for line in lines)
    assert "no rule is about nothing: it makes no resource of its own" in lines


def test_a_further_mass_is_explained_with_its_own_rules_and_resources() -> None:
    """Its grade makes a resource of that mass, of the tumour it has one of its own, and no Condition."""
    focus = Focus(key="2", findings={"grade": finding("G1")})
    told = primary(findings={"grade": finding("G3")}, foci=(focus,))
    chosen = shipped()
    report = Recorded(findings=findings(told), context=context())
    lines = [line.strip() for line in explain(report, chosen, Settings())]
    of_mass = lines[lines.index("breast-left focus 2") :]
    assert "resource  tumor (2)" in of_mass
    assert "resource  grade (2)" in of_mass[of_mass.index("breast-left focus 2 grade") :]
    assert not any("condition" in line for line in of_mass if line.startswith("rule"))


def test_differences_are_counted_by_resource_and_code() -> None:
    """A changed code is one row with how often; a rule that is gone removes its resource; the rest is untouched."""
    pack = load_pack("breast")
    rows = {**pack.mapping.tables["T.pathologic"], "T2": "local|T-TWO"}
    rules = [rule for rule in pack.mapping.model_dump()["rules"] if rule["slot"] != "ER"]
    tables = {**pack.mapping.tables, "T.pathologic": rows}
    after = replace(
        pack, mapping=Mapping.model_validate({**pack.mapping.model_dump(), "tables": tables, "rules": rules})
    )
    made = {"T": finding("T2", "pT2", prefix="p"), "ER": finding("positive")}
    reports = [Recorded(findings=findings(primary(findings=made)), context=context()) for _ in range(3)]
    reports.append(
        Recorded(findings=findings(primary(findings={"N": finding("N0", "pN0", prefix="p")})), context=context())
    )
    found = compare(reports, pack, after, Settings())
    assert (found.reports, found.touched) == (4, 3)
    changes = {(one.slot, one.kind, one.element, one.before, one.after): n for one, n in found.changes.items()}
    assert changes[("T", "changed", "valueCodeableConcept", "sct|1229852009", "local|T-TWO")] == 3
    assert next(key for key in changes if key[0] == "ER")[1] == "removed"
    assert len(changes) == 2


def test_a_mapping_that_breaks_its_rules_is_told_and_not_compared() -> None:
    """The number of the error, and how many reports."""
    after = with_cases(allowed={})
    report = Recorded(findings=findings(primary(findings={"ER": finding("positive")})), context=context())
    found = compare([report], load_pack("breast"), after, Settings())
    assert (found.touched, sum(found.refused.values())) == (0, 1)
    assert next(iter(found.refused)).startswith("after: SYN-401")


@pytest.mark.parametrize("choice", ["snomed", "ajcc"])
def test_the_shipped_cases_pass(choice: str) -> None:
    """Those of the mapping, and those of the licensed codes over it."""
    pack = choose("breast", MappingSettings(codes=choice), ["breast"]).pack
    outcomes = list(run_cases(pack, Settings()))
    assert len(outcomes) >= 4
    assert [(one.case.name, one.faults) for one in outcomes if one.faults] == []
