"""Decision tables: exactly one row for each combination, and faults that say where."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.pack_loader import load_pack
from schemas.tables import DecisionTable, Row

INPUTS = {"size": ("small", "large"), "nodes": ("none", "some")}


def table(*rows: Row) -> DecisionTable:
    """A table over two inputs."""
    return DecisionTable(inputs=INPUTS, rows=rows)


COMPLETE = table(
    Row(when={"size": "small", "nodes": "none"}, result="I"),
    Row(when={"size": "large", "nodes": "none"}, not_assignable="measure again"),
    Row(when={"size": "*", "nodes": ["some"]}, result="II"),
)


def test_a_complete_table_has_no_faults_and_decides() -> None:
    """Sets, single values and wildcards; a hole is a row with its reason."""
    assert list(COMPLETE.faults()) == []
    decided = COMPLETE.decide({"size": "small", "nodes": "none"})
    hole = COMPLETE.decide({"size": "large", "nodes": "none"})
    assert decided is not None
    assert hole is not None
    assert (decided.result, hole.result, hole.not_assignable) == ("I", None, "measure again")


def test_an_absent_input_is_decided_only_where_it_does_not_matter() -> None:
    """Nodes decide alone where the size is "*"."""
    decided = COMPLETE.decide({"nodes": "some"})
    assert decided is not None
    assert decided.result == "II"
    assert COMPLETE.decide({"nodes": "none"}) is None
    assert COMPLETE.decide({"size": "huge", "nodes": "some"}) is None


def test_a_hole_is_a_fault_with_an_example() -> None:
    """The first combination without a row is named."""
    faults = list(table(Row(when={"size": "small", "nodes": "*"}, result="I")).faults())
    assert faults[0][0] == ("rows",)
    assert "large none" in faults[0][1]


def test_a_conflict_names_both_rows() -> None:
    """Two rows for one combination are a fault at the later row."""
    rows = (*COMPLETE.rows, Row(when={"size": "small", "nodes": "some"}, result="III"))
    faults = list(table(*rows).faults())
    assert faults == [(("rows", 3), "small some is met by rows.2 as well; one row must decide")]


def test_unknown_values_and_inputs_are_faults_that_list_what_is_known() -> None:
    """A misspelt value, a forgotten input and a row without a result are found before any coverage."""
    wrong = table(
        Row(when={"size": "smal", "nodes": "*"}, result="I"),
        Row(when={"size": "*"}, result="I"),
        Row(when={"size": "*", "nodes": "*"}),
    )
    places = dict(wrong.faults())
    assert "expected: small, large" in places["rows", 0, "when", "size"]
    assert "expected every input" in places["rows", 1, "when"]
    assert "exactly one of" in places["rows", 2]


def test_the_shipped_staging_has_no_faults() -> None:
    """The breast table covers every combination once."""
    staging = load_pack("breast").staging
    assert list(staging.faults()) == []
    assert len(staging.table.inputs["T"]) * len(staging.table.inputs["N"]) * len(staging.table.inputs["M"]) == 816


STAGING = load_pack("breast").staging


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in STAGING.table.inputs.items()}))
def test_every_combination_has_a_group_or_a_reason(inputs: dict[str, str]) -> None:
    """No input of the shipped table falls through."""
    row = STAGING.table.decide(inputs)
    assert row is not None
    assert (row.result is None) != (row.not_assignable is None)
