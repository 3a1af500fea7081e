"""Decision tables: exactly one row for each combination, faults that say where, and what follows from partial knowledge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tables import Decision, DecisionTable, Input, Row

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
    assert COMPLETE.decide({"size": ["small"], "nodes": ["none"]}) == Decision((0,), "I")
    assert COMPLETE.decide({"size": ["large"], "nodes": ["none"]}) == Decision((1,), None, "measure again")


def test_an_absent_input_is_decided_only_where_it_does_not_matter() -> None:
    """Some nodes decide alone, as the size is "*"; else the reason tells what each size would give."""
    assert COMPLETE.decide({"nodes": ["some"]}) == Decision((2,), "II")
    undecided = COMPLETE.decide({"nodes": ["none"]})
    assert undecided.result is None
    assert undecided.reason == "size not stated (small would be I; large would be without result)"
    assert COMPLETE.decide({}).reason == "size, nodes not stated"


@pytest.mark.parametrize("known", [{"size": ["huge"]}, {"sise": ["small"]}])
def test_unknown_inputs_and_values_are_key_errors(known: dict[str, list[str]]) -> None:
    """Whoever asks must know the table."""
    with pytest.raises(KeyError):
        COMPLETE.decide(known)


NESTED = DecisionTable(
    inputs={"T": [{"T1": ["T1a", "T1b"]}, "T2"], "N": ["N0", "N1"]},
    rows=[
        {"when": {"T": "T1a", "N": "N0"}, "result": "IA"},
        {"when": {"T": "T1b", "N": "N0"}, "result": "IB"},
        {"when": {"T": "T1a", "N": "N1"}, "impossible": "T1a has no nodes"},
        {"when": {"T": ["T1b", "T2"], "N": "N1"}, "result": "III"},
        {"when": {"T": "T2", "N": "N0"}, "result": "II"},
    ],
)


def test_a_value_that_covers_others_is_decided_where_they_agree() -> None:
    """T1 stands for T1a and T1b, in a row as in a question; what is impossible does not count beside what is possible."""
    assert list(NESTED.faults()) == []
    assert NESTED.decide({"T": ["T1"], "N": ["N0"]}).reason == (
        "T1 without subcategory (T1a would be IA; T1b would be IB)"
    )
    assert NESTED.decide({"T": ["T1"], "N": ["N1"]}).result == "III"
    assert NESTED.decide({"T": ["T1a"], "N": ["N1"]}).reason == "T1a has no nodes"
    assert NESTED.decide({"T": ["T1a", "T2"], "N": ["N0"]}).reason == "T T1a or T2 (T1a would be IA; T2 would be II)"


BROAD = DecisionTable.model_validate(NESTED.model_dump() | {"broader": {"I": ["IA", "IB"], "any": ["IA", "IB", "II"]}})


def test_a_broader_result_stands_where_only_its_own_can_be_meant() -> None:
    """The narrowest that fits, with what it hangs on; none where something else can be meant."""
    assert list(BROAD.faults()) == []
    decision = BROAD.decide({"T": ["T1"], "N": ["N0"]})
    assert (decision.result, decision.reason) == ("I", "T1 without subcategory (T1a would be IA; T1b would be IB)")
    assert BROAD.decide({"N": ["N0"]}).result == "any"
    assert BROAD.decide({"T": ["T1b"]}).result is None
    wrong = BROAD.model_copy(update={"broader": {"I": ("IC",)}})
    assert list(wrong.faults()) == [(("broader", "I"), "'IC' is no result of a row; expected: IA, IB, II, III")]


@given(st.data())
def test_a_decision_is_what_every_combination_that_can_be_meant_says(data: st.DataObject) -> None:
    """Against every finest combination looked up by itself: one outcome is the decision, several are none."""
    known = {
        name: data.draw(st.sets(st.sampled_from(sorted(entry.covers)), min_size=1))
        for name, entry in NESTED.inputs.items()
    }
    met = []
    for t in NESTED.inputs["T"].expand(known["T"]):
        for n in NESTED.inputs["N"].expand(known["N"]):
            (row,) = [row for row in NESTED.rows if t in expanded(row, "T") and n in expanded(row, "N")]
            met.append(row)
    possible = [row for row in met if row.impossible is None] or met
    outcomes = {row.outcome for row in possible}
    decision = NESTED.decide(known)
    assert decision.result == (next(iter(outcomes))[0] if len(outcomes) == 1 else None)


def expanded(row: Row, name: str) -> tuple[str, ...]:
    """The finest values that a row takes of an input."""
    allowed = row.when[name]
    return NESTED.inputs[name].expand((allowed,) if isinstance(allowed, str) else allowed)


def test_inputs_that_only_decide_together_are_all_named() -> None:
    """Where no input alone turns the result, the reason names each that is open."""
    both = table(
        Row(when={"size": "small", "nodes": "none"}, result="I"),
        Row(when={"size": "large", "nodes": "some"}, result="I"),
        Row(when={"size": "small", "nodes": "some"}, result="II"),
        Row(when={"size": "large", "nodes": "none"}, result="II"),
    )
    assert both.decide({}).reason == "size, nodes not stated"


BANDED = Input(
    values=["none"], bands=[{"below": 10, "value": "low"}, {"below": 20, "value": "middle"}, {"value": "high"}]
)


@pytest.mark.parametrize(
    ("comparator", "number", "bands"),
    [
        ("", 9.99, "low"),
        ("", 10, "middle"),
        ("", 20, "high"),
        ("<", 10, "low"),
        ("<=", 10, "low middle"),
        ("<", 25, "low middle high"),
        (">", 19.9, "middle high"),
        (">=", 20, "high"),
    ],
)
def test_numbers_fall_into_bands(comparator: str, number: float, bands: str) -> None:
    """A limit belongs to the band above it; a comparator reaches over all that it may mean."""
    assert BANDED.banded(number, comparator) == tuple(bands.split())


def test_a_limit_may_belong_to_the_band_below() -> None:
    """`at_most` in place of `below`, and numbers as text."""
    entry = Input(
        values=["none"],
        bands=[{"at_most": 0.2, "value": "cells"}, {"at_most": 2, "value": "micro"}, {"value": "macro"}],
    )
    assert list(entry.faults()) == []
    assert [entry.expand([text])[0] for text in ("0.2", "0.21", "2", "2.1", "micro", "none")] == [
        "cells", "micro", "micro", "macro", "micro", "none"
    ]  # fmt: skip
    assert entry.expand(["<0.2"]) == entry.expand(["<=0.2"]) == ("cells",)
    assert entry.expand([">0.2"]) == ("micro", "macro")
    assert entry.expand([">=2", "none"]) == ("none", "micro", "macro")
    with pytest.raises(KeyError):
        entry.expand(["2 mm"])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_one_band(number: float) -> None:
    """No number falls between bands."""
    assert len(BANDED.banded(number)) == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Input(), "expected values or bands"),
        (Input(values=["a", {"b": ["a"]}]), "a stands twice"),
        (Input(bands=[{"below": 2, "value": "x"}]), "none in the last band"),
        (Input(bands=[{"value": "x"}, {"below": 2, "value": "y"}]), "none in the last band"),
        (Input(bands=[{"below": 3, "at_most": 3, "value": "x"}, {"value": "y"}]), "rising"),
        (Input(bands=[{"below": 3, "value": "x"}, {"below": 2, "value": "y"}, {"value": "z"}]), "rising"),
    ],
)
def test_inputs_have_faults_of_their_own(entry: Input, message: str) -> None:
    """Nothing to choose from, a value twice, bands that do not rise to an open end."""
    assert any(message in text for _, text in entry.faults())


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
    """A misspelt value, a forgotten input, an empty list and a row without a result are found before any coverage."""
    wrong = table(
        Row(when={"size": "smal", "nodes": "*"}, result="I"),
        Row(when={"size": "*"}, result="I"),
        Row(when={"size": "*", "nodes": "*"}),
        Row(when={"size": [], "nodes": "*"}, result="I", impossible="never"),
    )
    places = dict(wrong.faults())
    assert "expected: small, large" in places["rows", 0, "when", "size"]
    assert "expected every input" in places["rows", 1, "when"]
    assert "exactly one of" in places["rows", 2]
    assert "exactly one of" in places["rows", 3]
    assert "an empty list" in places["rows", 3, "when", "size"]


def test_a_table_too_large_to_check_is_a_fault() -> None:
    """A file cannot keep the check busy for hours."""
    many = {f"input{index}": tuple(str(value) for value in range(20)) for index in range(6)}
    huge = DecisionTable(inputs=many, rows=[Row(when=dict.fromkeys(many, "*"), result="x")])
    assert [text for _, text in huge.faults()] == ["64,000,000 combinations, at most 1,000,000 can be checked"]
