"""Golden cases from end to end: report.txt becomes exactly findings.json by the real chain with the shipped model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from accept import CASES, Chain, findings_of, open_chain, with_probabilities

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def shipped() -> Iterator[Chain]:
    """The chain with the shipped pack and model, opened once."""
    with open_chain() as chain:
        yield chain


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_product_finds_in_the_report_what_the_case_holds(shipped: Chain, case: Path) -> None:
    """Every primary with every status, value, detail, basis, reason and excerpt; after a wanted change: accept.py."""
    found = [with_probabilities(primary, None) for primary in shipped.read(case)]
    golden = [with_probabilities(primary, None) for primary in findings_of(case).primaries]
    assert found == golden
