"""A Java server as a child process, with a server of a few lines."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import java_process
from deploy.local.java_process import HOST, JavaProcess, MissingProgramError, ServerFailedError, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = """
import java.net.*;
public class Server {
    public static void main(String[] arguments) throws Exception {
        System.out.println("starting as " + arguments[1]);
        if (arguments[1].equals("broken")) { System.err.println("no such table"); System.exit(3); }
        if (arguments[1].equals("stubborn"))
            Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { Thread.sleep(600000); } catch (Exception e) { } }));
        ServerSocket server = new ServerSocket(Integer.parseInt(arguments[0]), 50, InetAddress.getByName("127.0.0.1"));
        while (!arguments[1].equals("deaf")) server.accept().close();
        server.close();
        Thread.sleep(600000);
    }
}
"""
STARTER = """
import sys, time
from pathlib import Path
from deploy.local.java_process import JavaProcess
source, port = sys.argv[1:]
process = JavaProcess((source, port, "sound"), Path(source).with_name("log"), int(port))
process.start()
process.wait_until_listening()
print(process.pid, flush=True)
time.sleep(600)
"""
Maker = Callable[[str], JavaProcess]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The server's source, which java compiles as it starts."""
    path = tmp_path / "Server.java"
    path.write_text(SERVER, encoding="utf-8")
    return path


@pytest.fixture
def make(source: Path) -> Iterator[Maker]:
    """Makes servers that behave in a named way."""
    made: list[JavaProcess] = []

    def one(behaviour: str) -> JavaProcess:
        port = free_port()
        made.append(JavaProcess((str(source), str(port), behaviour), source.with_name("logs") / "log", port))
        return made[-1]

    yield one
    for process in made:
        process.kill()


def gone(pid: int) -> bool:
    """Whether a process ends within the deadline; one that nobody has waited for counts as ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_server_starts_listens_and_stops(make):
    """The pid is that of java itself, the log is for its owner alone, and nothing is left after stop."""
    process = make("sound")
    process.start()
    process.wait_until_listening()
    assert "java" in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    assert process.log.stat().st_mode & 0o777 == 0o600
    assert "starting as sound" in process.log_tail()
    process.stop()
    assert not process.running
    assert not Path(f"/proc/{process.pid}").exists()
    process.start()
    process.wait_until_listening()
    assert process.running


def test_an_early_end_is_told_with_the_end_of_the_log(make):
    """A server that ends before it listens fails at once, with its status and its last words."""
    process = make("broken")
    process.start()
    with pytest.raises(ServerFailedError, match=r"(?s)status 3.*no such table"):
        process.wait_until_listening()


def test_a_server_that_never_listens_fails_in_time(make):
    """A server that lives and does not listen is given up after the time allowed."""
    process = make("deaf")
    with pytest.raises(ServerFailedError, match="was not started"):
        process.wait_until_listening(0)
    process.port = free_port()
    process.start()
    with pytest.raises(ServerFailedError, match="nothing listens"):
        process.wait_until_listening(0.2)


def test_a_server_that_does_not_heed_sigterm_is_killed(make):
    """Stop returns when the process is gone, by SIGKILL if need be."""
    process = make("stubborn")
    process.start()
    process.wait_until_listening()
    process.stop(seconds=0.5)
    assert process._process.returncode == -signal.SIGKILL


def test_no_server_is_started_twice_or_over_another(make):
    """Neither the same server again while it runs, nor one on a port that another process serves."""
    process = make("sound")
    process.start()
    with pytest.raises(ServerFailedError, match="still runs"):
        process.start()
    process.wait_until_listening()
    other = make("sound")
    other.port = process.port
    with pytest.raises(ServerFailedError, match="another process listens"):
        other.start()
    assert not other.running


def test_a_server_dies_with_its_killed_starter(source):
    """SIGKILL of the process that started a server ends the server too."""
    command = [sys.executable, "-c", STARTER, str(source), str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as starter:
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        starter.kill()
    assert gone(pid)


def test_a_server_outlives_the_thread_that_started_it(make):
    """The life of a server hangs on the process, not on the thread that happened to start it."""
    process = make("sound")
    thread = threading.Thread(target=process.start)
    thread.start()
    thread.join()
    process.wait_until_listening()
    assert process.running


def test_what_to_install_is_said_in_one_line(make, monkeypatch, tmp_path):
    """Without java the message names the packages."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingProgramError, match=r"^java is missing: install .* openjdk-17-jdk-headless maven$"):
        make("sound").start()


def test_java_home_comes_before_the_path(monkeypatch, tmp_path):
    """The kit that JAVA_HOME names is used, and the PATH for what it lacks."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_process.program("java") == str(java)
    assert java_process.program("mvn") != str(java.with_name("mvn"))


def test_free_ports_are_free_and_below_those_of_outgoing_connections():
    """A chosen port can be bound, and no system hands it to a client's connection."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = free_port()
    assert 1024 < port < first
    with socket.socket() as server:
        server.bind((HOST, port))
