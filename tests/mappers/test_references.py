"""References of one report lead to its own resources, and those of a primary to that primary."""

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_cases import finding, mapped, of_type, primary

from mappers.bundle import MappedReport
from schemas.findings import Finding, Primary
from schemas.settings import FhirSettings, MappingSettings, Settings

VALUES: dict[str, list[str]] = {
    "T": ["T1", "T2", "Tis"],
    "N": ["N0", "N1"],
    "M": ["M0", "M1"],
    "grade": ["G1", "G2", "G3"],
    "ER": ["positive", "negative"],
    "HER2": ["positive", "negative", "equivocal"],
    "HER2_ish": ["positive", "negative"],
    "HER2_ratio": ["1.3", "4"],
    "tumor_size": ["12", "30"],
    "nodes_examined": ["3"],
    "nodes_positive": ["1"],
    "largest_deposit": ["4"],
    "margins": ["positive", "close"],
    "dcis": ["present", "absent"],
    "stage_group": ["IIA", "IIIC"],
    "quadrant": ["upper_outer"],
    "metastasis_site": ["liver", "other"],
    "nottingham_score": ["6"],
}
ASSERTIONS = ["primary_invasive", "primary_in_situ", "no_residual", "recurrence", "breast_metastasis_elsewhere"]
STATUSES = ["coded", "coded", "coded", "review", "pending", "not_assessable", "not_performed"]


def some_finding(task: str) -> st.SearchStrategy[Finding]:
    """A finding of that task in some state, its prefix and basis among what mapping looks at."""
    return st.builds(
        lambda value, status, prefix, basis: finding(
            value if status in ("coded", "review") else None, None, status, prefix=prefix, basis=basis
        ),
        st.sampled_from(VALUES[task]),
        st.sampled_from(STATUSES),
        st.sampled_from(["p", "yp", "c", "r"]),
        st.sampled_from(["stated", "derived"]),
    )


def some_primary(side: str | None, parts: tuple[str, ...]) -> st.SearchStrategy[Primary]:
    """A primary of that side with any findings."""
    found = st.fixed_dictionaries({}, optional={task: some_finding(task) for task in VALUES})
    return st.builds(
        lambda assertion, procedure, findings: primary(
            key=f"breast-{side}" if side else "breast",
            laterality=side,
            specimens=parts,
            assertion=assertion,
            procedure=procedure,
            findings=findings,
        ),
        st.sampled_from(ASSERTIONS),
        st.sampled_from(["core", "excision", "mastectomy"]),
        found,
    )


REPORTS = st.tuples(some_primary("left", ("A", "B")), some_primary("right", ("C",)))
SETTINGS = st.builds(
    lambda review, companion: Settings(
        mapping=MappingSettings(review_values=review), fhir=FhirSettings(companion_report=companion)
    ),
    st.booleans(),
    st.booleans(),
)


def references(node: Any) -> Iterator[str]:
    """Every literal reference in a resource."""
    if isinstance(node, dict):
        yield from ([node["reference"]] if isinstance(node.get("reference"), str) else [])
        node = list(node.values())
    for item in node if isinstance(node, list) else []:
        yield from references(item)


def names(report: MappedReport) -> set[str]:
    """What the report's resources are called, Devices and companion aside: those are of no primary."""
    shared = {"Device", "DiagnosticReport"}
    return {f"{item['resourceType']}/{item['id']}" for item in report.resources if item["resourceType"] not in shared}


@settings(max_examples=40, deadline=None)
@given(REPORTS, SETTINGS)
def test_references_never_cross(sides: tuple[Primary, Primary], chosen: Settings) -> None:
    """Of two primaries in one report, no resource of one leads to a resource of the other, and none leads nowhere."""
    apart = [names(mapped(side, settings=chosen)) for side in sides]
    assert not apart[0] & apart[1]
    together = mapped(*sides, settings=chosen)
    assert names(together) == apart[0] | apart[1]
    for resource in together.resources:
        own = next((of for of in apart if f"{resource['resourceType']}/{resource['id']}" in of), None)
        for reference in references(resource) if own is not None else ():
            assert reference in own or reference in ("Patient/1", "DiagnosticReport/1")


@settings(max_examples=40, deadline=None)
@given(REPORTS, SETTINGS)
def test_the_same_findings_give_the_same_bytes(sides: tuple[Primary, Primary], chosen: Settings) -> None:
    """Mapping has no memory, no clock and no chance."""
    first, second = (orjson.dumps(mapped(*sides, settings=chosen).transaction()) for _ in range(2))
    assert first == second


@settings(max_examples=40, deadline=None)
@given(REPORTS, SETTINGS)
def test_another_report_shares_only_what_is_the_patients(sides: tuple[Primary, Primary], chosen: Settings) -> None:
    """Ids of two reports of one patient differ, but for the Conditions of its primaries and their recurrences."""
    one = mapped(*sides, settings=chosen)
    other = mapped(*sides, settings=chosen, report_key=uuid5(NAMESPACE_URL, "another"))
    shared = names(one) & names(other)
    assert {name.partition("/")[0] for name in shared} <= {"Condition"}
    assert len(names(one)) == len({name.partition("/")[2] for name in names(one)})


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_a_size_has_a_specimen_or_a_focus_and_never_both(sides: tuple[Primary, Primary]) -> None:
    """MCODE's invariant, whatever was found."""
    for observation in of_type(mapped(*sides), "Observation"):
        if observation["code"]["coding"][0]["code"] == "21889-1":
            assert ("focus" in observation) != ("specimen" in observation)
