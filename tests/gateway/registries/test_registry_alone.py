"""One delivery that a registry fails at for ever: it holds up nobody, is set aside by number, and nothing of it is lost."""

from pathlib import Path
from typing import Any

import pytest
from registries_made import (
    AWAY,
    VALUES,
    DictSource,
    Emission,
    Noting,
    ehr,
    make_registry,
    of_type,
    records,
    settings_in,
    subscribed,
)

from gateway.registries.alone import MOST_ALONE, TRIES
from gateway.registries.hop import DELIVERED, LATE, REPEATED, RegistryHop
from gateway.registries.ledger import Ledger
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from workers.buses.bus import Record
from workers.hop import Result

BROKEN = SynopticError(Code.REGISTRY_UNAVAILABLE, "status 500")


@pytest.fixture
def emission(tmp_path: Path) -> Emission:
    """Emission that publishes."""
    return Emission(tmp_path / "fhir")


def hop_of(
    folder: Path, emission: Emission, registry: Noting, form: str = "transaction", reports: str = "abc"
) -> RegistryHop:
    """The registry's hop; the EHR has these reports."""
    resources = {name: one for report in reports for name, one in ehr(report).items()}
    return make_registry(folder, subscribed(form=form), registry, DictSource(resources, emission.store))


def name_of(bundle: Resource) -> str:
    """A Bundle's identifier."""
    return str(bundle["identifier"]["value"])


def worked(hop: RegistryHop, batch: list[Record], attempts: int = 3 * TRIES) -> list[str]:
    """What becomes of a batch, tried again as the runner does."""
    for _ in range(attempts):
        try:
            return actions(hop.process(batch))
        except SynopticError as error:
            last = error
    raise last


def actions(results: list[Result]) -> list[str]:
    """What became of each record."""
    return [result.error.code.label if result.error else result.ignored or DELIVERED for result in results]


def test_others_go_ahead_and_the_one_is_set_aside(tmp_path: Path, emission: Emission) -> None:
    """They are sent at the first attempt and once; the one is tried so often, then rejected as SYN-484 with the reason."""
    bundles = [emission.publish(1, report, **VALUES) for report in "abc"]
    registry = Noting(answers=True)
    registry.fails_at[name_of(bundles[0])] = BROKEN
    hop, batch = hop_of(tmp_path, emission, registry), records(*bundles)
    with pytest.raises(SynopticError, match="status 500"):
        hop.process(batch)
    assert registry.identifiers == [name_of(one) for one in bundles[1:]]
    assert worked(hop, batch) == [Code.FAILS_ALONE.label, REPEATED, REPEATED]
    assert registry.asked.count(name_of(bundles[0])) == 1 + TRIES
    assert len(registry.parcels) == 2
    ledger = Ledger(settings_in(tmp_path).registry.state)
    assert (ledger.count("state"), ledger.count_owed("state")) == (2, 1)


def test_where_no_other_is_left_the_last_one_is_sent_once_more(tmp_path: Path, emission: Emission) -> None:
    """The others of its batch came before it: what the registry took last shows that it takes deliveries, or does not."""
    bundles = [emission.publish(1, report, **VALUES) for report in "ab"]
    registry = Noting(answers=True)
    registry.fails_at[name_of(bundles[1])] = BROKEN
    hop, batch = hop_of(tmp_path, emission, registry), records(*bundles)
    with pytest.raises(SynopticError, match="status 500"):
        hop.process(batch)
    registry.fails_at[name_of(bundles[0])] = BROKEN
    for _ in range(TRIES - 1):
        with pytest.raises(SynopticError, match="status 500"):
            hop.process(batch)
    assert registry.asked.count(name_of(bundles[0])) == 2
    del registry.fails_at[name_of(bundles[0])]
    assert worked(hop, batch) == [REPEATED, Code.FAILS_ALONE.label]
    assert registry.identifiers == [name_of(bundles[0])] * 2


def test_what_cannot_be_read_of_one_report_holds_up_nobody(tmp_path: Path, emission: Emission) -> None:
    """The EHR's server fails at it for ever, and it is the last of its batch: the one before shows that all else works."""
    bundles = [emission.publish(1, report, **VALUES) for report in "ab"]
    hop, batch = hop_of(tmp_path, emission, Noting(answers=True)), records(*bundles)
    source = hop._source
    whole = source.about

    def about(report: Resource) -> Any:
        if report["reference"] == "DiagnosticReport/b":
            raise SynopticError(Code.STORE_UNAVAILABLE, "status 500")
        return whole(report)

    source.about = about  # type: ignore[method-assign]
    assert worked(hop, batch) == [REPEATED, Code.FAILS_ALONE.label]


def test_what_was_taken_before_a_start_shows_it_as_well(tmp_path: Path, emission: Emission) -> None:
    """A process that died in the middle of a batch finds what the registry has of it, and nothing else to send."""
    bundles = [emission.publish(1, report, **VALUES) for report in "ab"]
    registry = Noting(answers=True)
    hop_of(tmp_path, emission, registry).process(records(bundles[0]))
    registry.fails_at[name_of(bundles[1])] = BROKEN
    hop = hop_of(tmp_path, emission, registry)
    assert worked(hop, records(*bundles)) == [REPEATED, Code.FAILS_ALONE.label]
    assert registry.identifiers == [name_of(bundles[0])] * 2


