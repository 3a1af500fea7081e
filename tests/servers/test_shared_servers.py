"""The processes of one test run share a server, whoever of them ends first or dies."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers.shared_servers import shared_server

from deploy.local.java_process import HOST

REPOSITORY = Path(__file__).resolve().parents[2]
# Uses the shared server: says its address and whether it started it, and goes on when told to.
USER = """
import socket, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from servers.shared_servers import shared_server

class Listener:
    started = False
    def __init__(self, folder):
        folder.mkdir()
        self.socket = socket.socket()
    def start(self):
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        Listener.started = True
    def stop(self):
        self.socket.close()
    @property
    def address(self):
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

with shared_server(Path(sys.argv[1]), "listener", Listener, lambda server: server.address) as address:
    print(address, Listener.started, flush=True)
    sys.stdin.readline()
print("left", flush=True)
"""


class User:
    """A process that uses the shared server until told to leave it."""

    def __init__(self, folder: Path) -> None:
        """Start the process and read what it found."""
        command = [sys.executable, "-c", USER, str(folder), str(REPOSITORY / "tests")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."}
        )
        self.address, started = self.line().split()
        self.started = started == "True"

    def line(self) -> str:
        """The next line that the process writes."""
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        """Tell the process to go on."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answered(self) -> bool:
        """Whether its server accepts connections."""
        host, port = self.address.split(":")
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) == 0

    def end(self) -> None:
        """Kill the process if it still runs."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def new_user(tmp_path):
    """Makes processes that share a server."""
    users = []

    def make() -> User:
        users.append(User(tmp_path))
        return users[-1]

    yield make
    for user in users:
        user.end()


def test_the_second_user_finds_the_first_ones_server(new_user):
    """Only the first process starts a server; it stops it after the last user has left, though it is done earlier."""
    first, second = new_user(), new_user()
    assert (first.started, second.started, first.address) == (True, False, second.address)
    first.leave()
    third = new_user()
    assert (third.started, third.address) == (False, first.address)
    for user in (second, third):
        assert first.process.poll() is None
        assert first.answered()
        user.leave()
        assert user.line() == "left"
    assert first.line() == "left"
    assert first.process.wait(10) == 0
    assert not first.answered()


def test_a_user_after_the_last_starts_a_server_again(new_user):
    """A server that was stopped is not found by a later process."""
    first = new_user()
    first.leave()
    assert first.process.wait(10) == 0
    assert new_user().started


@pytest.mark.parametrize("killed", ["the one that started it", "another"])
def test_a_killed_user_holds_nobody_up(new_user, killed):
    """After a kill the server is there for the rest, a new one where it died with the one that started it."""
    first, second = new_user(), new_user()
    dead, living = (first, second) if killed == "the one that started it" else (second, first)
    dead.process.send_signal(signal.SIGKILL)
    dead.process.wait()
    later = new_user()
    assert later.started == (dead is first)
    for user in (later, living):
        user.leave()
    assert [user.process.wait(10) for user in (later, living)] == [0, 0]


def test_a_server_that_does_not_start_is_not_left_as_found(tmp_path):
    """The fault of a start reaches the test, and the next one that needs the server starts it."""

    class Broken:
        def __init__(self, folder):
            self.folder = folder

        def start(self):
            raise RuntimeError("no memory")

        def stop(self):
            raise AssertionError("never started")

    class Sound(Broken):
        stopped = False

        def start(self):
            self.folder.mkdir()

        def stop(self):
            Sound.stopped = True

    with (
        pytest.raises(RuntimeError, match="no memory"),
        shared_server(tmp_path, "server", Broken, lambda _: f"{HOST}:1"),
    ):
        pass
    with shared_server(tmp_path, "server", Sound, lambda _: f"{HOST}:1") as address:
        assert address == f"{HOST}:1"
    assert Sound.stopped
