"""Faults of a mapping: each with its place, what was expected and the nearest valid name."""

from pathlib import Path

import pytest

from schemas.pack_loader import PACKS_FOLDER
from schemas.pack_mapping import Mapping, excluded, holds
from schemas.yaml_source import Fault, load_model

SHIPPED = (PACKS_FOLDER / "breast" / "mapping.yaml").read_text(encoding="utf-8")


def faults_of(tmp_path: Path, old: str, new: str) -> list[Fault]:
    """The faults after one change to the shipped mapping."""
    assert old in SHIPPED
    path = tmp_path / "mapping.yaml"
    path.write_text(SHIPPED.replace(old, new, 1), encoding="utf-8")
    return load_model(path, Mapping)[1]


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("T1c: sct|1229846008", "T1c: sct|1228938007", "tables.T.pathologic.T1c", "fails the check digit"),
        ("T2: sct|1229852009", "T2: stc|1229852009", "tables.T.pathologic.T2", "did you mean 'sct'?"),
        ("ER.percent: loinc|85329-1", "ER.percent: loinc|85329-2", "codes.ER.percent", "fails the check digit"),
        ("{table: result, by: [state", "{table: results, by: [state", "templates.result.", "did you mean 'result'?"),
        ("    template: grade\n", "    template: grad\n", "rules.", "did you mean 'grade'?"),
        ("subject: $subject", "subject: $subjekt", "templates.cancer.subject", "did you mean 'subject'?"),
        ("{$references: [stage_group, stage, pro", "{$references: [stage_group, stages, pro", "templates.condition.stage", "did you mean 'stage'?"),
        ("{assertion: [primary_invasive, primary_in_situ], condition_choice: write}", "{asertion: primary_invasive}",
         "rules.0.when.asertion", "did you mean 'assertion'?"),
        ("{$number: value}", "{$numbr: value}", "templates.count.valueInteger.$numbr", "did you mean '$number'?"),
        ("    from: observation\n    category", "    from: observations\n    category", "templates.TNM.from",
         "did you mean 'observation'?"),
        ("  T.clinical: [T.clinical]", "  T.clinical: [T.clinic]", "allowed.T.clinical", "did you mean 'T.clinical'?"),
        ("known_condition: [disorder,", "known_condition: [disorders,", "known_condition.0", "did you mean 'disorder'?"),
        ("IDC/invasive: sct|408643008", "IDC/invasive: sct|448952004", "tables.disorder.IDC/invasive", "must never go out"),
        ("pattern: '(?P<score>", "pattern: '(?P<score>(", "readings.3.pattern", "no regular expression"),
        ("rules:\n", "rule:\n", "rule", "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_where_it_is(tmp_path: Path, old: str, new: str, key: str, message: str) -> None:
    """The fault names the key and what would be right, on the line of the mistake."""
    faults = faults_of(tmp_path, old, new)
    fitting = [fault for fault in faults if fault.key.startswith(key) and message in fault.message]
    assert fitting, [str(fault) for fault in faults]
    first_changed = SHIPPED[: SHIPPED.index(old)].count("\n") + 1
    assert abs(fitting[0].line - first_changed) <= 6


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    """Two mistakes are two faults."""
    path = tmp_path / "mapping.yaml"
    text = SHIPPED.replace("T1c: sct|1229846008", "T1c: sct|1").replace("subject: $subject", "subject: $patient", 1)
    path.write_text(text, encoding="utf-8")
    keys = {fault.key for fault in load_model(path, Mapping)[1]}
    assert {"tables.T.pathologic.T1c", "templates.cancer.subject"} <= keys


def test_a_rule_that_is_never_reached_is_a_fault(tmp_path: Path) -> None:
    """Two rules with one slot and the same conditions: the second is dead."""
    rule = "  - {slot: x, when: {side: left}, resource: {resourceType: Basic}}\n"
    path = tmp_path / "mapping.yaml"
    path.write_text(f"systems: {{}}\nrules:\n{rule}{rule}", encoding="utf-8")
    (fault,) = load_model(path, Mapping)[1]
    assert (fault.line, fault.key) == (4, "rules.1")
    assert "never reached" in fault.message


def test_the_shipped_mapping_has_no_faults() -> None:
    """And holds at least forty rules."""
    mapping, faults = load_model(PACKS_FOLDER / "breast" / "mapping.yaml", Mapping)
    assert faults == []
    assert mapping is not None
    assert len(mapping.rules) >= 40


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"a": "1"}, True),
        ({"a": ("0", "1")}, True),
        ({"a": "2"}, False),
        ({"b": "none"}, True),
        ({"b": ("none", "x")}, True),
        ({"a": "none"}, False),
        ({"a": "any"}, True),
        ({"b": "any"}, False),
        ({"a": "0..2"}, True),
        ({"a": "2.."}, False),
        ({"a": "..1"}, True),
        ({"c": "1.."}, False),
        ({"a": "1", "b": "x"}, False),
    ],
)
def test_conditions(conditions: dict[str, tuple[str, ...] | str], expected: bool) -> None:
    """One value, several, absent, present, ranges of numbers; all must hold."""
    assert holds(conditions, {"a": "1", "b": None, "c": "word"}) is expected


def test_one_of_the_exclusions_is_enough() -> None:
    """`unless` excludes where any of its conditions holds."""
    assert excluded({"a": "1", "b": "x"}, {"a": "1"})
    assert not excluded({}, {"a": "1"})


def test_lookup_prefers_the_exact_key_then_the_fewest_wildcards() -> None:
    """`*` stands for one part between slashes."""
    mapping = Mapping(
        systems={"s": "http://s"},
        tables={"t": {"a/b": "s|1", "*/b": "s|2", "*/*": "s|3"}},
        rules=(),
    )
    found = {key: mapping.lookup("t", key) for key in ("a/b", "c/b", "c/d", "c")}
    assert [coding[0].code if coding else None for coding in found.values()] == ["1", "2", "3", None]
