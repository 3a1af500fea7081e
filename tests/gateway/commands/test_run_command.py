"""`synoptic run` in this process: its health checks, and what it says of findings that wait."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway import cli
from gateway.commands import run as run_command
from schemas import metrics
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_DELAYED, TOPIC_REPORTS
from schemas.settings import BusSettings, FhirSettings, Settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Backoff, Runner


class PassingHop:
    """Passes everything on."""

    name = "intake"
    topics = (TOPIC_REPORTS,)

    def process(self, records):
        """One output a record."""
        return [Result((Outgoing("out", record.value),)) for record in records]


class WaitingHop(PassingHop):
    """Has nothing that is due."""

    name = "delayed"
    topics = (TOPIC_DELAYED,)

    def process(self, records):
        """Never now."""
        raise SynopticError(Code.NOT_DUE, retry_after=600)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder without settings, with quiet logs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    monkeypatch.setattr(run_command, "configure", lambda _settings: None)
    return tmp_path


@pytest.fixture
def hops(monkeypatch):
    """Lets the program run other hops."""

    def use(*chosen) -> None:
        @contextmanager
        def opened(_processes, _settings, _stopping):
            yield list(chosen)

        monkeypatch.setattr(run_command, "open_hops", opened)

    return use


def end(*arguments: str) -> int:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@contextmanager
def opened():
    """The bus of the working folder."""
    with closing(EmbeddedBus(Path("synoptic-data/bus.sqlite"))) as bus:
        yield bus


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def test_health_is_served_while_the_hops_run(folder, hops, monkeypatch):
    """Where metrics.port is set, readiness and metrics are there from the start to the end, and not after it."""
    port = free_port()
    hops(PassingHop())
    answers = {}

    def ask_then_end() -> None:
        for path in ("/health/live", "/metrics"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                answers[path] = answer.read()
        while "/health/ready" not in answers:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=30) as answer:
                    answers["/health/ready"] = answer.read()
            except urllib.error.HTTPError as error:
                error.close()
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=ask_then_end)
    # The thread ends the program by a signal, so it starts when the service does: the handler is there then.
    monkeypatch.setattr(run_command, "_keep_house", lambda *_: thread.start() if not thread.ident else None)
    monkeypatch.setenv("SYNOPTIC_METRICS__PORT", str(port))
    assert end("run", "intake") == 0
    thread.join()
    assert [hop["hop"] for hop in json.loads(answers["/health/ready"])["hops"]] == ["intake"]
    assert b"synoptic_ready{" in answers["/metrics"]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=30)


def test_a_bus_that_stays_away_leaves_the_process_alive_and_unready(folder, hops, monkeypatch):
    """A supervisor sees from the start that it waits and need not be started anew; SIGTERM ends it at once."""
    port = free_port()
    hops(PassingHop())
    answers, tries, tried = {}, [], threading.Event()

    def fail(*_arguments):
        tries.append(True)
        tried.set()
        raise SynopticError(Code.BUS_UNAVAILABLE)

    def ask_then_end() -> None:
        assert tried.wait(60)
        for path in ("/health/live", "/health/ready"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                    answers[path] = answer.status
            except urllib.error.HTTPError as error:
                answers[path] = error.code
                error.close()
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=ask_then_end)
    monkeypatch.setattr(EmbeddedBus, "subscribe", fail)
    monkeypatch.setattr(run_command, "_keep_house", lambda *_: thread.start() if not thread.ident else None)
    monkeypatch.setattr(run_command, "Backoff", lambda: Backoff(600, 600))
    monkeypatch.setenv("SYNOPTIC_METRICS__PORT", str(port))
    assert end("run", "intake") == 0
    thread.join()
    assert answers == {"/health/live": 200, "/health/ready": 503}
    assert tries == [True]


def test_a_port_that_is_taken_ends_the_program(folder, hops, monkeypatch, capsys):
    """Nothing runs unobserved that was to be observed."""
    hops(PassingHop())
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        monkeypatch.setenv("SYNOPTIC_METRICS__PORT", str(taken.getsockname()[1]))
        assert end("run", "intake") == 2
    assert "SYN-611" in capsys.readouterr().err


@pytest.mark.parametrize("fault", [Code.BUS_UNAVAILABLE, Code.BUS_REFUSES])
def test_a_bus_that_is_not_there_yet_is_waited_for(folder, hops, monkeypatch, capsys, fault):
    """The process may start before its broker; one that refuses it ends it."""
    hops(PassingHop())
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"{}")] * 4)
    subscribe, faults = EmbeddedBus.subscribe, [SynopticError(fault)] * 2

    def later(*arguments):
        if faults:
            raise faults.pop()
        return subscribe(*arguments)

    monkeypatch.setattr(EmbeddedBus, "subscribe", later)
    monkeypatch.setattr(run_command, "Backoff", lambda attempts: Backoff(0.001, 0.001, attempts))
    code = end("run", "--until-idle")
    shown = capsys.readouterr().err
    if fault is Code.BUS_REFUSES:
        assert (code, shown.split()[0]) == (2, "SYN-512")
    else:
        assert (code, faults) == (0, [])
        assert "processed 4 records" in shown


def test_until_idle_says_how_many_still_wait(folder, hops, capsys):
    """Findings whose Patient is not there yet do not keep the program running, and are not passed over in silence."""
    hops(PassingHop(), WaitingHop())
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"{}")] * 4 + [Outgoing(TOPIC_DELAYED, b"{}")] * 3)
    assert end("run", "--until-idle") == 0
    assert "processed 4 records; findings that still wait for what they refer to: 3\n" in capsys.readouterr().err


def started(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """`synoptic run` in a process of its own, as a container runs it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNOPTIC_")} | variables
    command = [sys.executable, "-c", "from gateway import cli; cli.main()", "run", "intake", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)


