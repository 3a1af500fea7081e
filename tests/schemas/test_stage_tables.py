"""The rule tables of sites: shipped ones without faults, derivations as their guidelines, broken files with their faults."""

import itertools
from pathlib import Path

import pytest

from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from schemas.rule_table import LicensedTable, RuleTable
from schemas.stage_tables import (
    SITES_FOLDER,
    check_rule_table,
    derivation_paths,
    load_rule_table,
    load_staging,
    site_names,
)

DERIVATIONS = load_pack("breast").derivations


def test_the_shipped_sites_and_derivations() -> None:
    """Four sites and three derivations of the breast, each loaded without faults, with its source."""
    assert site_names() == ("breast", "colorectal", "lung", "prostate")
    assert set(DERIVATIONS) == {"her2", "nodes", "response"} == set(derivation_paths(SITES_FOLDER / "breast"))
    tables = [*(load_staging(site) for site in site_names()), *DERIVATIONS.values()]
    assert all(list(table.faults()) == [] and table.source for table in tables)
    assert all("licence" in load_staging(site).notice for site in site_names())


def test_every_combination_of_every_shipped_table_is_met_by_one_row() -> None:
    """Counted row by row, without the engine: no hole, no conflict, no row that decides nothing."""
    for rules in [*(load_staging(site) for site in site_names()), *DERIVATIONS.values()]:
        inputs, used = rules.table.inputs, set()
        taken = [
            {
                name: entry.finest if row.when[name] == "*" else entry.expand(listed(row.when[name]))
                for name, entry in inputs.items()
            }
            for row in rules.table.rows
        ]
        for case in itertools.product(*(entry.finest for entry in inputs.values())):
            met = [
                at for at, row in enumerate(taken) if all(v in row[name] for name, v in zip(inputs, case, strict=True))
            ]
            assert len(met) == 1, (rules.system, case, met)
            used.update(met)
        assert used == set(range(len(taken)))


def listed(allowed: tuple[str, ...] | str) -> tuple[str, ...]:
    """One value or several, as several."""
    return (allowed,) if isinstance(allowed, str) else allowed


def test_one_loader_gives_what_the_pack_holds() -> None:
    """The pack's stage table is the site's, by name and by synonym."""
    assert load_staging("breast") == load_pack("breast").staging == load_staging("Mammary")
    assert load_staging("rectum") == load_staging("colorectal")


def test_an_unknown_site_names_the_known_ones() -> None:
    """SYN-621."""
    with pytest.raises(SynopticError, match="expected breast, colorectal, lung, prostate") as caught:
        load_staging("brest")
    assert caught.value.code is Code.UNKNOWN_SITE


def decided(name: str, **known: str) -> tuple[str | None, str | None]:
    """What a derivation says of values, and its note."""
    table = DERIVATIONS[name]
    decision = table.decide({key: [value] for key, value in known.items()}).decision
    return decision.result, table.table.rows[decision.rows[0]].note


def her2(score: str, ratio: float | None = None, copies: float | None = None) -> str | None:
    """The HER2 status of a score and the numbers of in situ hybridisation."""
    known = {"score": None if score == "none" else score, "ratio": ratio, "copies": copies}
    return decided("her2", **{key: str(value) for key, value in known.items() if value is not None})[0]


# Group, ratio, copies; then the status beside score 0, 1+, 2+, 3+ and without one (ASCO/CAP 2018, figures 3 to 6).
GROUPS = [
    (2.0, 4.0, [None, None, "positive", "positive", "positive"]),
    (6.1, 11.2, [None, None, "positive", "positive", "positive"]),
    (2.0, 3.99, ["negative", "negative", "negative", "positive", None]),
    (1.99, 6.0, ["negative", "negative", "positive", "positive", None]),
    (1.5, 4.0, ["negative", "negative", "negative", "positive", None]),
    (1.99, 5.99, ["negative", "negative", "negative", "positive", None]),
    (1.2, 3.9, ["negative", "negative", "negative", None, "negative"]),
]


@pytest.mark.parametrize(("ratio", "copies", "expected"), GROUPS)
def test_her2_by_ish_group_and_score(ratio: float, copies: float, expected: list[str | None]) -> None:
    """The five groups at their limits; what contradicts itself, and groups 2 to 4 without a score, have no status."""
    assert [her2(score, ratio, copies) for score in ("0", "1+", "2+", "3+", "none")] == expected


@pytest.mark.parametrize(
    ("score", "status"), [("0", "negative"), ("1+", "negative"), ("2+", "equivocal"), ("3+", "positive")]
)
def test_her2_by_the_score_alone(score: str, status: str) -> None:
    """Without in situ hybridisation the score decides, and 2+ is equivocal."""
    assert her2(score) == status


def test_a_ratio_alone_never_decides() -> None:
    """Without copies only a score that every group left agrees with does; copies alone are of another assay."""
    assert [her2(score, 2.5) for score in ("none", "0", "2+", "3+")] == [None, None, None, "positive"]
    assert [her2(score, 1.5) for score in ("none", "0", "2+", "3+")] == [None, "negative", None, None]
    assert {her2(score, None, copies) for score in ("none", "2+") for copies in (3, 5, 7)} == {None}


