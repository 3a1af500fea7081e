"""Two hundred reports over a real broker and a real FHIR server."""

from collections.abc import Iterator

import orjson
import pytest
from servers.server_chain import new_site, opened_on, settings_on
from two_hundred_contract import Run, TwoHundredReports, worked_off

from model.engine import Engine

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def run(kafka_servers: str, fhir_url: str, engine: Engine) -> Iterator[Run]:
    """Two hundred cases, published and worked off."""
    with opened_on(settings_on(kafka_servers, fhir_url, new_site()), engine) as chain:
        yield worked_off(chain)


class TestTwoHundredReportsOnServers(TwoHundredReports):
    """All of it, and what only servers show."""

    def test_each_resource_has_one_version(self, run: Run) -> None:
        """Whatever was written has one version, each report's manifest too; a Device belongs to all sites."""
        counts = {name: len(versions) for name, versions in run.state.items() if not name.startswith("Device/")}
        assert set(counts.values()) == {1}
        assert sum(name.startswith("Provenance/") for name in counts) == len(run.cases)

    def test_every_version_was_written_by_synoptic_alone(self, run: Run) -> None:
        """What the EHR holds, Patients and reports, is as the EHR put it there."""
        assert run.chain.ehr.rewritten() == []

    def test_subscribers_see_the_resources_of_the_server(self, run: Run) -> None:
        """The Bundles together hold the resources that are on the server, each under its id there."""
        published = {entry["request"]["url"] for bundle in run.chain.bundles for entry in bundle["entry"]}
        assert published == set(run.store)
        assert all(
            orjson.dumps(bundle).count(b'"method":"PUT"') == len(bundle["entry"]) for bundle in run.chain.bundles
        )