def lines_of(process: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    """All that it writes to standard error until it ends, each line of which is JSON."""
    return [json.loads(line) for line in process.communicate(timeout=120)[1].splitlines()]


def test_a_log_holds_lines_of_json_alone(tmp_path):
    """Without a terminal, what runs, what was done and what ended the program are lines of JSON like all others."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        idle = lines_of(started(tmp_path, "--until-idle"))
        fatal = lines_of(started(tmp_path, SYNOPTIC_METRICS__PORT=port))
        unset = lines_of(started(tmp_path, SYNOPTIC_SETTINGS="absent.yaml"))
    assert (idle[-1]["event"], idle[-1]["records"], idle[-1]["waiting"]) == ("nothing is left to do", 0, 0)
    for lines, code in ((fatal, Code.CANNOT_LISTEN), (unset, Code.BAD_SETTINGS)):
        (line,) = lines
        assert (line["level"], line["code"]) == ("error", code.label)
        assert code.remedy in str(line["reason"])


def test_a_log_says_which_hops_start(tmp_path):
    """A service that writes JSON names its hops, and says nothing of keys that nobody can press."""
    process = started(tmp_path)
    assert process.stderr is not None
    try:
        first = json.loads(process.stderr.readline())
        process.terminate()
        lines_of(process)
    finally:
        process.kill()
    assert (first["event"], first["hop"], process.returncode) == ("hop starts", "intake", 0)


def test_a_broker_that_is_away_costs_a_warning_only(folder, monkeypatch):
    """Where one hop's lag is not to be had, that of the others is, and the embedded bus is cleaned all the same."""
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_DELAYED, b"{}")] * 3)
        runners = [Runner(hop, bus, BusSettings()) for hop in (PassingHop(), WaitingHop())]
        lag, expired = bus.lag, []

        def fail_once(group, topics):
            if group == "synoptic-intake":
                raise SynopticError(Code.BUS_UNAVAILABLE)
            return lag(group, topics)

        monkeypatch.setattr(bus, "lag", fail_once)
        monkeypatch.setattr(bus, "expire", expired.append)
        run_command._keep_house(bus, runners)
        for runner in runners:
            runner.close()
    assert metrics.value_of(metrics.LAG, hop="delayed", topic=TOPIC_DELAYED) == 3
    assert len(expired) == 1


def test_emission_brings_the_hop_of_what_waits(tmp_path):
    """`run emission` works on both topics over one store, which ends with it; nothing else has a second hop."""
    from gateway.composition import open_hops

    settings = Settings(
        bus=BusSettings(path=tmp_path / "bus.sqlite"),
        fhir=FhirSettings(folder=tmp_path / "fhir", target_retry_seconds=3),
    )
    with open_hops(("emission",), settings) as both:
        assert [hop.name for hop in both] == ["emission", "delayed", "review"]
        assert both[1]._emission is both[0]
    with pytest.raises(RuntimeError, match="shutdown"):
        both[0]._pool.submit(len, "")
    with open_hops(("intake",), settings) as one:
        assert [hop.name for hop in one] == ["intake"]
    with pytest.raises(SynopticError, match="SYN-511"), open_hops(("delayed",), settings):
        pass
