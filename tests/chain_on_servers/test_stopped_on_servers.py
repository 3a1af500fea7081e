"""An emission process that stands still between its read and its write, while another writes a newer version."""

import signal
from collections.abc import Callable

import pytest
from bench import Bench
from generated import Case, amended, case, message
from processes import THE_PRODUCT, Start

pytestmark = pytest.mark.model

NewBench = Callable[..., Bench]
POINTS = {
    "before its write, a version being there": ("write sent", True),
    "before its write, none being there": ("write sent", False),
}


def stopped_while_another_writes(
    bench: Bench, start: Start, variant: str, point: str, is_known: bool
) -> tuple[Case, Case]:
    """The held version's and the newer one's case, once the process that held the old one has gone on and ended.

    The one that stands still is silent for longer than its session, so that the other takes its partitions over.
    """
    first = case(3, bench.site)
    held = amended(first, t="pT1b", size="0.8 cm") if is_known else first
    newer = amended(first, t="pT3", size="6.1 cm", issued="2026-02-20T10:00:00Z")
    stopped = start(bench.settings, "one", variant)
    if is_known:
        bench.publish(message(first))
        bench.wait()
    stopped.arm(point, signal.SIGSTOP)
    bench.publish(message(held))
    stopped.wait_for_stop(point)
    assert len(bench.bundles) == int(is_known)
    before = {name: len(versions) for name, versions in bench.written.items()}
    assert set(before.values()) == ({1} if is_known else set())
    start(bench.settings, "two", variant)
    bench.publish(message(newer))
    bench.wait()
    assert stopped.stands_still()
    bench.require_values(newer)
    stopped.go_on()
    stopped.wait_for_pass(point.replace("sent", "answered"))
    stopped.end()
    bench.wait()
    return held, newer


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_slept_does_not_put_an_old_version_back(new_bench: NewBench, start: Start, point: str) -> None:
    """Its write is refused, it reads again and finds itself late: all is as if it had never slept."""
    bench = new_bench(bus={"partitions": 1})
    _, newer = stopped_while_another_writes(bench, start, THE_PRODUCT, *POINTS[point])
    bench.require_values(newer)
    bench.require_undisturbed()


def test_the_check_finds_an_old_version_that_was_put_back(new_bench: NewBench, start: Start) -> None:
    """An emission without the manifest's guard puts the old version over the newer one, and the check says so."""
    bench = new_bench(bus={"partitions": 1})
    held, newer = stopped_while_another_writes(bench, start, "unguarded", "write sent", True)
    with pytest.raises(AssertionError):
        bench.require_values(newer)
    bench.require_values(held)
