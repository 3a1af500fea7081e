"""Emission processes as a test sees them: started over both servers, stopped or killed at a point, continued, ended."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from servers.server_chain import PRIVACY, WAIT_SECONDS, wait_until

from schemas.settings import Settings

HERE = Path(__file__).resolve().parent
FOLDERS = (HERE.parents[1], HERE.parent, HERE.parent / "chain")
DRAIN_SECONDS = 30
THE_PRODUCT = "the product"


class EmissionProcess:
    """A process of emission_child.py."""

    def __init__(self, settings: Settings, instance: str, variant: str = THE_PRODUCT) -> None:
        """Start it; it has joined no group yet."""
        plain = plain_settings(settings)
        plain["bus"]["instance_id"] = instance
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "emission_child.py"), json.dumps(plain), variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, FOLDERS))},
        )
        self._reached: set[str] = set()
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            assert self._next() == {"running": True}
        except BaseException:
            self._process.kill()
            raise

    def arm(self, point: str, number: signal.Signals, count: int = 1) -> None:
        """Let it send itself the signal at its `count`-th pass of the point from now; SIGCONT only tells that it was there."""
        assert self._process.stdin
        order = {"point": point, "count": count, "number": int(number)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        assert self._next() == {"armed": point}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_for_stop(self, point: str) -> None:
        """Return when the process has reached the point and stands still there."""
        assert self._next()["reached"] == point
        wait_until(self.stands_still, "the process stands still")

    def wait_for_death(self, point: str) -> None:
        """Return when the process has reached the point and was killed there."""
        assert self._next()["reached"] == point
        assert self._process.wait(WAIT_SECONDS) == -signal.SIGKILL

    def wait_for_pass(self, point: str) -> None:
        """Return when a process that went on has passed the point."""
        while self._next()["went_on"] != point:
            pass

    def has_reached(self, point: str) -> bool:
        """Whether the process has said that it was at the point that it was armed for."""
        return point in self._reached

    def stands_still(self) -> bool:
        """Whether the process is stopped by a signal."""
        return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    def go_on(self) -> None:
        """Continue a process that stands still."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Let the process drain, if it lives."""
        assert self._process.stdin
        if self._process.poll() is None:
            self.go_on()
            self._process.terminate()
            try:
                assert self._process.wait(DRAIN_SECONDS) == 0
            finally:
                self._process.kill()
        self._process.stdin.close()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for line in output:
                said: dict[str, Any] = json.loads(line)
                self._reached |= {said["reached"]} if "reached" in said else set()
                self._said.put(said)
        self._said.put(None)

    def _next(self) -> dict[str, Any]:
        said = self._said.get(timeout=WAIT_SECONDS)
        assert said, "the process ended"
        return said


Start = Callable[..., EmissionProcess]


@contextmanager
def emission_processes() -> Iterator[Start]:
    """Starts processes that are all ended at the end."""
    with ExitStack() as stack:

        def start(*arguments: Any, **keywords: Any) -> EmissionProcess:
            process = EmissionProcess(*arguments, **keywords)
            stack.callback(process.end)
            return process

        yield start


def plain_settings(settings: Settings) -> dict[str, Any]:
    """The settings as JSON, for another process of the same installation."""
    plain: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True, exclude={"privacy"})
    assert PRIVACY.key
    return (
        {"bus": {}}
        | plain
        | {"privacy": {"key": PRIVACY.key.get_secret_value(), "key_store": str(settings.privacy.key_store)}}
    )
