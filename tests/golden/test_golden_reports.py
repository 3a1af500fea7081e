"""Golden cases from end to end: report.txt becomes exactly findings.json by the real chain with the shipped model."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from accept import CASES, Chain, findings_of, open_chain, rendered, with_probabilities

from schemas.findings import Primary

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def shipped() -> Iterator[Chain]:
    """The chain with the shipped pack and model, opened once."""
    with open_chain() as chain:
        yield chain


def lines(primaries: Iterable[Primary]) -> list[str]:
    """The primaries as lines of JSON without probabilities, so that a failure shows the line that differs."""
    plain = [with_probabilities(primary, None).model_dump(mode="json", exclude_defaults=True) for primary in primaries]
    return rendered(plain).splitlines()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_product_finds_in_the_report_what_the_case_holds(shipped: Chain, case: Path) -> None:
    """Every primary with every status, value, detail, basis, reason and excerpt; after a wanted change: accept.py."""
    assert lines(shipped.read(case)) == lines(findings_of(case).primaries)