def test_a_registry_that_fails_at_everything_is_waited_for(tmp_path: Path, emission: Emission) -> None:
    """It answers, and takes nothing: nothing is set aside however often it is tried, and soon no other is tried either."""
    reports = "abcdefghijkl"
    bundles = [emission.publish(1, report, **VALUES) for report in reports]
    registry = Noting(answers=True)
    registry.fails_at = {name_of(bundle): BROKEN for bundle in bundles}
    hop, batch = hop_of(tmp_path, emission, registry, reports=reports), records(*bundles)
    for _ in range(2 * TRIES):
        with pytest.raises(SynopticError, match="status 500"):
            hop.process(batch)
    assert set(registry.asked) == {name_of(bundle) for bundle in bundles[:MOST_ALONE]}
    registry.fails_at.clear()
    assert worked(hop, batch) == [DELIVERED] * len(bundles)


@pytest.mark.parametrize(
    ("error", "answers"),
    [(AWAY, False), (SynopticError(Code.REGISTRY_UNAVAILABLE, "status 429", retry_after=30), True)],
)
def test_a_registry_that_is_away_or_names_a_time_is_asked_for_nothing_else(
    tmp_path: Path, emission: Emission, error: SynopticError, answers: bool
) -> None:
    """No other delivery is tried, and the runner is told the time."""
    bundles = [emission.publish(1, report, **VALUES) for report in "ab"]
    registry = Noting(*[error] * 20, answers=answers)
    hop = hop_of(tmp_path, emission, registry)
    for _ in range(2 * TRIES):
        with pytest.raises(SynopticError) as caught:
            hop.process(records(*bundles))
        assert caught.value.retry_after == error.retry_after
    assert set(registry.asked) == {name_of(bundles[0])}


def test_later_versions_of_the_report_wait_their_turn(tmp_path: Path, emission: Emission) -> None:
    """None overtakes while the first may still come; once that is set aside the next one is sent, and it comes no more."""
    bundles = [emission.publish(day, report, **VALUES) for day, report in ((1, "a"), (2, "a"), (1, "b"))]
    registry = Noting(answers=True)
    registry.fails_at[name_of(bundles[0])] = BROKEN
    hop, batch = hop_of(tmp_path, emission, registry), records(*bundles)
    with pytest.raises(SynopticError, match="status 500"):
        hop.process(batch)
    assert registry.identifiers == [name_of(bundles[2])]
    assert worked(hop, batch) == [Code.FAILS_ALONE.label, DELIVERED, REPEATED]
    assert registry.identifiers == [name_of(bundles[2]), name_of(bundles[1])]
    registry.fails_at.clear()
    assert actions(hop.process(records(bundles[0], start=3))) == [LATE]
    assert Ledger(settings_in(tmp_path).registry.state).count_owed("state") == 0


def test_what_was_set_aside_is_sent_when_it_comes_again(tmp_path: Path, emission: Emission) -> None:
    """By a replay or a catch-up, once the registry takes it."""
    bundles = [emission.publish(1, report, **VALUES) for report in "ab"]
    registry = Noting(answers=True)
    registry.fails_at[name_of(bundles[0])] = BROKEN
    hop = hop_of(tmp_path, emission, registry)
    worked(hop, records(*bundles))
    registry.fails_at.clear()
    assert actions(hop.process(records(*bundles, start=2))) == [DELIVERED, REPEATED]
    assert registry.identifiers == [name_of(bundles[1]), name_of(bundles[0])]


@pytest.mark.parametrize("error", [BROKEN, SynopticError(Code.REGISTRY_REJECTS, "status 422")])
def test_an_addendum_brings_what_it_is_added_to(tmp_path: Path, emission: Emission, error: SynopticError) -> None:
    """The version before was set aside or rejected: its values come with the addendum, which does not repeat them."""
    first = emission.publish(1, "a", **VALUES)
    other = emission.publish(1, "b", **VALUES)
    addendum = emission.publish(2, "a", action="merge", HER2="negative")
    registry = Noting(answers=True)
    registry.fails_at[name_of(first)] = error
    hop = hop_of(tmp_path, emission, registry)
    assert worked(hop, records(first, other, addendum))[2] == DELIVERED
    said = {one["id"] for bundle in (first, addendum) for one in of_type(bundle, "Observation")}
    sent = of_type(registry.parcels[-1].bundle, "Observation")
    assert {one["id"] for one in sent} == said
    assert {one["status"] for one in sent} == {"final"}


def test_what_a_failed_delivery_may_have_brought_is_withdrawn(tmp_path: Path, emission: Emission) -> None:
    """A server may store and fail to say so: it is told of the withdrawal, which one that was never tried is not."""
    first, other = (emission.publish(1, report, **VALUES) for report in "ab")
    last = emission.publish(2, "a", action="withdraw")
    registry = Noting(answers=True)
    registry.fails_at[name_of(first)] = BROKEN
    hop = hop_of(tmp_path, emission, registry)
    assert worked(hop, records(first, other, last))[2] == DELIVERED
    withdrawn = of_type(registry.parcels[-1].bundle, "Observation")
    assert {one["status"] for one in withdrawn} == {"entered-in-error"}


def test_a_case_is_sent_without_what_was_set_aside(tmp_path: Path, emission: Emission) -> None:
    """A collection holds the case's other reports as far as the registry took them, or it would fail with them."""
    first, second = (emission.publish(1, report, **VALUES) for report in "ab")
    registry = Noting(answers=True)
    registry.fails_at[name_of(first)] = BROKEN
    worked(hop_of(tmp_path, emission, registry, "collection"), records(first, second))
    third = emission.publish(1, "c", ER="negative")
    hop = hop_of(tmp_path, emission, registry, "collection")
    assert actions(hop.process(records(third, start=2))) == [DELIVERED]
    said = {one["id"] for bundle in (second, third) for one in of_type(bundle, "Observation")}
    assert {one["id"] for one in of_type(registry.parcels[-1].bundle, "Observation")} == said
