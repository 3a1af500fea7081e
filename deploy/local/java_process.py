"""A Java server as a child process: started, watched until it listens, stopped by its own pid.

Nothing here outlives the process that started it, even when that is ended by SIGKILL (on Linux; elsewhere a server is
left behind only then).
"""

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HOST = "127.0.0.1"
# Below the ports that systems give to outgoing connections: a client that redials a killed server could otherwise be
# given the very port it dials, connect to itself, and hold the port against the restart.
FIRST_PORT, PORTS = 20_000, 12_000
PR_SET_PDEATHSIG = 1
LOG_TAIL_BYTES = 4_000
POLL_SECONDS = 0.05

# Linux counts the thread that starts a child as its parent. This one lasts as long as the interpreter.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="java-starter")


class MissingProgramError(RuntimeError):
    """A program that has to be installed first; the message says in one line what to install."""


class ServerFailedError(RuntimeError):
    """A server that ended, or that did not listen in time; the message quotes the end of its log."""


def program(name: str) -> str:
    """Where a program of the Java tools is: under JAVA_HOME, else on the PATH."""
    beside = Path(os.environ["JAVA_HOME"]) / "bin" / name if os.environ.get("JAVA_HOME") else None
    found = str(beside) if beside and beside.is_file() else shutil.which(name)
    if found is None:
        raise MissingProgramError(
            f"{name} is missing: install a Java development kit (17 or newer) and Maven, "
            "on Debian or Ubuntu: apt-get install openjdk-17-jdk-headless maven"
        )
    return found


def accepts_connections(port: int) -> bool:
    """Whether something listens on this port of this host."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Choose a port of this host on which nothing listens."""
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerFailedError(f"no free port found from {FIRST_PORT} to {FIRST_PORT + PORTS - 1}")


class JavaProcess:
    """One Java virtual machine that serves one port of this host."""

    def __init__(self, arguments: Sequence[str], log: Path, port: int, folder: Path | None = None) -> None:
        """Take the arguments of java, the file for its output, the port to wait for, and its working folder."""
        self.port = port
        self.log = log
        self._arguments = tuple(arguments)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the virtual machine."""
        if self._process is None:
            raise ServerFailedError("the server was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the virtual machine was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the virtual machine without waiting until it listens."""
        if self.running:
            raise ServerFailedError(f"process {self.pid} still runs: stop it before it is started again")
        if accepts_connections(self.port):
            raise ServerFailedError(f"another process listens on port {self.port} of {HOST}")
        java = program("java")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = _starter.submit(self._open, java, output).result()
        finally:
            os.close(output)

    def _open(self, java: str, output: int) -> subprocess.Popen[bytes]:
        """Start the child: this module as a script, which becomes java under the same pid."""
        launcher = (sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()))
        return subprocess.Popen(  # noqa: S603 (the arguments are those of deploy/local)
            [*launcher, java, *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,  # an interrupt typed at the terminal ends the starter, which stops it in order
        )

    def wait_until_listening(self, seconds: float = 120) -> None:
        """Wait until the port accepts connections; fail as soon as the process ends, or when the time is over."""
        deadline = time.monotonic() + seconds
        while not accepts_connections(self.port):
            self.require_running()
            if time.monotonic() > deadline:
                raise ServerFailedError(f"nothing listens on port {self.port} after {seconds:.0f} s\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)
        self.require_running()

    def require_running(self) -> None:
        """Fail with the end of the log if the process has ended."""
        if self._process is None or (status := self._process.poll()) is not None:
            ended = "was not started" if self._process is None else f"ended with status {status}"
            raise ServerFailedError(f"the server on port {self.port} {ended}\n{self.log_tail()}")

    def stop(self, seconds: float = 20) -> None:
        """End the process by SIGTERM, and by SIGKILL if it has not ended in time; return when it is gone."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def request_stop(self) -> None:
        """Send SIGTERM without waiting, as for several servers that end together; `stop` then waits."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process by SIGKILL and return when it is gone."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> str:
        """The end of what the process wrote."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


def _become(parent: int, command: list[str]) -> None:
    """Tie this process to the life of its parent, then become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the process that asked for this server has ended")
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