def test_nodes_give_the_subcategory_by_number_and_deposit() -> None:
    """At least one deposit above 2 mm for N1a, N2a, N3a; isolated cells are N0(i+); unmeasured deposits give the class."""
    bands = ["0", "1-3", "4-9", "10+"]
    expected = {
        "isolated": ["N0(i+)"] * 4,
        "micro": [None, "N1mi", "N1mi", "N1mi"],
        "macro": [None, "N1a", "N2a", "N3a"],
        "none": ["N0", "N1", "N2", "N3"],
    }
    for deposit, results in expected.items():
        assert [decided("nodes", positive=band, deposit=deposit)[0] for band in bands] == results
    assert decided("nodes", positive="9", deposit="2.1")[0] == "N2a"
    assert decided("nodes", positive="9", deposit="2.0")[0] == "N1mi"


def test_the_class_of_counted_nodes_agrees_with_the_labels() -> None:
    """labels.yaml and this table part the same numbers: one of them cannot be changed alone."""
    rule = next(rule for rule in load_pack("breast").labels.labels["N"].rules if rule.name == "N_from_total")
    for count in range(30):
        band = next(band.value for band in rule.bands if band.at_most is None or count <= band.at_most)
        assert decided("nodes", positive=str(count))[0] == band


def test_the_response_is_complete_without_invasive_tumour_in_breast_and_nodes() -> None:
    """ypT0 or ypTis with ypN0; isolated cells are residual tumour."""
    for t, n in itertools.product(("T0", "Tis", "T1mi", "T4d"), ("N0", "N0(i+)", "N1mi")):
        complete = t in ("T0", "Tis") and n == "N0"
        assert decided("response", T=t, N=n)[0] == ("complete" if complete else "not complete")


VALID = """
system: test
source: [nobody]
licence: none needed
table:
  inputs:
    T: [T1, T2]
    N: [N0, N1]
  rows:
    - {when: {T: T1, N: "*"}, result: I}
    - {when: {T: T2, N: "*"}, result: II}
"""


def faults_of(folder: Path, old: str = "", new: str = "", licensed: bool = True) -> list[str]:
    """The faults of the valid file after one change."""
    path = folder / "own.yaml"
    assert old in VALID
    path.write_text(VALID.replace(old, new, 1), encoding="utf-8")
    return [str(fault) for fault in check_rule_table(path, LicensedTable if licensed else RuleTable)[1]]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("T: T2, N: \"*\"", "T: T2, N: N0", "own.yaml:9: table.rows: no row for T2 N1; add one, with not_assignable"),
        ("T: T2, N", "T: [T1, T2], N", "own.yaml:11: table.rows.1: T1 N0 is met by rows.0 as well; one row must decide"),
        ("T: T2, N", "T: T3, N", "own.yaml:11: table.rows.1.when.T: 'T3' is no value of T; expected: T1, T2"),
        (", result: II", "", "own.yaml:11: table.rows.1: expected exactly one of result, not_assignable and impossible"),
        ("T: T2, N: \"*\"", "T: T2", "own.yaml:11: table.rows.1.when: expected every input once: T, N"),
        ("T: [T1, T2]", "T: [T1, T2, T1]", "own.yaml:7: table.inputs.T: T1 stands twice"),
        ("source: [nobody]", "source: []", "own.yaml:3: source: Tuple should have at least 1 item"),
        ("source", "sources", "own.yaml:3: sources: Extra inputs are not permitted"),
        ("licence: none needed", "", "own.yaml:1: licence: Field required"),
        ("licence: none needed", "licence: a\nfindings: {X: T}", "own.yaml:5: findings.X: no input 'X'; expected: T, N"),
        ("licence: none needed", "licence: a\nwritten: {T1x: T9}", "own.yaml:5: written.T1x: 'T9' is no value"),
        (
            "licence: none needed",
            "licence: a\nassumptions: [{missing: N, value: N2}]",
            "own.yaml:5: assumptions.0: N N2 is not in the table; expected: N0, N1",
        ),
        (
            "licence: none needed",
            "licence: a\nwords: {N: [{names: [nodes], values: {no: N7}}]}",
            "own.yaml:5: words.N.0.values.no: N N7 is not in the table",
        ),
        ("T: [T1, T2]", "T: [T1, T2", "own.yaml:8: (syntax):"),
    ],
)  # fmt: skip
def test_each_fault_has_file_line_and_key(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """What is wrong, where, and what was expected."""
    assert any(found.startswith(fault) for found in faults_of(tmp_path, old, new)), faults_of(tmp_path, old, new)


def test_a_valid_file_is_loaded_and_only_a_facilitys_needs_a_licence(tmp_path: Path) -> None:
    """The shipped tables carry a notice instead."""
    assert faults_of(tmp_path) == []
    assert load_rule_table(tmp_path / "own.yaml", LicensedTable).table.inputs
    assert faults_of(tmp_path, "licence: none needed", "", licensed=False) == []


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """Missing, a folder, or no text."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", ".", "bytes.yaml"):
        with pytest.raises(SynopticError) as caught:
            load_rule_table(tmp_path / name)
        assert caught.value.code is Code.BAD_RULE_TABLE
