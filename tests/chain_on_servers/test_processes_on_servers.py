"""Processes of emission and of the whole program that come and go, over real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import Bench
from generated import message
from processes import DRAIN_SECONDS, Start, plain_settings
from servers.faulty_proxy import FaultyProxy, Hold, on
from servers.server_chain import WAIT_SECONDS

from schemas.messages import TOPIC_REPORTS
from schemas.settings import Settings
from workers.buses.bus import Outgoing

pytestmark = pytest.mark.model

NewBench = Callable[..., Bench]
PROGRAM = Path(sys.executable).with_name("synoptic")


def test_processes_that_come_and_go_double_and_lose_nothing(new_bench: NewBench, start: Start) -> None:
    """One, three and again one process of emission while reports flow, each of which did some of the work."""
    bench = new_bench(bus={"batch_size": 2})
    messages = [message(one) for one in bench.cases(120)]
    processes = [start(bench.settings, "0")]
    bench.publish(*messages[:20])
    bench.wait_for_bundles(4)
    processes += [start(bench.settings, "1"), start(bench.settings, "2")]
    for process in processes:
        process.arm("committed", signal.SIGCONT)
    published = 20
    while published < 50 or not all(process.has_reached("committed") for process in processes):
        assert published < 110, "a process gets nothing to do"
        bench.publish(*messages[published : published + 5])
        published += 5
        bench.wait_for_bundles(published - 10)
    for process in processes[1:]:
        process.end()
    bench.publish(*messages[published : published + 10])
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
        messages = [message(one) for one in bench.cases(20)]
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
            bench.wait()
            process.terminate()
            assert process.wait(DRAIN_SECONDS) == 0
        bench.require_undisturbed()
