"""Emission processes killed by SIGKILL around the write to the FHIR server and the commit to Kafka, and started again."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from bench import Bench
from generated import amended, case, message
from processes import Start

pytestmark = pytest.mark.model

NewBench = Callable[..., Bench]


@dataclass(frozen=True)
class Point:
    """Where a process dies, and what is there when it has: reports written, Bundles that subscribers see."""

    name: str
    written: int
    bundles: int


BATCH = 2
POINTS = (
    Point("write sent", 0, 0),
    Point("write answered", 1, 0),
    Point("outputs sent", BATCH, 0),
    Point("committed", BATCH, BATCH),
)
ONE_AFTER_ANOTHER = {"bus": {"partitions": 1, "batch_size": BATCH}, "fhir": {"connections": 1}}


def killed_and_restarted(bench: Bench, start: Start, point: Point, *variant: str) -> None:
    """Four reports: emission is killed at the first one's pass of the point, or its batch's, and the next one goes on."""
    killed = start(bench.settings, "0", *variant)
    killed.arm(point.name, signal.SIGKILL)
    bench.publish(*map(message, bench.cases(2 * BATCH)))
    killed.wait_for_death(point.name)
    assert len({one[0]["subject"]["reference"] for one in bench.written.values()}) == point.written
    assert len(bench.bundles) == point.bundles
    start(bench.settings, "0", *variant)
    bench.wait()


@pytest.mark.parametrize("point", POINTS, ids=[point.name for point in POINTS])
def test_killed_at_a_point_the_next_process_ends_as_if_nothing_had_been(
    new_bench: NewBench, start: Start, point: Point
) -> None:
    """Byte for byte what an undisturbed run gives, each resource in one version, one Bundle a report."""
    bench = new_bench(**ONE_AFTER_ANOTHER)
    killed_and_restarted(bench, start, point)
    bench.require_undisturbed()
    bench.require_values(*bench.cases(2 * BATCH))


def test_killed_while_a_report_is_replaced(new_bench: NewBench, start: Start) -> None:
    """Killed between the write of an amended version and its commit: the second offer of it makes no version."""
    bench = new_bench(**ONE_AFTER_ANOTHER)
    first = case(3, bench.site)
    later = amended(first, t="pT3", size="6.1 cm")
    killed = start(bench.settings, "0")
    bench.publish(message(first))
    bench.wait()
    killed.arm("write answered", signal.SIGKILL)
    bench.publish(message(later))
    killed.wait_for_death("write answered")
    bench.require_values(later)
    assert len(bench.bundles) == 1
    start(bench.settings, "0")
    bench.wait()
    bench.require_undisturbed()


@pytest.mark.parametrize("variant", ["unguarded", "new ids", "commits first"])
def test_what_a_wrong_emission_writes_undisturbed_is_right(new_bench: NewBench, start: Start, variant: str) -> None:
    """Without a fault the wrong emissions pass the check that they fail below: it is the fault that it finds."""
    bench = new_bench(**ONE_AFTER_ANOTHER)
    start(bench.settings, "0", variant)
    cases = bench.cases(2 * BATCH)
    bench.publish(*map(message, cases))
    bench.wait()
    bench.require_values(*cases)


@pytest.mark.parametrize(
    ("variant", "point"),
    [("new ids", Point("write answered", 1, 0)), ("commits first", Point("committed", 0, BATCH))],
    ids=["new ids double", "committing first loses"],
)
def test_the_check_finds_what_a_wrong_emission_doubles_or_loses(
    new_bench: NewBench, start: Start, variant: str, point: Point
) -> None:
    """Killed once, an emission without derived ids writes twice, and one that commits first never writes."""
    bench = new_bench(**ONE_AFTER_ANOTHER)
    killed_and_restarted(bench, start, point, variant)
    with pytest.raises(AssertionError):
        bench.require_values(*bench.cases(2 * BATCH))
