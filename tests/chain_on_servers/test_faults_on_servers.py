"""What is not there yet, what goes away for a while, and processes that come and go, over real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import EMISSION, Bench
from generated import Case, case, message
from processes import DRAIN_SECONDS, Start, plain_settings
from servers.faulty_proxy import FaultyProxy, Hold, answer, on, reset
from servers.server_chain import HOPS, WAIT_SECONDS, is_idle, wait_until

from deploy.local.kafka_cluster import KafkaCluster
from schemas.messages import TOPIC_REPORTS, ReportFindings
from schemas.settings import Settings
from workers.bus import Outgoing

pytestmark = pytest.mark.model

NewBench = Callable[..., Bench]
PROGRAM = Path(sys.executable).with_name("synoptic")


def cases_of(bench: Bench, count: int) -> list[Case]:
    """The first cases of the bench's site."""
    return [case(number, bench.site) for number in range(count)]


def wait_for_bundles(bench: Bench, count: int) -> None:
    """Return when subscribers see at least so many Bundles."""
    wait_until(lambda: len(bench.bundles) >= count, f"{count} Bundles")


def test_a_missing_patient_delays_only_its_own_report(new_bench: NewBench, start: Start) -> None:
    """The reports behind it are written at once, and it itself as soon as its Patient appears."""
    bench = new_bench(bus={"partitions": 1}, fhir={"target_retry_seconds": 1})
    late, *others = cases_of(bench, 4)
    start(bench.settings, "0")
    bench.publish(message(late), patients=False)
    bench.publish(*map(message, others))
    wait_for_bundles(bench, len(others))
    bench.require_values(*others)
    assert not is_idle(bench.bus, ["delayed"])
    bench.ehr.seed([message(late)])
    bench.wait()
    bench.require_undisturbed()
    bench.require_values(late, *others)


def test_a_patient_that_stays_missing_has_its_report_rejected_by_name(new_bench: NewBench, start: Start) -> None:
    """After the wait it is rejected with the type of what is missing; nothing of it is written, all else is."""
    bench = new_bench(bus={"partitions": 1}, fhir={"target_retry_seconds": 1, "target_wait_seconds": 2})
    missing, *others = cases_of(bench, 4)
    start(bench.settings, "0")
    bench.publish(message(missing), patients=False)
    bench.publish(*map(message, others))
    bench.wait()
    (rejected,) = bench.rejected
    assert rejected.header("code") == "SYN-455"
    assert "(Patient)" in (rejected.header("reason") or "")
    assert missing.site not in (rejected.header("reason") or "")
    assert (
        ReportFindings.model_validate_json(rejected.value).content_digest
        == ReportFindings.model_validate_json(bench.findings(message(missing))[0].value).content_digest
    )
    bench.require_values(*others)
    assert len(bench.bundles) == len(others)


def test_processes_that_come_and_go_double_and_lose_nothing(new_bench: NewBench, start: Start) -> None:
    """One, three and again one process of emission, while sixty reports flow."""
    bench = new_bench(bus={"batch_size": 2})
    cases = cases_of(bench, 60)
    processes = [start(bench.settings, "0")]
    bench.publish(*map(message, cases[:20]))
    wait_for_bundles(bench, 4)
    processes += [start(bench.settings, "1"), start(bench.settings, "2")]
    bench.publish(*map(message, cases[20:40]))
    wait_for_bundles(bench, 30)
    bench.publish(*map(message, cases[40:50]))
    passed = [process.end() for process in processes[1:]]
    bench.publish(*map(message, cases[50:]))
    bench.wait()
    passed.append(processes[0].end())
    assert all(one["committed"] for one in passed)
    bench.require_undisturbed()


def test_a_broker_that_is_killed_loses_and_doubles_nothing(new_bench: NewBench, start: Start, tmp_path: Path) -> None:
    """SIGKILL to the only broker while reports flow, then a restart: all arrive, each once."""
    with KafkaCluster(tmp_path / "kafka") as cluster:
        bench = new_bench(cluster.bootstrap_servers, bus={"batch_size": 2})
        process = start(bench.settings, "0")
        bench.publish(*map(message, cases_of(bench, 30)))
        wait_for_bundles(bench, 6)
        process.arm("outputs sent", signal.SIGSTOP)
        process.wait_for_stop("outputs sent")
        cluster.kill(1)
        assert cluster.pids == {}
        process.go_on()
        cluster.start_node(1)
        bench.wait()
        bench.require_undisturbed()
        process.end()
        bench.close()


def test_a_fhir_server_that_is_away_holds_reports_up_and_loses_none(
    new_bench: NewBench, start: Start, fhir_url: str
) -> None:
    """503 for a while, then no connection for a while, while reports flow: all arrive, each once."""
    with FaultyProxy(fhir_url) as proxy:
        bench = new_bench(
            bus={"batch_size": 4},
            fhir={"base_url": proxy.base_url, "attempts": 2, "breaker_failures": 4, "breaker_seconds": 1},
        )
        start(bench.settings, "0")
        cases = cases_of(bench, 30)
        bench.publish(*map(message, cases[:10]))
        for action, number in ((answer(503, retry_after=1), 4), (reset(), 14)):
            wait_for_bundles(bench, number)
            fault = proxy.inject(on(), action, times=None)
            bench.publish(*map(message, cases[number + 6 : number + 16]))
            fault.wait_until_happened(4)
            fault.withdraw()
        bench.wait()
        bench.require_undisturbed()


@contextmanager
def synoptic_run(settings: Settings, which: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`synoptic run` as a process, under the settings; ended in any case."""
    path = folder / "synoptic.yaml"
    path.write_text(json.dumps(plain_settings(settings)))
    process = subprocess.Popen([PROGRAM, "run", which], env=os.environ | {"SYNOPTIC_SETTINGS": str(path)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("which", ["all", "emission"])
def test_sigterm_drains_the_program_within_its_time(
    new_bench: NewBench, fhir_url: str, tmp_path: Path, which: str
) -> None:
    """Told to stop in the middle of a write, it ends with 0 within thirty seconds; the next one does the rest."""
    with FaultyProxy(fhir_url) as proxy:
        bench = new_bench(bus={"batch_size": 4}, fhir={"base_url": proxy.base_url})
        messages = [message(one) for one in cases_of(bench, 20)]
        findings = bench.expect(*messages)
        reports = [Outgoing(TOPIC_REPORTS, one) for one in messages]
        bench.bus.publish(reports if which == "all" else findings)
        held = Hold()
        proxy.inject(on("POST", "^$", '"transaction"'), held)
        with synoptic_run(bench.settings, which, tmp_path) as process:
            held.wait_until_reached(WAIT_SECONDS)
            process.terminate()
            held.release()
            assert process.wait(DRAIN_SECONDS) == 0
        assert 0 < len(bench.bundles) < len(messages)
        with synoptic_run(bench.settings, which, tmp_path) as process:
            wait_until(lambda: is_idle(bench.bus, HOPS if which == "all" else EMISSION), "all hops done")
            process.terminate()
            assert process.wait(DRAIN_SECONDS) == 0
        bench.require_undisturbed()
