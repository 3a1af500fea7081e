"""Liveness, readiness and metrics over HTTP, asked as a supervisor asks."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import replace

import pytest

from gateway.health import HealthServer
from schemas import metrics
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import HopStatus, Result
from workers.runner import Runner

WELL = HopStatus("intake", joined=True, alive=True, silent_seconds=0.5, idle_seconds=70.0)


class Process:
    """A process whose hops are as the test says."""

    def __init__(self) -> None:
        self.hops = [WELL, replace(WELL, hop="emission")]

    def ask(self, path: str) -> tuple[int, str, bytes]:
        """Serve, and answer one request: status, content type and body."""
        with HealthServer("127.0.0.1", 0, lambda: self.hops, silent_seconds=300) as server:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30) as answer:
                    return answer.status, answer.headers["Content-Type"], answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.headers["Content-Type"], error.read()

    def report(self, path: str) -> tuple[int, dict[str, dict]]:
        """The status and the body's hops by name."""
        status, content_type, body = self.ask(path)
        assert content_type == "application/json"
        report = json.loads(body)
        assert report["ok"] == (status == 200)
        return status, {hop["hop"]: hop for hop in report["hops"]}


@pytest.fixture
def process():
    """A process whose two hops are well."""
    return Process()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/ready?verbose=1"])
def test_a_process_whose_hops_are_well_answers_200(process, path):
    """Joined, alive and without trouble, however long there was nothing to do."""
    status, hops = process.report(path)
    assert status == 200
    assert [hop["ok"] for hop in hops.values()] == [True, True]


@pytest.mark.parametrize("change", [{"alive": False}, {"silent_seconds": 301.0}], ids=["ended", "hangs"])
def test_a_hop_that_ended_or_hangs_is_named_as_not_alive(process, change):
    """The supervisor learns which hop it was, and that a restart would help; it is not ready either."""
    process.hops[1] = replace(process.hops[1], **change)
    for path in ("/health/live", "/health/ready"):
        status, hops = process.report(path)
        assert status == 503
        assert {name: hop["ok"] for name, hop in hops.items()} == {"intake": True, "emission": False}


class HangingHop:
    """Works on its batch until it is let go."""

    name = "extraction"
    topics = ("in",)

    def __init__(self) -> None:
        """Hang at first."""
        self.begun, self.let_go = threading.Event(), threading.Event()

    def process(self, records):
        """Wait."""
        self.begun.set()
        assert self.let_go.wait(60)
        return [Result() for _ in records]


def test_a_hop_that_hangs_in_its_work_is_found_out(tmp_path, monkeypatch):
    """The thread that drives the hop goes on beside it, and does not hide that nothing moves."""
    monkeypatch.setattr("workers.runner.HEARTBEAT_SECONDS", 0.01)
    settings, hop = BusSettings(batch_seconds=1), HangingHop()
    with closing(EmbeddedBus(tmp_path / "bus.sqlite")) as bus:
        bus.publish([Outgoing("in", b"1")])
        runner = Runner(hop, bus, settings)
        thread = threading.Thread(target=runner.step)
        thread.start()
        assert hop.begun.wait(60)

        def lives() -> bool:
            with HealthServer("127.0.0.1", 0, lambda: [runner.status], settings.batch_seconds) as server:
                return server._answer("/health/live")[0] == 200

        deadline = time.monotonic() + 20
        while (seen := lives()) and time.monotonic() < deadline:
            pass
        hop.let_go.set()
        thread.join(60)
        assert not seen, "nobody noticed"
        assert runner.status.alive
        runner.close()


@pytest.mark.parametrize(
    "change", [{"joined": False}, {"error": Code.STORE_UNAVAILABLE}, {"alive": False}], ids=["joins", "waits", "ended"]
)
def test_a_hop_that_has_not_joined_or_waits_is_not_ready(process, change):
    """Readiness names the hop and the number of the error that it waits for."""
    process.hops[1] = replace(process.hops[1], **change)
    status, hops = process.report("/health/ready")
    assert status == 503
    assert {name: hop["ok"] for name, hop in hops.items()} == {"intake": True, "emission": False}
    assert hops["emission"]["error"] == ("SYN-451" if "error" in change else None)


def test_a_hop_that_waits_lives(process):
    """A FHIR server that is away is nothing that a restart would mend."""
    process.hops[1] = replace(process.hops[1], error=Code.STORE_UNAVAILABLE, idle_seconds=9000.0)
    assert process.report("/health/live")[0] == 200


def test_metrics_are_those_of_prometheus(process):
    """The exposition holds the vocabulary's metrics, and which hops are ready at this moment."""
    process.hops[1] = replace(process.hops[1], error=Code.BUS_UNAVAILABLE)
    metrics.LAG.set(7, hop="intake", topic="synoptic.diagnostic-reports")
    status, content_type, body = process.ask("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    lines = body.decode().splitlines()
    assert 'synoptic_lag_records{hop="intake",topic="synoptic.diagnostic-reports"} 7.0' in lines
    assert 'synoptic_ready{hop="intake"} 1.0' in lines
    assert 'synoptic_ready{hop="emission"} 0.0' in lines


@pytest.mark.parametrize("path", ["/", "/health", "/health/live/", "/metrics2", "/../metrics"])
def test_there_is_nothing_else(process, path):
    """Any other path is 404, and is not repeated in the answer."""
    status, _, body = process.ask(path)
    assert status == 404
    assert b"metrics2" not in body


def test_requests_are_not_logged(process, capfd):
    """Whatever a client sends, nothing of it is printed."""
    process.ask("/Erika-Mustermann")
    assert "Erika" not in "".join(capfd.readouterr())


def test_a_port_that_is_taken_is_a_numbered_error():
    """The process says what to change instead of running without health checks."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, pytest.raises(SynopticError) as caught:
        HealthServer("127.0.0.1", taken.getsockname()[1], list, silent_seconds=1)
    assert caught.value.code is Code.CANNOT_LISTEN
    assert caught.value.code.kind is Kind.FATAL


def test_the_port_is_free_again_afterwards():
    """A server that has ended leaves its port, so that the next start gets it."""
    with HealthServer("127.0.0.1", 0, list, silent_seconds=1) as server:
        port = server.port
    with HealthServer("127.0.0.1", port, list, silent_seconds=1) as again:
        assert again.port == port
