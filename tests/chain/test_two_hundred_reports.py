"""Two hundred reports over the embedded bus and the folder store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from generated import message
from two_hundred_contract import Run, TwoHundredReports, worked_off
from whole_chain import opened, settings_in, without_reception

from mappers.identity import canonical_json
from model.engine import Engine

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Run]:
    """Two hundred cases, worked off in a folder."""
    with opened(settings_in(tmp_path_factory.mktemp("two-hundred")), engine) as chain:
        yield worked_off(chain)


class TestTwoHundredReports(TwoHundredReports):
    """All of it."""

    def test_the_bundles_keep_the_order_of_the_reports(self, run: Run) -> None:
        """One partition, one order, in the first run."""
        identifiers = [bundle["id"] for bundle in run.chain.bundles]
        assert identifiers[: len(run.mapped)] == [str(one.identifier) for one in run.mapped]

    def test_another_order_and_another_chain_give_the_same_store(
        self, run: Run, tmp_path: Path, engine: Engine
    ) -> None:
        """A fresh chain that reads some of the cases backwards, in batches of three, ends with the same resources."""
        some = run.cases[:30]
        with opened(settings_in(tmp_path / "backwards", bus={"batch_size": 3}), engine) as chain:
            chain.run(*(message(one) for one in reversed(some)))
            found = chain.store
        assert sum(name.startswith("Condition/") for name in found) == len(some)
        for name, resource in found.items():
            one, other = (without_reception(canonical_json(item)) for item in (resource, run.store[name]))
            assert one == other, name
