"""What is not there yet, and what goes away for a while, over real servers."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import Bench
from generated import message
from processes import Start
from servers.faulty_proxy import FaultyProxy, answer, on
from servers.server_chain import is_idle, wait_until

from deploy.local.java_process import free_port
from deploy.local.kafka_cluster import KafkaCluster
from schemas.messages import ReportFindings

pytestmark = pytest.mark.model

NewBench = Callable[..., Bench]


def test_a_missing_patient_delays_only_its_own_report(new_bench: NewBench, start: Start) -> None:
    """The reports behind it are written at once, and it itself as soon as its Patient appears."""
    bench = new_bench(bus={"partitions": 1}, fhir={"target_retry_seconds": 1})
    late, *others = bench.cases(4)
    start(bench.settings, "0")
    bench.publish(message(late), patients=False)
    bench.publish(*map(message, others))
    bench.wait_for_bundles(len(others))
    bench.require_values(*others)
    assert not is_idle(bench.bus, ["delayed"])
    bench.ehr.seed([message(late)])
    bench.wait()
    bench.require_undisturbed()
    bench.require_values(late, *others)


def test_a_patient_that_stays_missing_has_its_report_rejected_by_name(new_bench: NewBench, start: Start) -> None:
    """After the wait it is rejected with the type of what is missing; nothing of it is written, all else is."""
    bench = new_bench(bus={"partitions": 1}, fhir={"target_retry_seconds": 1, "target_wait_seconds": 2})
    missing, *others = bench.cases(4)
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


def test_a_broker_that_is_killed_loses_and_doubles_nothing(new_bench: NewBench, start: Start, tmp_path: Path) -> None:
    """SIGKILL to the only broker while reports flow, then a restart: all arrive, each once.

    The publisher's own transactions are over before: Kafka 4.3 itself forgets the end of one that is being written when
    the only broker dies (docs/operations.md). The one that the kill cuts in two is emission's.
    """
    with KafkaCluster(tmp_path / "kafka") as cluster:
        bench = new_bench(cluster.bootstrap_servers, bus={"batch_size": 2, "request_timeout_seconds": 10})
        messages = [message(one) for one in bench.cases(30)]
        process = start(bench.settings, "0")
        bench.publish(*messages[:10])
        bench.wait_for_bundles(6)
        process.arm("outputs sent", signal.SIGSTOP)
        bench.publish(*messages[10:])
        process.wait_for_stop("outputs sent")
        bench.wait_for_findings(len(messages))
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
    """503 for a while, then nobody there for a while, while reports flow: all arrive, each once."""
    port = free_port()
    with FaultyProxy(fhir_url, port) as proxy:
        bench = new_bench(
            bus={"batch_size": 4},
            fhir={"base_url": proxy.base_url, "attempts": 2, "breaker_failures": 4, "breaker_seconds": 1},
        )
        messages = [message(one) for one in bench.cases(30)]
        process = start(bench.settings, "0")
        bench.publish(*messages[:10])
        bench.wait_for_bundles(4)
        busy = proxy.inject(on(), answer(503, retry_after=1), times=None)
        bench.publish(*messages[10:20])
        busy.wait_until_happened(4)
        busy.withdraw()
        bench.wait_for_bundles(14)
    process.arm("no connection", signal.SIGCONT, 4)
    bench.publish(*messages[20:])
    wait_until(lambda: process.has_reached("no connection"), "connections are refused")
    with FaultyProxy(fhir_url, port):
        bench.wait()
        process.end()
    bench.require_undisturbed()
